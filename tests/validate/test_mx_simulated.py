"""
Simulated sweeps against their truth, from counts to cell, symmetry and merged intensities.

Crystals in P1, P21, C2, P212121, P43212, I23 and R3; noise of photons, mosaicity, decay, ice, weak
data, a beam centre that is 3 mm off, profiles that are not Gaussian, a shutter that was closed. The
simulator has a geometry, a prediction and a polarisation of its own. Run with ``-s`` to see the
figures.
"""

from itertools import pairwise

import numpy as np
import pytest

from infra.simulator.mx.cases import CASES, CRYSTALS
from infra.simulator.mx.plan import Crystal, Rotation, SweepPlan
from infra.simulator.mx.sweep import Sweep
from infra.simulator.mx.write import write_sweep
from tasks.errors import DataError
from tasks.io.diffraction import open_images
from tasks.io.scan import ScanReference
from tasks.mx.geometry import beam_centre, rays_to_pixels, to_laboratory
from tests.validate.mx_chain import Chain, geometry_of, placement
from tests.validate.mx_outcome import of_observations, outcome, outcome_of, plan_of

CELL, TURN_DEG = 1e-3, 0.02
MEAN, WIDTH = 0.1, (0.9, 1.2)
CUT = 0.1  # Å
STRENGTHS = (-1, 1, 3, 6, 12, 25, 50, 1000)  # I / sigma
SHELLS = 6
FEWEST = 300  # reflections in a bin: its mean is then known to 0.06
LAUE = {
    "P1": "P 1",
    "P21": "P 1 2 1",
    "C2": "C 1 2 1",
    "P212121": "P 2 2 2",
    "P43212": "P 4 2 2",
    "I23": "I 2 3",
    "R3": "R 3",
}
SEEDS = (1, 2)
SOLVABLE = (
    "off-centre",
    "mosaic",
    "decaying",
    "icy",
    "weak",
    "bright",
    "split",
    "tailed",
    "shut",
    "hot",
    "second-lattice",
    "pseudo-translated",
    "anomalous",
    "inclined",
    "aborted",
    "gappy",
)
"""Cases in which an expert would solve the crystal."""
MEASURED = tuple((name, "", seed) for name in CRYSTALS for seed in SEEDS)
ODD = tuple(("P212121", case, 1) for case in SOLVABLE)
everything = pytest.mark.parametrize(
    "which", MEASURED + ODD, ids=lambda which: " ".join(map(str, which))
)


@everything
def test_cell_and_orientation(which):
    found = outcome(*which)
    assert not found.refused
    placed = found.placement
    print(
        f"\n{found.name}: cell {100 * placed.lengths:.3f} %, {placed.angles_deg:.3f} degrees, "
        f"turned {placed.turned_deg:.4f} degrees, {found.fraction:.0%} of the spots indexed"
    )
    assert placed.lengths < CELL
    assert placed.angles_deg < 0.1
    assert placed.turned_deg < TURN_DEG


@everything
def test_intensities_are_as_near_as_their_sigmas_say(which):
    found = outcome(*which)
    assert found.pulls is not None
    seen = found.pulls
    print(f"\n{found.name}: {seen.matched:.1%} are true reflections, {seen.covered:.1%} of all")
    assert seen.matched > 0.99
    assert seen.covered > 0.9
    for ring, off in (("off", seen.fitted[~seen.ice]), ("on", seen.fitted[seen.ice])):
        print(f"  {ring} the rings of ice: {off.mean():+.3f}, {off.std():.3f} ({len(off)})")
    edges = np.quantile(seen.d, np.linspace(0, 1, SHELLS + 1))
    wrong = []
    for what, values, limits in (("I/s", seen.strength, STRENGTHS), ("d", seen.d, edges)):
        for low, high in pairwise(limits):
            here = ~seen.ice & (values >= low) & (values < high)
            if here.sum() < FEWEST:
                continue
            off = seen.fitted[here]
            mean, width = off.mean(), off.std()
            said = f"{what} {low:.2f} to {high:.2f}: {mean:+.3f}, {width:.3f} ({here.sum()})"
            print("  " + said)
            if abs(mean) > MEAN or not WIDTH[0] < width < WIDTH[1]:
                wrong.append(said)
    assert not wrong


@pytest.mark.parametrize("which", MEASURED, ids=lambda which: " ".join(map(str, which)))
def test_the_laue_group_is_right(which):
    found = outcome(*which)
    print(f"\n{found.name}: {found.laue}, then {found.space_groups}")
    assert found.laue_undetermined or found.laue == LAUE[which[0]]


