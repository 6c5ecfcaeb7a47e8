"""Many datasets reduced again, and failed runs tried once more."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import recovery, runs
from catalog.arrivals import Recorded
from catalog.errors import CatalogError, InvalidParameters, NotFound
from catalog.models import Dispatch, Run
from catalog.reprocess import Wish, estimate, reprocess
from catalog.runs import Claim

Sight = Callable[..., Recorded]
ClaimOf = Callable[..., Claim]


def wish(**changes: object) -> Wish:
    return Wish(**{"beamline": "imaging", "reason": "a better filter", **changes})  # type: ignore[arg-type]


def test_a_wish_is_told_before_it_is_done(
    session: Session, sight: Sight, claim_of: ClaimOf, finish: Callable[..., UUID]
) -> None:
    first = sight("first")
    for name in ("second", "third"):
        sight(name)
    sight("broken", stage="broken", reason="it cannot be read")
    told = estimate(session, wish())
    assert (told.datasets, told.already, told.refused) == (3, 0, {"quarantined": 1})
    assert (told.seconds, told.bytes) == (None, 6000), "nothing was reduced yet"
    session.commit()
    dispatch = session.scalars(select(Dispatch.id).where(Dispatch.run_id == first.run_id)).one()
    outputs = [runs.OutputFile("volume.h5", "volume", 5000, "ab12", "application/x-hdf5")]
    finish(claim_of(first.dataset_id, dispatch_id=dispatch), outputs=outputs)
    told = estimate(session, wish())
    assert told.bytes == 15_000
    assert told.seconds is not None
    assert len(session.scalars(select(Run.id)).all()) == 3, "nothing was asked for"


def test_asking_twice_is_asking_once(engine: Engine, session: Session, sight: Sight) -> None:
    for name in ("first", "second"):
        sight(name)
    asked = reprocess(engine, wish(overrides={"filter": "ramp"}), "staff")
    assert (asked.new, asked.already, asked.refused) == (2, 0, [])
    sight("third")
    again = reprocess(engine, wish(overrides={"filter": "ramp"}), "staff")
    assert (again.request, again.new, again.already) == (asked.request, 1, 2)
    other = reprocess(engine, wish(reason="once more"), "staff")
    assert (other.new, other.already) == (3, 0)
    mine = session.scalars(select(Run).where(Run.request_id.startswith(asked.request))).all()
    assert [(run.lane, run.parameters["filter"], run.reason) for run in mine] == [
        ("reprocess", "ramp", "a better filter")
    ] * 3
    named = reprocess(engine, wish(request="tuesday"), "staff")
    assert reprocess(engine, wish(request="tuesday", reason="x"), "staff").already == named.new


def test_a_wish_is_about_times_and_known_parameters(
    engine: Engine, session: Session, sight: Sight
) -> None:
    seen = sight("first")
    taken = session.scalars(select(Run.created_at)).one()
    assert estimate(session, wish(since=taken + timedelta(days=1))).datasets == 0
    assert estimate(session, wish(until=taken + timedelta(days=1))).datasets == 1
    assert estimate(session, wish(technique="xas")).datasets == 0
    with pytest.raises(InvalidParameters, match="hann"):
        reprocess(engine, wish(overrides={"filter": "shepp"}), "staff")
    with pytest.raises(NotFound):
        estimate(session, wish(beamline="imagign"))
    with pytest.raises(CatalogError, match="without /"):
        estimate(session, wish(request="a/b"))
    assert seen.run_id is not None


def test_a_failed_run_is_tried_once_more_with_all_its_attempts(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    assert seen.run_id is not None
    runs.fail(engine, claim_of(seen.dataset_id), "ValueError: no")
    with Session(engine) as other, other.begin():
        assert recovery.newest_failed(other, seen.dataset_id) == seen.run_id
        recovery.retry(other, seen.run_id, "staff", "mended")
    run = session.get_one(Run, seen.run_id)
    assert run.state == "waiting"
    with pytest.raises(CatalogError, match="only one that failed"):
        recovery.retry(session, seen.run_id, "staff")
    session.rollback()
    ends: list[str] = []
    for number in range(3):
        claim_of(seen.dataset_id, f"retry-{number}")
        with Session(engine) as other, other.begin():
            recovery.lose_flow_run(other, f"retry-{number}", "killed")
            (orphan,) = recovery.orphans(other, timedelta(minutes=1), lambda *_: False)
            ends.append(recovery.retry_or_fail(other, orphan, "killed"))
    assert ends == ["retried", "retried", "failed"]


def test_the_pause_before_a_retry_doubles(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    seen = sight()
    pauses: list[float] = []
    for number in range(3):
        claim_of(seen.dataset_id, f"try-{number}")
        with Session(engine) as other, other.begin():
            recovery.lose_flow_run(other, f"try-{number}", "killed")
            (orphan,) = recovery.orphans(other, timedelta(minutes=1), lambda *_: False)
            recovery.retry_or_fail(other, orphan, "killed", 9, timedelta(seconds=10))
        newest = select(Dispatch).order_by(Dispatch.id.desc()).limit(1)
        row = session.scalars(newest).one()
        assert row.waits_for is not None
        assert row.waits_for.endswith("killed")
        pauses.append((row.next_try_at - row.created_at).total_seconds())
        session.commit()
    assert pauses == [10, 20, 40]


def test_a_run_that_is_given_back_is_an_orphan_with_its_reason(
    engine: Engine, session: Session, sight: Sight, claim_of: ClaimOf
) -> None:
    claim = claim_of(sight().dataset_id)
    assert runs.give_back(engine, claim, "The cluster was away.")
    assert not runs.give_back(engine, claim, "twice")
    (orphan,) = recovery.orphans(session, timedelta(minutes=1), lambda *_: True)
    assert (orphan.how, orphan.reason) == ("lost", "The cluster was away.")
    assert recovery.retry_or_fail(session, orphan, "The cluster was away.") == "retried"
    session.commit()
    assert recovery.orphans(session, timedelta(minutes=1), lambda *_: True) == []
