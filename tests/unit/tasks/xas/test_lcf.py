import time

import array_api_strict
import numpy as np
import pytest
from scipy.optimize import nnls

from tasks.errors import DataError
from tasks.xas.lcf import derivative, fit
from tasks.xas.lcf_subsets import Equations, active_set

ENERGY = np.linspace(-20, 60, 200)
RNG = np.random.default_rng(5)


def made(count, spectra=40, noise=0.0, seed=1):
    """Standards that differ, mixtures of which many lack some, and their weights."""
    rng = np.random.default_rng(seed)
    places, heights = rng.uniform(0, 10, (2, count, 1))
    lines = 0.1 * heights * np.exp(-(((ENERGY - places - 4) / rng.uniform(2, 5, (count, 1))) ** 2))
    lines += 0.1 * np.sin(ENERGY / rng.uniform(2, 8, (count, 1))) * (ENERGY > 10)
    standards = 1 / (1 + np.exp(places - ENERGY)) + lines
    weights = rng.dirichlet(np.full(count, 0.3), spectra)
    return weights @ standards + noise * rng.normal(size=(spectra, 200)), standards, weights


def by_nnls(spectra, standards, sum_to_one):
    """The same optimum by another program; the sum is held by a heavy row."""
    heavy = 1e4 * sum_to_one
    rows = np.vstack([standards.T, heavy * np.ones(len(standards))])
    return np.stack([nnls(rows, np.append(each, heavy))[0] for each in spectra])


@pytest.mark.parametrize("sum_to_one", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8, 12])
def test_weights_are_the_global_optimum(count, sum_to_one):
    spectra, standards, _ = made(count, noise=0.01)
    found = fit(spectra, standards, sum_to_one)
    other = by_nnls(spectra, standards, sum_to_one)
    assert np.abs(found.weights - other).max() < 1e-6
    assert np.all(found.chi2 <= np.sum((spectra - other @ standards) ** 2, axis=1) * (1 + 1e-6))
    assert np.all(found.weights >= 0)
    assert np.array_equal(found.support, found.weights > 0)
    if sum_to_one:
        assert np.abs(found.weights.sum(axis=1) - 1).max() < 1e-10


@pytest.mark.parametrize("count", [3, 6, 15])
def test_noiseless_mixtures_give_their_weights(count):
    spectra, standards, weights = made(count)
    found = fit(spectra, standards)
    assert np.abs(found.weights - weights).max() < 1e-5
    assert found.r_factor.max() < 1e-12


def test_enumeration_and_active_set_agree():
    spectra, standards, _ = made(6, noise=0.02, spectra=300)
    for sum_to_one in (True, False):
        found = fit(spectra, standards, sum_to_one)
        walked = active_set(Equations.of(np, spectra, standards, sum_to_one))
        assert not np.any(found.weights[walked != found.support] > 1e-9)


def test_at_most_so_many_standards_take_part():
    spectra, standards, _ = made(6, noise=0.01)
    found = fit(spectra, standards, max_standards=2)
    assert found.support.sum(axis=1).max() == 2
    pairs = [(i, j) for i in range(6) for j in range(i)]
    chi2 = [fit(spectra, standards[list(pair)]).chi2 for pair in pairs]
    assert np.allclose(found.chi2, np.min(chi2, axis=0), rtol=1e-9)


def test_thirty_standards_four_at_a_time_are_feasible():
    spectra, standards, weights = made(30, spectra=30)
    four = np.zeros_like(weights)
    four[:, [3, 8, 21, 29]] = RNG.dirichlet(np.ones(4), 30)
    begin = time.perf_counter()
    found = fit(
        four @ standards + 1e-5 * RNG.normal(size=spectra.shape), standards, max_standards=4
    )
    assert time.perf_counter() - begin < 20
    assert np.abs(found.weights - four).max() < 0.02


