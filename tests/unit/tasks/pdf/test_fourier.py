import time

import numpy as np
import pytest
from scipy.integrate import quad

from tasks.errors import DataError
from tasks.pdf.fourier import WINDOWS, to_gr

Q = np.linspace(0.8, 25, 2421)
R = np.arange(0.5, 12, 0.02)


def shell(q, r0=3.0, u=0.01):
    return np.sin(q * r0) * np.exp(-u * q**2 / 2)


@pytest.mark.parametrize("window", list(WINDOWS))
def test_the_sum_is_the_integral(window):
    found = to_gr(Q, shell(Q), None, np.array([2.0, 3.0]), qmin=0.8, qmax=25, window=window)
    for g, r in zip(found.g[0], (2.0, 3.0), strict=True):
        wanted = quad(
            lambda q, r=r: shell(q) * WINDOWS[window](np.array(np.pi * q / 25)) * np.sin(q * r),
            0.8, 25, limit=400,
        )[0]  # fmt: skip
        assert g == pytest.approx(2 / np.pi * wanted, abs=0.006)


def test_a_shell_stands_at_its_distance():
    found = to_gr(Q, shell(Q), None, R, qmin=0.8, qmax=25)
    assert R[np.argmax(found.g[0])] == pytest.approx(3.0, abs=0.01)


def test_windows_trade_ripples_for_width():
    q = np.linspace(0.01, 25, 2500)
    ripple, height = {}, {}
    for window in WINDOWS:
        g = to_gr(q, shell(q, u=0.0), None, R, qmin=0, qmax=25, window=window).g[0]
        ripple[window] = np.abs(g[(R > 4) & (R < 6)]).max() / g.max()
        height[window] = g.max()
    assert ripple["soper"] < ripple["lorch"] < ripple["none"]
    assert ripple["hann"] < ripple["none"]
    assert height["none"] > height["lorch"] > height["soper"]


def test_what_lies_below_qmin_can_be_a_line():
    """A constant S(Q) - 1 has a transform in closed form, begun at zero."""
    slope = -0.7
    q = np.linspace(2, 20, 4000)
    found = to_gr(q, slope * q, None, R, qmin=2, qmax=20, low_q="linear")
    x = 20 * R
    wanted = 2 / np.pi * slope * (np.sin(x) - x * np.cos(x)) / R**2
    np.testing.assert_allclose(found.g[0], wanted, atol=0.02 * np.abs(wanted).max())
    without = to_gr(q, slope * q, None, R, qmin=2, qmax=20)
    assert np.abs(without.g[0] - wanted).max() > 0.4


def test_sigma_is_the_scatter():
    rng = np.random.default_rng(4)
    sigma = 0.1 + 0.02 * Q
    noise = sigma * rng.normal(size=(1500, len(Q)))
    found = to_gr(Q, noise, np.broadcast_to(sigma, noise.shape), R, qmin=0.8, qmax=25)
    pull = found.g / found.g_sigma
    assert 0.97 < pull.std() < 1.03
    each = pull.std(axis=0)
    assert 0.9 < each.min() < each.max() < 1.1


def test_an_uneven_axis_is_weighed():
    uneven = np.geomspace(0.8, 25, 4000)
    even = to_gr(Q, shell(Q), None, R, qmin=0.8, qmax=25).g
    found = to_gr(uneven, shell(uneven), None, R, qmin=0.8, qmax=25).g
    assert np.abs(found - even).max() < 0.01 * even.max()


def test_an_empty_range_is_refused():
    with pytest.raises(DataError, match=r"no F\(Q\) between"):
        to_gr(Q, shell(Q), None, R, qmin=30, qmax=40)


def test_a_thousand_patterns_take_seconds():
    block = shell(Q) * np.linspace(1, 2, 1000)[:, None]
    start = time.perf_counter()
    found = to_gr(Q, block, np.abs(block), np.arange(0, 50, 0.02), qmin=0.8, qmax=25)
    assert found.g.shape == (1000, 2500)
    assert time.perf_counter() - start < 20
