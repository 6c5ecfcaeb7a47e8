"""Bravais lattices, conventional axes and reference settings."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.crystal import Crystal
from tasks.mx.lattice import lattices
from tasks.mx.reduction import buerger, direct_of, matching, primitive, unimodular
from tasks.mx.settings import to_reference_setting
from tests.unit.tasks.mx import lattice_truth as truth

CELLS = {
    "aP": ("P 1", (28.1, 33.7, 40.2, 78.0, 84.0, 71.0)),
    "mP": ("P 1 2 1", (38.6, 61.2, 47.9, 90.0, 104.3, 90.0)),
    "mC": ("C 1 2 1", (91.3, 38.4, 55.7, 90.0, 98.2, 90.0)),
    "oP": ("P 2 2 2", (45.1, 58.3, 71.9, 90.0, 90.0, 90.0)),
    "oC": ("C 2 2 2", (45.1, 68.3, 71.9, 90.0, 90.0, 90.0)),
    "oI": ("I 2 2 2", (45.1, 68.3, 71.9, 90.0, 90.0, 90.0)),
    "oF": ("F 2 2 2", (45.1, 68.3, 91.9, 90.0, 90.0, 90.0)),
    "tP": ("P 4 2 2", (78.0, 78.0, 38.0, 90.0, 90.0, 90.0)),
    "tI": ("I 4 2 2", (38.0, 38.0, 138.0, 90.0, 90.0, 90.0)),
    "hP": ("P 6 2 2", (78.0, 78.0, 38.0, 90.0, 90.0, 120.0)),
    "hR": ("R 3 2:H", (81.5, 81.5, 60.8, 90.0, 90.0, 120.0)),
    "cP": ("P 4 3 2", (50.0, 50.0, 50.0, 90.0, 90.0, 90.0)),
    "cI": ("I 4 3 2", (50.0, 50.0, 50.0, 90.0, 90.0, 90.0)),
    "cF": ("F 4 3 2", (50.0, 50.0, 50.0, 90.0, 90.0, 90.0)),
}


def primitive_crystal(space_group, cell, rng, noise=2e-4):
    """In primitive axes of no particular choice, with small errors."""
    axes = primitive(space_group) @ np.linalg.inv(truth.a_matrix_of(cell, rng))
    axes = unimodular()[rng.integers(3000)] @ axes
    return Crystal(np.linalg.inv(axes * (1 + rng.normal(size=(3, 3)) * noise)))


@pytest.mark.parametrize("bravais", list(CELLS))
def test_the_lattice_and_its_conventional_axes_are_found(bravais):
    space_group, cell = CELLS[bravais]
    crystal = primitive_crystal(space_group, cell, np.random.default_rng(len(bravais)))
    found = lattices(crystal)
    assert found[0].bravais == bravais
    assert found[0].crystal.cell == pytest.approx(cell, rel=2e-3)
    assert found[-1].bravais == "aP" or "aP" in {each.bravais for each in found}
    renamed = crystal.change_basis(found[0].change_of_basis)
    assert renamed.direct == pytest.approx(found[0].crystal.direct, abs=0.15)
    assert np.linalg.det(renamed.direct) > 0


def test_the_rhombohedral_axes_are_obverse():
    space_group, cell = CELLS["hR"]
    rng = np.random.default_rng(0)
    true = truth.a_matrix_of(cell, rng)
    hkl = truth.indices(true, "R 3:H", 6.0)
    found = lattices(primitive_crystal(space_group, cell, np.random.default_rng(0)))[0]
    indices = np.round(hkl @ true.T @ np.linalg.inv(found.crystal.a_matrix).T)
    assert ((-indices[:, 0] + indices[:, 1] + indices[:, 2]) % 3 == 0).all()


def test_spots_decide_against_a_symmetry_that_only_seems():
    """Monoclinic with beta of 90.6: the metric tolerates an orthorhombic lattice, spots do not."""
    cell = (38.6, 61.2, 47.9, 90.0, 90.6, 90.0)
    made = truth.make("P 1 2 1", 3, cell=cell)
    hkl = made.hkl.astype(np.int32)
    found = lattices(Crystal(made.a_matrix), [made.spots], [hkl], [made.geometry])
    assert found[0].bravais == "mP"
    assert {each.bravais for each in found if each.accepted} == {"mP", "aP"}
    assert "oP" in {each.bravais for each in found}
    assert found[0].crystal.cell == pytest.approx(cell, rel=1e-3)


def test_a_reference_setting_is_honoured():
    cell = (55.7, 38.4, 86.92, 90.0, 105.1, 90.0)
    crystal = primitive_crystal("I 1 2 1", cell, np.random.default_rng(6))
    found = lattices(crystal)[0].crystal
    assert found.space_group == "C 1 2 1"
    named, matrix = to_reference_setting(found, cell, "I 1 2 1")
    assert named.cell == pytest.approx(cell, rel=2e-3)
    assert np.linalg.det(matrix) == pytest.approx(1)
    hkl = np.array([[1, 2, 3]])
    assert named.points(hkl @ matrix.T) == pytest.approx(found.points(hkl))


def test_a_reference_of_another_crystal_form_is_refused():
    crystal = Crystal(truth.a_matrix_of(CELLS["oP"][1]), "P 2 2 2")
    with pytest.raises(DataError, match="cannot be described"):
        to_reference_setting(crystal, (50, 60, 70, 90, 95, 90), "P 1 2 1")


def test_reduction_reaches_the_shortest_axes():
    rng = np.random.default_rng(0)
    axes = direct_of(CELLS["aP"][1])
    for _ in range(20):
        skewed = unimodular()[rng.integers(3000)] @ unimodular()[rng.integers(3000)] @ axes
        reduced, matrix = buerger(skewed)
        assert sorted(np.linalg.norm(reduced, axis=1)) == pytest.approx([28.1, 33.7, 40.2])
        assert matrix @ skewed == pytest.approx(reduced)
        assert np.linalg.det(matrix) == pytest.approx(1)
        assert matching(skewed, axes)[1] < 1e-6