def test_formal_sigma_is_the_scatter_of_white_noise():
    weights = np.tile([0.5, 0.3, 0.2], (2000, 1))
    _, standards, _ = made(3)
    found = fit(weights @ standards + 0.01 * RNG.normal(size=(2000, 200)), standards)
    scatter = found.weights.std(axis=0)
    assert np.allclose(np.sqrt(np.mean(found.weights_sigma**2, axis=0)), scatter, rtol=0.06)
    assert np.sqrt(found.redchi.mean()) == pytest.approx(0.01, rel=0.01)


def test_figures_of_merit():
    spectra, standards, _ = made(3, noise=0.02)
    found = fit(spectra, standards)
    residual = spectra - found.weights @ standards
    assert np.allclose(found.chi2, np.sum(residual**2, axis=1))
    assert np.allclose(found.r_factor, found.chi2 / np.sum(spectra**2, axis=1))
    free = 200 - found.support.sum(axis=1) + 1
    assert np.allclose(found.redchi, found.chi2 / free)


def test_a_standard_given_twice_counts_once():
    spectra, standards, _ = made(3)
    twice = np.concatenate([standards, standards[:1]])
    found = fit(spectra, twice)
    assert (
        np.abs(
            found.weights[:, 0] + found.weights[:, 3] - fit(spectra, standards).weights[:, 0]
        ).max()
        < 1e-9
    )
    assert not np.any(found.support[:, 0] & found.support[:, 3])
    many = np.concatenate([made(9)[1], made(9)[1]])
    assert fit(made(9)[0], many).r_factor.max() < 1e-10


def test_values_that_are_no_numbers_stay_in_their_spectrum():
    spectra, standards, _ = made(3, noise=0.01)
    expected = fit(spectra, standards)
    spectra[4, 7] = np.nan
    found = fit(spectra, standards)
    assert np.isnan(found.chi2[4])
    others = np.arange(len(spectra)) != 4
    assert np.array_equal(found.weights[others], expected.weights[others])


def test_nothing_fits_a_negative_spectrum():
    _, standards, _ = made(3)
    found = fit(-standards, standards, sum_to_one=False)
    assert not found.weights.any()
    assert np.allclose(found.r_factor, 1)


@pytest.mark.parametrize("standards", [np.ones((0, 200)), RNG.normal(size=(200, 200))])
def test_too_few_or_too_many_standards_are_refused(standards):
    with pytest.raises(DataError, match="standards cannot be fitted to 200 points"):
        fit(np.ones((1, 200)), standards)


@pytest.mark.parametrize("case", list(fit.cases))
def test_the_array_api_alone_is_enough(case):
    args, kwargs = fit.cases[case]()
    reference = fit.implementations["reference"].function
    strict = reference(*(array_api_strict.asarray(each) for each in args), **kwargs)
    plain = reference(*args, **kwargs)
    for name, expected in vars(plain).items():
        assert np.allclose(np.asarray(getattr(strict, name)), expected, rtol=1e-9, atol=1e-12)


def test_derivative_on_an_uneven_grid():
    energy = np.r_[np.arange(0, 10, 1.0), np.arange(10, 20, 0.25)]
    found = derivative(energy, np.stack([3 * energy, np.sin(energy / 5)]))
    assert np.allclose(found[0], 3)
    assert np.abs(found[1] - np.cos(energy / 5) / 5)[1:-1].max() < 0.02


def test_a_derivative_fit_does_not_see_an_offset():
    spectra, standards, weights = made(3)
    first, others = derivative(ENERGY, spectra + 0.3), derivative(ENERGY, standards)
    assert np.abs(fit(first, others, sum_to_one=False).weights - weights).max() < 1e-6


def test_three_standards_are_fast():
    spectra, standards, _ = made(3, spectra=5000, noise=0.01)
    fit(spectra[:10], standards)
    begin = time.perf_counter()
    fit(spectra, standards)
    assert (time.perf_counter() - begin) / 5000 < 200e-6
