"""Scans of every kind, good and broken, land on a real platform; results are asked for again."""

from dataclasses import replace

import h5py
import httpx
import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Dataset, LifecycleEvent
from infra.simulator import faults
from infra.simulator.phantom import Geometry
from infra.simulator.plan import Delivery, ScanPlan
from infra.simulator.scan import write_calibration, write_entries, write_scan
from tasks.io.nxtomoproc import read_slice

PLAN = ScanPlan(geometry=Geometry(columns=96, rows=8, projections=91, axis=46.3))
SETTLED = ("completed", "failed", "cancelled")


def plan(name, **changes):
    return replace(PLAN, name=name, **changes).identified()


def state(platform, name):
    dataset = platform.dataset(name)
    return dataset.state if dataset else None


def reduced(platform, name):
    runs = platform.runs(name)
    return bool(runs) and runs[-1].state in SETTLED


@pytest.fixture(scope="module")
def good(platform):
    """Let good scans of all kinds land at once."""
    folder = platform.folder / "incoming"
    write_scan(folder, plan("slow", seed=11, delivery=Delivery("slow", 1.0)))
    write_scan(folder, plan("renamed", seed=12, layout="nxtomo"))
    write_scan(folder, plan("linked", seed=13, layout="nxtomo", delivery=Delivery("linked", 1.0)))
    write_scan(folder, plan("images", seed=14, layout="tiff_folder"))
    enough = replace(PLAN.geometry, projections=121)
    write_scan(folder, plan("one-lost", seed=15, geometry=enough, lost=(40,)))
    write_entries(folder, "several", [plan("several-a", seed=16), plan("several-b", seed=17)])
    names = ["slow", "renamed", "linked", "images", "one-lost"]
    entries = ["several-entry1", "several-entry2"]
    for name in names + entries:
        platform.wait_for(lambda name=name: reduced(platform, name), 150, f"{name} is reduced")
    return names + entries


def test_good_scans_of_every_kind_are_reduced_once(platform, good):
    for name in good:
        (run,) = platform.runs(name)
        assert (run.state, run.state_reason) == ("completed", None), name
        assert run.figures["rotation_axis"] == pytest.approx(46.3, abs=0.5), name


def test_the_volume_carries_units_voxel_size_and_recipe(platform, good):
    (path,) = (platform.folder / "processed" / "renamed" / "v001").glob("*_volume.h5")
    with h5py.File(path) as file:
        assert file["entry/definition"][()] == b"NXtomoproc"
        assert file["entry/data/data"].shape == (8, 96, 96)
        assert file["entry/data/data"].attrs["units"] == "1/cm"
        assert file["entry/data/voxel_size"][()] == pytest.approx(PLAN.geometry.pixel_size)
        assert b'"rotation_axis": null' in file["entry/reconstruction/recipe"][()]


def test_a_lost_frame_is_a_warning_and_a_check(platform, good):
    dataset = platform.dataset("one-lost")
    shown = platform.api.get(f"/api/datasets/{dataset.id}").json()
    assert "missing" in str(shown), "the page must say that a projection is missing"


BROKEN = {
    "truncated": (faults.truncated, "truncated"),
    "nan": (faults.not_a_number, "no numbers"),
    "angles": (faults.angles_missing, "missing"),
    "text": (faults.text_named_h5, "HDF5"),
    "empty": (faults.empty, "empty"),
}


@pytest.fixture(scope="module")
def broken(platform):
    """Let broken scans land at once, and a good one in the midst of them."""
    folder = platform.folder / "hasty"
    for number, (name, (break_it, _)) in enumerate(BROKEN.items()):
        break_it(folder, plan(f"broken-{name}", seed=20 + number))
    write_scan(folder, plan("beside", seed=30))
    return folder


@pytest.mark.parametrize("name", BROKEN)
def test_broken_data_end_in_quarantine_with_a_sentence(platform, broken, name):
    def reason():
        with Session(platform.engine) as session:
            return session.scalar(
                select(Dataset.state_reason).where(
                    Dataset.name.startswith(f"broken-{name}"), Dataset.state == "quarantined"
                )
            )

    platform.wait_for(reason, 60, f"{name} is in quarantine")
    assert BROKEN[name][1] in reason()
    assert reason().rstrip().endswith(".")
    assert "Traceback" not in reason()


def test_a_scan_that_was_closed_too_early_is_incomplete_and_says_so(platform):
    faults.frames_lost(platform.folder / "hasty", plan("short", seed=31))
    platform.wait_for(lambda: state(platform, "short") == "incomplete", 60)
    assert "announced frames" in platform.dataset("short").state_reason
    assert not platform.runs("short")


def test_the_scan_beside_the_broken_ones_is_reduced(platform, broken):
    platform.wait_for(lambda: reduced(platform, "beside"), 60, "it is reduced")
    assert platform.runs("beside")[-1].state == "completed"


def test_a_scan_without_flats_waits_for_them(platform):
    folder = platform.folder / "hasty"
    waiting = plan("waits", seed=40, geometry=replace(PLAN.geometry, columns=80, axis=38.2))
    faults.without_flats(folder, waiting)
    platform.wait_for(lambda: state(platform, "waits") == "waiting_for_calibration", 30)
    assert not platform.runs("waits")
    write_calibration(folder, waiting, "flats-of-waits")
    platform.wait_for(lambda: reduced(platform, "waits"), 90, "it goes on")
    (run,) = platform.runs("waits")
    assert run.state == "completed", run.state_reason


