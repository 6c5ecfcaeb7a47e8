"""The outbox: flow runs that Prefect shall be asked for, however long it is away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from catalog.connection import LOCK
from catalog.errors import NotFound
from catalog.models import Dataset, Dispatch, Run
from catalog.states import Lane, RunState

CHANNEL = "dayseye_dispatch"
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True)
class Unsent:
    """A dispatch that waits: ``key`` is the idempotency key for Prefect."""

    id: UUID
    key: str
    run_id: UUID
    dataset_id: UUID
    dataset_name: str
    beamline: str
    technique: str
    flow: str
    version: int
    lane: str
    parameters: dict[str, Any]
    reason: str
    tries: int


def put(session: Session, run: Run) -> Dispatch:
    """Put a run into the outbox, unless it waits there already; each time has its own key."""
    session.flush()
    rows = session.scalars(select(Dispatch).where(Dispatch.run_id == run.id)).all()
    for row in rows:
        if row.sent_at is None:
            row.next_try_at = func.now()
            return row
    dispatch = Dispatch(run_id=run.id, key=f"{run.id}/{len(rows) + 1}", lane=run.lane)
    session.add(dispatch)
    session.flush()
    # Heard when this transaction is committed, so that the dispatcher need not wait for its turn.
    session.execute(select(func.pg_notify(CHANNEL, "")))
    return dispatch


def unsent(session: Session, limit: int) -> Sequence[Unsent]:
    """Return dispatches that are due, live ones first, oldest first, locked until the commit.

    Rows that another dispatcher holds are skipped. Send one, mark it, commit; a row that is not
    marked is simply due again, and its key keeps Prefect from making a second flow run.
    """
    live_first = case((Dispatch.lane == Lane.LIVE, 0), else_=1)
    rows = session.execute(
        select(Dispatch, Run, Dataset)
        .join(Run, Run.id == Dispatch.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .where(
            Dispatch.sent_at.is_(None),
            Dispatch.next_try_at <= func.now(),
            Run.state == RunState.WAITING,
        )
        .order_by(live_first, Dispatch.id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=Dispatch)
    )
    return [
        Unsent(
            id=dispatch.id,
            key=dispatch.key,
            run_id=run.id,
            dataset_id=dataset.id,
            dataset_name=dataset.name,
            beamline=dataset.beamline_id,
            technique=dataset.technique,
            flow=run.flow,
            version=run.version,
            lane=dispatch.lane,
            parameters=run.parameters,
            reason=run.reason,
            tries=dispatch.tries,
        )
        for dispatch, run, dataset in rows
    ]


def mark_sent(session: Session, dispatch_id: UUID, flow_run_id: str) -> None:
    """Enter the flow run that Prefect made for a dispatch."""
    dispatch = _get(session, dispatch_id)
    dispatch.sent_at = func.now()
    dispatch.flow_run_id = flow_run_id
    dispatch.last_error = None
    session.flush()


def mark_failed_to_send(session: Session, dispatch_id: UUID, error: str) -> None:
    """Enter that Prefect did not take it; it is tried again after 1, 2, 4 ... s, 5 min at most."""
    dispatch = _get(session, dispatch_id)
    pause = min(timedelta(seconds=2 ** min(dispatch.tries, 16)), LONGEST_PAUSE)
    dispatch.tries += 1
    dispatch.next_try_at = func.now() + pause
    dispatch.last_error = error
    session.flush()


def _get(session: Session, dispatch_id: UUID) -> Dispatch:
    dispatch = session.get(Dispatch, dispatch_id, with_for_update=LOCK)
    if dispatch is None:
        raise NotFound(f"No dispatch {dispatch_id}.")
    return dispatch
