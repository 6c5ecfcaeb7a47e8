"""A calibrant lands while data wait for the geometry of their detector, and they go on."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.affected import affected
from catalog.models import Calibration, Dataset, DatasetFile, Lineage, Run, Storage
from infra.simulator.pdf.materials import CERIA
from infra.simulator.pdf.plan import ScanPlan, small
from infra.simulator.pdf.write import write_scan
from tasks.pdf.geometry import read_poni

DISTANCE = 0.5


def plan(name, *, kind="sample", rows=512, **changes):
    """Plan an image of ceria, far from a detector with so many rows."""
    made = replace(small(ScanPlan(name=name, kind=kind, seed=5)), **changes).identified()
    far = replace(made.geometry, distance=DISTANCE, poni1=0.1, poni2=0.104, rows=rows)
    made = replace(made, geometry=far)
    return made.of(replace(CERIA, radius=80.0), name="CeO2 standard", diameter=0.5)


@pytest.fixture
def powder(platform):
    return platform.folder / "powder"


def find(platform, name, kind=None):
    """Return what is called so, of a kind if it is given."""
    wanted = select(Dataset).where(Dataset.name == name, Dataset.beamline_id == "powder")
    if kind:
        wanted = wanted.where(Dataset.kind == kind)
    with Session(platform.engine) as session:
        return session.scalar(wanted.order_by(Dataset.id.desc()))


def is_in(platform, name, state, kind=None):
    found = find(platform, name, kind)
    return found if found is not None and found.state == state else None


def geometry_file(platform, dataset_id):
    """Return where the geometry among the files of a result lies."""
    of_result = (
        select(Storage.root, DatasetFile.path)
        .join(Storage, Storage.id == DatasetFile.storage_id)
        .where(DatasetFile.dataset_id == dataset_id, DatasetFile.role == "geometry")
    )
    with Session(platform.engine) as session:
        return Path(*session.execute(of_result).one())


def used(platform, dataset_id, role):
    """Return what the latest run of a dataset was given in a role."""
    inputs = (
        select(Lineage.dataset_id, Lineage.fingerprint)
        .join(Run, Run.id == Lineage.run_id)
        .where(Run.dataset_id == dataset_id, Lineage.role == role)
        .order_by(Run.version.desc())
    )
    with Session(platform.engine) as session:
        return session.execute(inputs).first()


def test_a_scan_waits_for_the_geometry_that_a_calibrant_gives(platform, powder):
    write_scan(powder, plan("waits_0001"))
    waiting = platform.wait_for(
        lambda: is_in(platform, "waits_0001", "waiting_for_calibration"), 90, "it waits"
    )
    assert waiting.state_reason.startswith("No geometry for detector 512 x 512 within 24 h")
    write_scan(powder, plan("calib_CeO2_0001", kind="calibrant"))
    made = platform.wait_for(
        lambda: is_in(platform, "calib_CeO2_0001", "validated", "derived"), 120, "its geometry"
    )
    assert (made.flow, made.verdict, made.detector) == ("pdf-calibration", "ok", "512 x 512")
    assert made.format == "pyfai_geometry" and made.taken_at < made.created_at
    geometry = read_poni(geometry_file(platform, made.id))
    assert geometry.distance == pytest.approx(DISTANCE, rel=1e-3)
    gone_on = find(platform, "waits_0001")
    assert gone_on.state == "validated", "it went on in the transaction that entered the geometry"
    dataset_id, fingerprint = used(platform, gone_on.id, "geometry")
    assert dataset_id == made.id and fingerprint
    platform.wait_for(
        lambda: platform.runs("waits_0001")[-1].state == "completed", 120, "it is reduced"
    )
    with Session(platform.engine) as session:
        image = find(platform, "calib_CeO2_0001", "calibration")
        assert [each.dataset_id for each in affected(session, image.id).touched] == [gone_on.id]
    write_scan(powder, plan("later_0001", seed=6))
    later = platform.wait_for(lambda: is_in(platform, "later_0001", "validated"), 90, "another")
    assert used(platform, later.id, "geometry").dataset_id == made.id


def test_a_calibrant_without_rings_gives_nothing(platform, powder):
    write_scan(powder, plan("in_vain_0001", rows=384))
    platform.wait_for(
        lambda: is_in(platform, "in_vain_0001", "waiting_for_calibration"), 90, "it waits"
    )
    dim = plan("calib_CeO2_dim_0001", kind="calibrant", rows=384)
    write_scan(powder, replace(dim, beam=replace(dim.beam, photons=1e3)))
    image = platform.wait_for(
        lambda: is_in(platform, "calib_CeO2_dim_0001", "quarantined"), 120, "it is set aside"
    )
    assert "No rings are to be seen" in image.state_reason
    assert "No geometry was made of calib_CeO2_dim_0001: measure the calibrant again" in (
        image.state_reason
    )
    [run] = platform.runs("calib_CeO2_dim_0001")
    assert run.state == "failed"
    assert find(platform, "calib_CeO2_dim_0001", "derived") is None
    assert find(platform, "in_vain_0001").state == "waiting_for_calibration"


def test_what_a_rule_calls_empty_is_a_calibration(platform, powder):
    (powder / "air").mkdir(exist_ok=True)
    write_scan(powder / "air", plan("nothing_0001", rows=256))
    landed = platform.wait_for(lambda: is_in(platform, "nothing_0001", "validated"), 90, "it lands")
    with Session(platform.engine) as session:
        kinds = session.scalars(
            select(Calibration.kind).where(Calibration.dataset_id == landed.id)
        ).all()
    assert (landed.kind, kinds, landed.rule) == ("calibration", ["empty"], "air")
    assert platform.runs("nothing_0001") == []
