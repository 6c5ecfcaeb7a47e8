"""Where a reflection is seen: the crossing of the Ewald sphere that is nearest to an observation.

Derived from the diffraction condition of `tasks.mx.geometry`; Waterman et al., Acta Cryst. D72, 558
(2016).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.geometry import fixed_rotation, rays_to_pixels, setting_rotation


def centroids(geometry: Geometry, a_matrix: F, hkl: NDArray[np.int32] | F, near: F) -> F:
    """
    Predict the positions of reflections.

    Parameters
    ----------
    geometry
        With a rotation whose width is not 0.
    a_matrix
        (3, 3), or one per reflection, (n, 3, 3), in 1/Angstrom.
    hkl
        Indices, (n, 3).
    near
        Image coordinates, (n,): of the two crossings the nearer one is taken.

    Returns
    -------
    numpy.ndarray
        Fast, slow in pixels, image coordinate, (n, 3). A point that never crosses the sphere is
        placed where it comes closest.
    """
    goniometer = geometry.goniometer
    setting = setting_rotation(goniometer)
    axis = goniometer.axes[goniometer.scan_axis]
    axis = axis / np.linalg.norm(axis)
    beam = setting.T @ geometry.beam.s0
    indices = np.asarray(hkl, dtype=np.float64)
    if a_matrix.ndim == 2:
        points = indices @ a_matrix.T
    else:
        points = np.einsum("nij,nj->ni", a_matrix, indices)
    points = points @ fixed_rotation(goniometer).T
    along = (points @ axis)[:, None] * axis
    across, ahead = points - along, np.cross(axis, points)
    angle = _crossing(beam, points, along, across, ahead, geometry, near)
    turned = along + across * np.cos(angle)[:, None] + ahead * np.sin(angle)[:, None]
    xy = rays_to_pixels(geometry, (beam + turned) @ setting.T)
    z = (np.degrees(angle) - geometry.rotation.start_deg) / geometry.rotation.width_deg
    return np.column_stack([xy, z])


def _crossing(beam: F, points: F, along: F, across: F, ahead: F, geometry: Geometry, near: F) -> F:
    """Return the angle (rad) of the crossing that is nearest to an image coordinate, (n,)."""
    cosine, sine = across @ beam, ahead @ beam
    target = -0.5 * np.einsum("ni,ni->n", points, points) - along @ beam
    amplitude = np.maximum(np.hypot(cosine, sine), 1e-12)
    middle = np.arctan2(sine, cosine)
    half = np.arccos(np.clip(target / amplitude, -1.0, 1.0))
    observed = np.radians(geometry.rotation.angle_deg(near))
    first, second = _nearest(middle + half, observed), _nearest(middle - half, observed)
    return np.where(np.abs(first - observed) <= np.abs(second - observed), first, second)


def _nearest(angle: F, target: F) -> F:
    """Add full turns until an angle is within half a turn of its target."""
    return angle + 2 * np.pi * np.round((target - angle) / (2 * np.pi))


def lorentz_zeta(geometry: Geometry, s1: F) -> F:
    """
    Return how squarely reflections cross the sphere, (n,).

    Kabsch's zeta, the scan axis times the unit normal to s1 and s0: 1 at best, 0 for a reflection
    that grazes the sphere; Acta Cryst. D66, 133 (2010).
    """
    goniometer = geometry.goniometer
    axis = setting_rotation(goniometer) @ goniometer.axes[goniometer.scan_axis]
    normal = np.cross(s1, geometry.beam.s0)
    length = np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    return np.asarray(normal @ axis / length / np.linalg.norm(axis), dtype=np.float64)
