"""Spots against their true places, sizes and intensities; blocks; what is no spot."""

import numpy as np
import pytest

from tasks.mx.spots import block_spots, find_spots, join_blocks
from tests.unit.tasks.mx.spot_truth import nearest, sweep_with_spots


@pytest.mark.parametrize("level", [0.0, 0.5, 10.0])
def test_every_strong_spot_is_found_once_where_it_is(level):
    images, mask, true = sweep_with_spots(level=level, counts=(1000.0, 1e4))
    spots = find_spots(images, mask)
    spot, place = nearest(spots, true)
    assert sorted(place) == list(range(len(true)))
    assert len(spots) == len(true)
    apart = spots.xyz[spot] - true[place, :3]
    assert np.abs(apart).max() < 0.35
    assert np.abs(apart.mean(axis=0)).max() < 0.03
    assert np.median(spots.intensity[spot] / true[place, 3]) == pytest.approx(0.98, abs=0.03)


def test_variances_say_how_far_off_centroids_are():
    pulls = []
    for seed in range(4):
        images, mask, true = sweep_with_spots(seed, counts=(300.0, 3000.0))
        spots = find_spots(images, mask)
        spot, place = nearest(spots, true)
        pulls.append((spots.xyz[spot] - true[place, :3]) / np.sqrt(spots.variance[spot]))
    width = 1.4826 * np.median(np.abs(np.concatenate(pulls)), axis=0)
    assert (width > 0.7).all()
    assert (width < 1.4).all()


@pytest.mark.parametrize("borders", [(4, 8), (1, 2, 3, 5, 7, 11), (6,)])
def test_borders_of_blocks_cut_no_spot(borders):
    images, mask, _ = sweep_with_spots()
    whole = find_spots(images, mask, first=7)
    begins, ends = (0, *borders), (*borders, len(images))
    parts = [block_spots(images[a:b], mask, first=7 + a) for a, b in zip(begins, ends, strict=True)]
    joined = join_blocks(parts)
    assert len(joined) == len(whole)
    spot, same = nearest(joined, whole.xyz)
    assert sorted(same) == list(range(len(whole)))
    np.testing.assert_array_equal(joined.pixels[spot], whole.pixels[same])
    np.testing.assert_array_equal(joined.images[spot], whole.images[same])
    apart = np.abs(joined.xyz[spot] - whole.xyz[same])
    assert np.median(apart, axis=0).max() < 0.02
    assert apart.max() < 0.5  # flanks that reach over a border are not seen


def test_spots_of_blocks_that_do_not_follow_each_other_stay_apart():
    images, mask, _ = sweep_with_spots(count=20)
    parts = [block_spots(images[:6], mask, first=0), block_spots(images[6:], mask, first=8)]
    whole = find_spots(images, mask)
    assert len(join_blocks(parts)) > len(whole)


def empty(images=6, level=2.0):
    counted = np.random.default_rng(1).poisson(level, (images, 120, 120)).astype(np.int32)
    return counted, np.zeros((120, 120), dtype=bool)


def test_noise_hot_pixels_streaks_and_lost_images_are_no_spots():
    images, mask = empty()
    images[:, 40, 50] = 5000
    images[2, 80, 20:100] = 300
    images[4] = -1
    assert len(find_spots(images, mask)) == 0


def test_nothing_at_all_gives_no_spots():
    images = np.zeros((3, 60, 60), dtype=np.int32)
    mask = np.zeros((60, 60), dtype=bool)
    spots = join_blocks([block_spots(images, mask), block_spots(images, mask, 3)])
    assert len(spots) == 0
    assert spots.xyz.shape == (0, 3)


def test_two_spots_grown_together_are_left_out_unless_overloaded():
    images, mask = empty(1)
    images[0, 60:63, 50:53] += 4000
    images[0, 61, 53:65] += 900
    images[0, 60:63, 65:68] += 3000
    assert len(find_spots(images, mask)) == 0
    kept = find_spots(images, mask, saturation=3500)
    assert kept.overloaded is not None
    assert kept.overloaded.tolist() == [True]


def test_a_spot_on_a_slope_keeps_its_place():
    images, mask, true = sweep_with_spots(seed=5, count=30, level=0.0, counts=(2000.0, 5000.0))
    x = np.arange(images.shape[2])
    ring = 40 * np.exp(-(((x - 160) / 60) ** 2))
    more = np.random.default_rng(9).poisson(np.broadcast_to(ring, images.shape)).astype(np.int32)
    images = np.where(images < 0, images, images + more)
    spots = find_spots(images, mask)
    spot, place = nearest(spots, true)
    assert len(set(place)) == len(true)
    assert np.abs((spots.xyz[spot] - true[place, :3]).mean(axis=0)).max() < 0.04


def test_gain_is_taken_into_account():
    images, mask = empty(1, 20.0)
    noisy = np.where(images >= 0, images * 4, images)
    noisy[0, 30:33, 30:33] += 400
    assert len(find_spots(noisy, mask, gain=4.0)) == 1
    assert len(find_spots(noisy, mask, gain=1.0, least_pixels=1)) > 20
