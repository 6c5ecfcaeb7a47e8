"""Finding what a crash left behind, and starting it again or giving it up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from catalog import outbox
from catalog.connection import LOCK
from catalog.errors import CatalogError, NotFound
from catalog.lifecycle import move, note
from catalog.models import Attempt, Dataset, Dispatch, LifecycleEvent, Run
from catalog.runs.opening import reducible
from catalog.states import AttemptState, RunState

MOST_CRASHES = 3
MOST_INTERRUPTIONS = 10
MOST_SENDS = 6
LONGEST_PAUSE = timedelta(minutes=30)
RETRIED = "retried"
Alive = Callable[[str, int, float | None], bool | None]
How = Literal["dead", "hung", "silent", "lost"]


@dataclass(frozen=True)
class Orphan:
    """An attempt that holds its run and cannot go on.

    It is ``dead`` (its process is gone), ``hung`` (its process lives and says nothing), ``silent``
    (the same on another machine) or ``lost`` (given up already, for ``reason``).
    """

    run_id: UUID
    attempt_id: UUID
    number: int
    dataset_name: str
    flow_run_id: str
    host: str
    pid: int
    process_started: float | None
    how: How
    reason: str | None


@dataclass(frozen=True)
class Unclaimed:
    """A dispatch that was sent a while ago, and whose run no flow run has claimed.

    ``busy`` tells that its flow run, a batch, was heard of lately at work on other scans.
    """

    dispatch_id: UUID
    run_id: UUID
    flow_run_id: str | None
    busy: bool


def orphans(session: Session, stale_after: timedelta, alive: Alive) -> Sequence[Orphan]:
    """Return the attempts that hold a run and cannot go on.

    Parameters
    ----------
    session : Session
        The transaction.
    stale_after : timedelta
        How old the last heartbeat of a process that lives, or cannot be looked at, may be.
    alive : callable
        Tells from host, process id and start whether a process lives, or None where it cannot
        tell (another machine).
    """
    stale = Attempt.heartbeat_at < func.clock_timestamp() - stale_after
    rows = session.execute(
        select(Attempt, Dataset.name, stale)
        .join(Run, Run.id == Attempt.run_id)
        .join(Dataset, Dataset.id == Run.dataset_id)
        .where(
            Run.state == RunState.RUNNING,
            Run.token == Attempt.token,
            Attempt.state.in_((AttemptState.RUNNING, AttemptState.LOST)),
        )
        .order_by(Attempt.id)
    )
    return [
        Orphan(
            run_id=attempt.run_id,
            attempt_id=attempt.id,
            number=attempt.number,
            dataset_name=name,
            flow_run_id=attempt.flow_run_id,
            host=attempt.host,
            pid=attempt.pid,
            process_started=attempt.process_started,
            how=how,
            reason=attempt.reason,
        )
        for attempt, name, old in rows
        if (how := _how(attempt, old, alive)) is not None
    ]


def _how(attempt: Attempt, stale: bool, alive: Alive) -> How | None:
    """Tell how an attempt is lost, None if it is not."""
    if attempt.state == AttemptState.LOST:
        return "lost"
    lives = alive(attempt.host, attempt.pid, attempt.process_started)
    if lives is False:
        return "dead"
    if not stale:
        return None
    return "hung" if lives else "silent"


def retry_or_fail(
    session: Session,
    orphan: Orphan,
    reason: str,
    most_crashes: int = MOST_CRASHES,
    pause: timedelta = timedelta(),
    most_interruptions: int = MOST_INTERRUPTIONS,
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
        After so many lost attempts, since a person last asked for a retry, the run fails.
    pause : timedelta
        How long the second attempt waits; the pause doubles each time.
    most_interruptions : int
        An attempt whose process went without a word of its worker was interrupted: the platform
        was stopped or killed around it. These have a limit of their own, for a scan may be what
        kills the worker.

    Returns
    -------
    str
        ``settled`` if meanwhile the attempt has ended or another has overtaken it.
    """
    run = session.get_one(Run, orphan.run_id, with_for_update=LOCK)
    attempt = session.get_one(Attempt, orphan.attempt_id, with_for_update=LOCK)
    holds = run.state == RunState.RUNNING and run.token == attempt.token
    if not holds or attempt.state not in (AttemptState.RUNNING, AttemptState.LOST):
        return "settled"
    if attempt.state == AttemptState.RUNNING:
        attempt.interrupted = orphan.how == "dead"
        lose(session, attempt, reason)
    crashes, interruptions = (_lost(session, run, each) for each in (False, True))
    if crashes >= most_crashes or interruptions >= most_interruptions:
        run.finished_at = func.now()
        times = crashes + interruptions
        sentence = (
            f"It was lost {times} times and was given up; the last time: {reason} "
            f"`dayseye retry {run.id}` tries it again."
        )
        move(session, run, RunState.FAILED, actor="recovery", reason=sentence)
        return "failed"
    after = min(pause * 2 ** max(crashes - 1, 0), LONGEST_PAUSE)
    waits_for = f"attempt {attempt.number + 1} begins {after.total_seconds():.0f} s after"
    move(session, run, RunState.WAITING, actor="recovery", reason=reason)
    outbox.put(session, run, after=after, waits_for=f"{waits_for}: {reason}")
    return "retried"