def test_the_laue_group_is_rarely_undetermined():
    left = [which for which in MEASURED if outcome(*which).laue_undetermined]
    print(f"\nundetermined: {left} of {len(MEASURED)}")
    assert len(left) <= 0.1 * len(MEASURED)


@pytest.mark.parametrize("which", MEASURED, ids=lambda which: " ".join(map(str, which)))
def test_the_space_group_is_among_those_named(which):
    found = outcome(*which)
    operations = {"".join(name.split()) for name in found.space_groups}
    true = "".join(CRYSTALS[which[0]].space_group.split())
    assert found.laue_undetermined or any(true in (name, name.split(":")[0]) for name in operations)


@everything
def test_merged_intensities_are_those_of_the_structure(which):
    """One scale apart. The beam stop's shadow, which no mask tells, cuts one or two of them."""
    found = outcome(*which)
    print(
        f"\n{found.name}: CC {found.correlation:.5f}, pulls {np.median(found.merged):+.3f}, "
        f"{1.4826 * np.median(np.abs(found.merged)):.3f}"
    )
    assert found.correlation > 0.99


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", ["P212121", "P43212", "I23"])
def test_data_are_cut_where_the_true_cc_half_falls(name, seed):
    plan = plan_of(name, "", seed, counts=45.0, b=45.0)
    found = outcome_of(plan, f"{name} {seed}", plan.crystal.d_min)
    print(f"\n{found.name}: cut {found.cut:.3f} Å, truly {found.true_cut:.3f} Å")
    assert abs(found.cut - found.true_cut) < CUT


@pytest.mark.parametrize("case", ["powder", "empty", "salt"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_no_crystal_of_a_protein_is_refused(case, seed):
    chain = Chain(plan_of("P212121", case, seed))
    print(f"\n{case}: {len(chain.spots)} spots, {chain.seen.kind}: {chain.seen.sentences}")
    if chain.seen.kind == "diffraction":
        with pytest.raises(DataError) as told:
            print(chain.indexed.crystal.cell)
        print(told.value)


def test_solvable_ones_are_rarely_refused():
    refused = [which for which in MEASURED + ODD if outcome(*which).refused]
    print(f"\nrefused: {refused} of {len(MEASURED + ODD)}")
    assert len(refused) <= 0.05 * len(MEASURED + ODD)


def test_corrections_take_off_what_the_geometry_does():
    chain = Chain(plan_of("P212121"))
    placed = placement(chain.truth, chain.refined.crystal.a_matrix)
    ratio = of_observations(chain, placed, chain.observations)
    x = chain.observations.xyz
    print(f"\nratio {np.median(ratio):.4f}, of {len(ratio)} of {len(x)}")
    assert np.median(ratio) == pytest.approx(1, abs=0.003)


SMALL = Crystal("P 21 21 21", (31.0, 37.0, 42.0, 90.0, 90.0, 90.0), d_min=3.0)


@pytest.mark.parametrize("case", ["", "off-centre", "inclined"])
@pytest.mark.parametrize("form", ["nxmx", "dectris", "cbf", "cbf.gz"])
def test_readers_see_the_same_sweep(tmp_path, form, case):
    plan = SweepPlan(crystal=SMALL, rotation=Rotation(20.0, 0.5, 4)).identified()
    plan = CASES[case](plan) if case else plan
    true = write_sweep(tmp_path, plan, form)
    place, kind = (tmp_path, "cbf_series")
    if form in ("nxmx", "dectris"):
        place, kind = (tmp_path / "sweep_1_master.h5", "nxmx")
    with open_images(ScanReference(str(place), format=kind)) as images:
        read = images.read()
        found, told = images.geometry, geometry_of(plan)
        assert images.saturation == plan.detector.saturation
        mask = images.mask
    for number, image in enumerate(Sweep(plan).images()):
        np.testing.assert_array_equal(read[number], np.maximum(image, -1))
    np.testing.assert_array_equal(mask | (read[0] < 0), Sweep(plan).pixels.masked)
    np.testing.assert_allclose(beam_centre(found), beam_centre(told), atol=0.02)
    points = to_laboratory(found, true.hkl @ true.a_matrix.T, true.xyz[:, 2])
    np.testing.assert_allclose(
        np.linalg.norm(points + found.beam.s0, axis=1) * plan.beam.wavelength, 1, atol=2e-6
    )
    if case != "off-centre":
        off = rays_to_pixels(found, points + found.beam.s0) - true.xyz[:, :2]
        assert np.abs(off).max() < 0.15  # of the depth in the sensor, whose mean is told otherwise
