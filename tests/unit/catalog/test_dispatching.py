"""What may be sent when: lanes, pauses, batches, and the room that results need."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from catalog import batches, lanes, outbox, pauses, runs, sizes
from catalog.arrivals import Recorded
from catalog.errors import Fenced, NotFound
from catalog.models import Beamline, Dataset, Dispatch
from catalog.outbox import Unsent
from catalog.runs import Claim
from catalog.states import Lane

Sight = Callable[..., Recorded]
ClaimOf = Callable[..., Claim]


def reprocess(session: Session, seen: Recorded) -> None:
    runs.request_run(session, seen.dataset_id, {}, "a user", "again")
    session.commit()


def send(session: Session, flow_run: str, lane: str) -> Unsent:
    (row,) = outbox.unsent(session, 1, lanes=[lane])
    outbox.mark_sent(session, row.id, flow_run, 1000)
    session.commit()
    return row


def waits_for(session: Session) -> list[str | None]:
    told = list(session.scalars(select(Dispatch.waits_for).order_by(Dispatch.id)))
    session.commit()
    return told


def lives(*_: object) -> bool:
    return True


def gone(*_: object) -> bool:
    return False


# -- lanes ----------------------------------------------------------------------------------


def test_a_run_is_under_way_from_its_sending_to_the_end_of_its_process(
    session: Session, sight: Sight, claim_of: ClaimOf, finish: Callable[..., UUID]
) -> None:
    seen = sight()
    send(session, "live", Lane.LIVE)
    reprocess(session, seen)
    assert lanes.under_way(session, Lane.REPROCESS, lives) == 0, "it was not sent"
    row = send(session, "again", Lane.REPROCESS)
    assert lanes.under_way(session, Lane.REPROCESS, lives) == 1
    claim = claim_of(seen.dataset_id, "again", dispatch_id=row.id)
    assert lanes.under_way(session, Lane.REPROCESS, lives) == 1
    session.rollback()
    finish(claim)
    assert lanes.under_way(session, Lane.REPROCESS, lives) == 1, "its process still ends"
    assert lanes.under_way(session, Lane.REPROCESS, gone) == 0
    assert lanes.under_way(session, Lane.LIVE, gone) == 1, "the other lane is counted alone"


def test_a_lane_that_is_full_lets_the_other_pass(session: Session, sight: Sight) -> None:
    seen = sight("first")
    reprocess(session, seen)
    names = [(row.dataset_name, row.lane) for row in outbox.unsent(session, 5, lanes=[Lane.LIVE])]
    assert names == [("first", "live")]


def test_one_rerun_goes_before_many(session: Session, sight: Sight) -> None:
    seen = sight("first")
    runs.request_run(session, seen.dataset_id, {}, "staff", "all", request_id="all/first")
    reprocess(session, seen)
    due = outbox.unsent(session, 5, lanes=[Lane.REPROCESS])
    assert [row.reason for row in due] == ["again", "all"]


# -- pauses ---------------------------------------------------------------------------------


def test_what_lands_at_a_paused_beamline_waits_and_says_why(session: Session, sight: Sight) -> None:
    sight("before")
    assert pauses.pause(session, "imaging", "cli:ann", "the detector is recalibrated")
    assert not pauses.pause(session, "imaging", "cli:bob", "again")
    session.commit()
    sight("while paused")
    pauses.explain(session)
    session.commit()
    told = "imaging is paused by cli:ann: the detector is recalibrated"
    assert outbox.unsent(session, 5) == []
    assert waits_for(session) == [told, told]
    (paused,) = pauses.paused(session)
    assert (paused.beamline, paused.by, paused.waiting) == ("imaging", "cli:ann", 2)
    assert pauses.resume(session, "imaging")
    assert not pauses.resume(session, "imaging")
    session.commit()
    assert len(outbox.unsent(session, 5)) == 2
    assert waits_for(session) == [None, None]
    with pytest.raises(NotFound, match="the catalogue has: imaging"):
        pauses.pause(session, "imagign", "cli:ann", "")


# -- batches --------------------------------------------------------------------------------


@pytest.fixture
def quick(engine: Engine, sight: Sight) -> Callable[[str], Recorded]:
    """Let scans land that a rule with a batch takes."""
    with Session(engine) as session, session.begin():
        rule = {"name": "quick", "batch": {"count": 3, "seconds": 60.0}}
        session.execute(update(Beamline).values(rules=[rule]))

    def see(name: str) -> Recorded:
        seen = sight(name)
        with Session(engine) as session, session.begin():
            session.execute(
                update(Dataset).where(Dataset.id == seen.dataset_id).values(rule="quick")
            )
        return seen

    return see


def gather(session: Session) -> Unsent | None:
    """Look at the next dispatch as the dispatcher does; return what is to be sent."""
    due = outbox.unsent(session, 1)
    if not due:
        return None
    limits = batches.limits(session, due[0])
    ready = limits is None or batches.gather(session, due[0], limits)
    session.commit()
    return due[0] if ready else None


def test_quick_scans_wait_for_others_and_go_together(
    session: Session, quick: Callable[[str], Recorded]
) -> None:
    for name in ("one", "two"):
        quick(name)
        assert gather(session) is None
    assert gather(session) is None
    assert waits_for(session)[0] == "gathers others for a batch: at most 3, within 60 s"
    quick("three")
    quick("four")
    assert gather(session) is None, "it is joined to a batch now"
    first = gather(session)
    assert first is not None
    assert first.batch_id is not None
    assert [row.dataset_name for row in batches.members(session, first.batch_id)] == [
        "one",
        "two",
        "three",
    ]


def test_after_its_time_a_batch_goes_as_it_is_and_one_alone_goes_alone(
    session: Session, quick: Callable[[str], Recorded]
) -> None:
    early = {"created_at": Dispatch.created_at - timedelta(minutes=2)}
    quick("one")
    session.execute(update(Dispatch).values(**early))
    session.commit()
    alone = gather(session)
    assert alone is not None
    assert alone.batch_id is None
    outbox.mark_sent(session, alone.id, "flow run")
    for name in ("two", "three"):
        quick(name)
    session.execute(update(Dispatch).values(**early))
    session.commit()
    gather(session)
    first = gather(session)
    assert first is not None
    assert first.batch_id is not None
    assert len(batches.members(session, first.batch_id)) == 2


def test_what_was_tried_before_goes_alone(
    session: Session, quick: Callable[[str], Recorded], claim_of: ClaimOf
) -> None:
    seen = quick("poison")
    claim_of(seen.dataset_id, "batch")
    session.execute(update(Dispatch).values(sent_at=None))
    session.commit()
    with Session(session.get_bind()) as other:
        row = other.scalars(select(Dispatch)).one()
        unsent = Unsent(
            **{name: None for name in Unsent.__dataclass_fields__}  # type: ignore[arg-type]
            | {"run_id": row.run_id, "rule": "quick", "beamline": "imaging"}  # type: ignore[arg-type]
        )
        assert batches.limits(other, unsent) is None


def test_each_scan_of_a_batch_has_its_own_run_under_one_flow_run(
    engine: Engine, session: Session, quick: Callable[[str], Recorded], claim_of: ClaimOf
) -> None:
    seen = [quick(name) for name in ("one", "two")]
    rows = outbox.unsent(session, 2)
    for row in rows:
        outbox.mark_sent(session, row.id, "batch")
    session.commit()
    carried = batches.carried(engine, [row.id for row in rows])
    assert [each.dataset_name for each in carried] == ["one", "two"]
    claims = [
        claim_of(each.dataset_id, "batch", dispatch_id=each.dispatch_id, in_batch=True)
        for each in carried
    ]
    assert [claim.run_id for claim in claims] == [each.run_id for each in seen]
    again = claim_of(seen[0].dataset_id, "batch", dispatch_id=rows[0].id, in_batch=True)
    assert (again.run_id, again.attempt_number) == (seen[0].run_id, 2), "retried in Prefect"
    with pytest.raises(Fenced, match="sent with another flow run"):
        claim_of(seen[0].dataset_id, "a copy", dispatch_id=rows[0].id, in_batch=True)


# -- room -----------------------------------------------------------------------------------


def test_past_results_tell_how_much_room_is_needed(
    session: Session, sight: Sight, claim_of: ClaimOf, finish: Callable[..., UUID]
) -> None:
    seen = sight()
    assert sizes.ratio(session, "imaging", "ct") == sizes.UNKNOWN_RATIO
    send(session, "flow-run-1", Lane.LIVE)
    (promise,) = sizes.promised(session)
    assert (promise.output_folder, promise.bytes) == (
        "/data/processed/unassigned/unassigned/tooth",
        1000,
    )
    outputs = [runs.OutputFile("volume.h5", "volume", 5000, "ab12", "application/x-hdf5")]
    claim = claim_of(seen.dataset_id)
    finish(claim, outputs=outputs)
    session.commit()
    assert sizes.promised(session) == []
    assert sizes.input_bytes(session, seen.dataset_id) == 1000
    assert sizes.ratio(session, "imaging", "ct") == 5.0
