"""What a pixel sees of the sample: angles, solid angle, polarisation, its sensor's depth.

The convention is that of Kieffer & Karkoulis (J. Phys.: Conf. Ser. 425 (2013) 202012): from the
sample, axis 1 runs along a column of the detector, axis 2 along a row, axis 3 with the beam. The
detector's normal point lies at (poni1, poni2) from the corner of its first pixel, and three
rotations about these axes turn it, the first two left-handed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import factors
from infra.simulator.pdf.plan import Detector, Geometry

Array = NDArray[np.float64]


def rotation(geometry: Geometry) -> Array:
    """Return the rotation of the detector about the sample, (3, 3)."""
    cos1, cos2, cos3 = np.cos([geometry.rot1, geometry.rot2, geometry.rot3])
    sin1, sin2, sin3 = np.sin([geometry.rot1, geometry.rot2, geometry.rot3])
    first = np.array([[1, 0, 0], [0, cos1, sin1], [0, -sin1, cos1]])
    second = np.array([[cos2, 0, -sin2], [0, 1, 0], [sin2, 0, cos2]])
    third = np.array([[cos3, -sin3, 0], [sin3, cos3, 0], [0, 0, 1]])
    return third @ second @ first


def places(geometry: Geometry, row: Array, column: Array) -> Array:
    """Return where points of the detector are from the sample, in m.

    Parameters
    ----------
    row, column
        In pixels from the corner of the first one, so that its centre is at 0.5; same shape.

    Returns
    -------
    Along the axes 1, 2 and 3, (3, ...).
    """
    flat = np.stack(
        [
            row * geometry.pixel1 - geometry.poni1,
            column * geometry.pixel2 - geometry.poni2,
            np.full(row.shape, geometry.distance),
        ]
    )
    return np.tensordot(rotation(geometry), flat, axes=1)


def two_theta(place: Array) -> Array:
    """Return the scattering angle in rad of places (3, ...)."""
    return np.arctan2(np.hypot(place[0], place[1]), place[2])


def azimuth(place: Array) -> Array:
    """Return the angle about the beam in rad, from axis 2 towards axis 1, of places (3, ...)."""
    return np.arctan2(place[0], place[1])


def momentum(angle: Array, wavelength: float) -> Array:
    """Return q in 1/Å of a scattering angle in rad."""
    return 4 * np.pi / wavelength * np.sin(angle / 2)


def angle_of(q: Array, wavelength: float) -> Array:
    """Return the scattering angle in rad of q in 1/Å."""
    return 2 * np.arcsin(q * wavelength / (4 * np.pi))


def polarisation(angle: Array, azimuth: Array, degree: float) -> Array:
    """Return how much is scattered, 1 being all; axis 2 is where `degree` of the beam points."""
    along = np.cos(2 * azimuth) * np.sin(angle) ** 2
    return 0.5 * (1 + np.cos(angle) ** 2 - degree * along)


@dataclass(frozen=True, eq=False)
class View:
    """What the pixels see, all (rows, columns).

    Attributes
    ----------
    two_theta, azimuth
        Of their centres, in rad.
    solid_angle
        sr.
    polarisation
        Of scattered light.
    efficiency
        Of the sensor, 1 being that of a ray along its normal.
    """

    two_theta: Array
    azimuth: Array
    solid_angle: Array
    polarisation: Array
    efficiency: Array


def pixels(geometry: Geometry, shift: tuple[float, float] = (0.5, 0.5)) -> Array:
    """Return where a point of each pixel is, its centre unless told; (3, rows, columns)."""
    row, column = np.indices(geometry.shape, dtype=float)
    return places(geometry, row + shift[0], column + shift[1])


def view(geometry: Geometry, detector: Detector, degree: float) -> View:
    """Return what the pixels of a detector see."""
    place = pixels(geometry)
    distance = np.sqrt((place**2).sum(axis=0))
    slant = geometry.distance / distance  # cosine of the angle to the detector's normal
    angle, around = two_theta(place), azimuth(place)
    return View(
        angle,
        around,
        geometry.pixel1 * geometry.pixel2 * slant / distance**2,
        polarisation(angle, around, degree),
        sensor_efficiency(detector, geometry.wavelength, slant),
    )


def sensor_efficiency(detector: Detector, wavelength: float, slant: Array) -> Array:
    """Return how much of a ray the sensor stops, 1 being as much as of one along its normal."""
    density = {"CdTe": 5.85, "Si": 2.33, "CsI": 4.51}[detector.sensor]
    depth = factors.attenuation(detector.sensor, density, wavelength) * detector.thickness
    return np.expm1(-depth / slant) / np.expm1(-depth)
