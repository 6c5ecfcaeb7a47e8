from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import quarantine
from catalog.affected import affected
from catalog.arrivals import Recorded
from catalog.errors import NotFound
from catalog.models import Beamline, Calibration, DatasetCalibration, Lineage, Run, uuid7
from catalog.runs import Claim

Sight = Callable[..., Recorded]
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def flats(sight: Sight, name: str = "flats", hours: float = 0, **changes: Any) -> Recorded:
    values = {
        "kind": "calibration",
        "calibration_kinds": ("flat",),
        "started_at": START + timedelta(hours=hours),
    }
    return sight(name, **{**values, **changes})


def linked(session: Session, dataset_id: UUID) -> list[tuple[UUID, str]]:
    rows = select(DatasetCalibration.calibration_id, DatasetCalibration.role).where(
        DatasetCalibration.dataset_id == dataset_id
    )
    return sorted(session.execute(rows), key=lambda row: row[1])


def test_a_scan_waits_for_its_flats_and_goes_on_when_they_land(
    session: Session, sight: Sight
) -> None:
    waiting = sight(needs=("flat",))
    assert waiting.state == "waiting_for_calibration"
    assert waiting.note.startswith("No flat for detector 2048 x 2048 within 24 h of this scan")
    assert waiting.run_id is None
    landed = flats(sight, hours=1)
    assert (landed.state, landed.run_id) == ("validated", None)
    gone_on = sight(needs=("flat",))
    assert gone_on.state == "validated"
    assert linked(session, waiting.dataset_id) == [(landed.dataset_id, "flat")]
    inputs = session.scalars(select(Lineage).where(Lineage.run_id == gone_on.run_id)).all()
    assert {(i.dataset_id, i.role) for i in inputs} == {
        (waiting.dataset_id, "raw"),
        (landed.dataset_id, "flat"),
    }


def test_both_kinds_must_be_there(session: Session, sight: Sight) -> None:
    waiting = sight(needs=("flat", "dark"))
    first = flats(sight)
    assert linked(session, waiting.dataset_id) == []
    second = flats(sight, "darks", calibration_kinds=("dark",))
    expected = [(second.dataset_id, "dark"), (first.dataset_id, "flat")]
    assert linked(session, waiting.dataset_id) == expected


def test_one_file_may_serve_as_both(session: Session, sight: Sight) -> None:
    both = flats(sight, calibration_kinds=("flat", "dark"))
    scan = sight(needs=("flat", "dark"))
    assert scan.state == "validated"
    assert linked(session, scan.dataset_id) == [
        (both.dataset_id, "dark"),
        (both.dataset_id, "flat"),
    ]


def test_the_nearest_in_time_is_taken_before_or_after(session: Session, sight: Sight) -> None:
    flats(sight, "early", hours=-3)
    nearest = flats(sight, "after", hours=2)
    flats(sight, "late", hours=4)
    scan = sight(needs=("flat",))
    assert linked(session, scan.dataset_id) == [(nearest.dataset_id, "flat")]


def test_what_does_not_fit_does_not_serve(engine: Engine, sight: Sight) -> None:
    flats(sight, "old", hours=-25)
    flats(sight, "other detector", detector="1024 x 1024")
    flats(sight, "darks", calibration_kinds=("dark",))
    flats(sight, "broken", stage="broken", reason="truncated")
    flats(sight, "growing", stage="opened")
    expired = flats(sight, "expired")
    with Session(engine) as session, session.begin():
        row = session.get_one(Calibration, (expired.dataset_id, "flat"))
        row.valid_until = START - timedelta(minutes=1)
    assert sight(needs=("flat",)).state == "waiting_for_calibration"


def test_one_calibration_serves_all_that_wait(session: Session, sight: Sight) -> None:
    for number in range(5):
        assert sight(f"scan{number}", needs=("flat",)).run_id is None
    flats(sight, hours=1)
    flats(sight, "too far", hours=2)
    assert len(session.scalars(select(Run.id)).all()) == 5


def test_a_waiting_scan_that_brings_its_flats_after_all_goes_on(
    sight: Sight, a_file: Callable[..., Any]
) -> None:
    sight(needs=("flat",))
    rewritten = sight(needs=(), files=[a_file(fingerprint="with flats")])
    assert rewritten.state == "validated"
    assert rewritten.run_id is not None


