"""Structure factors, orientations, places, overlaps and likelihood, against direct summation."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.mx.structure.likelihood import calculated, correlation, log_likelihood_gain
from tasks.mx.structure.observed import normalise
from tasks.mx.structure.packing import clashes
from tasks.mx.structure.placement import Molecule, Placement, structure_factors
from tasks.mx.structure.rigid_body import refine_rigid_body
from tasks.mx.structure.rotation import crystal_rotations, orientations, rotation_vectors
from tasks.mx.structure.transform import transform_of
from tasks.mx.structure.translation import search_translation
from tests.unit.tasks.mx.structure import molecules

CELL = (41.0, 36.0, 47.0, 90.0, 103.0, 90.0)
TURN, PLACE = molecules.rotation(4), np.array([9.0, 11.0, 17.0])


@pytest.fixture(scope="module")
def crystal():
    model = molecules.molecule(2)
    transform = transform_of(model[0], 3.5)
    placed = molecules.turned(model, TURN, PLACE - TURN @ transform.centroid)
    truth = molecules.in_crystal(placed, CELL, "P 1 21 1")
    return truth, transform, normalise(molecules.observed(truth, 3.3), 3.6)


def test_interpolated_structure_factors_are_those_of_the_atoms(crystal):
    truth, transform, data = crystal
    exact = molecules.structure_factors(truth, data.hkl)
    ours = structure_factors(data, transform, "P 1 21 1", [Molecule(TURN, PLACE)])
    # The scale is arbitrary at each resolution: phases and normalised moduli must agree.
    assert correlation(calculated(data, exact), calculated(data, ours)) > 0.975
    turned = np.angle(exact * np.conj(ours))
    assert np.average(np.abs(turned), weights=np.abs(exact)) < np.radians(5)


def test_the_place_is_found_in_the_right_space_group_alone(crystal):
    _, transform, data = crystal
    right = search_translation(data, transform, "P 1 21 1", TURN)[0]
    wrong = search_translation(data, transform, "P 1 2 1", TURN)[0]
    assert right.cc > 0.8
    assert right.z > wrong.z
    assert right.cc > wrong.cc + 0.3
    away = np.array(CELL[:3]) * ((right.molecule.place - PLACE) @ _fractional().T)
    # Along b the origin is free; along a and c there are four, half a cell apart.
    steps = ((right.molecule.place - PLACE) @ _fractional().T * 2)[[0, 2]]
    assert np.abs(steps - np.rint(steps)).max() < 0.08, away


def test_a_second_molecule_finds_its_place_beside_the_first():
    model = molecules.molecule(2, 40)
    transform = transform_of(model[0], 3.5)
    other_turn, other_place = molecules.rotation(8), PLACE + np.array([2.0, 18.0, 12.0])
    both = molecules.turned(model, TURN, PLACE - TURN @ transform.centroid)
    second = molecules.turned(model, other_turn, other_place - other_turn @ transform.centroid)
    both[0].add_chain(second[0][0])
    truth = molecules.in_crystal(both, (52.0, 47.0, 50.0, 90.0, 100.0, 90.0), "P 1 21 1")
    data = normalise(molecules.observed(truth, 3.6), 3.6)
    fixed = [Molecule(TURN, PLACE)]
    found = search_translation(data, transform, "P 1 21 1", other_turn, fixed)[0]
    assert found.cc > 0.75
    np.testing.assert_allclose(found.molecule.place, other_place, atol=1.0)


def test_rigid_body_refinement_brings_a_molecule_home(crystal):
    _, transform, data = crystal
    off = rotation_vectors(np.radians([[2.0, -1.5, 2.0]]))[0] @ TURN
    start = Placement("P 1 21 1", (Molecule(off, PLACE + np.array([0.5, 0.0, -0.6])),))
    ended = refine_rigid_body(data, transform, start)
    home = ended.molecules[0]
    assert ended.cc > 0.95
    assert np.degrees(np.arccos((np.trace(home.rotation.T @ TURN) - 1) / 2)) < 0.4
    assert np.abs(home.place - PLACE)[[0, 2]].max() < 0.15


def test_overlap_is_seen_across_symmetry(crystal):
    _, transform, _ = crystal
    molecule = Molecule(TURN, PLACE)
    assert clashes(transform.trace, [molecule], "P 1 21 1", CELL) < 0.05
    on_axis = Molecule(TURN, np.array([0.0, 0.0, 0.0]))
    assert clashes(transform.trace, [on_axis], "P 1 2 1", CELL) > 0.2
    assert clashes(transform.trace, [molecule, molecule], "P 1 21 1", CELL) == 1.0


def test_orientations_leave_no_gap_and_repeat_nothing():
    rotations = crystal_rotations("P 4", (54.0, 54.0, 77.0, 90.0, 90.0, 90.0))
    step = 12.0
    tried = orientations(step, rotations)
    whole = 8 * np.pi**2 / np.radians(step) ** 3
    assert len(tried) == pytest.approx(whole / 4, rel=0.05)
    for seed in range(20):
        any_ = molecules.rotation(seed)
        traces = np.einsum("mij,nij->mn", rotations @ any_, tried)
        assert np.degrees(np.arccos((traces.max() - 1) / 2)) < step


def test_the_gain_is_large_for_the_truth_and_small_for_chance(crystal):
    truth, _, data = crystal
    exact = calculated(data, molecules.structure_factors(truth, data.hkl))
    shuffled = data.e_squared[np.random.default_rng(0).permutation(len(data.hkl))]
    assert log_likelihood_gain(data, exact) > 0.7 * len(data.hkl)
    assert log_likelihood_gain(data, shuffled) < 15
    half = replace(data, e_squared=(data.e_squared + shuffled) / 2)
    assert 15 < log_likelihood_gain(half, exact) < log_likelihood_gain(data, exact)


def _fractional():
    from tasks.mx.structure.observed import fractional_matrix

    return fractional_matrix(CELL)
