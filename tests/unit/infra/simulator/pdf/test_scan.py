from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.pdf import geometry, materials, truth
from infra.simulator.pdf.cases import CASES, dumped, saturated, spotty, textured
from infra.simulator.pdf.plan import ScanPlan, small
from infra.simulator.pdf.scan import GAP, Scan, view_of

PLAN = small(ScanPlan())


def rings(image, scan, edges):
    q = geometry.momentum(view_of(scan.plan).two_theta, scan.plan.geometry.wavelength)
    good = ~scan.pixels.bad
    within = np.digitize(q[good], edges)
    return np.array([image[good][within == k].mean() for k in range(1, len(edges))])


@pytest.fixture(scope="module")
def scan():
    return Scan(PLAN)


def test_counts_scatter_as_poisson_has_it(scan):
    frame, expected = scan.frame(0), scan.expected(0)
    good = ~scan.pixels.bad
    pull = (frame - expected)[good] / np.sqrt(expected[good])
    assert abs(pull.mean()) < 0.01
    assert pull.std() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(frame, Scan(PLAN).frame(0))
    assert (frame != Scan(replace(PLAN, seed=1)).frame(0))[good].any()


def test_bad_pixels_are_as_many_as_planned(scan):
    frame, pixels = scan.frame(0), scan.pixels
    assert (frame[pixels.gaps] == GAP).all()
    assert (frame[pixels.dead] == 0).all()
    assert pixels.dead.mean() == pytest.approx(5e-4, rel=0.3)
    assert pixels.hot.mean() == pytest.approx(2e-4, rel=0.4)
    assert np.median(frame[pixels.hot]) > 5 * np.median(frame)
    near = ~pixels.bad & np.roll(pixels.shadow, 8, axis=0)
    assert np.median(frame[pixels.shadow & ~pixels.gaps]) < 0.1 * np.median(frame[near])


def test_rings_of_nickel_are_where_bragg_has_them(scan):
    edges = np.arange(2.5, 8, 0.05)
    profile = rings(scan.expected(0), scan, edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    for h in (3, 4, 8, 11):  # h2 + k2 + l2
        near = np.abs(middle - 2 * np.pi * h**0.5 / 3.524) < 0.2
        found = np.average(middle[near], weights=(profile[near] - profile[near].min()) ** 2)
        assert found == pytest.approx(2 * np.pi * h**0.5 / 3.524, abs=0.01)


def test_intensity_per_electron_unit_is_what_the_truth_says():
    """Without walls, air, fluorescence, absorption to speak of."""
    plan = replace(PLAN, beam=replace(PLAN.beam, air=0.0, wobble=0.0, photons=1e15))
    plan = plan.of(materials.SILICA, container="none", diameter=1e-3)
    scan, true = Scan(plan), truth.of(plan)
    seen = view_of(plan)
    q = geometry.momentum(seen.two_theta, plan.geometry.wavelength)
    factor = true.amplitude * seen.solid_angle * seen.efficiency * seen.polarisation
    good = ~scan.pixels.bad & (q > 4)
    ratio = scan.expected(0)[good] / factor[good] / truth.intensity(plan, q[good])
    np.testing.assert_allclose(ratio, 1, atol=0.01)


def test_background_is_what_the_truth_says():
    plan = replace(PLAN, beam=replace(PLAN.beam, wobble=0.0))
    container = Scan(plan.as_kind("container", "c")).expected(0)
    emptied = Scan(replace(plan, sample=replace(plan.sample, packing=1e-9))).expected(0)
    np.testing.assert_allclose(emptied, container, rtol=1e-3)
    true = truth.of(plan)
    assert 0.5 < true.transmission < true.container_scale < 1
    assert true.container_transmission > 0.99
    assert container.mean() < 0.2 * Scan(plan).expected(0).mean()


def test_frames_without_beam_and_frames_that_come_twice():
    plan = dumped(replace(PLAN, frames=6))
    scan, true = Scan(plan), truth.of(plan)
    assert np.flatnonzero(true.bad).tolist() == [2, 3, 5]
    frames = list(scan.frames())
    np.testing.assert_array_equal(frames[5], frames[4])
    assert frames[2].mean() < 0.05 * frames[1].mean()
    np.testing.assert_allclose(scan.monitor / scan.monitor[0], true.beam / true.beam[0])
    assert true.beam[4] < true.beam[0] - 0.01


def test_what_is_odd_can_be_seen(scan):
    assert set(CASES) >= {"wrong-wavelength", "other-detector", "saturated", "wrong-monitor"}
    full = Scan(saturated(PLAN)).frame(0)
    assert 1e-4 < (full == PLAN.detector.saturation).mean() < 0.5
    spots = Scan(spotty(PLAN)).expected(0) / scan.expected(0)
    assert 25 < (spots > 3).sum() < 1000
    around = view_of(PLAN).azimuth
    preferred = Scan(textured(PLAN)).expected(0) / scan.expected(0)
    assert preferred[np.abs(around) < 0.1].mean() > 1.1 > 0.9 > preferred[around > 1.4].mean()


def test_dark_and_flat_frames():
    noisy = replace(PLAN, detector=replace(PLAN.detector, dark=20.0, uneven=0.05))
    dark = Scan(noisy.as_kind("dark", "d"))
    assert dark.frame(0)[~dark.pixels.bad].mean() == pytest.approx(20, rel=0.01)
    flat = Scan(noisy.as_kind("flat", "f"))
    good = ~flat.pixels.bad
    assert np.std(flat.frame(0)[good]) / np.mean(flat.frame(0)[good]) == pytest.approx(
        0.05, rel=0.03
    )


def test_phases_turn_into_one_another():
    plan = replace(PLAN, frames=5).of(materials.SILICA, materials.CRISTOBALITE)
    true = truth.of(plan)
    np.testing.assert_allclose(true.fractions.sum(axis=1), 1)
    assert (np.diff(true.fractions[:, 1]) > 0).all()
    assert true.fractions[-1, 1] > 0.99
    edges = np.array([1.4, 1.65, 1.9])
    first, last = (rings(Scan(plan).expected(n), Scan(plan), edges) for n in (0, 4))
    assert last[0] / last[1] > 1.2 * first[0] / first[1]  # the first peak sharpens