def test_the_files_of_a_calibration_have_the_role_that_they_serve_as(
    sight: Sight, claim_of: Callable[..., Claim], a_file: Callable[..., Any]
) -> None:
    flats(
        sight,
        calibration_kinds=("flat", "dark"),
        files=[
            a_file("flats", role="flat", path="flats"),
            a_file("darks", role="dark", path="darks"),
        ],
    )
    flats(sight, "both", calibration_kinds=("flat", "dark"), detector="4 x 4")
    folder = claim_of(sight("a", needs=("flat", "dark")).dataset_id, "1")
    assert [(i.role, i.path.name) for i in folder.inputs] == [
        ("data", "a.h5"),
        ("flat", "flats"),
        ("dark", "darks"),
    ]
    file = claim_of(sight("b", needs=("flat", "dark"), detector="4 x 4").dataset_id, "2")
    assert [(i.role, i.path.name) for i in file.inputs] == [
        ("data", "b.h5"),
        ("flat", "both.h5"),
        ("dark", "both.h5"),
    ]


def rule(engine: Engine, **rules: dict[str, Any]) -> None:
    with Session(engine) as session, session.begin():
        session.get_one(Beamline, "imaging").calibration_rules = rules


def test_the_last_one_before(engine: Engine, session: Session, sight: Sight) -> None:
    rule(engine, flat={"choose": "before"})
    far, near = flats(sight, "far", -3), flats(sight, "near", -2)
    flats(sight, "after", 0.5)
    scan = sight(needs=("flat",))
    assert linked(session, scan.dataset_id) == [(near.dataset_id, "flat")]
    assert far.dataset_id != near.dataset_id


def test_none_before_is_waited_for(engine: Engine, sight: Sight) -> None:
    rule(engine, flat={"choose": "before", "max_age_hours": 2})
    flats(sight, "after", 0.5)
    flats(sight, "too far", -3)
    waiting = sight(needs=("flat",))
    assert waiting.note.startswith("No flat before it for detector 2048 x 2048 within 2 h of")


def test_one_on_either_side(engine: Engine, session: Session, sight: Sight) -> None:
    rule(engine, flat={"choose": "both"})
    before = flats(sight, "before", -1)
    waiting = sight(needs=("flat",))
    assert waiting.note.startswith("No flat after it for detector")
    after = flats(sight, "after", 1)
    found = {each for each, _ in linked(session, waiting.dataset_id)}
    assert found == {before.dataset_id, after.dataset_id}
    gone_on = sight(needs=("flat",))
    inputs = session.scalars(select(Lineage).where(Lineage.run_id == gone_on.run_id)).all()
    assert sorted(each.role for each in inputs) == ["flat", "flat", "raw"]


def test_each_kind_has_its_age(engine: Engine, session: Session, sight: Sight) -> None:
    rule(engine, dark={"max_age_hours": 100})
    flats(sight, hours=-1)
    darks = flats(sight, "darks", -50, calibration_kinds=("dark",))
    scan = sight(needs=("flat", "dark"))
    assert (darks.dataset_id, "dark") in linked(session, scan.dataset_id)


def test_what_a_calibration_touches(
    engine: Engine, session: Session, sight: Sight, claim_of: Any, finish: Any
) -> None:
    old = flats(sight, "old", -2)
    scan = sight(needs=("flat",))
    finish(claim_of(scan.dataset_id))
    untouched = affected(session, old.dataset_id)
    [result] = untouched.touched
    assert (result.dataset_id, result.version, result.is_current) == (scan.dataset_id, 1, True)
    assert [each.name for each in result.uses] == ["old"] and not result.changes
    new = flats(sight, "new", -1)
    [result] = affected(session, old.dataset_id).touched
    assert [each.name for each in result.would_use] == ["new"] and result.changes
    would = affected(session, new.dataset_id)
    assert (would.touched, [each.name for each in would.would_touch]) == ([], ["tooth"])


def test_a_calibration_that_is_not_trusted(engine: Engine, session: Session, sight: Sight) -> None:
    bad, good = flats(sight, "bad", -1), flats(sight, "good", -2)
    scan = sight(needs=("flat",))
    with Session(engine) as other, other.begin():
        quarantine.put(other, bad.dataset_id, actor="cli:ada", reason="the shutter was closed")
    [touched] = affected(session, bad.dataset_id).touched
    assert (touched.dataset_id, touched.result_id) == (scan.dataset_id, None)
    assert [each.id for each in touched.would_use] == [good.dataset_id]


def test_other_data_touch_nothing(session: Session, sight: Sight) -> None:
    scan = affected(session, sight().dataset_id)
    assert (scan.kind, scan.touched, scan.would_touch) == ("raw", [], [])
    with pytest.raises(NotFound):
        affected(session, uuid7())
