"""Search for the beam centre with the periods of the lattice.

The periods are found first in a way that does not need the beam centre (`basis_vectors` with
groups); then the detector is moved until the points stand on the planes that belong to them.
Sauter, Grosse-Kunstleve & Adams, J. Appl. Cryst. 37, 399 (2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.basis_vectors import basis_vectors
from tasks.mx.geometry import reciprocal_points
from tasks.mx.matrices import lengths

FARTHEST = 4.0  # mm
_GROUPS = 8
_VECTORS = 12


@dataclass(frozen=True)
class Shift:
    """How far the detector is moved along fast and slow, in mm, and how well the periods fit."""

    fast: float
    slow: float
    score: float


def shifted(geometry: Geometry, fast: float, slow: float) -> Geometry:
    """Return the geometry with its detector moved along its axes, in mm."""
    detector = geometry.detector
    origin = detector.origin + fast * detector.fast + slow * detector.slow
    return geometry.with_detector(origin=origin)


def search_shifts(
    xyz: Sequence[F], geometries: Sequence[Geometry], longest: float, keep: int = 4
) -> list[Shift]:
    """
    Find the shifts of the detector that put the spots on planes through the origin.

    Parameters
    ----------
    xyz
        Spots of each sweep, (n, 3): fast and slow in pixels, image coordinate.
    geometries
        Of each sweep; their detectors move alike.
    longest
        Axis, in Angstrom.
    keep
        How many to return, the best first. A narrow wedge has several that are alike.
    """
    parts = [reciprocal_points(at, each) for each, at in zip(xyz, geometries, strict=True)]
    points = np.concatenate(parts)
    slopes = np.concatenate(
        [_slopes(each, at, own) for each, at, own in zip(xyz, geometries, parts, strict=True)]
    )
    steepest = float(np.linalg.norm(slopes, axis=(1, 2)).max()) / np.sqrt(2)
    groups = _groups(xyz, geometries, np.degrees(0.35 / (FARTHEST * steepest * longest)))
    chosen = groups >= 0
    found = basis_vectors(points[chosen], longest, groups=groups[chosen], keep=_VECTORS)
    if len(found.vectors) < 3:
        return []
    pitch = 0.25 / (steepest * float(np.linalg.norm(found.vectors, axis=1).max()))
    pitch = float(np.clip(pitch, FARTHEST / 40, 0.4))
    half = int(np.ceil(FARTHEST / pitch))
    axis = np.asarray(np.arange(-half, half + 1) * pitch, dtype=np.float64)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    grid = np.asarray(grid[lengths(grid) <= FARTHEST + 0.01], dtype=np.float64)
    rough = _maxima(grid, _fit(points, slopes, found.vectors, grid), max(0.3, 1.5 * pitch), keep)
    offsets = np.stack(np.meshgrid(*[np.linspace(-1, 1, 11)] * 2), axis=-1).reshape(-1, 2) * pitch
    fine: list[Shift] = []
    for one in rough:
        around = np.array([one.fast, one.slow]) + offsets
        fine += _maxima(around, _fit(points, slopes, found.vectors, around), 0.0, 1)
    return sorted(fine, key=lambda each: -each.score)


def _fit(points: F, slopes: F, vectors: F, grid: F) -> F:
    """Return how well the points stand on planes for each shift of a grid, (shifts,)."""
    total = np.zeros(len(grid))
    for vector in vectors:
        phase = (points @ vector)[:, None] + (slopes.transpose(0, 2, 1) @ vector) @ grid.T
        total += np.maximum(np.cos(2 * np.pi * phase).mean(axis=0), 0.0) ** 2
    return total


def _slopes(xyz: F, geometry: Geometry, points: F) -> F:
    """Return how the points move per mm of the detector's shift, (n, 3, 2)."""
    columns = [
        reciprocal_points(shifted(geometry, fast, slow), xyz) - points
        for fast, slow in ((1.0, 0.0), (0.0, 1.0))
    ]
    return np.stack(columns, axis=-1)


def _groups(xyz: Sequence[F], geometries: Sequence[Geometry], width: float) -> NDArray[np.int64]:
    """Give short ranges of rotation with many spots a number; -1 to what is in none."""
    width = float(np.clip(width, 2.0, 12.0))
    labels: list[NDArray[np.int64]] = []
    first = 0
    for each, geometry in zip(xyz, geometries, strict=True):
        angle = np.abs(geometry.rotation.width_deg) * (each[:, 2] - each[:, 2].min())
        own = (angle / width).astype(np.int64)
        labels.append(own + first)
        first += int(own.max()) + 1
    label = np.concatenate(labels)
    counts = np.bincount(label)
    best = np.argsort(-counts, kind="stable")[:_GROUPS]
    number = np.full(len(counts), -1, dtype=np.int64)
    number[best] = np.arange(len(best))
    return number[label]


def _maxima(grid: F, total: F, apart: float, keep: int) -> list[Shift]:
    found: list[Shift] = []
    for number in np.argsort(-total, kind="stable"):
        fast, slow = (float(value) for value in grid[number])
        if all(np.hypot(fast - one.fast, slow - one.slow) > apart for one in found):
            found.append(Shift(fast, slow, float(total[number])))
        if len(found) == keep:
            break
    return found
