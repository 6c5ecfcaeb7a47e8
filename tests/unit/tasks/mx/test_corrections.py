"""Lorentz, polarisation and sensor against their textbook forms."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.mx.corrections import correction, efficiency, lorentz, polarisation
from tests.unit.tasks.mx.photons import setting

ANGLES = np.radians([5.0, 20.0, 45.0])


def rays(azimuth):
    """Diffracted beams of a wavelength of 1 A, at an azimuth from the rotation axis x."""
    sine = np.sin(ANGLES)
    return np.column_stack([sine * np.cos(azimuth), sine * np.sin(azimuth), -np.cos(ANGLES)])


def test_lorentz_is_one_over_sine_on_the_equator():
    geometry, _ = setting()
    np.testing.assert_allclose(lorentz(geometry, rays(np.pi / 2)), 1 / np.sin(ANGLES))
    assert np.isinf(lorentz(geometry, np.array([[0.0, 0.0, -1.0]])))[0]


def test_polarisation():
    geometry, _ = setting()
    plain = geometry.with_beam(polarisation=0.5)
    for azimuth in (0.0, 0.7):
        np.testing.assert_allclose(
            polarisation(plain, rays(azimuth)), (1 + np.cos(ANGLES) ** 2) / 2
        )
    whole = geometry.with_beam(polarisation=1.0)
    np.testing.assert_allclose(polarisation(whole, rays(np.pi / 2)), 1)
    np.testing.assert_allclose(polarisation(whole, rays(0.0)), np.cos(ANGLES) ** 2)


def test_efficiency_grows_with_the_slant():
    geometry, _ = setting()
    assert (efficiency(geometry, rays(0.0)) == 1).all()
    silicon = geometry.with_detector(thickness=0.32, absorption=1.4)
    found = efficiency(silicon, rays(0.0))
    np.testing.assert_allclose(found, 1 - np.exp(-1.4 * 0.32 / np.cos(ANGLES)))
    product = lorentz(silicon, rays(1.0)) * polarisation(silicon, rays(1.0)) * found
    np.testing.assert_allclose(correction(silicon, rays(1.0)) * product, 1)


@pytest.mark.parametrize("width", [0.1, -0.1])
def test_the_sense_of_rotation_does_not_matter(width):
    geometry, _ = setting(width=0.1)
    turned = replace(geometry, rotation=replace(geometry.rotation, width_deg=width))
    np.testing.assert_allclose(correction(turned, rays(0.4)), correction(geometry, rays(0.4)))