def test_a_scan_whose_target_never_comes_is_incomplete_until_it_does(platform):
    folder = platform.folder / "hasty"
    half = plan("half", seed=41, layout="nxtomo")
    faults.link_without_target(folder, half)
    platform.wait_for(lambda: state(platform, "half") == "incomplete", 30)
    faults.bring_target(folder, half)
    platform.wait_for(lambda: reduced(platform, "half"), 90, "it resumes")
    assert platform.runs("half")[-1].state == "completed"


def test_a_name_that_is_used_again_is_a_new_dataset(platform):
    folder = platform.folder / "incoming"
    write_scan(folder, plan("again", seed=42))
    platform.wait_for(lambda: reduced(platform, "again"), 90)
    write_scan(folder, plan("again", seed=43))
    platform.wait_for(lambda: len(platform.runs("again")) == 2, 60, "the second scan")
    platform.wait_for(lambda: reduced(platform, "again"), 90)
    assert len({run.dataset_id for run in platform.runs("again")}) == 2


def test_another_axis_makes_a_new_version_beside_the_old_one(platform, good):
    dataset = platform.dataset("slow")
    asked = platform.api.post(
        f"/api/datasets/{dataset.id}/runs",
        json={"recipe": {"rotation_axis": 47.0}, "reason": "the sweep looks better"},
        headers=platform.token,
    )
    assert asked.status_code in (200, 201, 202), asked.text
    platform.wait_for(lambda: len(platform.runs("slow")) == 2 and reduced(platform, "slow"), 60)
    first, second = platform.runs("slow")
    assert (second.version, second.parent_id) == (2, first.id)
    assert second.reason == "the sweep looks better"
    assert second.figures["rotation_axis"] == 47.0
    results = platform.folder / "processed" / "slow"
    assert {path.name for path in results.iterdir()} == {"v001", "v002"}


def test_a_copy_made_in_the_prefect_ui_is_a_persons_run(platform, good):
    dataset = platform.dataset("linked")
    deployment = platform.prefect.get("/deployments/name/ct-reduction/ct").raise_for_status().json()
    recipe = {"output_type": "uint16"}
    parameters = {"dataset": str(dataset.id), "recipe": recipe, "reason": "half the disk"}
    made = platform.prefect.post(
        f"/deployments/{deployment['id']}/create_flow_run", json={"parameters": parameters}
    )
    flow_run = made.raise_for_status().json()["id"]
    platform.wait_for(lambda: len(platform.runs("linked")) == 2 and reduced(platform, "linked"), 60)
    run = platform.runs("linked")[-1]
    assert (run.actor, run.request_id) == ("prefect-ui", flow_run)
    assert (run.state, run.parameters["output_type"]) == ("completed", "uint16")
    volumes = platform.folder / "processed" / "linked"
    first, second = (
        read_slice(next((volumes / version).glob("*_volume.h5")), 0, 4)
        for version in ("v001", "v002")
    )
    shown = (first > np.quantile(first, 0.01)) & (first < np.quantile(first, 0.99))
    np.testing.assert_allclose(second[shown], first[shown], atol=1e-3 * np.ptp(first))


def test_retrying_a_completed_run_changes_nothing(platform, good):
    (run,) = platform.runs("renamed")
    flow_run = platform.api.get(f"/api/runs/{run.id}").json()["flow_run_id"]
    before = sorted((platform.folder / "processed" / "renamed").rglob("*"))
    body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
    platform.prefect.post(f"/flow_runs/{flow_run}/set_state", json=body).raise_for_status()
    platform.wait_for(lambda: "complete already" in (platform.state(flow_run)["message"] or ""), 60)
    assert sorted((platform.folder / "processed" / "renamed").rglob("*")) == before
    assert len(platform.runs("renamed")) == 1


def test_the_history_of_a_scan_is_told(platform, good):
    dataset = platform.dataset("slow")
    with Session(platform.engine) as session:
        events = session.scalars(
            select(LifecycleEvent)
            .where(LifecycleEvent.dataset_id == dataset.id)
            .order_by(LifecycleEvent.id)
        ).all()
    told = [event.to_state or event.event for event in events]
    assert told[: told.index("validated") + 1] == ["registered", "acquired", "validated"]
    lineage = platform.api.get(f"/api/datasets/{dataset.id}/lineage").json()
    assert len(lineage["edges"]) >= 2


def test_the_run_shows_its_stages_and_artifacts_in_prefect(platform, good):
    (run,) = platform.runs("renamed")
    flow_run = platform.api.get(f"/api/runs/{run.id}").json()["flow_run_id"]
    where = {"flow_runs": {"id": {"any_": [flow_run]}}}
    tasks = platform.prefect.post("/task_runs/filter", json=where).json()
    names = {task["name"].rpartition("-")[0] for task in tasks}
    assert names >= {"check scan", "find rotation axis", "reconstruct volume", "enter result"}
    artifacts = platform.prefect.post("/artifacts/filter", json=where).json()
    kinds = {artifact["type"]: artifact for artifact in artifacts}
    assert set(kinds) >= {"progress", "image", "table", "markdown"}
    picture = httpx.get(kinds["image"]["data"])
    assert picture.headers["content-type"] == "image/png"
