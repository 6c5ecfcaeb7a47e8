"""The Laue group: of every kind of lattice, in any axes, and not known where data are too few."""

import gemmi
import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.laue import laue_group, subgroups
from tasks.mx.metric import lattice_rotations, reduced
from tasks.mx.reindex import reindex
from tasks.mx.settings import conventional
from tasks.mx.symmetry import classes, laue_rotations, space_group
from tests.unit.tasks.mx.intensities import CELLS, crystal_of, intensities, sweep

LATTICES = {
    "P 1": (50, 60, 70, 80, 85, 80),
    "P 1 2 1": (50, 61, 72, 90, 103, 90),
    "C 1 2 1": (120, 61, 72, 90, 110, 90),
    "P 2 2 2": (50, 61, 72, 90, 90, 90),
    "C 2 2 2": (50, 121, 72, 90, 90, 90),
    "I 2 2 2": (50, 61, 72, 90, 90, 90),
    "F 2 2 2": (50, 61, 72, 90, 90, 90),
    "P 4": (50, 50, 72, 90, 90, 90),
    "I 4 2 2": (80, 80, 40, 90, 90, 90),
    "P 3 1 2": (50, 50, 72, 90, 90, 120),
    "P 3 2 1": (50, 50, 72, 90, 90, 120),
    "P 6 2 2": (50, 50, 72, 90, 90, 120),
    "R 3:H": (50, 50, 172, 90, 90, 120),
    "R 3 2:H": (50, 50, 30, 90, 90, 120),
    "P 2 3": (70, 70, 70, 90, 90, 90),
    "I 4 3 2": (70, 70, 70, 90, 90, 90),
    "F 2 3": (70, 70, 70, 90, 90, 90),
}


def other_axes(rng):
    """Some primitive axes of the same lattice."""
    matrix = np.eye(3)
    for _ in range(4):
        i, j = rng.choice(3, 2, replace=False)
        matrix[i] += rng.integers(-1, 2) * matrix[j]
    return matrix


@pytest.mark.parametrize("symbol", list(LATTICES))
def test_conventional_axes_are_found_from_any_others(symbol):
    rng = np.random.default_rng(0)
    crystal = crystal_of(LATTICES[symbol], symbol)
    small, to_small = reduced(crystal)
    for _ in range(3):
        turned = other_axes(rng)
        again, to_again = reduced(small.change_basis(turned, "P 1"))
        assert np.allclose(again.cell[:3], small.cell[:3])
        total = to_again @ turned @ to_small
        proper = np.rint(total @ laue_rotations(symbol) @ np.linalg.inv(total)).astype(np.int32)
        found = conventional(again, proper)
        there = again.change_basis(found.matrix)
        assert found.space_group == symbol
        assert np.linalg.det(found.matrix) > 0
        assert np.allclose(there.cell, crystal.cell, atol=1e-6)
        assert np.linalg.det(there.a_matrix) > 0


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ((50, 60, 70, 80, 85, 80), 1),
        ((50, 61, 72, 90, 103, 90), 2),
        ((50, 61, 72, 90.3, 89.8, 90.2), 4),
        ((50, 50.2, 72, 90, 90, 90), 8),
        ((50, 50, 72, 90, 90, 120), 12),
        ((70, 70, 70, 90, 90, 90), 24),
    ],
)
def test_lattices_have_the_rotations_of_their_metric(cell, count):
    assert len(lattice_rotations(crystal_of(cell))) == count


def test_the_cube_has_thirty_subgroups():
    assert len(subgroups(laue_rotations("P 4 3 2"))) == 30


@pytest.mark.parametrize("symbol", ["P 1", "P 1 21 1", "C 1 2 1", "P 21 21 21", "P 43", "R 3:H"])
def test_the_laue_group_is_found_from_primitive_axes(symbol):
    crystal, hkl, truth = intensities(symbol, CELLS[symbol], 3.0, atoms=30)
    seen = sweep(crystal, hkl, truth, degrees=90, decay=8)
    small, to_small = reduced(crystal)
    found = laue_group(reindex(seen, to_small), small)
    assert not found.undetermined, found.sentence
    laue = space_group(symbol)
    assert space_group(found.space_group).laue_str() == laue.laue_str()
    assert np.allclose(found.best.cell[:3], crystal.cell[:3], atol=1e-3)
    back = small.change_basis(found.change_of_basis)
    assert np.allclose(back.cell, found.best.cell)


def test_a_lattice_does_not_make_a_symmetry():
    crystal, hkl, truth = intensities("P 1 21 1", (30, 36, 41, 90, 90, 90), 3.0, atoms=30)
    found = laue_group(sweep(crystal, hkl, truth, degrees=120), crystal)
    assert len(found.operators) == 3
    assert found.space_group == "P 1 2 1"
    assert not found.undetermined
    assert np.allclose(found.best.cell[:3], (30, 36, 41), atol=1e-3)
    false = [each for each in found.operators if each.correlation < 0.5]
    assert len(false) == 2


def test_too_few_pairs_are_undetermined_and_say_so():
    crystal, hkl, truth = intensities("P 21 21 21", CELLS["P 21 21 21"], 3.0, atoms=30)
    found = laue_group(sweep(crystal, hkl, truth, degrees=4), crystal)
    assert found.undetermined
    assert "undetermined" in found.sentence
    assert "P 2 2 2" in found.sentence
    assert any(each.probability == 0.5 for each in found.operators)


def test_noise_alone_decides_nothing():
    crystal, hkl, _ = intensities("P 43", CELLS["P 43"], 3.0, atoms=30)
    found = laue_group(sweep(crystal, hkl, np.full(len(hkl), 10.0), noise=1, degrees=90), crystal)
    assert found.undetermined


def test_hardly_any_observation_is_refused():
    crystal, hkl, truth = intensities("P 1", CELLS["P 1"], 6.0, atoms=5)
    with pytest.raises(DataError, match="too few"):
        laue_group(sweep(crystal, hkl, truth, degrees=2), crystal)


def test_representatives_are_those_of_gemmi():
    group = gemmi.find_spacegroup_by_name("P 43 21 2")
    region, operators = gemmi.ReciprocalAsu(group), group.operations()
    hkl = np.random.default_rng(1).integers(-9, 10, (500, 3)).astype(np.int32)
    theirs = [tuple(region.to_asu(each, operators)[0]) for each in hkl.tolist()]
    _, which = classes(hkl, laue_rotations("P 43 21 2"))
    assert len(set(theirs)) == len(set(zip(theirs, which.tolist(), strict=True))) == which.max() + 1
