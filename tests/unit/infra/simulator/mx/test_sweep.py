"""What images count, against the truth that goes with them."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from infra.simulator.mx import cases, paint
from infra.simulator.mx.plan import Crystal, Rotation, SweepPlan
from infra.simulator.mx.sweep import Sweep

SMALL = Crystal("P 21 21 21", (31.0, 37.0, 42.0, 90.0, 90.0, 90.0), d_min=2.5)
PLAN = SweepPlan(crystal=SMALL, rotation=Rotation(20.0, 0.25, 16))


@cache
def expected(plan):
    sweep = Sweep(plan)
    return np.stack([sweep.expected(number) for number in range(plan.rotation.images)])


def quiet(plan):
    """Take the background away."""
    return replace(plan, background=replace(plan.background, air=0.0, solvent=0.0))


def alone(true, at=12.0):
    """Return whole, bright reflections that have no neighbour near."""
    apart = np.hypot(*(true.xyz[:, None, :2] - true.xyz[None, :, :2]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    inside = (true.xyz[:, 2] > 2) & (true.xyz[:, 2] < 14) & (true.recorded > 0.999)
    return np.flatnonzero(inside & ~true.lacking & (apart.min(axis=1) > at) & (true.counts > 50))


@pytest.mark.parametrize("profile", ["gaussian", "double", "tail"])
def test_counts_and_centroids_are_the_truths(profile):
    plan = quiet(PLAN.of(profile=profile))
    true, images = Sweep(plan).truth, expected(plan)
    rows = [row for row in alone(true) if _clear(plan, true.xyz[row])]
    assert len(rows) > 10
    for row in rows:
        x, y, _ = true.xyz[row]
        left, top = int(x) - 6, int(y) - 6
        box = images[:, top : top + 13, left : left + 13].astype(float)
        assert box.sum() == pytest.approx(true.counts[row], rel=2e-3)
        z, y_, x_ = np.indices(box.shape) + 0.5
        centroid = [np.sum(axis * box) / box.sum() for axis in (x_ + left, y_ + top, z)]
        np.testing.assert_allclose(centroid, true.xyz[row], atol=0.02)


def _clear(plan, xyz):
    x, y = int(xyz[0]), int(xyz[1])
    pixels = Sweep(plan).pixels
    bad = pixels.masked | pixels.shadow
    inside = 8 < x < bad.shape[1] - 8 and 8 < y < bad.shape[0] - 8
    return inside and not bad[y - 7 : y + 8, x - 7 : x + 8].any()


def test_an_images_part_is_the_truths():
    plan = quiet(PLAN)
    true, images = Sweep(plan).truth, expected(plan)
    row = next(row for row in alone(true) if _clear(plan, true.xyz[row]))
    x, y = true.xyz[row, :2].astype(int)
    counted = images[:, y - 6 : y + 7, x - 6 : x + 7].sum(axis=(1, 2)) / true.counts[row]
    parts = true.part_of == row
    told = np.bincount(true.part_image[parts], true.part[parts], len(images))
    np.testing.assert_allclose(counted, told, atol=2e-3)
    assert told.sum() == pytest.approx(true.recorded[row])


def test_counts_are_made_of_their_factors():
    true = Sweep(cases.decaying(PLAN)).truth
    made = true.squared * true.lorentz * true.polarisation * true.efficiency * true.scale
    np.testing.assert_allclose(true.counts, made)
    assert np.ptp(true.scale) > 0.01


def test_the_pixels_of_a_perfect_measurement():
    """Its variance by background alone, against least squares with the true profile."""
    plan = quiet(PLAN)
    true, images = Sweep(plan).truth, expected(plan)
    row = next(row for row in alone(true) if _clear(plan, true.xyz[row]))
    x, y = true.xyz[row, :2].astype(int)
    profile = images[:, y - 6 : y + 7, x - 6 : x + 7] / true.counts[row]
    assert true.pixels[row] == pytest.approx(1 / np.sum(profile**2), rel=0.01)


def test_noise_is_poissons():
    mean = np.repeat(np.array([0.02, 0.7, 5.0, 29.0, 31.0, 400.0, 1e5], np.float32), 40_000)
    counts = paint.drawn(mean.reshape(7, 40_000), np.uint64(5)).astype(float)
    expected = mean.reshape(7, 40_000)[:, 0].astype(float)
    error = np.sqrt(expected / 40_000)
    np.testing.assert_array_less(np.abs(counts.mean(axis=1) - expected), 4 * error)
    np.testing.assert_allclose(counts.var(axis=1) / expected, 1, atol=0.06)


def test_noise_has_poissons_probabilities():
    counts = paint.drawn(np.full((1, 200_000), 1.3, np.float32), np.uint64(9))[0]
    found = np.bincount(counts, minlength=6)[:6] / 200_000
    told = np.exp(-1.3) * np.array([1.3**n / f for n, f in enumerate((1, 1, 2, 6, 24, 120))])
    np.testing.assert_allclose(found, told, atol=4e-3)


def test_an_image_is_the_same_however_it_is_asked_for():
    sweep = Sweep(PLAN)
    in_turn = list(sweep.images(3, 6))
    for number, image in zip(range(3, 6), in_turn, strict=True):
        np.testing.assert_array_equal(image, Sweep(PLAN).image(number))
    assert not np.array_equal(in_turn[0], Sweep(replace(PLAN, seed=1)).image(3))


def test_a_closed_shutter_leaves_nothing():
    plan = cases.shut(PLAN)
    sweep, middle = Sweep(plan), PLAN.rotation.images // 2
    assert sweep.image(middle).max() == 0
    there = np.isin(sweep.truth.part_image, (middle, middle + 1, middle + 2))
    lost = np.bincount(sweep.truth.part_of[there], sweep.truth.part[there], len(sweep.truth))
    whole = Sweep(PLAN).truth.recorded
    np.testing.assert_allclose(sweep.truth.recorded, whole - lost, atol=1e-9)


def test_overloads_say_one_more_than_the_range():
    plan = cases.bright(PLAN)
    sweep = Sweep(plan)
    true = sweep.truth
    limit = plan.detector.saturation
    images = np.stack(list(sweep.images()))
    assert images.max() == limit + 1
    for row in np.flatnonzero(true.overloaded & ~true.lacking):
        x, y = true.xyz[row, :2].astype(int)
        assert images[:, y - 1 : y + 2, x - 1 : x + 2].max() > 0.9 * limit


def test_gaps_and_dead_pixels_count_nothing():
    sweep = Sweep(replace(PLAN, detector=replace(PLAN.detector, dead=1e-3, hot=1e-3)))
    image, pixels = sweep.image(2), sweep.pixels
    assert np.all(image[pixels.gaps] == -1)
    assert np.all(image[pixels.dead] == -2)
    assert np.all(image[~pixels.masked] >= 0)
    assert pixels.gaps[250:262].all()
    assert pixels.dead.sum() > 100
    assert image[pixels.hot].mean() == pytest.approx(50, rel=0.1)


def test_a_second_lattice_is_turned_by_its_angle():
    true = Sweep(cases.second_lattice(PLAN)).truth
    turn = true.second_a_matrix @ np.linalg.inv(true.a_matrix)
    angle = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
    assert angle == pytest.approx(4.0)
    assert set(true.lattice.tolist()) == {0, 1}
    assert true.scale[true.lattice == 1].mean() == pytest.approx(0.33)


@pytest.mark.parametrize("case", ["powder", "empty"])
def test_without_a_crystal_there_are_no_reflections(case):
    sweep = Sweep(cases.CASES[case](PLAN))
    assert len(sweep.truth) == 0
    assert sweep.image(0).max() < 100


def test_grains_of_ice_lie_on_its_rings():
    plan = quiet(replace(PLAN, background=replace(PLAN.background, grains=40)))
    image = expected(replace(plan, subject="empty"))[5]
    y, x = np.nonzero(image > 20)
    detector = plan.detector
    centre = np.array(Sweep(plan).truth.beam_centre)
    away = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1]) * detector.pixel
    d = 1 / (2 * np.sin(np.arctan(away / detector.distance) / 2))
    rings = np.array([3.897, 3.669, 3.441, 2.671, 2.249, 2.072, 1.948, 1.918, 1.883, 1.721])
    assert len(d) > 20
    assert np.abs(1 / d[:, None] - 1 / rings).min(axis=1).max() < 0.012
