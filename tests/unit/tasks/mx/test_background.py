"""Robust backgrounds: right at any level, whatever lies in the box."""

import numpy as np
import pytest

from tasks.mx.background import fit_background
from tasks.mx.predict import Predicted
from tasks.mx.shoebox import Shoeboxes
from tasks.mx.shoebox_kernels import BACKGROUND, PEAK

WIDE, DEEP, RADIUS = 15, 4, 3.5
N = 400


def boxes(level, rng, spoil=None, peak=0.0):
    """Boxes of 15 x 15 x 4 pixels; e1 and e2 in pixels; the level is a map (15, 15) or a number."""
    y, x = np.mgrid[:WIDE, :WIDE] - WIDE // 2
    inside = np.hypot(x, y) <= RADIUS
    counts = rng.poisson(np.broadcast_to(level, (N, DEEP, WIDE, WIDE)))
    counts += rng.poisson(peak * inside, size=counts.shape)
    if spoil is not None:
        counts = spoil(counts)
    codes = np.where(np.broadcast_to(inside, counts.shape), PEAK, BACKGROUND).astype(np.uint8)
    zeros, threes = np.zeros(N), np.zeros((N, 3))
    xyz = np.full((N, 3), WIDE / 2)
    predicted = Predicted(threes.astype(np.int32), xyz, threes, zeros, zeros)
    pixels = DEEP * WIDE**2
    return Shoeboxes(
        predicted,
        np.broadcast_to(np.eye(2), (N, 2, 2)).copy(),
        zeros + 1,
        np.zeros((N, 3), np.int32),
        np.tile(np.array([WIDE, WIDE, DEEP], np.int32), (N, 1)),
        np.arange(N, dtype=np.int64) * pixels,
        counts.astype(np.int32).ravel(),
        codes.ravel(),
    )


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2, 1.0, 4.0, 30.0, 250.0])
def test_level_is_unbiased_and_its_sigma_true(level):
    found = fit_background(boxes(level, np.random.default_rng(1)), RADIUS)
    pull = (found.level - level) / np.sqrt(level / found.pixels)
    assert abs(pull.mean()) < 0.25  # of the error of one box
    assert pull.std() < 1.25
    constant = found.covariance[:, 1, 1] == 0
    assert constant.mean() > 0.95
    told = np.sqrt(found.covariance[constant, 0, 0])
    assert (found.level - level)[constant].std() / np.median(told) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("level", [0.2, 1.0, 10.0])
def test_neighbours_tails_and_hot_pixels_hardly_matter(level):
    rng = np.random.default_rng(2)

    def spoil(counts):
        counts[:, :, 12:, 12:] += rng.poisson(20 + 10 * level, size=counts[:, :, 12:, 12:].shape)
        counts[:, :, 1, 1] = 3000
        return counts

    found = fit_background(boxes(level, rng, spoil), RADIUS)
    plain = level + (9 * (20 + 10 * level) + 3000) / (WIDE**2 - 37)
    assert np.abs(found.level.mean() - level) < 0.2 * level + 0.03
    assert plain > 3 * level


def test_slope_is_followed():
    y, x = np.mgrid[:WIDE, :WIDE] - WIDE // 2
    found = fit_background(boxes(5 + 0.3 * x - 0.2 * y, np.random.default_rng(3)), RADIUS)
    assert found.level.mean() == pytest.approx(5, abs=0.05)
    slopes = found.beta[:, 1:3].mean(axis=0) / RADIUS
    np.testing.assert_allclose(slopes, [0.3, -0.2], atol=0.02)


@pytest.mark.parametrize("centre", [0.0, 2.0])
def test_ring_of_ice_under_the_peak(centre):
    y, _ = np.mgrid[:WIDE, :WIDE] - WIDE // 2
    ring = 2 + 20 * np.exp(-((y - centre) ** 2) / 2 / 1.5**2)
    found = fit_background(boxes(ring, np.random.default_rng(4)), RADIUS)
    assert (found.number == 10).mean() > 0.95
    at = np.linspace(-RADIUS, RADIUS, 9)
    true = 2 + 20 * np.exp(-((at - centre) ** 2) / 2 / 1.5**2)
    np.testing.assert_allclose(np.median(found.beta[:, :9], axis=0), true, atol=1.2)
    assert (found.beta[:, :9] - true).sum(axis=1).mean() == pytest.approx(0, abs=0.03 * true.sum())


def test_gain_divides_counts():
    rng = np.random.default_rng(5)
    photons = boxes(3.0, rng)
    ten = Shoeboxes(
        *(getattr(photons, name) for name in ("predicted", "jacobian", "per_image")),
        photons.corner,
        photons.size,
        photons.offset,
        10 * photons.counts,
        photons.codes,
    )
    np.testing.assert_allclose(
        fit_background(ten, RADIUS, 10.0).level, fit_background(photons, RADIUS).level, rtol=1e-3
    )
