"""Figures of images against what was put in."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from tasks.mx.geometry import resolution
from tasks.mx.image_figures import (
    ImageFigures,
    image_figures,
    inverse_d,
    spots_and_figures,
    spots_resolution,
)
from tasks.mx.spots import find_spots, join_blocks
from tests.unit.tasks.mx.spot_truth import geometry_of, sweep_with_spots


@pytest.fixture(scope="module")
def sweep():
    images, mask, true = sweep_with_spots(shape=(10, 300, 320), level=2.0, counts=(2e3, 9e3))
    return images, mask, true, geometry_of(300, 320, 10)


def test_figures_say_what_was_put_in(sweep):
    images, mask, true, geometry = sweep
    figures = image_figures(images, mask, geometry, saturation=500, first=30)
    assert figures.image.tolist() == list(range(30, 40))
    strong = [(np.abs(true[:, 2] - 0.5 - z) < 0.6).sum() for z in range(10)]
    assert (figures.spots >= strong).all()
    assert figures.background == pytest.approx(np.full(10, 2.0), rel=0.05)
    valid = images >= 0
    assert figures.total.tolist() == np.where(valid, images, 0).sum(axis=(1, 2)).tolist()
    assert figures.overloaded.tolist() == (images > 500).sum(axis=(1, 2)).tolist()
    assert figures.overloaded.sum() > 0
    assert not figures.ice.any()


def test_spots_come_from_the_same_search(sweep):
    images, mask, _, geometry = sweep
    parts, figures = spots_and_figures(images, mask, geometry)
    alone = find_spots(images, mask)
    np.testing.assert_array_equal(join_blocks([parts]).xyz, alone.xyz)
    assert len(figures) == len(images)


def test_the_resolution_leaves_the_finest_twentieth_out(sweep):
    geometry = sweep[3]
    x = np.linspace(170, 310, 100)
    xy = np.column_stack([x, np.full(100, 150.0)])
    d = resolution(geometry, xy)
    found = spots_resolution(geometry, xy)
    assert d[-1] < found < d[-12]
    assert np.isnan(spots_resolution(geometry, xy[:5]))
    assert np.isnan(spots_resolution(geometry, xy[:0]))


def test_a_lost_image_and_a_dark_one(sweep):
    images, mask, _, geometry = sweep
    images = images.copy()
    images[3] = -1
    images[4] = np.where(mask, -1, 0)
    figures = image_figures(images, mask, geometry)
    assert np.isnan(figures.total[3])
    assert np.isnan(figures.background[3])
    assert figures.total[4] == 0
    assert figures.background[4] == 0
    assert figures.spots[3:5].tolist() == [0, 0]
    assert np.isnan(figures.resolution[3:5]).all()


def test_rings_are_at_their_resolution(sweep):
    images, mask, _, geometry = sweep
    far = replace(geometry, detector=replace(geometry.detector, shape=mask.shape))
    y, x = np.mgrid[:300, :320] + 0.5
    d = resolution(far, np.column_stack([x.ravel(), y.ravel()])).reshape(mask.shape)
    ring = np.abs(1 / d - 1 / 3.2) < 0.002
    painted = np.random.default_rng(1).poisson(np.where(ring, 9.0, 3.0), images.shape)
    figures = image_figures(painted.astype(np.int32), mask, far)
    brightest = inverse_d(far)[np.nanargmax(figures.profile[0])]
    assert 1 / brightest == pytest.approx(3.2, abs=0.03)


def test_figures_of_blocks_join_and_travel(sweep):
    images, mask, _, geometry = sweep
    blocks = [image_figures(images[i : i + 5], mask, geometry, first=i) for i in (0, 5)]
    joined = pickle.loads(pickle.dumps(ImageFigures.join(blocks)))  # noqa: S301 - our own
    whole = image_figures(images, mask, geometry)
    np.testing.assert_array_equal(joined.image, whole.image)
    np.testing.assert_array_equal(joined.spots, whole.spots)
    np.testing.assert_array_equal(joined.profile, whole.profile)
