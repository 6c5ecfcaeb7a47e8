"""Handedness, origin and error of a slice against an analytic truth, free of noise."""

import numpy as np
import pytest

from tasks.algorithm import Engine
from tasks.ct.reconstruct import reconstruct
from tests.validate.truth import Ellipse, Truth, random_sample

methods = pytest.mark.parametrize("method", ["reference", "finufft"])


def truth_of(columns, axis, ellipses, count=None):
    count = count or int(1.5 * columns)
    return Truth(columns, 1, np.arange(count) * np.pi / count, axis, 0.0, 1e-3, ellipses)


def slice_of(truth, method, angles=None, sinogram=None):
    sinogram = truth.absorbance(0) if sinogram is None else sinogram
    with Engine(prefer={"ct.reconstruct": method}).active():
        return reconstruct(
            sinogram.astype(np.float32)[None],
            truth.angles if angles is None else angles,
            truth.axis_of(0),
            truth.pixel_size_cm,
        )[0]


@methods
@pytest.mark.parametrize("columns", [128, 129])
def test_a_grain_at_plus_x_plus_y_is_there_in_the_slice(method, columns):
    grain = Ellipse(10.0, 6, 6, x=20.0, y=35.0)
    slice_ = slice_of(truth_of(columns, columns / 2 + 1.7, (grain,)), method)
    y, x = np.indices(slice_.shape) - columns // 2
    weight = np.where(slice_ > 5, slice_, 0)
    assert (weight * x).sum() / weight.sum() == pytest.approx(20, abs=0.1)
    assert (weight * y).sum() / weight.sum() == pytest.approx(35, abs=0.1)
    assert slice_[np.hypot(x - 20, y - 35) < 5].mean() == pytest.approx(10, rel=0.02)


def test_growing_angles_turn_the_sample_counter_clockwise_as_seen_in_the_picture():
    """At a quarter turn a grain at +y (low in the picture) is on the right of the detector."""
    truth = truth_of(128, 64.0, (Ellipse(10.0, 5, 5, x=0.0, y=30.0),), count=192)
    sinogram = truth.absorbance(0)
    assert np.argmax(sinogram[0]) == 64
    assert np.argmax(sinogram[96]) == 94
    slice_ = slice_of(truth, "finufft")
    assert np.unravel_index(np.argmax(slice_), slice_.shape)[0] > 64 + 20


@methods
def test_angles_the_other_way_mirror_the_slice(method):
    truth = truth_of(129, 64.0, random_sample(np.random.default_rng(4), 129, 1e-3))
    mirrored = slice_of(truth, method, angles=-truth.angles)
    assert np.abs(mirrored[::-1] - slice_of(truth, method)).max() < 0.02 * mirrored.max()


@methods
@pytest.mark.parametrize("seed", range(3))
def test_fourier_slices_err_no_more_than_back_projection(method, seed):
    truth = truth_of(256, 130.4, random_sample(np.random.default_rng(seed), 256, 1e-3))
    image = truth.image(0)
    y, x = np.indices(image.shape) - 128
    inside = np.hypot(x, y) < 0.95 * 125

    def error(slice_):
        return np.sqrt(np.mean((slice_ - image)[inside] ** 2)) / image.max()

    assert error(slice_of(truth, method)) <= 1.001 * error(slice_of(truth, "reference"))
    assert error(slice_of(truth, method)) < 0.02


@methods
def test_a_whole_turn_and_lost_frames_give_the_same_values(method):
    sample = random_sample(np.random.default_rng(7), 192, 1e-3)
    half = truth_of(192, 95.2, sample, count=300)
    image = half.image(0)
    body = half.eroded(0, 0, 4)
    whole = Truth(192, 1, np.arange(600) * np.pi / 300, 95.2, 0.0, 1e-3, sample)
    assert slice_of(whole, method)[body].mean() == pytest.approx(image[body].mean(), rel=0.005)
    kept = np.delete(np.arange(300), [40, 41, 200])
    gappy = slice_of(half, method, half.angles[kept], half.absorbance(0)[kept])
    assert gappy[body].mean() == pytest.approx(image[body].mean(), rel=0.005)


@methods
def test_a_sample_that_leaves_the_field_has_no_bright_rim_and_true_contrast(method):
    """Its level cannot be known, but differences inside can, and the rim must not outshine them."""
    sample = (Ellipse(5.0, 100, 90, 0, 0), Ellipse(4.0, 12, 8, 20, -15))
    truth = truth_of(128, 63.5, sample, count=300)
    slice_ = slice_of(truth, method)
    y, x = np.indices(slice_.shape) - 64
    radius = np.hypot(x, y)
    grain = slice_[np.hypot(x - 20, y + 15) < 6].mean()
    beside = slice_[(np.hypot(x - 20, y + 15) > 15) & (np.hypot(x - 20, y + 15) < 20)].mean()
    assert grain - beside == pytest.approx(4.0, rel=0.03)
    assert slice_[(radius > 57) & (radius < 61)].mean() < slice_[radius < 20].mean()
