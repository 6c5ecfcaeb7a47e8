from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from infra.simulator.pdf import geometry
from infra.simulator.pdf.absorption import Capillary, factor
from infra.simulator.pdf.plan import Detector, Geometry

STRAIGHT = Geometry(poni1=0.1, poni2=0.1, rot1=0.0, rot2=0.0)
DETECTOR = Detector()


def place(what, row, column):
    return geometry.places(what, np.array(row), np.array(column))


def test_points_that_can_be_worked_out_by_hand():
    at = place(STRAIGHT, [500.0, 500.0, 1750.0], [500.0, 1750.0, 500.0])
    np.testing.assert_allclose(
        geometry.two_theta(at), [0, np.pi / 4, np.pi / 4], atol=1e-12
    )  # 1250 pixels of 0.2 mm are as long as the distance of 0.25 m
    np.testing.assert_allclose(geometry.azimuth(at)[1:], [0, np.pi / 2], atol=1e-12)


@pytest.mark.parametrize(("name", "sign", "axis"), [("rot1", -1, 1), ("rot2", 1, 0)])
def test_rotations_about_the_first_two_axes_are_left_handed(name, sign, axis):
    turned = place(replace(STRAIGHT, **{name: 0.1}), [500.0], [500.0])
    assert geometry.two_theta(turned)[0] == pytest.approx(0.1)
    # what looked straight at the sample has gone along the other axis
    assert turned[axis, 0] == pytest.approx(-sign * 0.25 * np.sin(0.1))


def test_momentum_and_angle_are_each_others_inverse():
    q = np.array([0.5, 3.089, 24.0])
    assert geometry.momentum(np.array([np.pi / 2]), 1.0)[0] == pytest.approx(4 * np.pi / 2**0.5)
    np.testing.assert_allclose(geometry.momentum(geometry.angle_of(q, 0.1671), 0.1671), q)


def test_pixels_see_what_pyfai_says():
    from pyFAI.detectors import Detector as Plate
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    here = Geometry(rot1=0.04, rot2=-0.03, rot3=0.2, pixel2=3e-4, rows=60, columns=50)
    plate = Plate(here.pixel1, here.pixel2, max_shape=here.shape, orientation=3)
    peer = AzimuthalIntegrator(
        here.distance, here.poni1, here.poni2, here.rot1, here.rot2, here.rot3, detector=plate
    )
    seen = geometry.view(here, DETECTOR, 0.99)
    np.testing.assert_allclose(seen.two_theta, peer.twoThetaArray(here.shape), atol=1e-8)
    around = np.exp(1j * (seen.azimuth - peer.chiArray(here.shape)))
    np.testing.assert_allclose(around, 1, atol=1e-5)  # it keeps single precision
    relative = seen.solid_angle * here.distance**2 / (here.pixel1 * here.pixel2)
    np.testing.assert_allclose(relative, peer.solidAngleArray(here.shape), rtol=1e-6)
    np.testing.assert_allclose(seen.polarisation, peer.polarization(here.shape, 0.99), rtol=1e-5)


def test_polarised_light_is_not_scattered_along_its_field():
    right = np.array(np.pi / 2)
    assert geometry.polarisation(right, np.array(0.0), 1.0) == pytest.approx(0)
    assert geometry.polarisation(right, right, 1.0) == pytest.approx(1)
    assert geometry.polarisation(right, right, 0.0) == pytest.approx(0.5)


def test_a_sensor_stops_more_of_what_comes_steeply():
    slant = np.cos(np.deg2rad([0.0, 45.0]))
    thin, thick = (
        geometry.sensor_efficiency(replace(DETECTOR, thickness=t), 0.1671, slant)
        for t in (1e-3, 100.0)
    )
    np.testing.assert_allclose(thin, [1, 2**0.5], rtol=1e-2)
    np.testing.assert_allclose(thick, [1, 1], rtol=1e-6)


def test_absorption_straight_through_a_cylinder_and_without_any():
    angle, azimuth = np.zeros(1), np.zeros(1)
    dense = Capillary(0.5, 0.5, 2.0, 0.0)
    chord = quad(lambda x: 2 * (0.25 - x**2) ** 0.5 * np.exp(-4 * (0.25 - x**2) ** 0.5), -0.5, 0.5)
    expected = chord[0] / (np.pi * 0.25)
    assert factor(dense, angle, azimuth, "inside")[0] == pytest.approx(expected, rel=5e-3)
    clear = Capillary(0.45, 0.5, 0.0, 0.0)
    assert factor(clear, angle + 0.5, azimuth, "wall")[0] == pytest.approx(1)


def test_the_wall_is_in_the_shade_of_the_sample():
    angle = np.deg2rad([0.0, 40.0])
    full, empty = Capillary(0.45, 0.5, 1.0, 0.05), Capillary(0.45, 0.5, 0.0, 0.05)
    across = np.zeros(2)
    assert (factor(full, angle, across, "wall") < factor(empty, angle, across, "wall")).all()
    inside = factor(full, angle, across, "inside")
    along = factor(full, angle, across + np.pi / 2, "inside")
    assert along[1] < inside[1]  # along the capillary the way out is longer
    assert along[0] == pytest.approx(inside[0])
    assert full.transmission == pytest.approx(np.exp(-0.9 - 2 * 0.05 * 0.05))
