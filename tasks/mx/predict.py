"""Which reflections a sweep records, and where.

A point crosses the Ewald sphere where ``2 s0 . r + |r|^2 = 0`` with r turned by phi: an equation
``a cos phi + b sin phi = q`` with two solutions (Kabsch, Acta Cryst. D66, 133 (2010), section 2.3).
Where A changes along the sweep, the solution is put into A until it stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F, Geometry
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import (
    fixed_rotation,
    rays_to_pixels,
    scan_axis,
    setting_rotation,
    to_laboratory,
)
from tasks.mx.reflections import Columns, Ints

MOST_CANDIDATES = 1_000_000
ROUNDS = 6
BLIND = 0.05
CENTRING = {
    "A": (((0, 1, 1), 2),),
    "B": (((1, 0, 1), 2),),
    "C": (((1, 1, 0), 2),),
    "I": (((1, 1, 1), 2),),
    "F": (((1, 1, 0), 2), ((0, 1, 1), 2)),
    "R": (((-1, 1, 1), 3),),
    "H": (((-1, 1, 1), 3),),
}
"""By a symbol's letter: the sum of h, k, l with these factors must be a multiple."""


@dataclass(frozen=True)
class Predicted(Columns):
    """
    Reflections that cross the Ewald sphere, n of them; one that crosses twice has two rows.

    Attributes
    ----------
    hkl
        Indices, (n, 3).
    xyz
        Where: fast, slow in pixels, image coordinate, (n, 3).
    s1
        Wave vector of the diffracted beam, (n, 3), in 1/Angstrom.
    d
        Resolution, (n,), in Angstrom.
    zeta
        ``e . (s1 x s0) / |s1 x s0|`` with the rotation axis e, (n,): how fast the point crosses
        the sphere. Near 0 it grazes it, and the intensity cannot be measured. Negative: it enters.
    """

    hkl: Ints
    xyz: F
    s1: F
    d: F
    zeta: F

    @property
    def entering(self) -> NDArray[np.bool_]:
        """Tell which points enter the sphere, (n,)."""
        return self.zeta < 0


def predict(
    geometry: Geometry,
    crystal: Crystal,
    d_min: float,
    *,
    z_range: tuple[float, float] | None = None,
    zeta_min: float = BLIND,
    d_max: float = inf,
) -> Predicted:
    """
    Predict the reflections of a sweep that fall onto the detector.

    Parameters
    ----------
    d_min, d_max
        Resolution, in Angstrom.
    z_range
        Image coordinates between which they cross; the whole sweep if None. May reach beyond it.
    zeta_min
        Those with less are in the blind region along the axis and are left out.

    Returns
    -------
    Predicted
        By image coordinate. Absences of the lattice's centring are left out.

    Raises
    ------
    DataError
        It is a still: no reflection crosses the sphere.
    """
    rotation = geometry.rotation
    if rotation.width_deg == 0:
        raise DataError("the images are stills, reflections cannot be predicted over a rotation")
    low, high = z_range or (0.0, float(rotation.images))
    parts = [
        _cross(geometry, crystal, hkl, low, high, zeta_min)
        for hkl in candidates(crystal, d_min, d_max)
    ]
    found = Predicted.join(parts)
    return found.take(np.argsort(found.xyz[:, 2], kind="stable"))


def blind_fraction(geometry: Geometry, crystal: Crystal, d_min: float) -> float:
    """Return which share of the indices to d_min no turn brings out of the blind region."""
    total = seen = 0
    turn = 360 / abs(geometry.rotation.width_deg)
    for hkl in candidates(crystal, d_min):
        z, row = _solutions(geometry, crystal, hkl, 0.0, turn)
        s1 = _rays(geometry, crystal, hkl[row], z)
        seen += len(np.unique(row[np.abs(_zeta(geometry, s1)) >= BLIND]))
        total += len(hkl)
    return 1 - seen / max(total, 1)


