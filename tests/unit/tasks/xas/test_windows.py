import numpy as np
import pytest

from tasks.xas.windows import WINDOWS, window

K = 0.05 * np.arange(321)


@pytest.mark.parametrize("name", ["hanning", "parzen", "welch"])
def test_tapers_rise_and_fall_over_their_width(name):
    found = window(name, K, 3.0, 12.0, 1.0)
    assert np.all(found[(K >= 3.5) & (K <= 11.5)] == 1)
    assert np.all(found[(K < 2.5) | (K > 12.501)] == 0)
    assert np.all(np.diff(found[K < 4]) >= 0)
    at_the_middle = {"hanning": 0.5, "parzen": 0.5, "welch": 0.75}[name]
    assert found[np.searchsorted(K, 3.0 - 1e-9)] == pytest.approx(at_the_middle, abs=1e-6)
    assert found[np.searchsorted(K, 12.0 - 1e-9)] == pytest.approx(at_the_middle, abs=1e-6)


@pytest.mark.parametrize("name", list(WINDOWS))
def test_all_windows_are_symmetric_and_between_0_and_1(name):
    found = window(name, K, 4.0, 12.0, 2.0)
    assert found.min() >= 0
    assert found.max() == pytest.approx(1)
    assert np.abs(found - found[::-1]).max() < 1e-9  # 8 is the middle of the grid


def test_shape_parameters_of_the_windows_that_curve_all_the_way():
    middle = np.searchsorted(K, 8.0 - 1e-9)
    sine = window("sine", K, 4.0, 12.0, 2.0)  # from 3 to 13
    assert sine[middle - 50] == pytest.approx(np.sin(np.pi * 2.5 / 10))
    gaussian = window("gaussian", K, 4.0, 12.0, 2.0)
    assert gaussian[middle + 40] == pytest.approx(np.exp(-0.5))
    kaiser = window("kaiser", K, 4.0, 12.0, 4.0)
    beside = np.argmin(np.abs(K - 10.5))
    inside = 1 - (2.5 / 6) ** 2  # from 2 to 14
    assert kaiser[beside] == pytest.approx((np.i0(4 * inside**0.5) - 1) / (np.i0(4) - 1), rel=1e-6)


def test_corners_stay_where_they_are_on_every_grid():
    """A grid point that is not exact in binary does not move the corner by a point."""
    for points in range(260, 330):
        grid = 0.05 * np.arange(points)
        found = window("hanning", grid, 3.0, 12.0, 1.0)
        assert found[230] == 1, points
        assert found[231] < 1, points


def test_wrong_names_and_empty_windows_are_refused():
    with pytest.raises(ValueError, match="choose one of hanning"):
        window("hamming", K, 3, 12, 1)
    with pytest.raises(ValueError, match="empty"):
        window("hanning", K, 12, 3, 1)
