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
from tests.validate.mx_chain import Chain, Placement, geometry_of, placement
from tests.validate.mx_outcome import of_observations, outcome, outcome_of, plan_of

CELL, TURN_DEG = 1e-3, 0.02
MEAN, WIDTH = 0.1, (0.9, 1.2)
"""Of the pulls in a bin; the mean may be off by one more standard error of its own, which is chance
where so many bins are looked at."""
CROWDED_MEAN = 0.15
"""Where a spread of 0.4 degrees lets peaks run into each other: their tails go to neighbours and to
the background, 0.07 sigma on average and up to 0.15 in a shell."""
CUT = 0.1  # Å
STRENGTHS = (-1, 1, 3, 6, 12, 25, 50, 1000)  # I / sigma
FAINT, FAINT_WIDTH = 1, 0.65
"""Below this I / sigma a spot has a photon or none: its sigma is that of what is expected, and
somewhat too large; so narrow may the pulls be."""
COUNTED = 6  # I / sigma from which an observation's own counts tell its sigma
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
ODD = ("off-centre", "mosaic", "decaying", "icy", "weak", "tailed", "shut")
"""Days whose data are measured to the end; on those below the crystal is found and placed."""
PLACED = (
    "bright",
    "split",
    "hot",
    "second-lattice",
    "pseudo-translated",
    "anomalous",
    "inclined",
    "aborted",
    "gappy",
)
WHOLE = tuple((name, "") for name in CRYSTALS) + tuple(("P212121", case) for case in ODD)
whole = pytest.mark.parametrize("which", WHOLE, ids=lambda which: " ".join(which).strip())


def near(placed: Placement) -> None:
    print(
        f"cell {100 * placed.lengths:.3f} %, {placed.angles_deg:.3f} degrees, "
        f"turned {placed.turned_deg:.4f} degrees"
    )
    assert placed.lengths < CELL
    assert placed.angles_deg < 0.1
    assert placed.turned_deg < TURN_DEG


@whole
def test_cell_and_orientation(which):
    found = outcome(*which)
    assert not found.refused
    print(f"\n{found.name}: {found.fraction:.0%} of the spots indexed")
    near(found.placement)


@pytest.mark.parametrize("case", PLACED)
def test_cell_and_orientation_on_odd_days(case):
    chain = Chain(plan_of("P212121", case, images=60))
    assert chain.seen.kind == "diffraction"
    print(f"\n{case}: {chain.indexed.fraction:.0%} of the spots indexed")
    near(placement(chain.truth, chain.refined.crystal.a_matrix))


def wrong(off, by, edges, said, most=MEAN) -> list[str]:
    """Print mean and width of pulls in bins; return those that are not as they should be."""
    found = []
    for low, high in pairwise(edges):
        here = off[(by >= low) & (by < high)]
        if len(here) < FEWEST:
            continue
        mean, width = here.mean(), here.std()
        text = f"{said} {low:.2f} to {high:.2f}: {mean:+.3f}, {width:.3f} ({len(here)})"
        print("  " + text)
        least = FAINT_WIDTH if said == "I/s" and high <= FAINT else WIDTH[0]
        if abs(mean) > most + width / np.sqrt(len(here)) or not least < width < WIDTH[1]:
            found.append(text)
    return found


def shells(d):
    return np.quantile(d, np.linspace(0, 1, SHELLS + 1))


@whole
def test_integrated_intensities_are_as_near_as_they_can_be(which):
    """
    Unbiased, and as their sigmas say from 6 sigma on.

    Below, an observation that is low by chance has too small a sigma, as counts are their own
    variance: the mean of x / sqrt(v + x) is -1 / (2 sigma), however unbiased x is.
    """
    found = outcome(*which)
    seen = found.pulls
    print(f"\n{found.name}: {seen.matched:.1%} are true reflections, {seen.covered:.1%} of all")
    assert seen.matched > 0.99
    assert seen.covered > 0.9
    for ring, off in (("off", seen.fitted[~seen.ice]), ("on", seen.fitted[seen.ice])):
        print(f"  {ring} the rings of ice: {off.mean():+.3f}, {off.std():.3f} ({len(off)})")
    most = CROWDED_MEAN if which[1] == "mosaic" else MEAN
    bad = wrong(seen.bias[~seen.ice], seen.strength[~seen.ice], STRENGTHS, "bias, I/s", most)
    told = ~seen.ice & (seen.strength >= COUNTED)
    bad += wrong(seen.fitted[told], seen.strength[told], STRENGTHS, "I/s", most)
    bad += wrong(seen.fitted[told], seen.d[told], shells(seen.d[told]), "d", most)
    assert not bad


@whole
def test_scaled_intensities_are_as_near_as_their_sigmas_say(which):
    found = outcome(*which)
    seen = found.scaled
    off, strength, d = seen.off[~seen.ice], seen.strength[~seen.ice], seen.d[~seen.ice]
    print(f"\n{found.name}: {off.mean():+.3f}, {off.std():.3f} ({len(off)})")
    bad = wrong(off, strength, STRENGTHS, "I/s") + wrong(off, d, shells(d), "d")
    assert not bad


@whole
def test_the_laue_group_is_right(which):
    found = outcome(*which)
    print(f"\n{found.name}: {found.laue}, then {found.space_groups}")
    assert found.laue_undetermined or found.laue.split(":")[0] == LAUE[which[0]]


def test_the_laue_group_is_rarely_undetermined():
    left = [which for which in WHOLE if outcome(*which).laue_undetermined]
    print(f"\nundetermined: {left} of {len(WHOLE)}")
    assert len(left) <= 0.1 * len(WHOLE)


@whole
def test_the_space_group_is_among_those_named(which):
    found = outcome(*which)
    operations = {"".join(name.split()) for name in found.space_groups}
    true = "".join(CRYSTALS[which[0]].space_group.split())
    assert found.laue_undetermined or any(true in (name, name.split(":")[0]) for name in operations)


@whole
def test_merged_intensities_are_those_of_the_structure(which):
    """One scale apart. The beam stop's shadow, which no mask tells, cuts one or two of them."""
    found = outcome(*which)
    print(
        f"\n{found.name}: CC {found.correlation:.5f}, pulls {np.median(found.merged):+.3f}, "
        f"{1.4826 * np.median(np.abs(found.merged)):.3f}"
    )
    assert found.correlation > 0.99


@pytest.mark.parametrize("name", ["P212121", "P43212", "I23"])
def test_data_are_cut_where_the_true_cc_half_falls(name):
    plan = plan_of(name, counts=45.0, b=45.0)
    found = outcome_of(plan, name, plan.crystal.d_min)
    print(f"\n{found.name}: cut {found.cut:.3f} Å, truly {found.true_cut:.3f} Å")
    assert abs(found.cut - found.true_cut) < CUT


@pytest.mark.parametrize("case", ["powder", "empty", "salt"])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_no_crystal_of_a_protein_is_refused(case, seed):
    chain = Chain(plan_of("P212121", case, seed, images=60))
    print(f"\n{case}: {len(chain.spots)} spots, {chain.seen.kind}: {chain.seen.sentences}")
    if chain.seen.kind == "diffraction":
        with pytest.raises(DataError) as told:
            print(chain.indexed.crystal.cell)
        print(told.value)


def test_solvable_ones_are_rarely_refused():
    refused = [which for which in WHOLE if outcome(*which).refused]
    print(f"\nrefused: {refused} of {len(WHOLE)}")
    assert len(refused) <= 0.05 * len(WHOLE)


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
