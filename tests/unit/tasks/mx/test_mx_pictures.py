"""Pictures: they show what they are given, and bear what is not there yet."""

import numpy as np
import pytest
from matplotlib.image import imread

from tasks.mx.detector_picture import draw_detector, ring_on_detector
from tasks.mx.geometry import resolution
from tasks.mx.image_figures import image_figures
from tasks.mx.strip_chart import draw_strip_chart
from tests.unit.tasks.mx.spot_truth import geometry_of, sweep_with_spots

RED = np.array([0xD9, 0x48, 0x0F]) / 255


@pytest.fixture(scope="module")
def sweep():
    images, mask, true = sweep_with_spots(count=30)
    return images, mask, true, geometry_of(*mask.shape, len(images))


def red_pixels(path):
    return (np.abs(imread(path)[..., :3] - RED).max(axis=2) < 0.1).sum()


def test_a_ring_lies_at_its_resolution(sweep):
    geometry = sweep[3]
    assert resolution(geometry, ring_on_detector(geometry, 2.5)) == pytest.approx(2.5)
    assert np.isnan(ring_on_detector(geometry, 0.4)).all()


def test_spots_are_marked_on_the_detector(sweep, tmp_path):
    images, mask, true, geometry = sweep
    bare = draw_detector(tmp_path / "bare.png", images[5], mask, geometry)
    few = draw_detector(tmp_path / "few.png", images[5], mask, geometry, true[:5, :2])
    many = draw_detector(
        tmp_path / "many.png", images[5], mask, geometry, true[:, :2], true[:, :2] + 2
    )
    assert red_pixels(bare) == 0
    assert red_pixels(bare) < red_pixels(few) < red_pixels(many)


def test_a_blank_image_can_be_drawn(sweep, tmp_path):
    _, mask, _, geometry = sweep
    nothing = np.full(mask.shape, -1, dtype=np.int32)
    assert draw_detector(tmp_path / "a.png", nothing, mask, geometry, np.zeros((0, 2))).exists()


@pytest.mark.parametrize("rows", [[0], [0, 1, 2, 7, 8], list(range(12))[::-1], []])
def test_a_part_of_the_sweep_can_be_drawn(sweep, tmp_path, rows):
    images, mask, _, geometry = sweep
    figures = image_figures(images, mask, geometry, saturation=200)
    part = figures.take(np.array(rows, dtype=int))
    path = draw_strip_chart(tmp_path / "strip.png", part, planned=40)
    assert imread(path).shape[:2] == (806, 1196)
    overloaded = bool((part.overloaded > 0).any())
    assert (red_pixels(path) > 0) == overloaded
