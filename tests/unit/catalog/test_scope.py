"""A session with a viewer finds nothing else, however a query mentions datasets."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, union_all
from sqlalchemy.orm import aliased

from catalog.access import EVERYTHING, ViewedSession, Viewer
from catalog.models import Dataset, DatasetFile, Proposal, Run

OTHER = aliased(Dataset)
QUERIES = {
    "entity": select(Dataset),
    "column": select(Dataset.name),
    "count": select(Dataset.id).where(func.length(Dataset.name) > 0),
    "alias": select(OTHER.id),
    "join": select(Run.id).join(Dataset, Dataset.id == Run.dataset_id),
    "joined alias": select(Run.id).join(OTHER, OTHER.id == Run.dataset_id),
    "files": select(DatasetFile.id).join(Dataset, Dataset.id == DatasetFile.dataset_id),
    "subquery": select(Run.id).where(Run.dataset_id.in_(select(Dataset.id))),
    "exists": select(Run.id).where(select(Dataset.id).where(Dataset.id == Run.dataset_id).exists()),
    "cte": select(select(Dataset.id).cte("found").c.id),
    "union": select(union_all(select(Dataset.id), select(OTHER.id)).subquery().c.id),
    "scalar subquery": select(Run.id).where(
        Run.dataset_id == select(Dataset.id).limit(1).scalar_subquery()
    ),
}


@pytest.fixture
def scan(engine: Engine, sight: Callable) -> UUID:
    return sight(proposal="2026-1").dataset_id


def member(engine: Engine) -> Viewer:
    with ViewedSession(engine, EVERYTHING) as session:
        proposal = session.scalars(select(Proposal.id)).one()
    return Viewer("li", grants={proposal: "read"})


@pytest.mark.parametrize("name", QUERIES)
def test_every_form_of_query(engine: Engine, scan: UUID, name: str) -> None:
    for viewer, expected in (
        (EVERYTHING, True),
        (Viewer("stranger"), False),
        (member(engine), True),
        (Viewer("nobody", sees_public=False), False),
    ):
        with ViewedSession(engine, viewer) as session:
            assert bool(session.execute(QUERIES[name]).all()) == expected, viewer


def test_by_key(engine: Engine, scan: UUID) -> None:
    with ViewedSession(engine, Viewer("stranger")) as session:
        assert session.get(Dataset, scan) is None
    with ViewedSession(engine, member(engine)) as session:
        assert session.get(Dataset, scan) is not None
        total = session.scalar(select(func.count()).select_from(Dataset))
        assert total == 1
