from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from catalog import outbox, recovery, runs
from catalog.arrivals import Recorded
from catalog.models import Attempt, Dispatch, Run
from catalog.runs import Claim

Sight = Callable[..., Recorded]
ClaimOf = Callable[..., Claim]
MINUTE = timedelta(minutes=1)


def due(engine: Engine) -> list[outbox.Unsent]:
    """Look at what is due, and let go of its locks."""
    with Session(engine) as session:
        return list(outbox.unsent(session, 10))


def dead(host: str, pid: int, started: float | None) -> bool:
    return False


def test_live_work_goes_first_then_the_oldest(session: Session, sight: Sight) -> None:
    first = sight("first")
    runs.request_run(session, first.dataset_id, {}, "a user", "again")
    session.commit()
    sight("second")
    due = outbox.unsent(session, 10)
    assert [(row.dataset_name, row.lane) for row in due] == [
        ("first", "live"),
        ("second", "live"),
        ("first", "reprocess"),
    ]
    assert len({row.key for row in due}) == 3
    assert len(outbox.unsent(session, 2)) == 2


def test_two_dispatchers_share_the_work(engine: Engine, sight: Sight) -> None:
    for number in range(4):
        sight(f"scan{number}")
    with Session(engine) as one, Session(engine) as other:
        mine, theirs = outbox.unsent(one, 2), outbox.unsent(other, 10)
        assert len(mine) == len(theirs) == 2
        assert not {row.id for row in mine} & {row.id for row in theirs}


def test_what_was_sent_is_not_due_again(session: Session, sight: Sight) -> None:
    sight()
    (row,) = outbox.unsent(session, 10)
    outbox.mark_sent(session, row.id, "flow-run-1")
    session.commit()
    assert outbox.unsent(session, 10) == []


def test_what_could_not_be_sent_waits_longer_each_time(session: Session, sight: Sight) -> None:
    sight()
    (row,) = outbox.unsent(session, 10)
    pauses: list[timedelta] = []
    for _ in range(12):
        outbox.mark_failed_to_send(session, row.id, "Prefect is away")
        waits = select(Dispatch.next_try_at - func.now())
        pauses.append(session.scalars(waits).one())
        session.commit()
    seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert [pause.total_seconds() for pause in pauses] == seconds
    assert outbox.unsent(session, 10) == []
    assert session.scalars(select(Dispatch.last_error)).one() == "Prefect is away"


# -- recovery -------------------------------------------------------------------------------


def orphans_of(engine: Engine, alive: Callable[..., bool | None] = dead) -> list[recovery.Orphan]:
    with Session(engine) as session:
        return list(recovery.orphans(session, MINUTE, alive))


def killed(engine: Engine, flow_run: str) -> list[recovery.Orphan]:
    """Let a worker say that the process of a flow run was killed."""
    with Session(engine) as session, session.begin():
        recovery.lose_flow_run(session, flow_run, "its process was killed")
    return orphans_of(engine)


def recover(engine: Engine, orphan: recovery.Orphan) -> str:
    with Session(engine) as session, session.begin():
        return recovery.retry_or_fail(session, orphan, "its process was killed")


def test_an_orphan_is_dispatched_again_under_a_new_key(
    engine: Engine, sight: Sight, claim_of: ClaimOf, finish: Callable[..., UUID]
) -> None:
    seen = sight()
    lost = claim_of(seen.dataset_id, "first")
    (orphan,) = orphans_of(engine)
    assert (orphan.run_id, orphan.flow_run_id) == (seen.run_id, "first")
    assert recover(engine, orphan) == "retried"
    assert recover(engine, orphan) == "settled"
    (row,) = due(engine)
    assert row.key == f"{seen.run_id}/2"
    with pytest.raises(runs.Fenced, match="its process was killed"):
        runs.heartbeat(engine, lost)
    second = claim_of(seen.dataset_id, "second", dispatch_id=row.id)
    assert (second.run_id, second.attempt_number, second.version) == (seen.run_id, 2, 1)
    finish(second)


