"""Means of sweeps, and uncertainties that hold."""

import array_api_strict
import numpy as np
import pytest

from tasks.xas.merge import merge, weighted_mean

RNG = np.random.default_rng(0)
TRUTH = np.sin(np.linspace(0, 6, 400)) + 2
NOISE = RNG.uniform(0.01, 0.05, 25)


def sweeps(excess=1.0):
    return TRUTH + excess * NOISE[:, None] * RNG.normal(size=(25, 400))


def test_both_uncertainties_hold_when_the_noise_is_right():
    found = merge(sweeps(), NOISE)
    expected = 1 / np.sqrt((1 / NOISE**2).sum())
    assert found.sigma_noise == pytest.approx(expected)
    assert np.sqrt(np.mean(found.sigma_scatter**2)) == pytest.approx(expected, rel=0.1)
    assert np.std((found.mu - TRUTH) / found.sigma_noise) == pytest.approx(1, abs=0.1)
    assert found.chi2.mean() == pytest.approx(1, abs=0.05)
    assert found.effective == pytest.approx((1 / NOISE**2).sum() ** 2 / (1 / NOISE**4).sum())


def test_scatter_tells_what_the_noise_does_not():
    found = merge(sweeps(excess=3.0), NOISE)
    assert found.chi2.mean() == pytest.approx(9, rel=0.1)
    assert np.std((found.mu - TRUTH) / found.sigma_scatter) == pytest.approx(1, abs=0.15)
    assert (found.sigma >= found.sigma_noise).all()


def test_without_noise_the_scatter_is_all_there_is():
    found = merge(TRUTH + 0.03 * RNG.normal(size=(25, 400)))
    assert np.isnan(found.sigma_noise).all()
    assert found.sigma.mean() == pytest.approx(0.03 / 5, rel=0.05)
    assert found.effective == pytest.approx(25)


def test_missing_values_count_not():
    mu = sweeps()
    mu[:, 7] = np.nan
    mu[1:, 8] = np.nan
    found = merge(mu, NOISE)
    assert np.isnan(found.mu[7])
    assert found.mu[8] == pytest.approx(mu[0, 8])
    assert found.effective[8] == pytest.approx(1)
    assert np.isnan(found.sigma_scatter[8])
    assert found.sigma[8] == pytest.approx(NOISE[0])


@pytest.mark.parametrize("known", [True, False])
def test_the_robust_mean_withstands_bad_sweeps(known):
    mu = sweeps()
    mu[[2, 11, 19], 100:160] += 0.7
    noise = NOISE if known else None
    bad = slice(100, 160)
    plain, robust = merge(mu, noise), merge(mu, noise, robust=True)
    assert np.abs(plain.mu - TRUTH)[bad].mean() > 3 * np.abs(robust.mu - TRUTH)[bad].mean()
    elsewhere = np.std((robust.mu - TRUTH)[160:])
    assert elsewhere < 1.15 * np.std((plain.mu - TRUTH)[160:])
    assert np.std(((robust.mu - TRUTH) / robust.sigma_scatter)[160:]) == pytest.approx(1, abs=0.25)


def test_noise_of_single_values():
    sigma = np.full((25, 400), 0.02)
    sigma[:, :200] = 0.04
    found = merge(TRUTH + sigma * RNG.normal(size=sigma.shape), sigma)
    assert found.sigma_noise[[0, -1]] == pytest.approx([0.04 / 5, 0.02 / 5])


@pytest.mark.parametrize("case", list(weighted_mean.cases))
def test_implementations_agree_and_the_reference_is_portable(case):
    (mu, sigma, robust), _ = weighted_mean.cases[case]()
    mu[RNG.random(mu.shape) < 0.1] = np.nan
    mu[:, 30] = np.nan
    reference = weighted_mean.implementations["reference"].function
    expected = reference(mu, sigma, robust)
    strict = reference(array_api_strict.asarray(mu), array_api_strict.asarray(sigma), robust)
    fast = weighted_mean.implementations["numpy"].function(mu, sigma, robust)
    for found in (np.asarray(strict), fast):
        assert np.allclose(found, expected, rtol=1e-10, equal_nan=True)
