import numpy as np
import pytest

from infra.simulator.phantom import (
    Ellipsoid,
    Geometry,
    attenuation,
    line_integrals,
    projections,
    sample_object,
)

CENTRE = np.zeros((1, 2))


def test_line_integrals_agree_with_summing_the_attenuation_along_the_rays():
    geometry = Geometry(columns=48, rows=6, axis=22.4)
    parts = [Ellipsoid(2.0, (4, -3, 0.5), (9, 14, 8), 0.6), Ellipsoid(-0.7, (-6, 5, 0), (4, 3, 20))]
    angles = np.deg2rad([0, 31, 90, 155])
    found = line_integrals(parts, geometry, angles, samples=CENTRE)[:, 0]

    step = 0.01
    depth = np.arange(-40, 40, step)
    t = (np.arange(48) - 22.4)[:, None]
    for number, angle in enumerate(angles):
        x = t * np.cos(angle) - depth * np.sin(angle)
        y = t * np.sin(angle) + depth * np.cos(angle)
        for row in (0, 4):
            summed = attenuation(parts, x, y, row - 2.5).sum(axis=1) * step
            expected = summed * geometry.pixel_size * 100
            np.testing.assert_allclose(found[number, row], expected, atol=4 * step * 20e-4)


def test_the_angle_turns_plus_y_to_the_right():
    geometry = Geometry(columns=101, rows=1, axis=50)
    ball = [Ellipsoid(1.0, (10, 30, 0), (3, 3, 3))]
    shadow = line_integrals(ball, geometry, np.deg2rad([0, 90]), samples=CENTRE)[:, 0, 0]
    assert np.argmax(shadow, axis=1).tolist() == [60, 80]


def test_a_tilted_axis_leans_to_the_right_further_down():
    geometry = Geometry(columns=64, rows=33, axis=30, tilt=2.0)
    rod = [Ellipsoid(1.0, (0, 0, 0), (2, 2, 1e6))]
    across = np.stack([np.linspace(-0.5, 0.5, 64), np.zeros(64)], axis=1)
    shadow = line_integrals(rod, geometry, np.zeros(1), samples=across)[0].mean(axis=0)
    middles = shadow @ np.arange(64) / shadow.sum(axis=1)
    np.testing.assert_allclose(middles, [geometry.axis_at(row) for row in range(33)], atol=0.02)
    assert middles[-1] > middles[0] + 1


def test_a_pixel_averages_over_its_area():
    geometry = Geometry(columns=120, rows=16, axis=58.3, projections=7)
    parts = sample_object(geometry)
    fine = (np.arange(8) + 0.5) / 8 - 0.5
    grid = np.array([(column, row) for column in fine for row in fine])
    exact = line_integrals(parts, geometry, geometry.angles, samples=grid).mean(axis=1)
    assert (projections(parts, geometry) - exact).std() < 1e-3 * exact.max()


@pytest.mark.parametrize(("axis", "tilt"), [(124.3, 0.0), (110.7, 0.5), (140.2, -0.5)])
def test_the_object_stays_in_view(axis, tilt):
    geometry = Geometry(rows=16, projections=60, axis=axis, tilt=tilt)
    absorbance = projections(sample_object(geometry), geometry)
    assert absorbance[:, :, [0, -1]].max() == 0
    assert 1 < absorbance.max() < 3


def test_no_flip_of_the_object_looks_like_it():
    geometry = Geometry(columns=128, rows=32, axis=63.5)
    x = np.arange(128)[None, :] - 63.5
    slices = [attenuation(sample_object(geometry), x, x.T, z) for z in (-8.0, 8.0)]
    scale = slices[0].std()
    for flipped in (slices[0][::-1], slices[0][:, ::-1], slices[0].T, slices[0][::-1, ::-1]):
        assert (flipped - slices[0]).std() > 0.3 * scale
    assert (slices[1] - slices[0]).std() > 0.1 * scale
