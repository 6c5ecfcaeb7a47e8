"""How the platform stands, in a few counts."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.models import Dataset, Dispatch, Run
from catalog.queries.views import Disk, Outbox, Status, Waiting
from catalog.states import DatasetState, RunState


def status(session: Session, *, disks: list[Disk] | None = None) -> Status:
    """Count datasets and runs by state; ``disks`` is what the caller measured."""
    datasets = _by_state(session, Dataset.state)
    runs = _by_state(session, Run.state)
    unsent = outbox(session)
    return Status(
        at=datetime.now(UTC),
        waiting=runs.get(RunState.WAITING, 0),
        running=runs.get(RunState.RUNNING, 0),
        failed=runs.get(RunState.FAILED, 0),
        quarantined=datasets.get(DatasetState.QUARANTINED, 0),
        waiting_for_calibration=datasets.get(DatasetState.WAITING_FOR_CALIBRATION, 0),
        incomplete=datasets.get(DatasetState.INCOMPLETE, 0),
        datasets=datasets,
        runs=runs,
        outbox=unsent.depth,
        outbox_oldest_seconds=unsent.oldest_seconds,
        oldest_waiting=_oldest_waiting(session),
        disks=disks or [],
    )


def outbox(session: Session) -> Outbox:
    """Return how much Prefect has not taken yet, and how long the oldest has waited."""
    statement = (
        select(func.count(), func.min(Dispatch.created_at))
        .join(Run, Run.id == Dispatch.run_id)
        .where(Dispatch.sent_at.is_(None), Run.state == RunState.WAITING)
    )
    depth, oldest = session.execute(statement).one()
    return Outbox(depth=depth, oldest_seconds=_age(oldest) if oldest else None)


def schema_version(session: Session) -> str | None:
    """Return the revision of the schema that the database has."""
    return session.scalar(text("SELECT version_num FROM alembic_version"))


def _by_state(session: Session, column: InstrumentedAttribute[str]) -> dict[str, int]:
    statement = select(column, func.count()).group_by(column).order_by(column)
    return {state: count for state, count in session.execute(statement)}


def _oldest_waiting(session: Session) -> Waiting | None:
    """Return what has waited longest: for a worker, or for a calibration."""
    columns = (Dataset.id, Dataset.name)
    run = session.execute(
        select(*columns, Run.state, Run.created_at)
        .join(Run, Run.dataset_id == Dataset.id)
        .where(Run.state == RunState.WAITING)
        .order_by(Run.id)
        .limit(1)
    )
    dataset = session.execute(
        select(*columns, Dataset.state, Dataset.state_at)
        .where(Dataset.state == DatasetState.WAITING_FOR_CALIBRATION)
        .order_by(Dataset.id)
        .limit(1)
    )
    found: list[tuple[UUID, str, str, datetime]] = [*run, *dataset]
    if not found:
        return None
    key, name, state, since = min(found, key=lambda row: row[3])
    return Waiting(dataset_id=key, name=name, state=state, since=since)


def _age(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()
