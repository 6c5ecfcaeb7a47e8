"""Noise that was put in is found again."""

import numpy as np
import pytest

from tasks.xas.noise import difference_weights, noise_by_region, point_noise
from tests.unit.tasks.xas.sweeps_truth import E0, absorption_of, library, swing

FINE = np.r_[np.arange(6960.0, 7082, 2), np.arange(7082.0, 7182, 0.25), np.arange(7182.0, 7900, 2)]
QUICK = np.sort(swing(1, 1200)[0])


def noisy(energy, sigma, spectra=60):
    return absorption_of(energy) + sigma * np.random.default_rng(0).normal(
        size=(spectra, energy.size)
    )


@pytest.mark.parametrize("sigma", [1e-3, 3e-3])
@pytest.mark.parametrize("energy", [FINE, QUICK], ids=["step scan", "quick scan"])
def test_noise_in_every_region(energy, sigma):
    found = point_noise(energy, noisy(energy, sigma), E0)
    for region in (found.pre, found.xanes, found.exafs):
        assert np.median(region) == pytest.approx(sigma, rel=0.15)


def test_noise_that_differs_between_regions_and_spectra():
    sigma = np.where(FINE < E0 - 20, 1e-3, np.where(FINE < E0 + 50, 2e-3, 6e-3))
    strength = np.linspace(1, 5, 60)[:, None]
    found = point_noise(FINE, noisy(FINE, sigma * strength), E0)
    ratio = found.at(FINE) / (sigma * strength)
    assert np.abs(np.median(ratio, axis=0) - 1).max() < 0.1


def test_glitches_and_gaps_do_not_count():
    mu = noisy(FINE, 2e-3)
    mu[:, [100, 300, 500]] += 1.0
    mu[:, 600:620] = np.nan
    found = point_noise(FINE, mu, E0)
    assert np.median(found.exafs) == pytest.approx(2e-3, rel=0.15)
    assert np.median(found.xanes) == pytest.approx(2e-3, rel=0.15)


def test_a_region_without_points_takes_the_noise_of_the_whole():
    energy = FINE[FINE > E0 - 30]
    found = point_noise(energy, noisy(energy, 2e-3), E0)
    assert np.median(found.pre) == pytest.approx(2e-3, rel=0.15)
    empty = point_noise(energy, np.full((2, len(energy)), np.nan), E0)
    assert np.isnan(empty.at(energy)).all()


def test_polynomials_leave_nothing():
    weights = difference_weights(QUICK)
    near = np.lib.stride_tricks.sliding_window_view((QUICK - 7400) / 500, 7)
    for degree in range(6):
        assert np.abs((weights * near**degree).sum(axis=1)).max() < 1e-9
    assert np.allclose((weights**2).sum(axis=1), 1)


def test_noise_added_to_real_spectra_is_found():
    ratios = []
    for _, energy, mu in library():
        step = np.quantile(mu, 0.95) - np.quantile(mu, 0.05)
        sigma = 0.01 * step
        seen = mu + sigma * np.random.default_rng(1).normal(size=(20, len(mu)))
        e0 = energy[np.argmax(np.gradient(mu, energy))]
        ratios.append(np.median(point_noise(energy, seen, e0).exafs) / sigma)
    assert np.median(ratios) == pytest.approx(1, abs=0.05)
    assert np.mean(np.abs(np.array(ratios) - 1) < 0.15) > 0.9


def test_implementations_agree_where_numbers_are_missing():
    args, _ = noise_by_region.cases["three_regions"]()
    args[1][2, 10:14] = np.nan
    args[1][3, :25] = np.nan
    expected = noise_by_region.implementations["reference"].function(*args)
    found = noise_by_region.implementations["numpy"].function(*args)
    assert np.isnan(expected).any()
    assert np.allclose(found, expected, equal_nan=True)
