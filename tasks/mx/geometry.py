"""Between pixels, rays and reciprocal space.

A reciprocal-lattice point ``r = A h`` of the unrotated crystal lies at ``S R(phi) F r`` in the
laboratory: F are the goniometer's axes inside of the scan axis, S those outside of it. It diffracts
when ``|s0 + S R(phi) F r| = |s0|`` (Busing & Levy, Acta Cryst. 22, 457 (1967); Waterman et al.,
Acta Cryst. D72, 558 (2016)).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import Detector, F, Geometry, Goniometer


def rotation_matrix(axis: F, angle_deg: float) -> F:
    """Return the right-handed rotation about a unit vector, (3, 3)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.radians(angle_deg)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def turn(vectors: F, axis: F, angles_deg: F) -> F:
    """
    Turn each vector about one axis by an angle of its own.

    Parameters
    ----------
    vectors
        (n, 3).
    axis
        Unit vector, (3,).
    angles_deg
        (n,).

    Returns
    -------
    numpy.ndarray
        (n, 3).
    """
    angle = np.radians(angles_deg)[:, None]
    along = (vectors @ axis)[:, None] * axis
    return along + (vectors - along) * np.cos(angle) + np.cross(axis, vectors) * np.sin(angle)


def fixed_rotation(goniometer: Goniometer) -> F:
    """Return what the axes inside of the scan axis do to the crystal, (3, 3)."""
    return _product(goniometer, range(goniometer.scan_axis))


def setting_rotation(goniometer: Goniometer) -> F:
    """Return what the axes outside of the scan axis do to it, (3, 3)."""
    return _product(goniometer, range(goniometer.scan_axis + 1, len(goniometer.axes)))


def scan_axis(goniometer: Goniometer) -> F:
    """Return the scan axis as it stands at the sweep's start, a unit vector in the lab, (3,)."""
    axis = goniometer.axes[goniometer.scan_axis]
    return setting_rotation(goniometer) @ (axis / np.linalg.norm(axis))


def to_laboratory(geometry: Geometry, points: F, z: F) -> F:
    """
    Turn points of the unrotated reciprocal space to where they are at image coordinates.

    Parameters
    ----------
    points
        (n, 3), in 1/Angstrom.
    z
        Image coordinates, (n,).

    Returns
    -------
    numpy.ndarray
        (n, 3), in 1/Angstrom.
    """
    goniometer = geometry.goniometer
    inside = points @ fixed_rotation(goniometer).T
    axis = goniometer.axes[goniometer.scan_axis]
    turned = turn(inside, axis / np.linalg.norm(axis), geometry.rotation.angle_deg(z))
    return turned @ setting_rotation(goniometer).T


def from_laboratory(geometry: Geometry, vectors: F, z: F) -> F:
    """Turn vectors of the laboratory at image coordinates back: the inverse of `to_laboratory`."""
    goniometer = geometry.goniometer
    axis = goniometer.axes[goniometer.scan_axis]
    inside = vectors @ setting_rotation(goniometer)
    back = turn(inside, axis / np.linalg.norm(axis), -geometry.rotation.angle_deg(z))
    return back @ fixed_rotation(goniometer)


def pixels_to_rays(geometry: Geometry, xy: F) -> F:
    """
    Return where the photons went that were counted at positions in pixels.

    Parameters
    ----------
    xy
        (n, 2), fast and slow.

    Returns
    -------
    numpy.ndarray
        Wave vectors s1, (n, 3), of length 1/wavelength.
    """
    detector = geometry.detector
    seen = xy * np.array(detector.pixel)
    rays = _unit(_on_plane(detector, seen))
    if detector.thickness > 0 and detector.absorption > 0:
        seen = seen - _parallax(detector, rays)
        rays = _unit(_on_plane(detector, seen))
    return rays / geometry.beam.wavelength


def rays_to_pixels(geometry: Geometry, rays: F) -> F:
    """
    Return where photons are counted: the inverse of `pixels_to_rays`.

    Parameters
    ----------
    rays
        (n, 3), of any length.

    Returns
    -------
    numpy.ndarray
        (n, 2), fast and slow in pixels; NaN for rays that fly away from the detector's plane. They
        may lie outside of the detector.
    """
    detector = geometry.detector
    with np.errstate(divide="ignore", invalid="ignore"):
        length = detector.distance / (rays @ detector.normal)
    length = np.where(np.isfinite(length) & (length > 0), length, np.nan)
    at = rays * length[:, None] - detector.origin
    seen = np.column_stack([at @ detector.fast, at @ detector.slow])
    if detector.thickness > 0 and detector.absorption > 0:
        seen = seen + _parallax(detector, _unit(rays))
    return seen / np.array(detector.pixel)


def reciprocal_points(geometry: Geometry, xyz: F) -> F:
    """
    Map observed positions to the reciprocal space of the unrotated crystal.

    Parameters
    ----------
    xyz
        (n, 3): fast and slow in pixels, image coordinate.

    Returns
    -------
    numpy.ndarray
        (n, 3), in 1/Angstrom.
    """
    scattering = pixels_to_rays(geometry, xyz[:, :2]) - geometry.beam.s0
    return from_laboratory(geometry, scattering, xyz[:, 2])


def resolution(geometry: Geometry, xy: F) -> F:
    """Return the resolution d at positions in pixels, (n,), in Angstrom."""
    scattering = pixels_to_rays(geometry, xy) - geometry.beam.s0
    with np.errstate(divide="ignore"):
        return 1 / np.linalg.norm(scattering, axis=1)


def beam_centre(geometry: Geometry) -> tuple[float, float]:
    """Return where the direct beam meets the detector, fast and slow in pixels; NaN if nowhere."""
    x, y = rays_to_pixels(geometry, geometry.beam.s0[None])[0]
    return float(x), float(y)


def _on_plane(detector: Detector, millimetres: F) -> F:
    return detector.origin + millimetres[:, :1] * detector.fast + millimetres[:, 1:] * detector.slow


def _parallax(detector: Detector, rays: F) -> F:
    """
    Return how far along fast and slow a photon is counted from where it enters, (n, 2) in mm.

    The mean depth of absorption in a sensor of finite thickness; Waterman et al. (2016).
    """
    slant = np.abs(rays @ detector.normal)
    mean_free, through = 1 / detector.absorption, detector.thickness / slant
    path = mean_free - (through + mean_free) * np.exp(-detector.absorption * through)
    return path[:, None] * np.column_stack([rays @ detector.fast, rays @ detector.slow])


def _unit(vectors: F) -> F:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _product(goniometer: Goniometer, numbers: range) -> F:
    product: NDArray[np.float64] = np.eye(3)
    for number in numbers:
        product = (
            rotation_matrix(goniometer.axes[number], float(goniometer.angles_deg[number])) @ product
        )
    return product
