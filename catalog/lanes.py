"""Live before reprocess: how much of a lane is under way, as the catalogue knows it."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from catalog.models import Attempt, Dispatch, Run
from catalog.states import AttemptState, RunState

# So long the process of a run that has ended may still hold its place at the worker.
EXIT_SECONDS = 30.0


def under_way(
    session: Session, lane: str, alive: Callable[[str, int, float | None], bool | None]
) -> int:
    """Count the flow runs of a lane that were sent and hold, or will hold, a place at a worker.

    Parameters
    ----------
    session : Session
        The transaction.
    lane : str
        The lane.
    alive : callable
        Tells whether a process lives (None where it cannot tell): one that has entered its result
        holds its place until its end, and what were sent into it meanwhile would stand in the way.
    """
    flow_runs = _sent(session, lane) | _running(session, lane)
    flow_runs |= {
        flow_run
        for flow_run, host, pid, started in _just_ended(session, lane)
        if alive(host, pid, started)
    }
    return len(flow_runs)


def _sent(session: Session, lane: str) -> set[str]:
    """Return the flow runs that were sent for runs that still wait to be claimed."""
    unsent = select(Dispatch.id).where(Dispatch.run_id == Run.id, Dispatch.sent_at.is_(None))
    newest = (
        select(Dispatch.flow_run_id)
        .where(Dispatch.run_id == Run.id)
        .order_by(Dispatch.sent_at.desc(), Dispatch.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.scalars(
        select(newest).where(Run.state == RunState.WAITING, Run.lane == lane, ~unsent.exists())
    )
    return {row for row in rows if row is not None}


def _running(session: Session, lane: str) -> set[str]:
    return set(
        session.scalars(
            select(Attempt.flow_run_id)
            .join(Run, Run.id == Attempt.run_id)
            .where(Attempt.state == AttemptState.RUNNING, Run.lane == lane)
        )
    )


def _just_ended(session: Session, lane: str) -> list[tuple[str, str, int, float | None]]:
    since = func.clock_timestamp() - timedelta(seconds=EXIT_SECONDS)
    rows = session.execute(
        select(Attempt.flow_run_id, Attempt.host, Attempt.pid, Attempt.process_started)
        .join(Run, Run.id == Attempt.run_id)
        .where(Attempt.state != AttemptState.RUNNING, Attempt.finished_at > since, Run.lane == lane)
    )
    return [(flow_run, host, pid, started) for flow_run, host, pid, started in rows]
