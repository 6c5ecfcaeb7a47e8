"""Geometry by hand: where a crystal that lies simply must show its reflections."""

from dataclasses import replace

import numpy as np
import pytest

from infra.simulator.mx import crossings, instrument
from infra.simulator.mx.plan import KAPPA, Crystal, Detector, Goniometer, Rotation, SweepPlan
from infra.simulator.mx.sweep import Sweep

CUBE = Crystal("P 1", (50.0, 50.0, 50.0, 90.0, 90.0, 90.0), d_min=4.0)


def plan_of(**changes):
    return replace(SweepPlan(crystal=CUBE, rotation=Rotation(0.0, 1.0, 360)), **changes)


def test_a_reflection_across_the_axis_crosses_where_braggs_law_says(monkeypatch):
    """Of a cube with c* against the beam at zero: (0 k 0) turns through both Bragg angles."""
    monkeypatch.setattr(crossings, "orientation", lambda seed: np.eye(3))
    found = crossings.crossings(plan_of(), np.array([[0, 8, 0]], dtype=np.int32))
    theta = np.degrees(np.arcsin(1.0 * 8 / 50 / 2))
    # b* starts along y and turns towards the source, +z: it meets the sphere where it stands
    # 90 + θ from the way the photons fly
    np.testing.assert_allclose(np.sort(found.z), [theta, 180 - theta], atol=1e-9)
    two_theta = np.degrees(found.two_theta)
    np.testing.assert_allclose(two_theta, 2 * theta)
    upwards = found.rays[np.argmin(found.z)]
    assert upwards[1] == pytest.approx(np.sin(np.radians(2 * theta)))
    np.testing.assert_allclose(np.abs(found.zeta), 1.0)
    np.testing.assert_allclose(found.lorentz, 1 / np.sin(np.radians(2 * theta)))


def test_along_the_axis_nothing_crosses(monkeypatch):
    monkeypatch.setattr(crossings, "orientation", lambda seed: np.eye(3))
    assert len(crossings.crossings(plan_of(), np.array([[8, 0, 0]], dtype=np.int32)).z) == 0


@pytest.mark.parametrize("width", [0.7, -0.7])
@pytest.mark.parametrize("goniometer", [Goniometer(), KAPPA])
def test_every_crossing_is_on_the_sphere(width, goniometer):
    plan = plan_of(goniometer=goniometer, rotation=Rotation(33.0, width, 100))
    true = Sweep(plan).truth
    angle = 33.0 + width * true.xyz[:, 2]
    inside, axis = instrument.carried(goniometer)
    points = true.hkl @ (inside @ true.a_matrix).T
    turned = np.array([instrument.turned(axis, a) @ p for a, p in zip(angle, points, strict=True)])
    rays = turned + instrument.BEAM / plan.beam.wavelength
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1 / plan.beam.wavelength)


def test_a_whole_turn_shows_every_reflection_twice():
    plan = plan_of()
    hkl = np.array([[3, 5, 2], [-3, -5, -2], [1, 7, -4]], dtype=np.int32)
    once = crossings.crossings(plan, hkl)
    inner = (once.z > 0) & (once.z < 360)
    assert inner.sum() == 6
    twice = crossings.crossings(replace(plan, rotation=Rotation(0.0, 1.0, 720)), hkl)
    assert ((twice.z > 0) & (twice.z < 720)).sum() == 12


def test_orientations_are_rotations_spread_evenly():
    drawn = np.array([crossings.orientation(seed) for seed in range(3000)])
    np.testing.assert_allclose(
        drawn @ drawn.transpose(0, 2, 1), np.tile(np.eye(3), (3000, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(drawn), 1)
    assert np.abs(drawn.mean(axis=0)).max() < 0.05
    # the angle's density goes with 1 - cos: its mean is 126.5 degrees
    angle = np.degrees(np.arccos((np.trace(drawn, axis1=1, axis2=2) - 1) / 2))
    assert angle.mean() == pytest.approx(np.degrees(np.pi / 2 + 2 / np.pi), abs=2)


def test_a_ray_meets_a_swung_detector():
    detector = Detector(two_theta_deg=20.0, thickness=1e-6, centre=(0.5, 0.5))
    plane = instrument.plane_of(detector)
    centre = 256 * np.ones(2)
    # a detector turned by +20 degrees about x looks at rays that go down by 20 degrees
    down = instrument.turned((1, 0, 0), 20.0) @ instrument.BEAM
    seen = instrument.seen(detector, plane, down[None], 1.0)
    np.testing.assert_allclose([seen.x[0], seen.y[0]], centre, atol=1e-3)
    assert down[1] > 0
    assert plane.normal @ plane.origin == pytest.approx(80.0)


def test_the_sensor_moves_a_spot_by_its_mean_depth():
    """Against photons that are absorbed one by one."""
    detector = Detector(thickness=0.45)
    plane = instrument.plane_of(detector)
    ray = np.array([0.0, np.sin(0.6), -np.cos(0.6)])
    mu = instrument.absorption("Si", 1.0)
    path = np.random.default_rng(1).exponential(1 / mu, 400_000)
    path = path[path < detector.thickness / np.cos(0.6)]
    seen = instrument.seen(detector, plane, ray[None], 1.0)
    thin = instrument.seen(replace(detector, thickness=1e-9), plane, ray[None], 1.0)
    moved = (thin.y[0] - seen.y[0]) * detector.pixel
    assert moved == pytest.approx(path.mean() * np.sin(0.6), rel=5e-3)
    assert seen.efficiency[0] == pytest.approx(len(path) / 400_000, rel=5e-3)
    assert seen.depth_sigma[0] * detector.pixel == pytest.approx(path.std(), rel=5e-3)


def test_polarisation_dims_what_is_scattered_along_the_field():
    rays = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]])
    np.testing.assert_allclose(instrument.polarised(rays, 1.0), [0, 1, 1], atol=1e-12)
    np.testing.assert_allclose(instrument.polarised(rays, 0.5), [0.5, 0.5, 1])
