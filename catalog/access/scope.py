"""Sessions in which only that exists which a viewer may see.

The condition is put on every mention of :class:`~catalog.models.Dataset` and of
:class:`~catalog.models.Library` in every query of such a session, joins and aliases included, so
that a new query cannot forget it. A query in bare SQL, or one that names neither (that of a
library's spectra without their library), must ask the :class:`Viewer` itself.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Engine, and_, event, literal, or_, select
from sqlalchemy.orm import LoaderCriteriaOption, ORMExecuteState, Session, with_loader_criteria

from catalog.access.viewer import EVERYTHING, Viewer
from catalog.errors import Forbidden, NotFound
from catalog.models import Dataset, Library


class ViewedSession(Session):
    """A session that finds no dataset and no library which its viewer may not see."""

    def __init__(self, engine: Engine, viewer: Viewer, **options: Any) -> None:
        super().__init__(engine, **options)
        self.viewer = viewer


@event.listens_for(ViewedSession, "do_orm_execute")
def _hide(state: ORMExecuteState) -> None:
    session = state.session
    if not isinstance(session, ViewedSession) or session.viewer.sees_all or not state.is_select:
        return
    viewer = session.viewer
    state.statement = state.statement.options(visible_to(viewer), libraries_visible_to(viewer))


def visible_to(viewer: Viewer) -> LoaderCriteriaOption:
    """Return :meth:`Viewer.sees` for all mentions of datasets in a query, aliases included.

    The form with a lambda is the one that SQLAlchemy fits to aliases; it keeps the statement and
    takes the two variables as parameters.
    """
    word, proposals = viewer.open_visibility, viewer.proposals
    return with_loader_criteria(
        Dataset,
        lambda dataset: or_(dataset.visibility == word, dataset.proposal_id.in_(proposals)),
        include_aliases=True,
    )


def libraries_visible_to(viewer: Viewer) -> LoaderCriteriaOption:
    """Return :meth:`Viewer.sees_library` for all mentions of libraries in a query."""
    word, proposals = viewer.open_visibility, viewer.proposals
    return with_loader_criteria(
        Library,
        lambda library: or_(
            and_(library.proposal_id.is_(None), literal("public") == word),
            library.proposal_id.in_(proposals),
        ),
        include_aliases=True,
    )


def viewer_of(session: Session) -> Viewer:
    """Return who looks through a session; a plain one is the platform's own."""
    return session.viewer if isinstance(session, ViewedSession) else EVERYTHING


def is_visible(session: Session, viewer: Viewer, dataset_id: UUID) -> bool:
    """Tell whether there is such a dataset for a viewer."""
    found = select(Dataset.id).where(Dataset.id == dataset_id, viewer.sees())
    return session.scalar(found) is not None


def demand_write(session: Session, viewer: Viewer, dataset_id: UUID) -> None:
    """Let pass who may change a dataset.

    Raises
    ------
    NotFound
        There is no such dataset for this viewer.
    Forbidden
        They may see it and not change it.
    """
    row = session.execute(
        select(Dataset.proposal_id).where(Dataset.id == dataset_id, viewer.sees())
    ).first()
    if row is None:
        raise NotFound(f"No dataset {dataset_id} in the catalogue")
    if not viewer.may_write(row[0]):
        raise Forbidden(
            f"{viewer.name} may see dataset {dataset_id} and not change it: that needs a grant to "
            "write for its proposal (`dayseye grant give`), or the staff"
        )
