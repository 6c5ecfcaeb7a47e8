"""Stills of simulated crystals: orientation, cell, and what must not be indexed."""

import numpy as np
import pytest

from infra.simulator.mx.plan import Rotation, SweepPlan
from infra.simulator.mx.sweep import Sweep
from tasks.mx.index import NotIndexed
from tasks.mx.reflections import Spots
from tasks.mx.spots import find_spots
from tasks.mx.stills import index_still, predicted_on_sphere
from tests.unit.tasks.mx.simulated import geometry_of, measured

STILL = SweepPlan(rotation=Rotation(0.0, 0.1, 1))
TETRAGONAL = STILL.crystal.cell
PLANS = {
    "few spots": STILL.of(counts=30.0),
    "rhombohedral": STILL.of(cell=(62.0, 62.0, 110.0, 90.0, 90.0, 120.0), space_group="R 3"),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_still_is_indexed_with_its_cell(name):
    plan = PLANS[name]
    images, mask, geometry = measured(plan)
    spots = find_spots(images, mask)
    still = index_still(spots, geometry, plan.crystal.cell)
    assert still.indexed.mean() > 0.9
    assert max(still.rmsd) < 0.4
    assert still.psi_deg < 0.3
    assert np.allclose(still.crystal.cell, plan.crystal.cell, rtol=0.004)
    true = Sweep(plan).truth
    change = np.linalg.inv(still.crystal.a_matrix) @ true.a_matrix
    assert np.abs(change - np.rint(change)).max() < 0.01  # the same lattice, other names
    assert abs(np.linalg.det(np.rint(change))) == pytest.approx(1)


def random_spots(count, seed=0):
    rng = np.random.default_rng(seed)
    xyz = np.column_stack([rng.uniform(0, 512, (count, 2)), np.full(count, 0.5)])
    ones = np.ones(count)
    images = np.zeros((count, 2), np.int32)
    return Spots(xyz, np.full((count, 3), 0.01), ones, ones.astype(np.int32), images)


@pytest.mark.parametrize("count", [5, 20, 200])
def test_random_spots_are_not_indexed(count):
    with pytest.raises(NotIndexed, match="Not indexed"):
        index_still(random_spots(count), geometry_of(STILL), TETRAGONAL)


def test_another_cell_does_not_explain_the_spots():
    images, mask, geometry = measured(STILL)
    cell = (40.0, 50.0, 110.0, 90.0, 95.0, 90.0)
    with pytest.raises(NotIndexed, match="another cell"):
        index_still(find_spots(images, mask), geometry, cell)


def test_spots_of_no_lattice_among_them_are_left_out():
    images, mask, geometry = measured(STILL)
    real = find_spots(images, mask)
    both = Spots.join([real, random_spots(100)])
    still = index_still(both, geometry, TETRAGONAL)
    assert still.indexed[: len(real)].mean() > 0.9
    assert still.indexed[len(real) :].mean() < 0.2
    assert not still.hkl[~still.indexed].any()


def test_points_are_turned_onto_the_sphere():
    geometry = geometry_of(STILL)
    points = np.random.default_rng(2).uniform(-0.3, 0.3, (50, 3))
    points[:, 2] = 0.05 - 0.02 * np.abs(points[:, 2])
    rays, psi = predicted_on_sphere(points, geometry)
    assert np.linalg.norm(rays, axis=1) == pytest.approx(1 / geometry.beam.wavelength)
    turned = rays - geometry.beam.s0
    assert np.linalg.norm(turned, axis=1) == pytest.approx(np.linalg.norm(points, axis=1))
    cosine = (turned * points).sum(axis=1) / (points**2).sum(axis=1)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(np.abs(np.degrees(psi)), abs=1e-4)
