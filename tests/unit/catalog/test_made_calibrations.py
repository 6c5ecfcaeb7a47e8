"""Calibrations that runs make of other ones: a geometry of the image of a calibrant."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog import quarantine, recipes, runs
from catalog.affected import affected
from catalog.arrivals import Recorded
from catalog.errors import CatalogError, InvalidParameters
from catalog.models import Calibration, Dataset, Dispatch, Lineage, Run
from catalog.queries import dataset_detail
from catalog.runs import Claim, MadeCalibration, OutputFile
from tests.unit.catalog.conftest import publish

Sight = Callable[..., Recorded]
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "calibrant": {"type": "string", "default": "CeO2"},
        "wavelength": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
    },
}
GEOMETRY = MadeCalibration("geometry", "pyfai_geometry")
RULES = {"calibrant": {"flow": "calibrate", "recipe": {"wavelength": 0.2}}, "mask": {"wait": False}}
NEEDS = ("geometry", "mask")


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """A beamline whose images of calibrants are reduced, and whose data need geometry and mask."""
    with Session(engine) as session, session.begin():
        recipes.publish_flow(session, "calibrate", "ct", "1", SCHEMA)
        publish(session, calibration_rules=RULES)
    return engine


def lands(sight: Sight, kind: str = "calibrant", name: str = "", **changes: Any) -> Recorded:
    about = {"kind": "calibration", "calibration_kinds": (kind,), "needs": ()}
    return sight(name or kind, **{**about, **changes})


@pytest.fixture
def calibrate(claim_of: Callable[..., Claim], finish: Callable[..., UUID]) -> Callable[..., UUID]:
    """Claim the newest dispatch of a calibrant, and complete it with a geometry."""

    def reduce(calibrant: UUID, digest: str = "ab12", flow_run: str = "calibration") -> UUID:
        claim = claim_of(calibrant, flow_run, flow="calibrate")
        outputs = [
            OutputFile("geometry.poni", "geometry", 10, digest, "text/plain"),
            OutputFile("rings.png", "preview", 10, "cd34", "image/png"),
        ]
        return finish(claim, outputs=outputs, calibration=GEOMETRY)

    return reduce


def dataset(engine: Engine, id: UUID) -> Dataset:
    with Session(engine) as session:
        return session.get_one(Dataset, id)


def run_of(engine: Engine, id: UUID) -> Run:
    with Session(engine) as session:
        return session.scalars(select(Run).where(Run.dataset_id == id).order_by(Run.version)).all()[
            -1
        ]


def test_the_image_of_a_calibrant_is_reduced_and_other_calibrations_are_not(
    engine: Engine, sight: Sight
) -> None:
    calibrant, mask = lands(sight), lands(sight, "mask")
    run = run_of(engine, calibrant.dataset_id)
    assert (calibrant.state, mask.state, mask.run_id) == ("validated", "validated", None)
    assert (run.flow, run.reason) == ("calibrate", "a calibrant that is complete")
    assert run.parameters == {"calibrant": "CeO2", "wavelength": 0.2}
    with Session(engine) as session:
        [edge] = session.scalars(select(Lineage).where(Lineage.run_id == run.id))
        assert (edge.dataset_id, edge.role) == (calibrant.dataset_id, "raw")


def test_a_scan_goes_on_with_the_geometry_that_a_run_made(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID], claim_of: Callable[..., Claim]
) -> None:
    scan = sight(needs=NEEDS)
    assert scan.note.startswith("No geometry for detector 2048 x 2048 within 24 h of this scan:")
    calibrant = lands(sight, started_at=START + timedelta(hours=2))
    assert dataset(engine, scan.dataset_id).state == "waiting_for_calibration"
    geometry = calibrate(calibrant.dataset_id)
    assert dataset(engine, scan.dataset_id).state == "validated"
    made = dataset(engine, geometry)
    assert (made.detector, made.format) == ("2048 x 2048", "pyfai_geometry")
    assert (made.taken_at, made.is_current) == (START + timedelta(hours=2), True)
    claim = claim_of(scan.dataset_id, "reduction")
    told = [(each.role, each.path.name, each.format) for each in claim.inputs]
    assert told == [("data", "tooth.h5", ""), ("geometry", "geometry.poni", "pyfai_geometry")]
    assert claim.inputs[1].fingerprint == "ab12"
    assert claim.inputs[1].path.is_absolute()


def test_a_scan_that_lands_later_takes_it_too(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID]
) -> None:
    geometry = calibrate(lands(sight).dataset_id)
    scan = sight(needs=NEEDS, started_at=START + timedelta(hours=3))
    assert scan.state == "validated" and scan.run_id is not None
    with Session(engine) as session:
        edges = select(Lineage.dataset_id, Lineage.role).where(
            Lineage.run_id == scan.run_id, Lineage.direction == "input"
        )
        assert {tuple(each) for each in session.execute(edges)} == {
            (scan.dataset_id, "raw"),
            (geometry, "geometry"),
        }


def test_what_nobody_waits_for_is_linked_if_it_is_there(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID]
) -> None:
    waiting = sight(needs=NEEDS)
    with Session(engine) as session:
        detail = dataset_detail(session, waiting.dataset_id)
        assert detail is not None and detail.waits_for == ["geometry"]
    mask = lands(sight, "mask")
    assert dataset(engine, waiting.dataset_id).state == "waiting_for_calibration"
    calibrate(lands(sight).dataset_id)
    with Session(engine) as session:
        detail = dataset_detail(session, waiting.dataset_id)
        assert detail is not None
        assert [each.role for each in detail.calibrations] == ["geometry", "mask"]
        assert mask.dataset_id in {each.dataset_id for each in detail.calibrations}


def test_the_digest_of_what_was_made_is_part_of_the_key(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID]
) -> None:
    calibrate(lands(sight).dataset_id, digest="ab12")
    one = sight(needs=NEEDS)
    with Session(engine) as session:
        mine = select(Lineage.fingerprint).where(
            Lineage.run_id == one.run_id, Lineage.role == "geometry"
        )
        before = session.scalars(mine).one()
    calibrate(lands(sight, name="second", detector="4 x 4").dataset_id, "ef56", "second")
    two = sight("other", needs=NEEDS, detector="4 x 4")
    with Session(engine) as session:
        mine = select(Lineage.fingerprint).where(
            Lineage.run_id == two.run_id, Lineage.role == "geometry"
        )
        assert before and before != session.scalars(mine).one()


FINER = {"wavelength": 0.3}


def again(engine: Engine, dataset_id: UUID, parameters: dict[str, Any] = FINER) -> None:
    with Session(engine) as session, session.begin():
        runs.request_run(session, dataset_id, parameters, "cli:ada", "finer")


def test_a_newer_version_replaces_it_and_says_what_it_touches(
    engine: Engine,
    sight: Sight,
    calibrate: Callable[..., UUID],
    claim_of: Callable[..., Claim],
    finish: Callable[..., UUID],
) -> None:
    calibrant = lands(sight)
    first = calibrate(calibrant.dataset_id)
    scan = sight(needs=NEEDS)
    finish(claim_of(scan.dataset_id, "reduction"))
    again(engine, calibrant.dataset_id)
    second = calibrate(calibrant.dataset_id, "ef56", "again")
    with Session(engine) as session:
        [touched] = affected(session, first).touched
        assert (touched.role, touched.is_current, touched.changes) == ("geometry", True, True)
        assert [(each.id, each.version) for each in touched.uses] == [(first, 1)]
        assert [(each.id, each.version) for each in touched.would_use] == [(second, 2)]
        assert [each.dataset_id for each in affected(session, second).would_touch] == [
            scan.dataset_id
        ]
        of_image = affected(session, calibrant.dataset_id)
        assert of_image.kinds == ["calibrant", "geometry"]
        assert [each.result_id for each in of_image.touched] == [touched.result_id]
    later = sight("later", needs=NEEDS)
    assert given(engine, run_of(engine, later.dataset_id)) == [second]
    again(engine, scan.dataset_id, {})
    assert given(engine, run_of(engine, scan.dataset_id)) == [second]
    finish(claim_of(scan.dataset_id, "reduction again"))
    with Session(engine) as session:
        earlier = {each.version: each for each in affected(session, first).touched}
        assert [each.id for each in earlier[1].uses] == [first]
        assert earlier[1].changes and not earlier[1].is_current
        assert [each.id for each in earlier[2].uses] == [second]


def given(engine: Engine, run: Run) -> list[UUID]:
    with Session(engine) as session:
        used = select(Lineage.dataset_id).where(
            Lineage.run_id == run.id, Lineage.role == "geometry"
        )
        return list(session.scalars(used))


def test_a_rerun_keeps_what_nothing_can_take_the_place_of(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID]
) -> None:
    calibrant, flat = lands(sight), lands(sight, "flat")
    geometry = calibrate(calibrant.dataset_id)
    scan = sight(needs=("geometry", "flat"))
    with Session(engine) as session, session.begin():
        for each in (calibrant.dataset_id, flat.dataset_id):
            quarantine.put(session, each, actor="cli:ada", reason="doubtful")
    lands(sight, "flat", "another flat")
    again(engine, scan.dataset_id, {})
    run = run_of(engine, scan.dataset_id)
    assert run.version == 2 and given(engine, run) == [geometry]
    with Session(engine) as session:
        flats = select(Lineage.dataset_id).where(Lineage.run_id == run.id, Lineage.role == "flat")
        assert session.scalars(flats).all() == [flat.dataset_id]


def test_a_calibrant_that_is_not_trusted_takes_its_geometry_with_it(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID]
) -> None:
    calibrant = lands(sight, format="powder_image")
    calibrate(calibrant.dataset_id)
    with Session(engine) as session, session.begin():
        quarantine.put(session, calibrant.dataset_id, actor="cli:ada", reason="the wrong powder")
    waiting = sight(needs=NEEDS)
    assert waiting.state == "waiting_for_calibration"
    with Session(engine) as session, session.begin():
        quarantine.accept(session, calibrant.dataset_id, actor="cli:ada", reason="it was not")
    assert dataset(engine, waiting.dataset_id).state == "validated"


def test_a_geometry_that_is_trusted_again_serves_those_that_waited(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID]
) -> None:
    geometry = calibrate(lands(sight).dataset_id)
    with Session(engine) as session, session.begin():
        quarantine.put(session, geometry, actor="cli:ada", reason="doubtful")
    waiting = sight(needs=NEEDS)
    assert waiting.state == "waiting_for_calibration"
    with Session(engine) as session, session.begin():
        quarantine.release(session, geometry, actor="cli:ada", reason="it is right")
    assert dataset(engine, waiting.dataset_id).state == "validated"


def test_a_bad_image_passes_nothing_on(
    engine: Engine, sight: Sight, claim_of: Callable[..., Claim]
) -> None:
    waiting, calibrant = sight(needs=NEEDS), lands(sight)
    claim = claim_of(calibrant.dataset_id, flow="calibrate")
    assert runs.fail(engine, claim, "no rings of CeO2", quarantine=True)
    image = dataset(engine, calibrant.dataset_id)
    assert (image.state, image.state_reason) == ("quarantined", "no rings of CeO2")
    assert dataset(engine, waiting.dataset_id).state == "waiting_for_calibration"
    with Session(engine) as session:
        assert session.scalars(select(Calibration.kind)).all() == ["calibrant"]


def test_a_repeated_completion_is_the_same_one(
    engine: Engine, sight: Sight, claim_of: Callable[..., Claim], finish: Callable[..., UUID]
) -> None:
    claim = claim_of(lands(sight).dataset_id, flow="calibrate")
    assert finish(claim, calibration=GEOMETRY) == finish(claim, calibration=GEOMETRY)


def test_a_geometry_that_names_no_detector_serves_any(sight: Sight) -> None:
    waiting = sight(needs=NEEDS)
    assert waiting.state == "waiting_for_calibration"
    lands(sight, "mask", detector="")
    lands(sight, "geometry", detector="")
    assert sight(needs=NEEDS).state == "validated"
    assert sight("flatless", needs=("flat",)).state == "waiting_for_calibration"
    lands(sight, "flat", detector="")
    assert sight("flatless", needs=("flat",)).state == "waiting_for_calibration"


def test_only_what_a_flow_reduces_can_be_asked_for(engine: Engine, sight: Sight) -> None:
    calibrant, mask = lands(sight), lands(sight, "mask")
    again(engine, calibrant.dataset_id)
    assert run_of(engine, calibrant.dataset_id).parameters["wavelength"] == 0.3
    with pytest.raises(CatalogError, match="mask is a calibration dataset: only raw ones"):
        again(engine, mask.dataset_id)


def test_the_recipe_of_calibrations_is_checked(engine: Engine) -> None:
    wrong = {"calibrant": {"flow": "calibrate", "recipe": {"wave": 1}}}
    words = "recipe of calibrations of kind 'calibrant': 'wave' is not a parameter"
    with Session(engine) as session, pytest.raises(InvalidParameters, match=words):
        publish(session, calibration_rules=wrong)


def test_a_rule_has_its_own_recipe_for_what_it_calls_a_calibrant(
    engine: Engine, sight: Sight
) -> None:
    about = {"series_flow": None, "series_recipe": {}, "batch": None, "technique": "ct"}
    mine = {"name": "ceria", "flow": "calibrate", "calibration": "calibrant", **about}
    other = {"name": "scans", "flow": "ct", "calibration": None, "recipe": {"padding": 1}, **about}
    with Session(engine) as session, session.begin():
        rules = [{**mine, "recipe": {"calibrant": "LaB6"}}, other]
        publish(session, calibration_rules=RULES, rules=rules)
    ours = run_of(engine, lands(sight, rule="ceria").dataset_id)
    assert ours.parameters == {"calibrant": "LaB6", "wavelength": 0.2}
    by_file = run_of(engine, lands(sight, name="told by the file", rule="scans").dataset_id)
    assert by_file.parameters == {"calibrant": "CeO2", "wavelength": 0.2}
    assert sight(rule="ceria").run_id is None, "what landed as raw data has no flow any more"
    with Session(engine) as session:
        sent = select(Dispatch.id).join(Run).where(Run.dataset_id == ours.dataset_id)
        assert len(session.scalars(sent).all()) == 1


def test_results_lie_where_the_template_says(
    engine: Engine, sight: Sight, calibrate: Callable[..., UUID]
) -> None:
    calibrant = lands(sight)
    calibrate(calibrant.dataset_id)
    folder = Path(dataset(engine, calibrant.dataset_id).output_folder or "")
    assert folder == Path("/data/processed/unassigned/unassigned/calibrant")
