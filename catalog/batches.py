"""Batches: quick scans of one rule, several of which one flow run of Prefect carries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from catalog import outbox, recipes
from catalog.models import Attempt, Dataset, Dispatch, Run, uuid7
from catalog.outbox import Unsent


@dataclass(frozen=True)
class Limits:
    """How many scans go into a batch at most, and how long the first one waits for others."""

    count: int
    seconds: float


@dataclass(frozen=True)
class Carried:
    """A run that a batch carries: what its flow is called with."""

    dispatch_id: UUID
    dataset_id: UUID
    dataset_name: str
    technique: str
    flow: str
    parameters: dict[str, Any]
    reason: str


def limits(session: Session, dispatch: Unsent) -> Limits | None:
    """Return the limits of the batch that a dispatch may go into, None if it goes alone.

    A run that was attempted before goes alone, so that one that kills its process takes no others
    with it a second time; so does the run of a series, which is no quick scan.
    """
    if not dispatch.rule or dispatch.batch_id is not None:
        return None
    rule = recipes.rule_of(recipes.beamline_of(session, dispatch.beamline), dispatch.rule) or {}
    batch = rule.get("batch") if rule.get("series_flow") != dispatch.flow else None
    attempted = select(Attempt.id).where(Attempt.run_id == dispatch.run_id).limit(1)
    if not batch or session.scalar(attempted) is not None:
        return None
    return Limits(int(batch["count"]), float(batch["seconds"]))


def gather(session: Session, first: Unsent, limits: Limits) -> bool:
    """Join what waits with a dispatch into a batch, once there is enough or it has waited enough.

    The batch is entered before it is sent, so that a crash between the two sends the same one.

    Returns
    -------
    bool
        True if the first one goes alone, since nothing came to join it.
    """
    members = _mates(session, first, limits.count)
    oldest = min([first.created_at, *(each.created_at for each in members)])
    until = oldest + timedelta(seconds=limits.seconds)
    now = session.scalars(select(func.clock_timestamp())).one()  # whatever our own clock says
    if len(members) < limits.count and now < until:
        reason = f"gathers others for a batch: at most {limits.count}, within {limits.seconds:g} s"
        outbox.hold(session, [each.id for each in members], reason, until=until)
        return False
    if len(members) <= 1:
        return True
    session.execute(
        update(Dispatch)
        .where(Dispatch.id.in_([each.id for each in members]))
        .values(batch_id=uuid7(), next_try_at=first.created_at)
    )
    return False


def _mates(session: Session, first: Unsent, count: int) -> list[Unsent]:
    """Return the dispatches of a rule that wait and belong to no batch yet, locked."""
    attempted = select(Attempt.id).where(Attempt.run_id == Run.id)
    wanted = (
        outbox.of_waiting()
        .where(
            Dataset.beamline_id == first.beamline,
            Dataset.rule == first.rule,
            Dataset.technique == first.technique,
            Run.flow == first.flow,
            Dispatch.lane == first.lane,
            Dispatch.batch_id.is_(None),
            ~attempted.exists(),
        )
        .order_by(Dispatch.id)
        .limit(count)
    )
    return outbox.locked(session, wanted)


def members(session: Session, batch_id: UUID) -> list[Unsent]:
    """Return the dispatches of a batch that wait, locked."""
    wanted = outbox.of_waiting().where(Dispatch.batch_id == batch_id).order_by(Dispatch.id)
    return outbox.locked(session, wanted)


def carried(engine: Engine, dispatch_ids: Sequence[UUID]) -> list[Carried]:
    """Return what a batch carries, in the order of the dispatches."""
    with Session(engine) as session:
        rows = session.execute(
            select(Dispatch.id, Dataset.id, Dataset.name, Dataset.technique, Run)
            .join(Run, Run.id == Dispatch.run_id)
            .join(Dataset, Dataset.id == Run.dataset_id)
            .where(Dispatch.id.in_(dispatch_ids))
        )
        found = {
            row[0]: Carried(*row[:4], row[4].flow, row[4].parameters, row[4].reason) for row in rows
        }
    return [found[each] for each in dispatch_ids if each in found]
