"""Masks: beam stop, dead and hot pixels, spots, saturation; what a powder itself does stays."""

import numpy as np
import pytest

from tasks.errors import DataError
from tasks.pdf.masking import (
    bad_pixels,
    check_mask,
    check_saturation,
    join_masks,
    mean_image,
    stuck_pixels,
    valid_range,
)
from tasks.pdf.rings import outliers, rings_of

SHAPE = (480, 520)
CENTRE = (235.3, 262.8)
Y, X = np.indices(SHAPE) - np.array(CENTRE)[:, None, None]
RADIUS = np.hypot(Y, X)
TWO_THETA = np.arctan(RADIUS / 1000)
NOTHING = np.zeros(SHAPE, bool)


RINGS = {70: 1.0, 81: 0.5, 115: 0.7, 140: 0.4, 190: 0.3}


def air(scale=200.0):
    return scale * (0.15 + np.exp(-RADIUS / 120))


def powder(scale=200.0):
    """Air scattering and a few sharp rings."""
    peaks = sum(
        8 * scale * height * np.exp(-(((RADIUS - radius) / 1.8) ** 2))
        for radius, height in RINGS.items()
    )
    return air(scale) + peaks


def glass(scale=200.0):
    """Nothing at small angles and a first peak that is broad, as of a liquid."""
    return scale * (0.1 + np.exp(-(((RADIUS - 45) / 14) ** 2)) + 0.4 * (RADIUS > 45))


def behind_a_stop(image, through=0.02):
    """Put a disc and an arm of 16 pixels into the beam; return where they are."""
    arm = (np.abs(Y - 0.2 * X) < 8) & (X > 0)
    stop = (RADIUS < 22) | arm
    return np.where(RADIUS < 22, through * image, np.where(arm, 0.5 * image, image)), stop


def counts(expected, seed=0):
    return np.random.default_rng(seed).poisson(expected)


@pytest.mark.parametrize("scale", [20.0, 200.0, 5000.0])
def test_the_shadow_of_the_beam_stop_and_its_arm_is_found(scale):
    dimmed, stop = behind_a_stop(powder(scale))
    gaps = (np.indices(SHAPE)[1] % 170) > 163
    found = bad_pixels(counts(dimmed), TWO_THETA, gaps, photons=1)
    deep = stop & ~gaps & (np.hypot(Y, X) < 200)
    assert found.shadow[deep].mean() > 0.97
    outside = found.shadow & ~stop
    assert outside.sum() < 0.6 * stop.sum()  # a rim of some pixels
    assert not found.shadow[gaps].any()


@pytest.mark.parametrize(
    "image", [powder(), glass(), glass(20.0), 5 + powder() - air(), 200.0 * (1.2 - air() / 230)]
)
def test_what_is_no_beam_stop_is_not_taken_for_one(image):
    assert not bad_pixels(counts(image), TWO_THETA, photons=1).shadow.any()


def test_a_detector_beside_the_beam_has_no_beam_stop():
    found = bad_pixels(counts(powder()[:, 330:]), TWO_THETA[:, 330:], photons=1)
    assert not found.shadow.any()


@pytest.mark.parametrize("scale", [60.0, 500.0])
def test_dead_and_hot_pixels_are_found_and_good_ones_are_left(scale):
    image = counts(powder(scale))
    rng = np.random.default_rng(3)
    dead, hot = rng.random(SHAPE) < 5e-4, rng.random(SHAPE) < 2e-4
    image[dead] = 0
    image[hot] = 40 * powder(scale)[hot]
    found = bad_pixels(image, TWO_THETA, photons=1)
    assert found.mask[hot].mean() > 0.95
    told = dead & (air(scale) > 35)  # of few counts none at all is no sign
    for radius in RINGS:
        told &= np.abs(RADIUS - radius) > 5
    assert found.dead[told].mean() > 0.9
    wrong = found.mask & ~dead & ~hot
    assert wrong.mean() < 2e-4


def test_good_pixels_of_few_counts_are_left():
    image = counts(powder(0.5))
    with_photons = bad_pixels(image, TWO_THETA, photons=1).mask.mean()
    without = bad_pixels(image, TWO_THETA).mask.mean()
    assert with_photons < 2e-5
    assert without > 5 * with_photons


