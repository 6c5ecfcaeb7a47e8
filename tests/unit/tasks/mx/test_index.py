"""Indexing of spots whose crystal is known, and of what is no crystal."""

import numpy as np
import pytest

from tasks.io.diffraction import Goniometer, Rotation
from tasks.mx.candidates import known_axes
from tasks.mx.index import NotIndexed, index, index_together
from tasks.mx.reduction import matching, primitive
from tasks.mx.refine_parameters import small_rotation
from tasks.mx.second_lattice import second_lattice
from tests.unit.tasks.mx import lattice_truth as truth


def errors(crystal, true, space_group):
    """Largest relative error of a length, angle (degrees) between the lattices, index of one in
    the other."""
    wanted = primitive(space_group) @ np.linalg.inv(true)
    found = primitive(crystal.space_group) @ crystal.direct
    found = np.round(wanted @ np.linalg.inv(found)) @ found
    lengths = np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    left, _, right = np.linalg.svd(np.linalg.inv(found) @ wanted)
    angle = np.degrees(np.arccos(np.clip((np.trace(left @ right) - 1) / 2, -1, 1)))
    ratio = abs(np.linalg.det(np.linalg.inv(true))) / len_of(space_group) / crystal_volume(crystal)
    return np.abs(lengths - 1).max(), angle, ratio


def len_of(space_group):
    return 1 / abs(np.linalg.det(primitive(space_group)))


def crystal_volume(crystal):
    return crystal.volume / len_of(crystal.space_group)


def right(found, made, space_group):
    length, angle, ratio = errors(found.crystal, made.a_matrix, space_group)
    return length < 1e-3 and angle < 0.02 and abs(ratio - 1) < 0.01


@pytest.mark.parametrize("space_group", ["P 1", "I 2 3"])
def test_a_crystal_is_indexed_from_no_knowledge(space_group):
    made = truth.make(space_group, 7)
    found = index(made.spots, made.geometry)
    assert right(found, made, space_group)
    assert found.fraction > 0.95


def test_wrong_spots_and_a_wrong_beam_centre_are_overcome():
    made = truth.make("P 21 21 21", 3, wrong=0.3, shift=(2.1, -2.1))
    found = index(made.spots, made.geometry)
    assert right(found, made, "P 21 21 21")
    assert found.fraction == pytest.approx(0.7, abs=0.03)
    belongs = (made.hkl != 0).any(axis=1)
    assert found.indexed[belongs].mean() > 0.98
    assert found.indexed[~belongs].mean() < 0.05
    assert "mm from where it was given" in " ".join(found.tried)


def test_a_known_cell_names_the_axes():
    made = truth.make("P 1 21 1", 5)
    cell = tuple(value * 1.005 if number < 3 else value for number, value in enumerate(made.cell))
    found = index(made.spots, made.geometry, cell=cell, space_group="P 1 21 1")
    assert found.crystal.cell == pytest.approx(made.cell, rel=1e-3)
    assert found.crystal.space_group == "P 1 21 1"


def test_another_crystal_than_the_known_one_is_told():
    made = truth.make("P 1 21 1", 5)
    found = index(made.spots, made.geometry, cell=(50, 60, 70, 90, 90, 90), space_group="P 2 2 2")
    assert right(found, made, "P 1 21 1")
    assert "not the known one" in " ".join(found.tried)


def test_narrow_wedges_of_one_crystal_are_indexed_together():
    cell = (5.42, 8.14, 12.01, 90.0, 90.0, 90.0)
    rng = np.random.default_rng(1)
    true = truth.a_matrix_of(cell, rng)
    spots, geometries = [], []
    for turn in (0.0, 40.0, 80.0, 120.0):
        at = truth.sweep(images=15, width=0.1, distance=120.0, wavelength=0.7)
        at = type(at)(at.beam, at.detector, Goniometer(), Rotation(turn, 0.1, 15))
        _, xyz = truth.crossings(at, true, truth.indices(true, "P 2 2 2", 0.7))
        assert len(xyz) < 70
        spots.append(truth.as_spots(xyz, rng, (0.2, 0.2, 0.3)))
        geometries.append(at)
    found = index_together(spots, geometries)
    assert len(found) == 4
    assert matching(found[0].crystal.direct, known_axes(cell, "P 2 2 2"))[1] < 3e-3
    assert sum(each.indexed.sum() for each in found) > 0.9 * sum(len(each) for each in spots)


def test_a_long_axis_is_found():
    cell = (62.0, 71.0, 301.0, 90.0, 90.0, 90.0)
    at = truth.sweep(images=200, width=0.25, distance=300.0, shape=(2048, 2048), pixel=0.15)
    made = truth.make("P 2 2 2", 4, geometry=at, cell=cell, d_min=3.2, most=6000)
    assert right(index(made.spots, made.geometry), made, "P 2 2 2")


def test_weak_spots_between_strong_ones_double_the_cell():
    """A pseudo-centred crystal: of the spots with odd h + k + l only one in fifteen is seen."""
    cell = (45.1, 58.3, 71.9, 90.0, 90.0, 90.0)
    made = truth.make("P 2 2 2", 2, cell=cell)
    odd = made.hkl.sum(axis=1) % 2 == 1
    seen = ~odd | (np.random.default_rng(0).uniform(size=len(odd)) < 1 / 15)
    found = index(made.spots.take(seen), made.geometry)
    assert abs(errors(found.crystal, made.a_matrix, "P 2 2 2")[2] - 1) < 0.01


def test_a_second_lattice_is_found_and_not_what_both_have_in_common():
    """At low resolution cells ten times as large explain the spots of both crystals."""
    cell = (31.4, 38.9, 44.2, 90.0, 90.0, 90.0)
    made = truth.make("P 21 21 21", 1, cell=cell, most=900, d_min=3.2, noise=(0.1, 0.1, 0.1))
    rng = np.random.default_rng(9)
    true = small_rotation(np.radians(4) * np.array([0.6, 0.0, 0.8])) @ made.a_matrix
    _, xyz = truth.crossings(made.geometry, true, truth.indices(true, "P 2 2 2", 3.2))
    more = truth.as_spots(xyz[rng.permutation(len(xyz))[:400]], rng, (0.1, 0.1, 0.1))
    spots = type(more).join([made.spots, more])
    first = index(spots, made.geometry)
    assert right(first, made, "P 21 21 21")
    second = second_lattice(spots, first)
    assert second is not None and second.same_cell
    assert second.angle_deg == pytest.approx(4, abs=0.05)
    assert second.share == pytest.approx(400 / 1300, abs=0.04)


def test_noise_is_refused():
    rng, count = np.random.default_rng(6), 60
    at = truth.sweep()
    with pytest.raises(NotIndexed, match="Tried"):
        index(truth.as_spots(truth.anywhere(at, count, rng), rng), at, max_cell=60)


def test_a_powder_is_refused_and_called_so():
    rng = np.random.default_rng(2)
    at = truth.sweep()
    radius = rng.choice([18.0, 26.0, 31.0, 44.0, 57.0], size=800) / 0.3
    angle = rng.uniform(0, 2 * np.pi, size=800)
    xyz = np.column_stack(
        [512 + radius * np.cos(angle), 512 + radius * np.sin(angle), rng.uniform(0, 100, 800)]
    )
    with pytest.raises(NotIndexed, match="rings"):
        index(truth.as_spots(xyz, rng), at)


def test_too_few_spots_are_refused():
    made = truth.make("P 1", 1, most=8)
    with pytest.raises(NotIndexed, match="Only 8 spots"):
        index(made.spots, made.geometry)
