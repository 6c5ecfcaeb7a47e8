"""Rings of ice: where they are, and whether a profile has them."""

import numpy as np
import pytest

from tasks.mx.ice import ice_rings, ice_scores, on_ring, ring_contrast, rings


def test_rings_are_where_crystallographers_see_them():
    # the strongest ones as image viewers list them
    for d in (3.90, 3.67, 3.44, 2.67, 2.25, 2.07, 1.95, 1.92, 1.88, 1.72):
        assert np.abs(rings() - d).min() < 0.012
    assert not np.isclose(rings(), 7.32, atol=0.05).any()  # 0 0 1 is absent


def test_a_resolution_on_a_ring_is_told_from_one_beside_it():
    assert on_ring(np.array([3.90, 3.66, 2.25])).all()
    assert not on_ring(np.array([30.0, 5.0, 4.1, 3.2, 2.45, np.inf])).any()


def test_rings_leave_most_of_the_space_that_matters():
    assert on_ring(1 / np.linspace(0.05, 0.5, 10000)).mean() < 0.12


def profiles(contrast, images=20, seed=0, pixels=2e4):
    rng = np.random.default_rng(seed)
    axis = (np.arange(400) + 0.5) * 0.6 / 400
    pixels = pixels * (0.01 + axis)
    level = 1.5 * np.exp(-axis / 0.3) + np.exp(-0.5 * ((axis - 0.3) / 0.05) ** 2)
    shape = np.zeros_like(axis)
    for d in (3.90, 3.66, 3.44, 2.67, 2.25):
        shape += np.exp(-0.5 * ((axis - 1 / d) / 0.0013) ** 2)
    counts = rng.poisson(level * (1 + contrast * shape) * pixels, (images, 400))
    return axis, counts / pixels, np.sqrt(np.maximum(counts, 1)) / pixels


@pytest.mark.parametrize("seed", range(5))
def test_a_smooth_solvent_ring_is_no_ice(seed):
    assert ice_rings(*profiles(0.0, seed=seed)) == ()
    assert ice_scores(*profiles(0.0, seed=seed)).max() < 0.1


def test_ice_is_found_and_measured():
    found = ice_rings(*profiles(0.3))
    assert np.allclose(found, (3.895, 3.66, 3.437, 2.667, 2.249), atol=0.01)
    assert np.median(ice_scores(*profiles(1.0))) == pytest.approx(0.65, abs=0.15)


def test_weak_ice_shows_in_the_mean_of_many_images():
    axis, profile, sigma = profiles(0.2, images=100, pixels=400)
    assert len(ice_rings(axis, profile, sigma)) >= 4
    assert np.median(ice_scores(axis, profile, sigma)) == 0.0


def test_a_detector_that_sees_no_ring_tells_none():
    axis, profile, sigma = profiles(1.0)
    short = axis < 0.2
    d, contrast, _ = ring_contrast(axis[short], profile[:, short], sigma[:, short])
    assert len(d) == 0
    assert contrast.shape == (20, 0)
    assert ice_rings(axis[short], profile[:, short], sigma[:, short]) == ()
    assert not ice_scores(axis[short], profile[:, short], sigma[:, short]).any()
