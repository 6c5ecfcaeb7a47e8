"""``dayseye validate mx``: what it prints of a sweep, and of what it cannot do."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from infra.cli import app
from infra.simulator.mx.cases import CRYSTALS, empty
from infra.simulator.mx.plan import Rotation, SweepPlan
from infra.simulator.mx.write import write_sweep

PLAN = SweepPlan(name="loop", crystal=CRYSTALS["P212121"], rotation=Rotation(0.0, 1.0, 4))


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    write_sweep(folder, empty(PLAN), "cbf")
    return folder


def run(*arguments):
    ended = CliRunner().invoke(app, ["validate", "mx", *map(str, arguments), "--workers", "0"])
    return ended.exit_code, ended.output


def test_it_says_what_it_found_and_where_the_files_are(raw, tmp_path):
    status, said = run(raw, "--folder", tmp_path / "out")
    assert status == 1  # there are no merged data
    assert "loop: 4 images" in said
    assert "bad: Hardly any diffraction" in said
    assert "find spots" in said
    assert (tmp_path / "out" / "v001" / "strip_chart.png").exists()


def test_one_of_several_sweeps_has_to_be_named(raw, tmp_path):
    write_sweep(raw, empty(replace(PLAN, name="other")), "cbf")
    status, said = run(raw, "--folder", tmp_path / "out")
    assert (status, "holds 2 sweeps; name one: --entry 'loop_#####.cbf'" in said) == (1, True)
    status, said = run(raw, "--folder", tmp_path / "out", "--entry", "other_#####.cbf")
    assert "other: 4 images" in said


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--cell", "1 2 3"), "is no cell: give six numbers"),
        (("--folder", "."), "is there already"),
        (("--reference", "no.mtz"), "no.mtz cannot be read"),
    ],
)
def test_what_cannot_be_is_told_before_the_reduction(raw, tmp_path, more, sentence):
    status, said = run(raw, "--folder", tmp_path / "out", *more)
    assert status == 1
    assert sentence in said
    assert not (tmp_path / "out").exists()
