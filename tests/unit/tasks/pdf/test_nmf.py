import time

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.nmf import components

X = np.linspace(0, 20, 500)


def lines(seed, count=12):
    rng = np.random.default_rng(seed)
    places, heights = rng.uniform(1, 19, count), rng.uniform(0.3, 1, count)
    return 0.2 + np.exp(-(((X - places[:, None]) / 0.08) ** 2)).T @ heights


PURE = np.stack([lines(seed) for seed in range(3)])
T = np.linspace(0, 1, 120)[:, None]
WEIGHTS = np.hstack(
    [np.clip(1 - 2 * T, 0, 1), np.clip(1 - np.abs(2 * T - 1), 0, 1), np.clip(2 * T - 1, 0, 1)]
)


def series(pure=PURE, weights=WEIGHTS, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    return weights @ pure + noise * rng.normal(size=(len(weights), pure.shape[1]))


def matched(found, truth=WEIGHTS):
    """Weights in the order of the truth."""
    order = [int(np.argmax([np.corrcoef(w, t)[0, 1] for w in found.weights.T])) for t in truth.T]
    assert sorted(order) == list(range(truth.shape[1]))
    return found.weights[:, order], found.shapes[order]


def test_components_and_weights_are_found():
    found = components(series())
    assert found.number == 3
    assert "3 components: 3 singular values are above noise" in found.reason
    weights, shapes = matched(found)
    assert np.abs(weights - WEIGHTS).max() < 0.05
    assert np.abs(shapes - PURE).max() < 0.06
    assert found.residual == pytest.approx(0.02, rel=0.15)
    assert "not unique" in found.ambiguity


@pytest.mark.parametrize("kinds", [1, 2, 3])
@pytest.mark.parametrize("sigma", [None, 0.05])
def test_as_many_components_as_were_mixed(kinds, sigma):
    weights = np.random.default_rng(1).dirichlet(np.ones(kinds), 100)
    weights = weights[np.argsort(weights[:, 0])] if sigma is None else weights
    if sigma is None and kinds == 3:
        weights = WEIGHTS
    data = series(PURE[:kinds], weights, noise=0.05)
    given = None if sigma is None else np.full(len(X), sigma)
    assert components(data, given).number == kinds


def test_negative_curves_get_an_offset_that_is_given_back():
    g = PURE * np.sin(3 * X) - 0.3
    found = components(series(g))
    assert found.number == 3
    assert "least value of each point" in found.reason
    weights, shapes = matched(found)
    assert np.abs(weights - WEIGHTS).max() < 0.1
    assert np.corrcoef(shapes.ravel(), g.ravel())[0, 1] > 0.99
    rebuilt = found.weights @ (found.shapes - found.offset) + found.offset
    assert np.sqrt(np.mean((rebuilt - WEIGHTS @ g) ** 2)) < 0.02


def test_correlated_points_need_their_independent_number():
    rng = np.random.default_rng(2)
    smooth = np.repeat(rng.normal(size=(120, 50)), 10, axis=1)
    data = WEIGHTS @ PURE + 0.05 * smooth
    sigma = np.full(len(X), 0.05)
    assert components(data, sigma).number > 3
    assert components(data, sigma, independent=50).number == 3


def test_noise_alone_is_one_component():
    found = components(series(PURE[:1], np.ones((30, 1))))
    assert found.number == 1
    assert found.weights == pytest.approx(1, abs=0.05)
    nothing = components(np.abs(np.random.default_rng(0).normal(size=(30, 500)) * 1e-3) - 0.0008)
    assert nothing.number == 1


def test_the_number_may_be_asked_for_and_bins_without_pixels_are_left_out():
    data = series()
    data[:, :7] = np.nan
    found = components(data, number=2)
    assert found.number == 2
    assert found.reason.startswith("2 components were asked for")
    assert found.shapes.shape == (2, 493)
    assert found.kept.sum() == 493


def test_the_same_series_gives_the_same_components():
    assert np.array_equal(components(series()).weights, components(series()).weights)


def test_series_that_are_too_short_or_without_noise_are_refused():
    with pytest.raises(DataError, match="at least 3 patterns; the series has 2"):
        components(series()[:2])
    with pytest.raises(DataError, match="5 patterns cannot be factored into 5"):
        components(series()[:5], number=5)
    with pytest.raises(DataError, match="no noise to count"):
        components(np.ones((10, 50)))


def test_a_long_series_takes_seconds():
    weights = np.repeat(WEIGHTS, 9, axis=0)[:1000]
    data = series(np.repeat(PURE, 4, axis=1), weights)
    begin = time.perf_counter()
    assert components(data).number == 3
    assert time.perf_counter() - begin < 20
