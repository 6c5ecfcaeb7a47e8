"""Periods of a cloud of reciprocal-lattice points: candidates for the crystal's axes.

The Fourier transform of the points peaks at the vectors of the direct lattice: Bricogne (1986);
Steller, Bolotovsky & Rossmann, J. Appl. Cryst. 30, 1036 (1997) sample it along directions, here it
is sampled on a cube. Where the beam centre is wrong, the points of each short range of rotation are
displaced together: the transform's modulus, summed over such ranges, does not see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.matrices import from_scipy

_SIDE = 192  # of the cube that is transformed
_PEAKS = 120  # taken from the cube
_SAME = 0.06  # relative difference of two vectors that are one


@dataclass(frozen=True)
class Vectors:
    """
    Candidates for lattice vectors, the best first.

    Attributes
    ----------
    vectors
        (n, 3), in Angstrom.
    score
        What fraction of the points follows the period, as the mean cosine, (n,).
    """

    vectors: F
    score: F


def basis_vectors(
    points: F,
    longest: float,
    *,
    shortest: float = 3.0,
    groups: NDArray[Any] | None = None,
    keep: int = 36,
) -> Vectors:
    """
    Find the periods of points.

    Parameters
    ----------
    points
        (n, 3), in 1/Angstrom.
    longest, shortest
        Limits of the periods, in Angstrom.
    groups
        Number of the group of each point, (n,): groups are displaced by unknown amounts to each
        other. None: all belong together.
    keep
        How many to return.
    """
    edge = _SIDE / 2 / 1.15 / 2 / longest  # half of the cube's real-space width is 1.15 longest
    inside = np.linalg.norm(points, axis=1) < edge
    if inside.sum() < 8:
        return Vectors(np.zeros((0, 3)), np.zeros(0))
    own = np.zeros(len(points), dtype=np.int64) if groups is None else groups
    cube = _periodogram(points[inside], own[inside], edge, phased=groups is None)
    starts = _peaks(cube, edge, shortest, longest)
    found = [refine_vector(points, own, start, edge, groups is None) for start in starts]
    good = [each for each in found if shortest <= np.linalg.norm(each[0]) <= 1.1 * longest]
    good.sort(key=lambda each: -each[1])
    vectors = np.array([each for each, _ in good]).reshape(-1, 3)
    chosen = _different(vectors, keep)
    return Vectors(vectors[chosen], np.array([each for _, each in good])[chosen])


def refine_vector(
    points: F, groups: NDArray[Any], vector: F, edge: float, phased: bool
) -> tuple[F, float]:
    """
    Fit a period to the points, first to those near the origin.

    Parameters
    ----------
    edge
        Length of the points that the start is good for, in 1/Angstrom.
    phased
        The origin is known; else each group has a phase of its own.

    Returns
    -------
    vector : numpy.ndarray
        (3,), in Angstrom.
    score : float
        Mean cosine of the phases of all points.
    """
    length = np.linalg.norm(points, axis=1)
    limits = np.minimum(edge * np.array([0.5, 0.7, 1.0, 1.0, 1.4, 2.0, 3.0]), length.max())
    for limit in limits:
        inside = length <= limit
        if inside.sum() < 6:
            continue
        off = _phase_error(points[inside], groups[inside], vector, phased)
        near = np.abs(off) < 0.25
        if near.sum() < 6:
            break
        chosen = points[inside][near]
        shift, *_ = np.linalg.lstsq(
            np.vstack([chosen, 1e-4 * np.eye(3)]), np.append(off[near], np.zeros(3)), rcond=None
        )
        vector = vector - shift
    off = _phase_error(points, groups, vector, phased)
    return vector, float(np.cos(2 * np.pi * off).mean())


def _phase_error(points: F, groups: NDArray[Any], vector: F, phased: bool) -> F:
    """Return how far points are from the nearest plane, in planes, (n,)."""
    orders = points @ vector
    if not phased:
        wave = np.exp(2j * np.pi * orders)
        count = int(groups.max()) + 1
        real = np.bincount(groups, np.real(wave), count)
        imaginary = np.bincount(groups, np.imag(wave), count)
        orders = orders - np.arctan2(imaginary, real)[groups] / (2 * np.pi)
    return np.asarray(orders - np.round(orders), dtype=np.float64)


def _periodogram(points: F, groups: NDArray[Any], edge: float, phased: bool) -> NDArray[np.float32]:
    """Return the transform on half a cube, (side, side, side/2 + 1)."""
    rfftn: Any = from_scipy("fft").rfftn

    total = np.zeros((_SIDE, _SIDE, _SIDE // 2 + 1), dtype=np.float32)
    for group in np.unique(groups):
        chosen = points[groups == group]
        cells = np.round(chosen * (_SIDE / 2 / edge)).astype(int) % _SIDE
        weight = np.exp(-1.5 * (np.linalg.norm(chosen, axis=1) / edge) ** 2)
        grid = np.zeros((_SIDE,) * 3, dtype=np.float32)
        np.add.at(grid, tuple(cells.T), weight.astype(np.float32))
        wave = rfftn(grid, overwrite_x=True)
        total += wave.real if phased else np.abs(wave) ** 2
    return total


def _peaks(cube: NDArray[np.float32], edge: float, shortest: float, longest: float) -> F:
    """Return the vectors of the cube's highest peaks, (n, 3), in Angstrom."""
    step = 1 / (2 * edge)
    axis = np.fft.fftfreq(_SIDE, 1 / _SIDE) * step
    half = np.arange(_SIDE // 2 + 1) * step
    squared = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + half[None, None, :] ** 2
    outside = (squared < max(shortest, 2.5 * step) ** 2) | (squared > (1.05 * longest) ** 2)
    shaped = np.where(outside, -np.inf, cube)
    many = 60 * _PEAKS
    order = np.argpartition(-shaped.ravel(), many)[:many]
    order = order[np.argsort(-shaped.ravel()[order])]
    i, j, k = np.unravel_index(order, cube.shape)
    vectors = np.column_stack([axis[i], axis[j], half[k]])
    kept: list[F] = []
    taken = np.zeros(len(vectors), dtype=bool)
    for number, vector in enumerate(vectors):
        if taken[number]:
            continue
        kept.append(vector)
        if len(kept) == _PEAKS:
            break
        for sign in (1, -1):
            taken |= np.linalg.norm(vectors - sign * vector, axis=1) < 2.5 * step
    return np.array(kept)


def _different(vectors: F, most: int) -> list[int]:
    """Return the numbers of the first vectors that are not, but for the sign, one before."""
    kept: list[int] = []
    for number, vector in enumerate(vectors):
        before = vectors[kept]
        apart = np.minimum(
            np.linalg.norm(vector - before, axis=1), np.linalg.norm(vector + before, axis=1)
        )
        if (apart > _SAME * np.linalg.norm(before, axis=1)).all():
            kept.append(number)
        if len(kept) == most:
            break
    return kept
