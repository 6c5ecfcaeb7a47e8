"""Who else may see a dataset: embargoed until a date, public, or proprietary.

A change is an event, which the database applies; it refuses any other way. A result becomes public
only with the verdict *ok*, or one that a person has set.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from catalog.access.scope import demand_write
from catalog.access.viewer import Viewer
from catalog.connection import LOCK
from catalog.errors import CatalogError, Forbidden, IllegalMove
from catalog.lifecycle import note
from catalog.models import Dataset


class Visibility(StrEnum):
    """Who sees a dataset beside its proposal's team and the staff."""

    EMBARGOED = "embargoed"
    PUBLIC = "public"
    PROPRIETARY = "proprietary"


class VisibilityChange(BaseModel):
    """What became of a dataset that was to change."""

    dataset_id: UUID
    visibility: str
    embargo_until: datetime | None = None
    refused: str | None = None


def change(
    session: Session,
    viewer: Viewer,
    dataset_id: UUID,
    to: Visibility,
    *,
    reason: str,
    until: datetime | None = None,
    actor: str | None = None,
    with_results: bool = False,
) -> list[VisibilityChange]:
    """Change who sees a dataset, and with ``with_results`` its results too.

    A result that may not be published is left as it is and named with the reason; for the dataset
    itself that is an error.

    Raises
    ------
    NotFound, Forbidden
        The viewer may not see it, or not change it.
    IllegalMove
        The database refuses: the verdict gates it, or it is proprietary.
    """
    demand_write(session, viewer, dataset_id)
    dataset = session.get_one(Dataset, dataset_id, with_for_update=LOCK)
    _demand_staff(viewer, dataset, to)
    if until is not None and to != Visibility.EMBARGOED:
        raise CatalogError(f"Only an embargo has an end; {to} has none.")
    who = actor or viewer.actor()
    apply(session, dataset, to, until=until, actor=who, reason=reason)
    changes = [_change(dataset)]
    if with_results:
        for result in _results(session, dataset_id):
            refused = _try(session, result, to, until=until, actor=who, reason=reason)
            changes.append(_change(result, refused))
    return changes


def apply(
    session: Session,
    dataset: Dataset,
    to: Visibility,
    *,
    until: datetime | None = None,
    actor: str,
    reason: str,
) -> None:
    """Write the event, which the database applies.

    Raises
    ------
    IllegalMove
        It refuses. The transaction, or its savepoint, must be rolled back.
    """
    details = {"to": str(to), "until": until.isoformat() if until else None}
    try:
        note(session, dataset, "visibility", actor=actor, reason=reason, details=details)
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != "publishing":
            raise
        raise IllegalMove(str(error.orig).splitlines()[0]) from None
    session.refresh(dataset, ["visibility", "embargo_until"])


def _try(
    session: Session,
    result: Dataset,
    to: Visibility,
    *,
    until: datetime | None,
    actor: str,
    reason: str,
) -> str | None:
    try:
        with session.begin_nested():
            apply(session, result, to, until=until, actor=actor, reason=reason)
    except IllegalMove as error:
        return str(error)
    return None


def _demand_staff(viewer: Viewer, dataset: Dataset, to: Visibility) -> None:
    """Keep for the staff what binds others: proprietary data, and taking back what is public."""
    binding = {Visibility.PROPRIETARY: "proprietary", Visibility.PUBLIC: "public"}
    was = Visibility(dataset.visibility)
    word = "proprietary" if to == Visibility.PROPRIETARY else binding.get(was)
    if word is not None and to != was and not viewer.is_staff:
        raise Forbidden(f"Only the staff decide on what is {word}; ask them to change {dataset.id}")


def _results(session: Session, dataset_id: UUID) -> list[Dataset]:
    statement = select(Dataset).where(Dataset.source_id == dataset_id).order_by(Dataset.version)
    return list(session.scalars(statement.with_for_update(key_share=True)))


def _change(dataset: Dataset, refused: str | None = None) -> VisibilityChange:
    return VisibilityChange(
        dataset_id=dataset.id,
        visibility=dataset.visibility,
        embargo_until=dataset.embargo_until,
        refused=refused,
    )
