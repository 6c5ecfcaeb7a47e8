"""Finding what a crash left behind, and starting it again or giving it up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from catalog import outbox
from catalog.connection import LOCK
from catalog.lifecycle import move, note
from catalog.models import Attempt, Dataset, Dispatch, Run
from catalog.states import AttemptState, RunState

MOST_CRASHES = 3
MOST_SENDS = 6


@dataclass(frozen=True)
class Orphan:
    """An attempt that still counts as running, whose process is gone."""

    run_id: UUID
    attempt_id: UUID
    number: int
    dataset_name: str
    flow_run_id: str
    host: str
    pid: int


@dataclass(frozen=True)
class Unclaimed:
    """A dispatch that was sent a while ago, and whose run no flow run has claimed."""

    dispatch_id: UUID
    run_id: UUID
    flow_run_id: str | None


def orphans(
    session: Session,
    stale_after: timedelta,
    alive: Callable[[str, int, float | None], bool | None],
) -> Sequence[Orphan]:
    """Return the running attempts whose processes are gone.

    Parameters
    ----------
    session : Session
        The transaction.
    stale_after : timedelta
        How old the last heartbeat of a process that cannot be looked at may be.
    alive : callable
        Tells from host, process id and start whether a process lives, or None where it cannot
        tell (another machine); only then the heartbeat decides.
    """
    stale = Attempt.heartbeat_at < func.clock_timestamp() - stale_after
    rows = session.execute(
        select(Attempt, Dataset.name, stale)
        .join(Run, Run.id == Attempt.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .where(Attempt.state == AttemptState.RUNNING)
        .order_by(Attempt.id)
    )
    found: list[Orphan] = []
    for attempt, name, old in rows:
        lives = alive(attempt.host, attempt.pid, attempt.process_started)
        if lives is False or (lives is None and old):
            found.append(
                Orphan(
                    run_id=attempt.run_id,
                    attempt_id=attempt.id,
                    number=attempt.number,
                    dataset_name=name,
                    flow_run_id=attempt.flow_run_id,
                    host=attempt.host,
                    pid=attempt.pid,
                )
            )
    return found


def retry_or_fail(
    session: Session, orphan: Orphan, reason: str, most_crashes: int = MOST_CRASHES
) -> Literal["retried", "failed", "settled"]:
    """Mark an orphan lost and put its run into the outbox again, or give it up.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    orphan : Orphan
        The attempt.
    reason : str
        How it was lost, for the user.
    most_crashes : int
        After so many lost attempts the run fails.

    Returns
    -------
    str
        ``settled`` if meanwhile the attempt has ended or another has overtaken it.
    """
    run = session.get_one(Run, orphan.run_id, with_for_update=LOCK)
    attempt = session.get_one(Attempt, orphan.attempt_id, with_for_update=LOCK)
    if attempt.state != AttemptState.RUNNING:
        return "settled"
    attempt.state = AttemptState.LOST
    attempt.reason = reason
    attempt.finished_at = func.now()
    session.flush()
    lost = select(func.count()).where(Attempt.run_id == run.id, Attempt.state == AttemptState.LOST)
    crashes = session.scalar(lost) or 0
    if crashes >= most_crashes:
        run.finished_at = func.now()
        sentence = f"It crashed {crashes} times and was given up; the last time: {reason}"
        move(session, run, RunState.FAILED, actor="recovery", reason=sentence)
        return "failed"
    move(session, run, RunState.WAITING, actor="recovery", reason=reason)
    outbox.put(session, run)
    return "retried"


def unclaimed(session: Session, older_than: timedelta) -> Sequence[Unclaimed]:
    """Return dispatches sent a while ago whose runs still wait.

    Prefect knows whether their flow runs are still to come. If not (a worker died between taking
    one and its claim), :func:`send_again`.
    """
    rows = session.scalars(
        select(Dispatch)
        .join(Run, Run.id == Dispatch.run_id)
        .where(
            Run.state == RunState.WAITING,
            Dispatch.sent_at < func.clock_timestamp() - older_than,
        )
        .ext(distinct_on(Dispatch.run_id))
        .order_by(Dispatch.run_id, Dispatch.id.desc())
    )
    return [Unclaimed(row.id, row.run_id, row.flow_run_id) for row in rows]


def send_again(session: Session, run_id: UUID, reason: str, most_sends: int = MOST_SENDS) -> bool:
    """Put a run that still waits into the outbox again, or give it up after so many times.

    Returns
    -------
    bool
        False if it has gone on meanwhile, or was given up.
    """
    run = session.get_one(Run, run_id, with_for_update=LOCK)
    if run.state != RunState.WAITING:
        return False
    sent = select(func.count()).select_from(Dispatch).where(Dispatch.run_id == run.id)
    times = session.scalar(sent) or 0
    if times >= most_sends:
        run.finished_at = func.now()
        sentence = f"It was sent {times} times and never began; the last time: {reason}"
        move(session, run, RunState.FAILED, actor="recovery", reason=sentence)
        return False
    outbox.put(session, run)
    note(session, run, "sent_again", actor="recovery", reason=reason)
    return True