def test_three_crashes_are_enough(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    ends: list[str] = []
    for number in range(3):
        claim_of(seen.dataset_id, f"flow-run-{number}")
        ends += [recover(engine, orphan) for orphan in killed(engine, f"flow-run-{number}")]
    assert ends == ["retried", "retried", "failed"]
    run = session.get_one(Run, seen.run_id)
    assert run.state == "failed"
    assert run.state_reason == (
        f"It was lost 3 times and was given up; the last time: its process was killed "
        f"`dayseye retry {run.id}` tries it again."
    )
    assert due(engine) == []
    assert claim_of(seen.dataset_id, "flow-run-2").attempt_number == 4, "a person may retry"


def test_a_platform_that_is_killed_is_no_fault_of_the_scan(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    ends: list[str] = []
    for number in range(10):
        claim_of(seen.dataset_id, f"flow-run-{number}")
        ends += [recover(engine, orphan) for orphan in orphans_of(engine)]
    assert ends == ["retried"] * 9 + ["failed"]
    assert all(session.scalars(select(Attempt.interrupted)))


def test_a_living_process_is_no_orphan_and_a_far_one_is_judged_by_its_heartbeat(
    engine: Engine, sight: Sight, claim_of: ClaimOf
) -> None:
    claim_of(sight().dataset_id, host="far", pid=42, process_started=1.5)
    asked: list[tuple[object, ...]] = []

    def unknown(*about: object) -> None:
        asked.append(about)

    assert orphans_of(engine, unknown) == []
    assert asked == [("far", 42, 1.5)]
    with Session(engine) as session, session.begin():
        session.execute(update(Attempt).values(heartbeat_at=Attempt.heartbeat_at - 2 * MINUTE))
    assert len(orphans_of(engine, unknown)) == 1
    (hung,) = orphans_of(engine, lambda *_: True)
    assert hung.how == "hung"


def test_what_was_sent_and_never_claimed_is_found_and_sent_again(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    (row,) = outbox.unsent(session, 10)
    outbox.mark_sent(session, row.id, "lost in Prefect")
    session.commit()
    assert recovery.unclaimed(session, MINUTE) == []
    session.execute(update(Dispatch).values(sent_at=Dispatch.sent_at - 2 * MINUTE))
    session.commit()
    (found,) = recovery.unclaimed(session, MINUTE)
    assert (found.run_id, found.flow_run_id) == (seen.run_id, "lost in Prefect")
    assert recovery.send_again(session, found.run_id, "its worker was killed")
    session.commit()
    assert [row.key for row in due(engine)] == [f"{seen.run_id}/2"]
    claim_of(seen.dataset_id, "second")
    assert recovery.send_again(session, found.run_id, "too late") is False


def test_a_run_that_never_begins_is_given_up(session: Session, sight: Sight) -> None:
    seen = sight()
    assert seen.run_id is not None
    (row,) = outbox.unsent(session, 10)
    outbox.mark_sent(session, row.id, "first")
    assert recovery.send_again(session, seen.run_id, "it ended before its claim", most_sends=2)
    assert not recovery.send_again(session, seen.run_id, "it ended again", most_sends=2)
    run = session.get_one(Run, seen.run_id)
    session.refresh(run)
    assert (run.state, run.state_reason) == (
        "failed",
        "It was sent 2 times and never began; the last time: it ended again "
        f"`dayseye retry {run.id}` tries it again.",
    )


@pytest.mark.parametrize("clock_went_back", [False, True])
def test_unclaimed_looks_at_the_newest_dispatch_of_a_run(
    session: Session, sight: Sight, clock_went_back: bool
) -> None:
    seen = sight()
    assert seen.run_id is not None
    for name in ("first", "second"):
        (row,) = outbox.unsent(session, 10)
        outbox.mark_sent(session, row.id, name)
        session.execute(update(Dispatch).values(sent_at=Dispatch.sent_at - 2 * MINUTE))
        if name == "first":
            recovery.send_again(session, seen.run_id, "lost")
    if clock_went_back:
        of_second = Dispatch.flow_run_id == "second"
        session.execute(update(Dispatch).where(of_second).values(id=UUID(int=1)))
    assert [row.flow_run_id for row in recovery.unclaimed(session, MINUTE)] == ["second"]


def test_a_run_that_was_sent_again_just_now_is_not_unclaimed(
    session: Session, sight: Sight
) -> None:
    seen = sight()
    assert seen.run_id is not None
    (row,) = outbox.unsent(session, 10)
    outbox.mark_sent(session, row.id, "first")
    session.execute(update(Dispatch).values(sent_at=Dispatch.sent_at - 2 * MINUTE))
    recovery.send_again(session, seen.run_id, "its process was killed")
    (row,) = outbox.unsent(session, 10)
    outbox.mark_sent(session, row.id, "second")
    assert recovery.unclaimed(session, MINUTE) == []
