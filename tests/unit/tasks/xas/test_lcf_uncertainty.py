"""Stated uncertainties against the scatter of many fits; each cause alone, then all together."""

import numpy as np
import pytest

from tasks.xas.lcf import derivative, fit
from tasks.xas.lcf_uncertainty import Reduction, budget, reduction
from tasks.xas.normalise import Windows, normalise

GRID = np.r_[np.arange(6970, 7090, 5.0), np.arange(7090, 7150, 0.5), np.arange(7150, 7700, 4.0)]
E0 = 7112.0
WINDOWS = Windows(-140, -30, 60, 580, 2)
FITTED = (GRID > E0 - 20) & (GRID < E0 + 60)
WEIGHTS = np.array([0.5, 0.3, 0.2])
MANY = 1500


def curves(shifts=(0.0, 0.0, 0.0)):
    """Three standards with steps of 1, whose energy scales are off by so much."""
    found = []
    for place, line, shift in zip((0, 6, 10), (0.1, 0.4, 0.7), shifts, strict=True):
        x = GRID - E0 - place - shift
        rise = 0.5 + np.arctan(x / 1.2) / np.pi
        found.append(rise + line * np.exp(-(((x - 4) / 3) ** 2)) + 0.03 * np.sin(x / 4) * (x > 8))
    return normalise(GRID, np.stack(found), E0, WINDOWS).norm


def prepared(mu, form="norm"):
    result = normalise(GRID, mu, E0, WINDOWS)
    if form == "derivative":
        return derivative(GRID, result.norm)[:, FITTED]
    return getattr(result, form)[:, FITTED]


def scatter(found):
    return np.sqrt(np.mean((found.weights - WEIGHTS) ** 2, axis=0))


@pytest.mark.parametrize("form", ["norm", "flat", "derivative"])
def test_reduction_is_what_normalisation_does(form):
    mu = 1.3 * curves() - 2e-4 * (GRID - E0)
    made = reduction(GRID, E0, WINDOWS, form, FITTED)
    found = (mu @ made.operator.T) / (mu @ made.step)[:, None]
    assert np.abs(found - prepared(mu, form)).max() < 1e-9


@pytest.mark.parametrize("form", ["norm", "flat", "derivative"])
def test_noise_goes_through_the_normalisation(form):
    rng = np.random.default_rng(1)
    noisy = WEIGHTS @ curves() + 0.003 * rng.normal(size=(MANY, len(GRID)))
    spectra, standards = prepared(noisy, form), prepared(curves(), form)
    found = fit(spectra, standards)
    stated = budget(
        found,
        GRID[FITTED],
        spectra,
        standards,
        reduced=reduction(GRID, E0, WINDOWS, form, FITTED),
        noise=np.full((MANY, len(GRID)), 0.003),
    )
    assert np.allclose(np.median(stated.noise, axis=0), scatter(found), rtol=0.1)
    if form != "derivative":
        assert scatter(found)[0] > 1.4 * np.median(found.weights_sigma[:, 0])