def candidates(crystal: Crystal, d_min: float, d_max: float = inf) -> Iterator[Ints]:
    """Yield the indices between two resolutions in parts, each (n, 3), without (0, 0, 0)."""
    lengths = np.linalg.norm(crystal.direct, axis=1)
    most = np.floor(lengths / d_min + 1e-9).astype(int)
    _, k_most, l_most = (int(each) for each in most)
    plane = np.mgrid[-k_most : k_most + 1, -l_most : l_most + 1].reshape(2, -1).T
    at_once = max(1, MOST_CANDIDATES // len(plane))
    for start in range(-most[0], most[0] + 1, at_once):
        layers = np.arange(start, min(start + at_once, most[0] + 1))
        hkl = np.empty((len(layers), len(plane), 3), np.int32)
        hkl[:, :, 0], hkl[:, :, 1:] = layers[:, None], plane
        yield _between(crystal, hkl.reshape(-1, 3), d_min, d_max)


def _between(crystal: Crystal, hkl: Ints, d_min: float, d_max: float) -> Ints:
    inverse = np.linalg.norm(crystal.points(hkl), axis=1)
    kept = (inverse <= 1 / d_min) & (inverse > 1 / d_max) & hkl.any(axis=1)
    return hkl[kept & ~centring_absent(hkl, crystal.space_group)]


def centring_absent(hkl: Ints, space_group: str) -> NDArray[np.bool_]:
    """Tell which indices, (n, 3), a centred lattice extinguishes; R in its hexagonal axes."""
    symbol = space_group.strip().upper()
    conditions = () if symbol.endswith(":R") else CENTRING.get(symbol[:1], ())
    absent = np.zeros(len(hkl), dtype=bool)
    for factors, divisor in conditions:
        absent |= (hkl @ np.array(factors)) % divisor != 0
    return absent


def _cross(
    geometry: Geometry, crystal: Crystal, hkl: Ints, low: float, high: float, zeta_min: float
) -> Predicted:
    z, row = _solutions(geometry, crystal, hkl, low, high)
    hkl = hkl[row]
    s1 = _rays(geometry, crystal, hkl, z)
    xy = rays_to_pixels(geometry, s1)
    zeta = _zeta(geometry, s1)
    rows, columns = geometry.detector.shape
    with np.errstate(invalid="ignore"):
        on = (xy > 0).all(axis=1) & (xy[:, 0] < columns) & (xy[:, 1] < rows)
    on &= np.abs(zeta) >= zeta_min
    found = Predicted(hkl, np.column_stack([xy, z]), s1, _resolution(geometry, s1), zeta)
    return found.take(on)


def _solutions(
    geometry: Geometry, crystal: Crystal, hkl: Ints, low: float, high: float
) -> tuple[F, NDArray[np.int64]]:
    """Return the image coordinates of crossings within a range, and whose they are."""
    rotation = geometry.rotation
    a_matrix = crystal.at(np.array([(low + high) / 2]))[0]
    phi = _phi(geometry, hkl @ a_matrix.T)
    if crystal.a_matrices is not None:
        middle = float(rotation.angle_deg(np.array((low + high) / 2)))
        near = np.radians(middle) + np.pi
        phi = near - np.mod(near - phi, 2 * np.pi)
        for _ in range(ROUNDS):
            phi = np.column_stack([_again(geometry, crystal, hkl, phi[:, i], i) for i in range(2)])
    turn = 360 / abs(rotation.width_deg)
    z = (np.degrees(phi) - rotation.start_deg) / rotation.width_deg
    z = low + np.mod(z - low, turn)
    found = [(z + n * turn, z + n * turn < high) for n in range(int((high - low) / turn) + 1)]
    rows = [np.nonzero(inside)[0] for _, inside in found]
    return np.concatenate([each[inside] for each, inside in found]), np.concatenate(rows)


def _again(geometry: Geometry, crystal: Crystal, hkl: Ints, phi: F, which: int) -> F:
    """Solve once more with A as it is where the crossing was found, near the same angle."""
    rotation = geometry.rotation
    z = (np.degrees(phi) - rotation.start_deg) / rotation.width_deg
    points = crystal.points(hkl, np.nan_to_num(z))
    solved = _phi(geometry, points)[:, which]
    return solved + 2 * np.pi * np.round((phi - solved) / (2 * np.pi))


def _phi(geometry: Geometry, points: F) -> F:
    """Return both angles, (n, 2) in radians, at which points are on the sphere; NaN if never."""
    goniometer = geometry.goniometer
    s0 = setting_rotation(goniometer).T @ geometry.beam.s0
    axis = goniometer.axes[goniometer.scan_axis]
    axis = axis / np.linalg.norm(axis)
    p = points @ fixed_rotation(goniometer).T
    along = (p @ axis) * (axis @ s0)
    a, b = p @ s0 - along, np.cross(axis, p) @ s0
    q = -(p**2).sum(axis=1) / 2 - along
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.arccos(q / np.hypot(a, b))
    centre = np.arctan2(b, a)
    return np.column_stack([centre - half, centre + half])


def _rays(geometry: Geometry, crystal: Crystal, hkl: Ints, z: F) -> F:
    """Return the wave vectors, (n, 3); brought to the sphere to the last digit."""
    s1 = geometry.beam.s0 + to_laboratory(geometry, crystal.points(hkl, z), z)
    return s1 / np.linalg.norm(s1, axis=1, keepdims=True) / geometry.beam.wavelength


def _zeta(geometry: Geometry, s1: F) -> F:
    normal: NDArray[Any] = np.cross(s1, geometry.beam.s0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return normal @ scan_axis(geometry.goniometer) / np.linalg.norm(normal, axis=1)


def _resolution(geometry: Geometry, s1: F) -> F:
    return 1 / np.linalg.norm(s1 - geometry.beam.s0, axis=1)
