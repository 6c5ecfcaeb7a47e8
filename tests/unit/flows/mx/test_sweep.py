"""A small sweep through all stages, in this process."""

import json
import shutil
from dataclasses import replace

import gemmi
import numpy as np
import pytest

from flows.mx.recipe import Cell, Grid, Recipe
from flows.mx.verdict import judgement
from flows.mx.without_platform import reduce_sweep
from infra.local_reduction import local_reduction
from infra.simulator.mx.cases import CRYSTALS, empty
from infra.simulator.mx.plan import Faults, Rotation, SweepPlan
from infra.simulator.mx.write import write_sweep
from tasks.errors import DataError
from tasks.io.scan import ScanReference
from tasks.mx.observations_file import read_observations
from tasks.mx.reflections import Flag

CLOSED = (9, 10)
PLAN = SweepPlan(
    name="small",
    crystal=CRYSTALS["P212121"],
    rotation=Rotation(0.0, 1.0, 24),
    faults=Faults(shutter_closed=CLOSED),
)


def reduce(folder, plan, recipe):
    """Write a sweep and reduce it; return the result and the folder of its files."""
    raw = folder / "raw"
    raw.mkdir()
    write_sweep(raw, plan, "cbf")
    with local_reduction(ScanReference(str(raw)), plan.name, folder / "out", 0) as run:
        return reduce_sweep(run, recipe), run


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    return reduce(tmp_path_factory.mktemp("sweep"), PLAN, Recipe())


def test_it_comes_to_merged_data(reduced):
    result, _ = reduced
    assert result.ends_at == ""
    true = PLAN.crystal.cell
    assert sorted(result.reduced.merged.cell[:3]) == pytest.approx(sorted(true[:3]), rel=1e-3)
    assert result.reduced.table.statistics.overall.cc_half > 0.98
    assert result.placed.share > 0.9
    assert "without a model" in result.solved.ends_at


def test_images_with_a_closed_shutter_do_not_count(reduced):
    result, _ = reduced
    assert result.spotted.dark == CLOSED
    assert any("shutter closed" in each for each in result.doubts["images"])
    reflections = result.integrated.reflections
    inside = np.isin(np.floor(reflections.xyz[:, 2]), CLOSED)
    counted = inside & ~reflections.has(Flag.NO_PROFILE)
    assert inside.sum() > 100
    assert counted.sum() < 0.1 * inside.sum()


def test_its_files_are_read_back(reduced):
    result, run = reduced
    names = {path.name for path in run.folder.iterdir()}
    assert ".scratch" not in names
    assert {
        "out_merged.mtz",
        "out_unmerged.mtz",
        "out.cif",
        "out_table_1.txt",
        "out_observations.h5",
        "out.json",
        "detector.png",
        "strip_chart.png",
        "resolution.png",
        "scales.png",
        "wilson_plot.png",
    } <= names
    mtz = gemmi.read_mtz_file(str(run.folder / "out_merged.mtz"))
    assert mtz.nreflections == len(result.reduced.merged)
    kept = read_observations(run.folder / "out_observations.h5")
    assert len(kept.observations) == len(result.integrated.observations)
    told = json.loads((run.folder / "out.json").read_text())
    assert told["quality"]["images"] == 24
    assert told["metadata"]["geometry"]["images"] == 24
    assert told["metadata"]["laue_groups"][0]["space_group"] == "P 2 2 2"
    assert sum(each["order"] == 2 for each in told["metadata"]["rotations"]) == 3
    assert told["metadata"]["screw_axes"][0]["probability"] <= 1
    assert list(run.seconds)[:3] == ["read images", "find spots", "index"]


def test_its_verdict_tells_the_doubts(reduced):
    judged = judgement(reduced[0])
    assert judged.verdict == "check"
    assert {"images"} <= {rule for rule, _ in judged.doubts}


def test_an_empty_loop_is_bad_and_says_why(tmp_path):
    plan = empty(replace(PLAN, rotation=Rotation(0.0, 1.0, 6), faults=Faults()))
    result, run = reduce(tmp_path, plan, Recipe())
    judged = judgement(result)
    assert (judged.verdict, judged.doubts[0][0]) == ("bad", "merged data")
    assert "Hardly any diffraction" in judged.sentences[0]
    assert (run.folder / "strip_chart.png").exists()


def test_a_grid_scan_ends_with_its_map(tmp_path):
    # every image diffracts: the crystal is larger than the grid
    plan = replace(PLAN, rotation=Rotation(0.0, 1.0, 6), faults=Faults())
    result, run = reduce(tmp_path, plan, Recipe(grid=Grid(rows=2, columns=3)))
    assert result.placed is None
    assert result.spotted.grid.extent.all()
    judged = judgement(result)
    assert judged.verdict != "bad"
    assert "Best at row" in judged.summary
    assert (run.folder / "grid_scan.png").exists()


@pytest.mark.skipif(shutil.which("dials.index") is not None, reason="DIALS is installed")
def test_dials_is_asked_for_in_vain_where_it_is_not_installed(tmp_path):
    plan = replace(PLAN, rotation=Rotation(0.0, 1.0, 2), faults=Faults())
    with pytest.raises(DataError, match=r"The recipe wants DIALS, but dials\.import"):
        reduce(tmp_path, plan, Recipe(program="dials"))


def test_stills_are_indexed_one_by_one_with_the_known_cell(tmp_path):
    a, b, c = PLAN.crystal.cell[:3]
    still = Rotation(0.0, 0.02, 4)
    plan = replace(PLAN, rotation=still, faults=Faults()).of(counts=200 * PLAN.crystal.counts)
    result, _ = reduce(tmp_path, plan, Recipe(stills=True, cell=Cell(a=a, b=b, c=c)))
    stills = result.placed.stills
    assert [each.image for each in stills.indexed] == [0, 1, 2, 3]
    for each in stills.indexed:
        assert each.crystal.cell == pytest.approx(PLAN.crystal.cell, rel=5e-3)
        assert each.share > 0.8
    judged = judgement(result)
    assert judged.verdict != "bad"
    assert "4 of 4 stills are indexed" in judged.summary


def test_stills_without_a_cell_say_what_is_missing(tmp_path):
    plan = replace(PLAN, rotation=Rotation(0.0, 1.0, 4), faults=Faults())
    result, _ = reduce(tmp_path, plan, Recipe(stills=True))
    assert "nobody says it" in result.ends_at
    assert judgement(result).verdict == "bad"
