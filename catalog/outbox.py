"""The outbox: flow runs that Prefect shall be asked for, however long it is away."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, select, update
from sqlalchemy.orm import Session

from catalog.connection import LOCK
from catalog.errors import NotFound
from catalog.models import Beamline, Dataset, Dispatch, Run
from catalog.states import Lane, RunState

CHANNEL = "dayseye_dispatch"
LONGEST_PAUSE = timedelta(minutes=5)
LANES = (Lane.LIVE, Lane.REPROCESS)


@dataclass(frozen=True)
class Unsent:
    """A dispatch that waits: ``key`` is the idempotency key for Prefect."""

    id: UUID
    key: str
    run_id: UUID
    dataset_id: UUID
    dataset_name: str
    beamline: str
    rule: str
    technique: str
    detector: str
    metadata: dict[str, Any]
    flow: str
    version: int
    lane: str
    parameters: dict[str, Any]
    reason: str
    tries: int
    batch_id: UUID | None
    created_at: datetime


def put(
    session: Session, run: Run, *, after: timedelta = timedelta(), waits_for: str | None = None
) -> Dispatch:
    """Put a run into the outbox, unless it waits there already; each time has its own key.

    Parameters
    ----------
    session : Session
        The transaction.
    run : Run
        A run that waits.
    after : timedelta
        How long it is to be held back; one that waits there already is due at once.
    waits_for : str, optional
        Why it is held back.
    """
    session.flush()
    rows = session.scalars(select(Dispatch).where(Dispatch.run_id == run.id)).all()
    for row in rows:
        if row.sent_at is None:
            row.next_try_at = func.now()
            return row
    dispatch = Dispatch(
        run_id=run.id,
        key=f"{run.id}/{len(rows) + 1}",
        lane=run.lane,
        next_try_at=func.now() + after,
        waits_for=waits_for,
    )
    session.add(dispatch)
    session.flush()
    # Heard when this transaction is committed, so that the dispatcher need not wait for its turn.
    session.execute(select(func.pg_notify(CHANNEL, "")))
    return dispatch


def waiting() -> tuple[ColumnElement[bool], ...]:
    """Return what makes a dispatch one that waits: neither sent, nor its run ended meanwhile."""
    return (Dispatch.sent_at.is_(None), Run.state == RunState.WAITING)


def unsent(
    session: Session,
    limit: int,
    *,
    lanes: Collection[str] = LANES,
    without: Collection[str] = (),
) -> Sequence[Unsent]:
    """Return dispatches that are due, live ones first, oldest first, locked until the commit.

    Rows that another dispatcher holds are skipped, and those of beamlines that a person has paused.
    Send one, mark it, commit; a row that is not marked is simply due again, and its key keeps
    Prefect from making a second flow run.

    Parameters
    ----------
    session : Session
        The transaction.
    limit : int
        How many at most.
    lanes : collection of str
        Only those of these lanes.
    without : collection of str
        Beamlines whose dispatches have to wait.
    """
    # Of what a person asked for, what they asked for alone goes before many at once.
    order = {Lane.LIVE: [], Lane.REPROCESS: [case((Run.request_id.contains("/"), 1), else_=0)]}
    found: list[Unsent] = []
    for lane in LANES:
        if lane in lanes and len(found) < limit:
            due = of_waiting().where(
                Dispatch.lane == lane,
                Dispatch.next_try_at <= func.now(),
                Beamline.paused_at.is_(None),
                Dataset.beamline_id.not_in(without),
            )
            first = due.order_by(*order[lane], Dispatch.id).limit(limit - len(found))
            found += locked(session, first)
    return found


def of_waiting() -> Select[Dispatch, Run, Dataset]:
    """Select dispatches that wait, with their runs and datasets."""
    return (
        select(Dispatch, Run, Dataset)
        .join(Run, Run.id == Dispatch.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .join(Beamline, Beamline.id == Dataset.beamline_id)
        .where(*waiting())
    )


def locked(session: Session, wanted: Select[Dispatch, Run, Dataset]) -> list[Unsent]:
    """Return what a selection finds, locked; what another dispatcher holds is skipped."""
    rows = session.execute(wanted.with_for_update(skip_locked=True, key_share=True, of=Dispatch))
    return [
        Unsent(
            id=dispatch.id,
            key=dispatch.key,
            run_id=run.id,
            dataset_id=dataset.id,
            dataset_name=dataset.name,
            beamline=dataset.beamline_id,
            rule=dataset.rule,
            technique=dataset.technique,
            detector=dataset.detector,
            metadata=dataset.meta,
            flow=run.flow,
            version=run.version,
            lane=dispatch.lane,
            parameters=run.parameters,
            reason=run.reason,
            tries=dispatch.tries,
            batch_id=dispatch.batch_id,
            created_at=dispatch.created_at,
        )
        for dispatch, run, dataset in rows
    ]


def mark_sent(
    session: Session, dispatch_id: UUID, flow_run_id: str, output_bytes: int | None = None
) -> None:
    """Enter the flow run that Prefect made for a dispatch, and the room its results may need."""
    dispatch = _get(session, dispatch_id)
    dispatch.sent_at = func.now()
    dispatch.flow_run_id = flow_run_id
    dispatch.last_error = dispatch.waits_for = None
    dispatch.output_bytes = output_bytes
    session.flush()


def mark_failed_to_send(session: Session, dispatch_id: UUID, error: str) -> None:
    """Enter that Prefect did not take it; it is tried again after 1, 2, 4 ... s, 5 min at most."""
    dispatch = _get(session, dispatch_id)
    pause = min(timedelta(seconds=2 ** min(dispatch.tries, 16)), LONGEST_PAUSE)
    dispatch.tries += 1
    dispatch.next_try_at = func.now() + pause
    dispatch.last_error = error
    dispatch.waits_for = f"Prefect did not take it: {error}"
    session.flush()


def hold(
    session: Session,
    dispatch_ids: Collection[UUID],
    reason: str,
    until: datetime | None = None,
    seconds: float = 0.0,
) -> None:
    """Let dispatches wait, and say for what."""
    session.execute(
        update(Dispatch)
        .where(Dispatch.id.in_(dispatch_ids))
        .values(
            waits_for=reason,
            next_try_at=until or func.clock_timestamp() + timedelta(seconds=seconds),
        )
    )


def tell(session: Session, reason: str, *which: ColumnElement[bool]) -> None:
    """Write down why those that are due are not sent, where that is not written there yet."""
    wanted = (
        select(Dispatch.id)
        .join(Run, Run.id == Dispatch.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .where(
            *waiting(),
            *which,
            Dispatch.next_try_at <= func.now(),
            Dispatch.waits_for.is_distinct_from(reason),
        )
        .order_by(Dispatch.id)
        .with_for_update(skip_locked=True, key_share=True, of=Dispatch)
    )
    session.execute(update(Dispatch).where(Dispatch.id.in_(wanted)).values(waits_for=reason))


def _get(session: Session, dispatch_id: UUID) -> Dispatch:
    dispatch = session.get(Dispatch, dispatch_id, with_for_update=LOCK)
    if dispatch is None:
        raise NotFound(f"No dispatch {dispatch_id}.")
    return dispatch
