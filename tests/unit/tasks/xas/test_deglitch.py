"""Glitches that were put in are found; white lines and edges are not taken for any."""

import array_api_strict
import numpy as np
import pytest

from tasks.xas.deglitch import deglitch, find_glitches
from tests.unit.tasks.xas.sweeps_truth import E0, absorption_of, library, swing

QUICK = np.sort(swing(1, 1200)[0])
SIGMA = 2e-3
OUTSIDE = np.flatnonzero((QUICK < E0 - 35) | (QUICK > E0 + 65))


def noisy(spectra=200):
    return absorption_of(QUICK) + SIGMA * np.random.default_rng(0).normal(size=(spectra, 1200))


def hits(strength, width, hint=False):
    """Share of glitches found whole, outside of the edge region, and points marked wrongly."""
    rng, mu = np.random.default_rng(1), noisy()
    truth = np.zeros(mu.shape, bool)
    places = rng.choice(OUTSIDE[20:-20], len(mu))
    for row, place in enumerate(places):
        truth[row, place : place + width] = True
    mu += truth * strength * SIGMA * rng.choice([-1, 1], (len(mu), 1))
    i0 = np.where(truth, 0.8, 1.0) * (1 + 1e-3 * rng.normal(size=mu.shape))
    found = deglitch(QUICK, mu, E0, i0 if hint else None).glitches
    whole = (found | ~truth).all(axis=1)
    return whole.mean(), (found & ~truth).sum()


def test_noise_is_no_glitch():
    assert deglitch(QUICK, noisy(1000), E0).glitches.sum() <= 1


@pytest.mark.parametrize("width", [1, 2, 3])
def test_clear_glitches_are_found_and_nothing_else(width):
    found, wrong = hits(40, width)
    assert found > 0.97
    assert wrong <= 4


def test_a_hint_of_the_beam_finds_weaker_ones():
    assert hits(8, 1)[0] < 0.5
    assert hits(8, 1, hint=True)[0] > 0.6


def test_wrong_readings_of_a_quick_scan_are_found_even_on_the_edge():
    mu = noisy()
    rng = np.random.default_rng(2)
    places = rng.integers(5, 1195, len(mu))
    mu[np.arange(len(mu)), places] += np.where(rng.random(len(mu)) < 0.5, np.log(5), -np.log(3))
    found = deglitch(QUICK, mu, E0)
    assert found.glitches[np.arange(len(mu)), places].mean() > 0.97
    assert found.glitches.sum() <= 1.02 * len(mu)
    assert np.abs(found.mu - absorption_of(QUICK)).max() < 0.15


def test_no_white_line_or_edge_of_the_library_is_touched():
    near, marked = [], 0
    for name, energy, mu in library():
        e0 = energy[np.argmax(np.gradient(mu, energy))]
        glitches = energy[deglitch(energy, mu[None], e0).glitches[0]]
        near += [(name, each) for each in glitches if abs(each - e0) < 30]
        marked += len(glitches)
    assert near == [("Mn/MnO2_rt_02", 6567.977)]  # a true one: its repeats have none
    assert marked < 25  # of 60,000 points; those of Cr2O3 recur in all three repeats


def test_a_glitch_that_recurs_in_repeats_of_one_sample_is_one():
    spectra = {name: (energy, mu) for name, energy, mu in library()}
    for repeat in ("001", "002", "003"):
        energy, mu = spectra[f"Cr/cr2o3_ssrl4_1_rt_{repeat}"]
        e0 = energy[np.argmax(np.gradient(mu, energy))]
        found = energy[deglitch(energy, mu[None], e0).glitches[0]] - e0
        assert found == pytest.approx([718.0, 787.7], abs=0.5)


def test_nothing_changes_without_threshold_or_glitches():
    mu = noisy(3)
    assert deglitch(QUICK, mu, E0, threshold=0).mu is mu
    assert (deglitch(QUICK, mu, E0).mu == mu).all()
    assert not deglitch(QUICK[:40], mu[:, :40], E0).glitches.any()


def test_missing_points_are_no_glitches():
    mu = noisy(20)
    mu[3, 500:540] = np.nan
    mu[4] = np.nan
    assert not deglitch(QUICK, mu, E0).glitches.any()


def test_implementations_agree_and_the_reference_is_portable():
    (energy, mu, hint, *rest), _ = find_glitches.cases["single_and_double_glitches"]()
    reference = find_glitches.implementations["reference"].function
    expected = reference(energy, mu, hint, *rest)
    assert np.argwhere(expected).tolist() == [[0, 200], [1, 220], [1, 221]]
    strict = [array_api_strict.asarray(each) for each in (energy, mu, hint)]
    assert (np.asarray(reference(*strict, *rest)) == expected).all()
    fast = find_glitches.implementations["numpy"].function(energy, mu, hint, *rest)
    assert (fast == expected).all()
