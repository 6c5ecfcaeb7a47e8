"""
How a crystal of known cell lies, from the spots of one image.

Each axis of the direct cell has a known length. Its direction is where q . t is nearest to whole
numbers for all spots q at once, found on a grid of directions and refined; two axes under the right
angle make an orientation. That is the real-space grid search: R. J. Gildea et al., Acta Cryst. D70,
2652 (2014).
"""

from __future__ import annotations

import itertools
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F

_STEP = 0.45  # of the phase 2 pi q . t that may change between neighbouring directions, in turns
_MOST_DIRECTIONS = 40_000
_MOST_SPOTS = 150
_KEPT = 25  # directions of each axis
_CLOSE_DEG = 3.0  # of two directions that are the same; and of the angle between axes
_BLOCK = 2000


def orientations(points: F, direct: F) -> list[F]:
    """
    Propose orientations of a cell.

    Parameters
    ----------
    points
        Of reciprocal space, from spots, (n, 3), in 1/Angstrom.
    direct
        Rows are the axes a, b, c in any orientation, (3, 3), in Angstrom.

    Returns
    -------
    list of numpy.ndarray
        Rotations (3, 3): ``direct @ rotation.T`` are the axes as they lie.
    """
    lengths = np.linalg.norm(direct, axis=1)
    found = [_directions(points, float(length)) * length for length in lengths]
    rotations: list[F] = []
    for i, j in itertools.combinations(range(3), 2):
        wanted = _angle_deg(direct[i][None], direct[j][None])[0, 0]
        off = np.abs(_angle_deg(found[i], found[j]) - wanted)
        for one, other in np.argwhere(off < _CLOSE_DEG):
            rotations.append(_rotation(direct[[i, j]], np.stack([found[i][one], found[j][other]])))
    return rotations


def _directions(points: F, length: float) -> F:
    """Return unit vectors along which the spots repeat with 1 / length, best first, (n, 3)."""
    inner = np.argsort(np.linalg.norm(points, axis=1))[:_MOST_SPOTS]
    farthest = float(np.linalg.norm(points[inner[-1]]))
    count = int(np.clip(2 * np.pi * (length * farthest / _STEP) ** 2, 500, _MOST_DIRECTIONS))
    near = points[inner]
    reach = _STEP / length * np.sqrt(count / (2 * np.pi))  # what the grid is fine enough for
    used = near[np.linalg.norm(near, axis=1) <= max(reach, float(np.linalg.norm(near[9:10])))]
    grid = _hemisphere(count)
    best = np.argsort(-_agreement(used, grid * length))[: 12 * _KEPT]
    return _separate(near, _polished(near, grid[best], length), length)


def _agreement(points: F, vectors: F) -> F:
    """Return the mean cosine of the phases of the spots for each vector, (n,)."""
    parts = [
        np.cos(2 * np.pi * (vectors[i : i + _BLOCK] @ points.T)).mean(axis=1)
        for i in range(0, len(vectors), _BLOCK)
    ]
    return np.concatenate(parts)


def _polished(points: F, directions: F, length: float) -> F:
    """Turn each direction to where its agreement is highest, first with the spots near the beam."""
    radius = np.linalg.norm(points, axis=1)
    turned: F = directions
    for share in (0.4, 0.6, 0.8, 1.0, 1.0):
        inner = points[radius <= np.quantile(radius, share)]
        phase = 2 * np.pi * length * (turned @ inner.T)
        slope = -(np.sin(phase) @ inner) * 2 * np.pi * length
        weight = np.cos(phase).clip(0.05) * (2 * np.pi * length) ** 2
        curvature = np.einsum("ds,si,sj->dij", weight, inner, inner)
        curvature += 1e-3 * np.trace(curvature, axis1=1, axis2=2)[:, None, None] * np.eye(3)
        step = cast("F", np.linalg.solve(curvature, slope[..., None]))
        moved: F = turned + step[..., 0]
        turned = np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float64)
    return turned


def _separate(points: F, directions: F, length: float) -> F:
    """Return the best directions that are apart from each other, and their opposites."""
    ranked = directions[np.argsort(-_agreement(points, directions * length))]
    kept: list[F] = []
    closest = np.cos(np.radians(_CLOSE_DEG))
    for direction in ranked:
        if len(kept) == _KEPT:
            break
        if all(abs(direction @ each) < closest for each in kept):
            kept.append(direction)
    return np.concatenate([np.stack(kept), -np.stack(kept)])


def _hemisphere(count: int) -> F:
    """Return directions evenly over half a sphere, on a golden spiral, (n, 3)."""
    number = np.arange(count) + 0.5
    height = 1 - number / count
    azimuth = np.pi * (1 + np.sqrt(5)) * number
    across = np.sqrt(1 - height**2)
    return np.column_stack([across * np.cos(azimuth), across * np.sin(azimuth), height])


def _angle_deg(one: F, other: F) -> F:
    """Return the angles between all pairs, (n, m)."""
    cosine = one @ other.T
    cosine = cosine / np.linalg.norm(one, axis=1)[:, None] / np.linalg.norm(other, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _rotation(before: F, after: F) -> F:
    """Return the rotation that brings vectors (n, 3) nearest to others; W. Kabsch (1976)."""
    u, _, vt = np.linalg.svd(after.T @ before)
    sign = np.diag([1.0, 1.0, np.linalg.det(u @ vt)])
    return u @ sign @ vt


def reciprocal_of(axes: F) -> F:
    """Return the columns a*, b*, c* of rows a, b, c, or the other way round, (3, 3)."""
    return np.asarray(np.linalg.inv(axes), dtype=np.float64)


def misfit(points: F, direct: F) -> tuple[NDArray[np.int32], F]:
    """Return the nearest indices (n, 3) and how far off the fractional ones are, (n, 3)."""
    fractional = points @ direct.T
    nearest = np.rint(fractional)
    return nearest.astype(np.int32), fractional - nearest
