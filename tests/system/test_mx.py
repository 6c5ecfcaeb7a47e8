"""Sweeps of diffraction images land on a real platform: seen while they grow, then merged."""

import threading
from dataclasses import replace

import gemmi
import numpy as np
import pytest

from infra.simulator.mx.cases import CRYSTALS, aborted, empty
from infra.simulator.mx.plan import Rotation, SweepPlan
from infra.simulator.mx.write import write_sweep
from tests.system.spectra import (
    file_of,
    result_of,
    settled,
    wait_for_quarantine,
    wait_until_settled,
)


def sweep(name, crystal="P43212", images=60, **changes):
    plan = SweepPlan(name=name, crystal=CRYSTALS[crystal], rotation=Rotation(0.0, 1.0, images))
    return replace(plan, **changes).identified()


def land(platform, sample, plan, form="nxmx", seconds=0.0):
    """Let a sweep land, in the background where it takes its time."""
    folder = platform.folder / "diffraction" / sample
    folder.mkdir(parents=True, exist_ok=True)
    if not seconds:
        return write_sweep(folder, plan, form)
    arguments = (folder, plan, form)
    threading.Thread(target=write_sweep, args=arguments, kwargs={"seconds": seconds}).start()
    return None


def within(found, true, share):
    return found == pytest.approx(true, rel=share)


@pytest.fixture(scope="module")
def grown(platform):
    """A sweep that grew in everybody's sight, and what was seen of it meanwhile."""
    land(platform, "lysozyme", sweep("growing"), "cbf", seconds=20.0)
    platform.wait_for(lambda: platform.dataset("growing"), 60, "the sweep is known")
    address = f"/api/datasets/{platform.dataset('growing').id}/live"
    seen = []

    def look():
        answer = platform.api.get(address)
        if answer.status_code == 200 and answer.json()["picture_url"]:
            seen.append((answer.json(), platform.api.get(f"{address}.png").content))
        return len({each["seen"] for each, _ in seen}) >= 2

    platform.wait_for(look, 90, "the live view grows")
    wait_until_settled(platform, "growing")
    return seen


def test_a_sweep_is_seen_while_it_grows(platform, grown):
    first, last = grown[0][0], grown[-1][0]
    assert 0 < first["seen"] < last["seen"]
    assert len(last["figures"]["spots"]) == len(last["figures"]["image"])
    assert np.median(last["figures"]["spots"]) > 50
    assert all(picture.startswith(b"\x89PNG") for _, picture in grown)


def test_it_becomes_merged_data(platform, grown):
    verdict, metadata = result_of(platform, "growing")
    quality = verdict.quality
    assert "P 43 21 2" in quality["space_groups"].split(" or ")
    for name, true in zip("abc", CRYSTALS["P43212"].cell, strict=False):
        assert within(quality[name], true, 0.001)
    assert quality["cc_half"] > 0.99
    assert metadata["table_1"]["overall"]["completeness"] > 0.6
    assert "without a model" in metadata["structure"]
    mtz = gemmi.read_mtz_file(
        str(file_of(platform, "diffraction", "growing", suffix="_merged.mtz"))
    )
    assert {"IMEAN", "SIGIMEAN", "F", "SIGF", "FreeR_flag"} <= set(mtz.column_labels())
    assert within(mtz.cell.a, CRYSTALS["P43212"].cell[0], 0.001)
    unmerged = file_of(platform, "diffraction", "growing", suffix="_unmerged.mtz")
    assert gemmi.read_mtz_file(str(unmerged)).batches


def test_a_master_with_data_files_is_one_sweep(platform):
    land(platform, "orthorhombic", sweep("master", "P212121"), "dectris")
    wait_until_settled(platform, "master")
    quality = result_of(platform, "master")[0].quality
    assert "P 21 21 21" in quality["space_groups"].split(" or ")
    assert within(quality["b"], CRYSTALS["P212121"].cell[1], 0.001)


def test_an_aborted_sweep_goes_as_far_as_it_goes(platform):
    land(platform, "half", aborted(sweep("half_way")), "cbf")
    wait_until_settled(platform, "half_way")
    quality = result_of(platform, "half_way")[0].quality
    assert quality["images"] == 40
    assert quality["cc_half"] > 0.99


def test_an_empty_loop_ends_with_its_strip_chart_and_says_why(platform):
    land(platform, "nothing", empty(sweep("loop", images=20)))
    wait_until_settled(platform, "loop")
    verdict, metadata = result_of(platform, "loop")
    assert (verdict.verdict, verdict.quality["seen"]) == ("bad", "no spots")
    assert "Hardly any diffraction" in metadata["ends_at"]
    assert (
        file_of(platform, "diffraction", "loop", suffix="strip_chart.png").stat().st_size > 10_000
    )


def test_images_that_are_cut_off_are_quarantined(platform):
    folder = platform.folder / "diffraction" / "broken"
    land(platform, "broken", sweep("cut", images=3), "cbf")
    image = next(folder.glob("cut_*1.cbf"))
    image.write_bytes(image.read_bytes()[:3000])
    assert "cut" in wait_for_quarantine(platform, "cut")


def test_two_sweeps_of_one_crystal_are_merged(platform):
    for number, start in ((1, 0.0), (2, 60.0)):
        plan = sweep(f"part_{number}", images=40)
        land(platform, "together", replace(plan, rotation=Rotation(start, 1.0, 40)), "cbf")
    wait_until_settled(platform, "part_1", "part_2")
    name = "together series"
    platform.wait_for(lambda: settled(platform, name), 120, "the sweeps are merged")
    verdict, metadata = result_of(platform, name)
    assert metadata["sweeps"] == ["part_1", "part_2"]
    alone = result_of(platform, "part_1")[0].quality
    assert verdict.quality["completeness"] > alone["completeness"] + 0.1
    assert verdict.quality["cc_half"] > 0.99
