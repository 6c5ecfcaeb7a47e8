"""How the platform stands, in a few counts that stay cheap with millions of datasets."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, literal, select, text, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from catalog.models import (
    Beamline,
    Dataset,
    Dispatch,
    Inbox,
    LifecycleEvent,
    Notification,
    Replica,
    Run,
    TriggerStatus,
)
from catalog.queries.status_views import (
    BeamlineState,
    Disk,
    Outbox,
    Reason,
    Status,
    TriggerState,
    Waiting,
)
from catalog.states import DatasetState, RunState

# counted exactly up to here; what is beyond has ended well, and nobody waits for its last digit
COUNTED = 20_000
ALARM_SECONDS = 24 * 3600


def status(session: Session, *, disks: list[Disk] | None = None) -> Status:
    """Count what there is and what waits; ``disks`` is what the caller measured."""
    datasets = _by_state(session, Dataset.state, tuple(DatasetState))
    runs = _by_state(session, Run.state, tuple(RunState))
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
        beamlines=_beamlines(session),
        waits_for=_reasons(session),
        disks=disks or [],
        **_attention(session),
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


def _by_state(
    session: Session, column: InstrumentedAttribute[str], states: Sequence[StrEnum]
) -> dict[str, int]:
    """Count by state, each with a walk along its index that ends at ``COUNTED``."""
    counts: list[Select[str, int]] = []
    for state in states:
        some = select(literal(1)).where(column == state).limit(COUNTED + 1).subquery()
        counts.append(select(literal(str(state)), func.count()).select_from(some))
    rows: Sequence[Row[str, int]] = session.execute(union_all(*counts)).all()
    found = {name: count for name, count in rows}
    for name, count in found.items():
        if count > COUNTED:
            found[name] = max(count, _estimate(session, column, name))
    return {name: count for name, count in sorted(found.items()) if count}


def _estimate(session: Session, column: InstrumentedAttribute[str], state: str) -> int:
    """Return how many rows the planner expects in a state: it keeps statistics of that."""
    table = column.class_.__tablename__
    statement = text(f"EXPLAIN (FORMAT JSON) SELECT FROM {table} WHERE state = :state")
    plan: list[Any] = session.execute(statement, {"state": state}).scalar_one()
    return int(plan[0]["Plan"]["Plan Rows"])


def _beamlines(session: Session) -> list[BeamlineState]:
    newest = (
        select(Dataset.created_at)
        .where(Dataset.beamline_id == Beamline.id)
        .order_by(Dataset.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(select(Beamline, newest).order_by(Beamline.id)).all()
    work = _work(session)
    triggers: dict[str, list[TriggerState]] = defaultdict(list)
    for each in session.scalars(select(TriggerStatus).order_by(TriggerStatus.kind)):
        triggers[each.beamline_id].append(
            TriggerState(
                kind=each.kind,
                state=each.state,
                heard_at=each.heard_at,
                arrivals=each.arrivals,
                refused=each.refused,
                note=each.note,
            )
        )
    return [
        BeamlineState(
            id=beamline.id,
            name=beamline.name,
            paused_at=beamline.paused_at,
            paused_by=beamline.paused_by,
            pause_reason=beamline.pause_reason,
            backlog=work.get((beamline.id, RunState.WAITING), 0),
            running=work.get((beamline.id, RunState.RUNNING), 0),
            last_arrival=last_arrival,
            triggers=triggers[beamline.id],
        )
        for beamline, last_arrival in rows
    ]


def _work(session: Session) -> dict[tuple[str, str], int]:
    """Count the runs that wait or run, by beamline and state."""
    statement = (
        select(Dataset.beamline_id, Run.state, func.count())
        .join(Run, Run.dataset_id == Dataset.id)
        .where(Run.state.in_([RunState.WAITING, RunState.RUNNING]))
        .group_by(Dataset.beamline_id, Run.state)
    )
    return {(beamline, state): count for beamline, state, count in session.execute(statement)}


def _reasons(session: Session) -> list[Reason]:
    """Return what unsent dispatches wait for, the most frequent first."""
    statement = (
        select(Dispatch.waits_for, func.count())
        .join(Run, Run.id == Dispatch.run_id)
        .where(
            Dispatch.sent_at.is_(None),
            Dispatch.waits_for.is_not(None),
            Run.state == RunState.WAITING,  # not of one that was cancelled meanwhile
        )
        .group_by(Dispatch.waits_for)
        .order_by(func.count().desc(), Dispatch.waits_for)
    )
    return [
        Reason(waits_for=reason, dispatches=count)
        for reason, count in session.execute(statement)
        if reason is not None
    ]


def _attention(session: Session) -> dict[str, Any]:
    """Count what a person should look at."""
    one_day_ago = UUID(int=int((time.time() - ALARM_SECONDS) * 1000) << 80)
    unsent = Notification.sent_at.is_(None)
    error = (
        select(Notification.last_error)
        .where(unsent, Notification.last_error.is_not(None))
        .order_by(Notification.id)
        .limit(1)
    )
    return {
        "inbox": session.scalar(select(func.count()).where(Inbox.handled_at.is_(None))),
        "copies_damaged": session.scalar(select(func.count()).where(Replica.state == "damaged")),
        "alarms": session.scalar(
            select(func.count()).where(
                LifecycleEvent.level == "alarm", LifecycleEvent.id > one_day_ago
            )
        ),
        "notifications": session.scalar(select(func.count()).where(unsent)),
        "notification_error": session.scalar(error),
    }


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