def lose(session: Session, attempt: Attempt, reason: str) -> None:
    """Mark a running attempt lost; its run is retried, or given up, by who looks for orphans."""
    attempt.state = AttemptState.LOST
    attempt.reason = reason
    attempt.finished_at = func.clock_timestamp()
    session.flush()


def lose_flow_run(session: Session, flow_run_id: str, reason: str) -> None:
    """Mark what still runs in a flow run lost, by who knows why its process ended."""
    for attempt in session.scalars(
        select(Attempt)
        .where(Attempt.flow_run_id == flow_run_id, Attempt.state == AttemptState.RUNNING)
        .with_for_update(key_share=True)
    ):
        lose(session, attempt, reason)


def _lost(session: Session, run: Run, interrupted: bool) -> int:
    """Count the attempts that were lost since a person last asked for a retry."""
    lost = select(func.count(Attempt.id)).where(
        Attempt.run_id == run.id,
        Attempt.state == AttemptState.LOST,
        Attempt.interrupted.is_(interrupted),
        Attempt.claimed_at >= _fresh_start(session, run),
    )
    return session.scalar(lost) or 0


def _fresh_start(session: Session, run: Run) -> datetime:
    """Return when a person last asked for a run's retry, else when it was opened."""
    last = select(func.max(LifecycleEvent.at)).where(
        LifecycleEvent.run_id == run.id, LifecycleEvent.event == RETRIED
    )
    return session.scalar(last) or run.created_at


def retry(session: Session, run_id: UUID, actor: str, reason: str = "") -> Run:
    """Try a run that failed or was cancelled once more, with all its attempts before it.

    Parameters
    ----------
    session : Session
        The transaction; the caller commits.
    run_id : UUID
        The run.
    actor, reason : str
        Who asks, and why.

    Raises
    ------
    NotFound
        There is no such run.
    CatalogError
        It has not failed, or its dataset cannot be reduced as it stands.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound(f"No run {run_id}.")
    reducible(session, run.dataset_id)  # a dataset is locked before its run
    session.refresh(run, with_for_update=LOCK)
    if run.state not in (RunState.FAILED, RunState.CANCELLED):
        raise CatalogError(
            f"Run {run.id} is {run.state}: only one that failed or was cancelled is tried again; "
            "`dayseye reduce` makes a new version."
        )
    run.finished_at = None
    note(session, run, RETRIED, actor=actor, reason=reason or None)
    move(session, run, RunState.WAITING, actor=actor, reason=reason or None)
    outbox.put(session, run)
    return run


def newest_failed(session: Session, dataset_id: UUID) -> UUID:
    """Return the newest run of a dataset that failed or was cancelled.

    Raises
    ------
    NotFound
        It has none.
    """
    found = session.scalar(
        select(Run.id)
        .where(
            Run.dataset_id == dataset_id,
            Run.state.in_((RunState.FAILED, RunState.CANCELLED)),
        )
        .order_by(Run.version.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound(f"No run of dataset {dataset_id} has failed.")
    return found


def unclaimed(
    session: Session, older_than: timedelta, heard_within: timedelta = timedelta(minutes=1)
) -> Sequence[Unclaimed]:
    """Return dispatches sent a while ago whose runs still wait.

    Prefect knows whether their flow runs are still to come. If not (a worker died between taking
    one and its claim), :func:`send_again`.
    """
    long_ago = func.clock_timestamp() - older_than
    sent_again = aliased(Dispatch)
    again = select(sent_again.id).where(
        sent_again.run_id == Dispatch.run_id,
        or_(sent_again.sent_at.is_(None), sent_again.sent_at >= long_ago),
    )
    heard = select(Attempt.id).where(
        Attempt.flow_run_id == Dispatch.flow_run_id,
        func.greatest(Attempt.heartbeat_at, Attempt.finished_at)
        > func.clock_timestamp() - heard_within,
    )
    rows = session.execute(
        select(Dispatch, heard.exists())
        .join(Run, Run.id == Dispatch.run_id)
        .where(
            Run.state == RunState.WAITING,
            Dispatch.sent_at < long_ago,
            ~again.exists(),
        )
        .ext(distinct_on(Dispatch.run_id))
        # by the database's clock: that of the process which drew the ids may have jumped
        .order_by(Dispatch.run_id, Dispatch.sent_at.desc(), Dispatch.id.desc())
    )
    return [Unclaimed(row.id, row.run_id, row.flow_run_id, busy) for row, busy in rows]


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
    sent = select(func.count(Dispatch.id)).where(
        Dispatch.run_id == run.id, Dispatch.created_at >= _fresh_start(session, run)
    )
    times = session.scalar(sent) or 0
    if times >= most_sends:
        run.finished_at = func.now()
        sentence = (
            f"It was sent {times} times and never began; the last time: {reason} "
            f"`dayseye retry {run.id}` tries it again."
        )
        move(session, run, RunState.FAILED, actor="recovery", reason=sentence)
        return False
    outbox.put(session, run)
    note(session, run, "sent_again", actor="recovery", reason=reason)
    return True
