"""Molecular replacement from any orientation and place, and its refusal of what is wrong."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.structure.isomorphous import place_as_it_stands
from tasks.mx.structure.placed import placed_structure
from tasks.mx.structure.result import StructureSettings
from tasks.mx.structure.solve import place_model
from tests.unit.tasks.mx.structure import molecules

CELL = (41.0, 36.0, 47.0, 90.0, 103.0, 90.0)
SETTINGS = StructureSettings(copies=1, d_min=5.0)


@pytest.fixture(scope="module")
def data():
    model = molecules.molecule(2)
    placed = molecules.turned(model, molecules.rotation(4), (9.0, 11.0, 17.0))
    truth = molecules.in_crystal(placed, CELL, "P 1 21 1")
    return molecules.observed(truth, 4.6, label="P 1 2 1"), truth


def test_a_model_is_placed_wherever_it_was(data):
    observed, truth = data
    model = molecules.turned(molecules.molecule(2), molecules.rotation(9), (30.0, -20.0, 5.0))
    said = []
    solution = place_model(observed, model[0], (), SETTINGS, said.append)
    assert solution.placement.space_group == "P 1 21 1"
    assert solution.placement.cc > 0.9
    assert solution.gap > 100
    assert [each.space_group for each in solution.candidates] == ["P 1 21 1", "P 1 2 1"]
    assert any("orientation" in each for each in said)
    built = placed_structure(model, solution.transform, solution.placement, observed)
    assert built.spacegroup_hm == "P 1 21 1"
    hkl = observed.hkl[:400]
    ours, exact = (np.abs(molecules.structure_factors(each, hkl)) for each in (built, truth))
    assert np.sum(np.abs(ours - exact)) / np.sum(exact) < 0.12  # an R factor


def test_another_molecule_is_refused(data):
    observed, _ = data
    with pytest.raises(DataError, match=r"no solution that stands out.*P 1 21 1"):
        place_model(observed, molecules.molecule(7)[0], (), SETTINGS)


def test_the_indexing_is_that_of_a_model_of_the_same_form():
    cell = (46.0, 46.0, 52.0, 90.0, 90.0, 90.0)
    placed = molecules.turned(molecules.molecule(3, 40), molecules.rotation(2), (12.0, 9.0, 4.0))
    truth = molecules.in_crystal(placed, cell, "P 41")
    observed = molecules.observed(truth, 4.6, label="P 4")
    as_it_is = place_as_it_stands(observed, truth, (), SETTINGS)
    assert (as_it_is.reindex, as_it_is.placement.space_group) == ("h,k,l", "P 41")
    other = as_it_is.candidates[1].reindex
    turned = place_as_it_stands(observed.reindexed(other), truth, (), SETTINGS)
    assert turned.reindex == other
    assert turned.placement.llg == pytest.approx(as_it_is.placement.llg, rel=0.05)
    assert turned.candidates[0].llg > turned.candidates[1].llg + 50


def test_another_crystal_form_is_searched(data):
    observed, truth = data
    other = molecules.in_crystal(truth, (45.0, *CELL[1:]), "P 1 21 1")
    assert place_as_it_stands(observed, other, (), SETTINGS) is None
    moved = molecules.turned(truth, molecules.rotation(5), (0.0, 0.0, 0.0))
    assert place_as_it_stands(observed, moved, (), SETTINGS) is None
