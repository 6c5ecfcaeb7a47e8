"""Merged data of a sweep, and of several: what they say, and what is told."""

from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest

from catalog.runs import InputFile
from flows.mx.comparison import compare
from flows.mx.merging import merge_sweeps, reference_of
from flows.mx.recipe import Recipe
from flows.mx.results import _merged
from flows.mx.series.members import indexed_alike, numbered, read_members
from flows.mx.series.recipe import Recipe as SeriesRecipe
from flows.mx.types import Known
from tasks.errors import DataError
from tasks.mx.observations_file import write_observations
from tests.unit.flows.mx.sweeps import observed

MATE = [[0, 1, 0], [1, 0, 0], [0, 0, -1]]


@pytest.fixture(scope="module")
def merged():
    return merge_sweeps(Recipe(), Known(), [observed()[0]], sample="thaumatin")


def claim_of(folder, *sweeps):
    """A claim whose inputs are results with observations."""
    inputs = []
    for sweep in sweeps:
        path = folder / f"{sweep.name}.h5"
        write_observations(path, sweep)
        inputs.append(
            InputFile(path, "", "member", "", None, uuid4(), output="observations", name=sweep.name)
        )
    return SimpleNamespace(
        inputs=inputs, dataset_name="together", sample_facts={}, folders=(folder,)
    )


def test_a_sweep_becomes_merged_data_with_what_they_say(merged):
    assert merged.symmetry.space_group == "P 21 21 21"
    overall = merged.table.statistics.overall
    assert overall.completeness > 0.8
    assert overall.cc_half > 0.95
    assert merged.figures["l_test"] == pytest.approx(0.5, abs=0.03)
    assert 0.03 < merged.free.free(merged.merged.hkl).mean() < 0.07
    assert np.isfinite(merged.amplitudes.f).mean() > 0.99


def test_a_resolution_that_is_asked_for_counts():
    found = merge_sweeps(Recipe(resolution=4.0), Known(), [observed()[0]])
    assert found.merged.d.min() >= 4.0
    assert "as the recipe says" in found.cut.rule


def test_what_is_written_agrees_with_itself(merged, tmp_path):
    path = tmp_path / "a.mtz"
    _merged(merged, SimpleNamespace(dataset_name="a"), 1.0).write_to_file(str(path))
    found = compare(merged.merged, path)
    assert found.overall.common == len(merged.merged)
    assert found.overall.cc == pytest.approx(1, abs=1e-6)
    assert found.overall.cc_log == pytest.approx(1, abs=1e-6)
    assert len(found.shells) == 8


def test_reference_data_that_are_not_there_are_told(tmp_path):
    claim = SimpleNamespace(inputs=[], folders=(tmp_path,))
    assert reference_of(Recipe(), claim) is None
    with pytest.raises(DataError, match=r"'no\.mtz' are no file in the beamline's folders"):
        reference_of(Recipe(reference="no.mtz"), claim)


def test_sweeps_of_crystals_are_indexed_alike_by_their_intensities():
    first, _ = observed("P 43", name="a")
    second, _ = observed("P 43", name="b", matrix=MATE)
    turned = replace(
        second, crystal=replace(second.crystal, a_matrix=second.crystal.a_matrix[[1, 2, 0]])
    )
    (one, other), correlations = indexed_alike((first, turned))
    assert min(correlations) > 0.8
    joined = merge_sweeps(Recipe(), Known(), numbered((one, other)))
    assert joined.table.statistics.overall.cc_half > 0.95
    assert joined.symmetry.laue.space_group == "P 4"


def test_sweeps_of_one_mount_are_indexed_as_they_lie():
    first, _ = observed("P 43", name="a", degrees=40.0)
    second, _ = observed("P 43", name="b", degrees=40.0, start=40.0, matrix=MATE)
    moved, correlations = indexed_alike((first, second))
    assert np.isnan(correlations).all()
    np.testing.assert_allclose(moved[0].crystal.a_matrix, moved[1].crystal.a_matrix, atol=1e-9)


def test_a_sweep_of_another_crystal_form_is_left_out_by_name(tmp_path):
    first, _ = observed("P 43", name="a")
    second, _ = observed("P 43", name="b", seed=3)
    third, _ = observed("P 21 21 21", name="c")
    run = SimpleNamespace(claim=claim_of(tmp_path, first, second, third))
    members = read_members(run, SeriesRecipe())
    assert [each.name for each in members.sweeps] == ["a", "b"]
    assert list(members.left_out) == ["c"]
    assert "lattices differ" in members.left_out["c"]
    assert members.doubts["sweeps"][0].startswith("c is left out: ")


def test_one_sweep_alone_is_not_merged_with_itself(tmp_path):
    run = SimpleNamespace(claim=claim_of(tmp_path, observed("P 43")[0]))
    with pytest.raises(DataError, match="1 can be merged, and it takes two"):
        read_members(run, SeriesRecipe())