def test_a_mean_of_frames_is_more_certain():
    frames = np.stack([counts(powder(20.0), seed) for seed in range(20)])
    frames[:, 100, 100] = counts(np.full(20, 1.6 * powder(20.0)[100, 100]))
    for number, told in ((1, False), (20, True)):
        found = bad_pixels(mean_image(frames[:number]), TWO_THETA, photons=number)
        assert found.hot[100, 100] == told
        assert found.mask.mean() < 1e-4


def test_spots_of_a_single_crystal_are_found_with_their_flanks():
    image = counts(powder())
    places = [(100, 100), (300, 400), (400, 130), (60, 350)]
    spots = sum(
        30 * powder()[y, x] * np.exp(-(((Y + CENTRE[0] - y) ** 2 + (X + CENTRE[1] - x) ** 2) / 6))
        for y, x in places
    )
    found = bad_pixels(image + counts(spots, 1), TWO_THETA, photons=1)
    assert found.spots[spots > 5 * np.sqrt(powder())].mean() > 0.9
    assert found.counts()["spots"] == found.spots.sum() < 4 * 95
    assert bad_pixels(image + counts(spots, 1), TWO_THETA, photons=1, spots=False).hot.sum() > 40


def test_the_grains_of_a_coarse_powder_are_left_since_they_are_the_powder():
    rng = np.random.default_rng(4)
    grains = np.kron(rng.exponential(1, (160, 174)) ** 3 / 6, np.ones((3, 3)))[:480, :520]
    image = counts(air() + (powder() - air()) * grains)
    image[20, 30] = 100_000
    found = bad_pixels(image, TWO_THETA, photons=1)
    assert found.grainy > 8
    assert found.hot[20, 30]
    ring = np.abs(RADIUS - 70) < 2
    assert image[ring & ~found.mask].mean() == pytest.approx(image[ring].mean(), rel=0.05)


def test_stuck_and_flickering_pixels_of_a_stack():
    frames = np.stack([counts(powder(), seed) for seed in range(8)])
    frames[:, 50, 60] = 37
    frames[::2, 200, 80] *= 30
    found = stuck_pixels(frames, TWO_THETA)
    assert found[50, 60]
    assert found[200, 80]
    assert found.sum() < 30
    assert not stuck_pixels(np.stack([frames[0]] * 8), TWO_THETA).any()
    with pytest.raises(ValueError, match="give five"):
        stuck_pixels(frames[:4], TWO_THETA)


def test_a_mask_that_leaves_hardly_anything_is_refused():
    with pytest.raises(DataError, match=r"beam.edf leaves 2.0% of the pixels"):
        check_mask(np.arange(100) >= 2, "beam.edf")
    with pytest.raises(DataError, match="another detector"):
        join_masks(SHAPE, NOTHING, NOTHING[1:])
    one, other = NOTHING.copy(), NOTHING.copy()
    one[0], other[:, 0] = True, True
    assert join_masks(SHAPE, one, None, other).sum() == sum(SHAPE) - 1


@pytest.mark.parametrize("stated", [None, 6000.0])
def test_an_overexposed_image_is_refused(stated):
    image = np.minimum(counts(powder(1500.0)), 6000)
    with pytest.raises(DataError, match=r"overexposed.*6000") as error:
        check_saturation(image, NOTHING, stated, "scan_7.tif")
    assert "scan_7.tif" in str(error.value)
    assert check_saturation(image, image >= 3000, stated) == 0


def test_what_is_not_saturated_is_not_refused():
    image = counts(powder())
    assert check_saturation(image, NOTHING) == 0
    stuck = image.copy()
    stuck[np.random.default_rng(1).random(SHAPE) < 5e-4] = 65535
    assert check_saturation(stuck, NOTHING) == (stuck == 65535).sum()
    assert check_saturation(counts(powder(0.1)), NOTHING) == 0


def test_what_a_counter_marks_as_not_valid():
    assert valid_range(np.dtype("u4")) == (None, 2**32 - 2)
    assert valid_range(np.dtype("i4")) == (0.0, None)
    frames = np.array([[[3, -1, 4]], [[5, -2, -1]]])
    np.testing.assert_array_equal(mean_image(frames, 0), [[4.0, np.nan, 4.0]])


def test_rings_are_a_pixel_wide():
    ring, rings = rings_of(TWO_THETA)
    assert rings == pytest.approx(RADIUS.max(), rel=0.1)
    assert np.ptp(RADIUS[ring == 200]) < 1.6
    found = outliers(counts(powder()), TWO_THETA, NOTHING)
    assert abs(float(found.score.mean())) < 0.02
    assert found.score.std() == pytest.approx(1, abs=0.05)
