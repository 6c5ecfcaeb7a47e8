import itertools

import numpy as np
import pytest

from tasks.xas.lcf import fit
from tasks.xas.lcf_ranking import independent_points, rank

ENERGY = np.linspace(-20, 60, 200)


def made(count, weights, noise, seed=3):
    """Standards that differ, and mixtures with noise."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 8, (count, 1))
    lines = rng.uniform(0, 0.6, (count, 1)) * np.exp(-(((ENERGY - places - 4) / 3) ** 2))
    standards = 1 / (1 + np.exp(places - ENERGY)) + lines
    return weights @ standards + noise * rng.normal(size=(len(weights), 200)), standards


def weights_of(members, count, spectra, seed=0):
    rng = np.random.default_rng(seed)
    weights = np.zeros((spectra, count))
    weights[:, members] = rng.uniform(0.2, 1, (spectra, len(members)))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("sum_to_one", [True, False])
def test_residuals_are_those_of_fits_to_each_combination(sum_to_one):
    spectra, standards = made(5, weights_of([0, 2, 3], 5, 12), 0.01)
    found = rank(spectra, standards, 3, sum_to_one)
    for combination, chi2 in zip(found.combinations, found.chi2, strict=True):
        alone = fit(spectra, standards[list(combination)], sum_to_one)
        assert chi2 == pytest.approx(alone.chi2.sum(), rel=1e-6)
    assert found.combinations == tuple(
        each for size in (1, 2, 3) for each in itertools.combinations(range(5), size)
    )


@pytest.mark.parametrize("members", [[1], [0, 4], [1, 3, 5]])
def test_a_series_needs_the_standards_that_it_is_made_of(members):
    spectra, standards = made(6, weights_of(members, 6, 60), 0.003)
    found = rank(spectra, standards)
    assert found.series_size == len(members)
    assert found.best_of(len(members)) == [tuple(members)]
    assert np.mean(found.size == len(members)) > 0.9


def test_one_more_standard_is_not_taken_for_free():
    spectra, standards = made(10, weights_of([2, 7], 10, 400), 0.01)
    found = rank(spectra, standards, 3)
    assert np.median(found.chance[0]) < 1e-6
    assert np.mean(found.chance[1] < 0.05) < 0.1
    assert np.mean(found.size > 2) < 0.05


def test_the_best_of_each_size_is_the_fit_with_at_most_so_many():
    spectra, standards = made(6, weights_of([0, 1, 2, 3], 6, 20), 0.01)
    found = rank(spectra, standards, 3)
    for size in (1, 2, 3):
        limited = fit(spectra, standards, max_standards=size)
        assert np.allclose(found.best_chi2[size - 1], limited.chi2, rtol=1e-6)
        assert all(len(found.combinations[place]) == size for place in found.best[size - 1])


def test_points_that_repeat_each_other_count_less():
    spectra, standards = made(3, weights_of([0, 1, 2], 3, 50), 0.0)
    rng = np.random.default_rng(1)
    white = 0.01 * rng.normal(size=spectra.shape)
    smooth = np.apply_along_axis(lambda row: np.convolve(row, np.ones(5) / 5, "same"), 1, white)
    assert np.median(independent_points(spectra + white, standards)) > 160
    assert np.median(independent_points(spectra + smooth, standards)) < 60


def test_thirty_standards_are_ranked():
    spectra, standards = made(30, weights_of([4, 17, 25], 30, 20), 0.001)
    found = rank(spectra, standards, 3)
    assert (4, 17, 25) in found.best_of(3, 3)