def test_an_energy_scale_that_is_off():
    rng = np.random.default_rng(2)
    off = 0.1 * rng.normal(size=MANY // 5)
    spectra = np.concatenate([prepared(WEIGHTS[None] @ curves((each,) * 3)) for each in off])
    standards = prepared(curves())
    found = fit(spectra, standards)
    stated = budget(found, GRID[FITTED], spectra, standards, alignment=0.1)
    assert np.allclose(np.median(stated.alignment, axis=0), scatter(found), rtol=0.15, atol=1e-3)


def test_standards_with_scales_of_their_own():
    rng = np.random.default_rng(3)
    spectra = prepared(WEIGHTS[None] @ curves())
    weights = []
    for _ in range(MANY // 5):
        standards = prepared(curves(0.1 * rng.normal(size=3)))
        found = fit(spectra, standards)
        weights.append(found.weights[0])
    stated = budget(
        found, GRID[FITTED], spectra, prepared(curves()), standards_alignment=np.full(3, 0.1)
    )
    actual = np.sqrt(np.mean((np.stack(weights) - WEIGHTS) ** 2, axis=0))
    assert np.allclose(stated.alignment[0], actual, rtol=0.15, atol=1e-3)


def test_standards_with_noise():
    rng = np.random.default_rng(4)
    spectra, sigma = prepared(WEIGHTS[None] @ curves()), np.full((3, len(GRID)), 0.003)
    weights = []
    for _ in range(MANY // 3):
        standards = prepared(curves() + 0.003 * rng.normal(size=(3, len(GRID))))
        found = fit(spectra, standards)
        weights.append(found.weights[0])
    stated = budget(
        found,
        GRID[FITTED],
        spectra,
        prepared(curves()),
        reduced=reduction(GRID, E0, WINDOWS, "norm", FITTED),
        standards_noise=sigma,
    )
    actual = np.sqrt(np.mean((np.stack(weights) - WEIGHTS) ** 2, axis=0))
    assert np.allclose(stated.standards[0], actual, rtol=0.12)


def test_a_residual_beyond_noise_makes_weights_less_certain():
    rng = np.random.default_rng(5)
    standards = prepared(curves())
    strange = 0.01 * np.sin(GRID[FITTED] / 5)
    noisy = WEIGHTS @ standards + 0.003 * rng.normal(size=(50, standards.shape[1]))
    noise = np.full(noisy.shape, 0.003)
    good, bad = (
        budget(fit(each, standards), GRID[FITTED], each, standards, noise=noise)
        for each in (noisy, noisy + strange)
    )
    assert np.median(good.misfit) < 0.3 * np.median(good.noise)
    assert np.median(bad.misfit) > 2 * np.median(bad.noise)
    off = np.abs(fit(noisy + strange, standards).weights.mean(axis=0) - WEIGHTS)
    assert np.all(off < 2 * bad.total.mean(axis=0))


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(6)
    truth = np.concatenate(
        [rng.dirichlet([0.6, 0.6, 0.6], 400), np.eye(3)[rng.integers(0, 3, 200)]]
    )
    off = 0.05 * rng.normal(size=600)
    mu = np.concatenate([w[None] @ curves((e,) * 3) for w, e in zip(truth, off, strict=True)])
    spectra = prepared(mu + 0.003 * rng.normal(size=mu.shape))
    standards = prepared(curves())
    stated = budget(
        fit(spectra, standards),
        GRID[FITTED],
        spectra,
        standards,
        reduced=reduction(GRID, E0, WINDOWS, "norm", FITTED),
        noise=np.full(mu.shape, 0.003),
        alignment=0.05,
    )
    covered = (stated.low <= truth) & (truth <= stated.high)
    assert 0.93 < covered[:400].mean() < 0.99
    assert covered[400:].mean() > 0.93
    assert np.all((stated.low >= 0) & (stated.high <= 1))
    parts = stated.noise**2 + stated.alignment**2 + stated.standards**2 + stated.misfit**2
    assert np.allclose(stated.total, np.sqrt(parts))


def test_only_the_standards_that_were_considered_are_uncertain():
    rng = np.random.default_rng(7)
    standards = prepared(curves())
    spectra = np.array([0.6, 0.4, 0.0]) @ standards + 0.003 * rng.normal(size=(5, FITTED.sum()))
    found = fit(spectra, standards, max_standards=2)
    own = budget(found, GRID[FITTED], spectra, standards, considered=found.support)
    everything = budget(found, GRID[FITTED], spectra, standards)
    assert not own.total[~found.support].any()
    assert np.all(everything.total > 0)
    assert np.all(everything.total[:, 0] > own.total[:, 0])


def test_without_knowing_the_noise_the_residual_tells_it():
    rng = np.random.default_rng(8)
    standards = prepared(curves())
    spectra = WEIGHTS @ standards + 0.003 * rng.normal(size=(200, FITTED.sum()))
    found = fit(spectra, standards)
    blind = budget(found, GRID[FITTED], spectra, standards)
    white = Reduction(np.eye(FITTED.sum()), np.zeros(FITTED.sum()))
    told = budget(
        found, GRID[FITTED], spectra, standards, reduced=white, noise=np.full(spectra.shape, 0.003)
    )
    assert np.allclose(np.median(blind.noise, axis=0), np.median(told.noise, axis=0), rtol=0.03)
    assert np.allclose(blind.noise, found.weights_sigma, rtol=0.01)


def test_edge_steps_that_are_not_known_exactly():
    rng = np.random.default_rng(6)
    standards = prepared(curves())
    spectra = WEIGHTS[None] @ standards
    sigma = np.array([0.03, 0.01, 0.02])
    weights = []
    for _ in range(MANY):
        share = WEIGHTS / (1 + sigma * rng.normal(size=3))
        weights.append(share / share.sum())
    actual = np.std(weights, axis=0)
    found = fit(spectra, standards)
    stated = budget(found, GRID[FITTED], spectra, standards, standards_step=sigma)
    assert np.allclose(stated.steps[0], actual, rtol=0.1)
    free = budget(found, GRID[FITTED], spectra, standards, standards_step=sigma, sum_to_one=False)
    assert np.allclose(free.steps[0], WEIGHTS * sigma)
