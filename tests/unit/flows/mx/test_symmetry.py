"""The symmetry of a sweep: found, given, or that of reference data."""

from dataclasses import replace

import numpy as np
import pytest

from flows.mx.known import known_of
from flows.mx.recipe import Cell, Recipe
from flows.mx.reference import Reference
from flows.mx.symmetry import determine
from flows.mx.types import Known
from tasks.errors import DataError
from tasks.io.diffraction import Facts
from tests.unit.flows.mx.sweeps import CELLS, observed

CYCLIC = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


@pytest.fixture(scope="module")
def orthorhombic():
    return observed()[0]


def test_the_group_is_found_and_its_axes_are_conventional(orthorhombic):
    found, (moved,) = determine(Recipe(), Known(), [orthorhombic])
    assert (found.space_group, found.undetermined) == ("P 21 21 21", False)
    assert moved.crystal.space_group == "P 21 21 21"
    assert moved.crystal.cell == pytest.approx(CELLS["P 21 21 21"], rel=1e-3)
    assert moved.crystal.cell[3:] == pytest.approx((90, 90, 90), abs=1e-9)


def test_a_group_that_is_given_counts_whatever_axes_indexing_chose(orthorhombic):
    known = Known(space_group="P 21 21 21")
    found, (moved,) = determine(Recipe(), known, [orthorhombic])
    assert found.sentence == "The space group P 21 21 21 is given."
    assert sorted(moved.crystal.cell[:3]) == pytest.approx(sorted(CELLS["P 21 21 21"][:3]))


def test_a_group_that_the_lattice_does_not_have_is_refused(orthorhombic):
    with pytest.raises(DataError, match=r"does not have the symmetry of P 43 21 2: it allows"):
        determine(Recipe(), Known(space_group="P 43 21 2"), [orthorhombic])


def test_reference_data_have_their_axes_and_their_indexing_kept():
    # of P43 the lattice has twofold axes that the crystal lacks: two ways to index
    sweep, (hkl, truth) = observed("P 43")
    other, _ = observed("P 43", matrix=[[0, 1, 0], [1, 0, 0], [0, 0, -1]])
    flags = np.zeros(0, np.int32)
    none = np.zeros((0, 3), np.int32)
    reference = Reference("ref.mtz", hkl, truth, none, flags, CELLS["P 43"], "P 43")
    for each in (sweep, other):
        found, (moved,) = determine(Recipe(), Known(), [each], reference)
        assert "indexing are those of ref.mtz" in found.sentence
        assert not found.undetermined
        table = dict(zip(map(tuple, hkl.tolist()), truth, strict=True))
        true = np.array([table[tuple(h)] for h in moved.observations.hkl.tolist()])
        assert np.corrcoef(true, moved.observations.intensity)[0, 1] > 0.95


def test_who_says_what_of_the_crystal():
    sample = {
        "cell": dict(
            zip(("a", "b", "c", "alpha", "beta", "gamma"), range(40, 100, 10), strict=True)
        ),
        "sequence": "MKV",
    }
    facts = Facts(space_group="P 1", cell=(1.0, 2.0, 3.0, 90.0, 90.0, 90.0))
    known = known_of(Recipe(), sample, facts)
    assert known.cell == (40, 50, 60, 70, 80, 90)
    assert dict(known.said_by) == {"cell": "sample", "space_group": "data", "sequence": "sample"}
    asked = Recipe(cell=Cell(a=78.9, b=78.9, c=38.1), space_group="P 43 21 2")
    known = known_of(asked, sample, facts)
    assert (known.cell, known.said_by["cell"]) == ((78.9, 78.9, 38.1, 90, 90, 90), "recipe")
    assert known.space_group == "P 43 21 2"


def test_several_sweeps_are_looked_at_together(orthorhombic):
    second = replace(orthorhombic, name="b")
    found, moved = determine(Recipe(), Known(), [orthorhombic, second])
    assert found.space_group == "P 21 21 21"
    assert [each.name for each in moved] == ["a", "b"]
