"""Strong pixels against the rule written out pixel by pixel."""

import numpy as np
import pytest

from tasks.algorithm import Engine
from tasks.mx.strong_pixels import strong_pixels
from tasks.resources import Resources


def by_the_rule(image, mask, gain, background, strong):
    found = np.zeros(image.shape, dtype=bool)
    valid = (image >= 0) & ~mask
    for y, x in np.argwhere(valid):
        around = (slice(max(y - 3, 0), y + 4), slice(max(x - 3, 0), x + 4))
        counts = image[around][valid[around]].astype(float)
        if len(counts) < 10 or image[y, x] <= gain:
            continue
        mean = counts.mean()
        index = counts.var(ddof=1) / mean
        local = image[y, x] > mean + strong * np.sqrt(gain * mean)
        found[y, x] = local and index > gain * (1 + background * np.sqrt(2 / (len(counts) - 1)))
    return found


def noisy(level, seed=3):
    rng = np.random.default_rng(seed)
    image = rng.poisson(level, (40, 45)).astype(np.int32)
    image[20:23, 30:32] += 40
    image[5, 5] += 90
    mask = rng.random(image.shape) < 0.05
    mask[:, 17:20] = True
    image[33] = -1
    return image, mask


@pytest.mark.parametrize("gain", [1.0, 2.5])
@pytest.mark.parametrize("level", [0.0, 0.3, 30.0])
def test_the_rule_is_followed_pixel_by_pixel(level, gain):
    image, mask = noisy(level)
    expected = by_the_rule(image, mask, gain, 4.0, 2.0)
    assert expected.any()
    with Engine(Resources(cores=1)).active():
        found = strong_pixels(image[None], mask, gain, 4.0, 2.0)[0]
    np.testing.assert_array_equal(found, expected)


def test_what_masked_pixels_count_does_not_matter():
    image, mask = noisy(3.0)
    other = image.copy()
    other[mask] = 10**6
    np.testing.assert_array_equal(
        strong_pixels(image[None], mask), strong_pixels(other[None], mask)
    )


def test_threads_and_a_view_that_is_not_contiguous_change_nothing():
    images = np.stack([noisy(2.0, seed)[0] for seed in range(6)])
    mask = noisy(2.0)[1]
    alone = np.concatenate([strong_pixels(image[None], mask) for image in images])
    with Engine(Resources(cores=2)).active():
        np.testing.assert_array_equal(strong_pixels(images, mask), alone)
        np.testing.assert_array_equal(strong_pixels(images[::2], mask), alone[::2])


def test_noise_alone_has_hardly_any():
    image = np.random.default_rng(0).poisson(5.0, (1, 400, 400)).astype(np.int32)
    assert strong_pixels(image, np.zeros((400, 400), dtype=bool)).mean() < 2e-5
