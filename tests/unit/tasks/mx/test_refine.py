"""Refinement against centroids that are known."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.mx.centroid import centroids
from tasks.mx.crystal import Crystal
from tasks.mx.refine import refine, refine_together
from tasks.mx.refine_parameters import small_rotation, symmetrised
from tests.unit.tasks.mx import lattice_truth as truth


def disturbed(made, rng, space_group="P 1"):
    crystal = Crystal(
        small_rotation(rng.normal(size=3) * 2e-3) @ made.a_matrix * (1 + 2e-3), space_group
    )
    plate = made.geometry.detector
    origin = plate.origin + np.array([0.5, -0.4, -0.9])
    return made.geometry.with_detector(origin=origin), crystal


def test_predictions_agree_with_crossings_made_otherwise():
    made = truth.make("P 21 21 21", 1, noise=(0.0, 0.0, 0.0))
    found = centroids(made.geometry, made.a_matrix, made.hkl, made.spots.xyz[:, 2])
    assert np.abs(found - made.spots.xyz).max() < 1e-6


def test_crystal_and_geometry_are_recovered():
    made = truth.make("P 21 21 21", 1, most=3000)
    geometry, crystal = disturbed(made, np.random.default_rng(1), "P 2 2 2")
    found = refine(made.spots, made.hkl.astype(np.int32), geometry, crystal)
    assert found.crystal.cell == pytest.approx(made.cell, rel=5e-4)
    assert found.rmsd == pytest.approx([0.2, 0.2, 0.15], rel=0.1)
    assert found.geometry.detector.distance == pytest.approx(200.0, abs=0.1)
    assert found.used.mean() > 0.98


def test_sigmas_are_those_of_repeated_measurements():
    values, sigmas = [], []
    made = truth.make("P 21 21 21", 1, noise=(0.0, 0.0, 0.0), most=500)
    for seed in range(10):
        spots = truth.as_spots(made.spots.xyz, np.random.default_rng(seed + 100))
        start = Crystal(made.a_matrix, "P 2 2 2")
        found = refine(spots, made.hkl.astype(np.int32), made.geometry, start)
        values.append([*found.crystal.cell[:3], found.geometry.detector.distance])
        sigmas.append([found.sigmas[name] for name in ("a", "b", "c", "distance")])
    ratio = np.std(values, axis=0, ddof=1) / np.mean(sigmas, axis=0)
    assert (ratio > 0.4).all() and (ratio < 1.9).all()


def test_wrongly_indexed_spots_are_left_out():
    made = truth.make("P 21 21 21", 1)
    hkl = made.hkl.astype(np.int32)
    hkl[:150, 0] += 1
    found = refine(made.spots, hkl, made.geometry, Crystal(made.a_matrix))
    assert found.used[:150].sum() == 0
    assert found.used[150:].mean() > 0.97
    assert found.crystal.cell == pytest.approx(made.cell, rel=1e-3)


def test_few_spots_free_few_parameters():
    made = truth.make("P 21 21 21", 1, most=11)
    found = refine(made.spots, made.hkl.astype(np.int32), made.geometry, Crystal(made.a_matrix))
    assert "too few for the detector's shift" in found.said[0]
    assert "lengths are uncertain by about 1%" in found.said[0]
    assert found.geometry.detector.distance == made.geometry.detector.distance


def test_sweeps_share_a_crystal():
    one = truth.make("P 21 21 21", 1, most=300)
    rng = np.random.default_rng(5)
    other = replace(one.geometry, rotation=replace(one.geometry.rotation, start_deg=90.0))
    hkl = truth.indices(one.a_matrix, "P 2 2 2", 2.2)
    rows, xyz = truth.crossings(other, one.a_matrix, hkl)
    chosen = rng.permutation(len(rows))[:300]
    spots = truth.as_spots(xyz[chosen], rng)
    _, crystal = disturbed(one, rng, "P 2 2 2")
    found = refine_together(
        [one.spots, spots],
        [one.hkl.astype(np.int32), hkl[rows[chosen]].astype(np.int32)],
        [one.geometry, other],
        [crystal, crystal],
    )
    assert np.array_equal(found[0].crystal.a_matrix, found[1].crystal.a_matrix)
    assert found[0].crystal.cell == pytest.approx(one.cell, rel=1e-3)


def test_a_crystal_that_turns_and_grows_is_followed():
    made = truth.make("P 21 21 21", 1, most=2500)
    images = made.geometry.rotation.images

    def at(z):
        part = z / images
        turn = small_rotation(np.radians([0.15, -0.1, 0.1]) * np.sin(2 * part))
        return turn @ made.a_matrix * (1 - 2e-3 * part)

    hkl = made.hkl.astype(np.int32)
    near = made.spots.xyz[:, 2]
    true = centroids(made.geometry, np.array([at(z) for z in near]), hkl, near)
    rng = np.random.default_rng(3)
    spots = replace(made.spots, xyz=true + rng.normal(size=true.shape) * [0.2, 0.2, 0.15])
    start = Crystal(made.a_matrix, "P 2 2 2")
    still = refine(spots, hkl, made.geometry, start)
    found = refine(spots, hkl, made.geometry, start, along=True)
    assert found.rmsd == pytest.approx([0.2, 0.2, 0.15], rel=0.1)
    assert (found.rmsd[:2] < 0.8 * still.rmsd[:2]).all() or found.rmsd[2] < 0.8 * still.rmsd[2]
    assert found.crystal.a_matrices.shape == (images + 1, 3, 3)
    grown = [Crystal(found.crystal.a_matrices[z]).cell[1] for z in (0, images)]
    assert grown[1] / grown[0] == pytest.approx(1.002, abs=5e-4)


def test_a_symmetry_constrains_the_cell():
    cell = (78.0, 78.2, 38.1, 90.1, 89.9, 90.1)
    found = symmetrised(Crystal(truth.a_matrix_of(cell), "P 4 2 2")).cell
    assert found[0] == pytest.approx(found[1])
    assert found[3:] == pytest.approx((90, 90, 90))


def test_too_few_indexed_spots_are_told():
    made = truth.make("P 1", 1, most=5)
    with pytest.raises(DataError, match="Only 5 indexed spots"):
        refine(made.spots, made.hkl.astype(np.int32), made.geometry, Crystal(made.a_matrix))
