"""How well a lattice explains a cloud of reciprocal-lattice points.

Each point belongs to the lattice, and lies near one of its points with a Gaussian error, or to
something else and lies anywhere. The likelihood relative to "all lie anywhere" pays for volume by
itself: the cell of twice the volume has twice as many points at which to find a spot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.matrices import inverse

_ROUNDS = 12
_NEAR = 0.3  # of the distance between lattice points, that an indexed spot may be off


@dataclass(frozen=True)
class Score:
    """
    Of one lattice.

    Attributes
    ----------
    gain
        Logarithm of the likelihood ratio.
    fraction
        Of the points that belong to the lattice.
    spread
        Standard deviation of their errors along one direction, in 1/Angstrom, at the median
        distance from the origin.
    """

    gain: float
    fraction: float
    spread: float


def score(points: F, a_matrix: F) -> Score:
    """
    Score a lattice.

    Parameters
    ----------
    points
        (n, 3), in 1/Angstrom.
    a_matrix
        Columns are the reciprocal axes.
    """
    length = np.linalg.norm(points, axis=1)
    grows = (0.5 + 0.5 * length / max(float(np.median(length)), 1e-9)) ** 2
    hkl = points @ inverse(a_matrix).T
    off = hkl - np.round(hkl)
    squared = ((off @ a_matrix.T) ** 2).sum(axis=1)
    cell = abs(float(np.linalg.det(a_matrix)))
    fraction, spread = 0.7, (0.15 * cell ** (1 / 3)) ** 2
    smallest = (0.004 * cell ** (1 / 3)) ** 2
    inside = np.abs(off).max(axis=1) < _NEAR
    density = np.zeros(len(points))
    for _ in range(_ROUNDS):
        variance = spread * grows
        density = cell * np.exp(-0.5 * squared / variance) / (2 * np.pi * variance) ** 1.5
        belongs = np.where(inside, fraction * density, 0.0)
        belongs = belongs / (belongs + 1 - fraction + 1e-12)
        total = max(float(belongs.sum()), 1e-9)
        fraction = min(total / len(points), 0.98)
        spread = max(float((belongs * squared / grows).sum()) / (3 * total), smallest)
    density = cell * np.exp(-0.5 * squared / (spread * grows)) / (2 * np.pi * spread * grows) ** 1.5
    gain = float(np.log1p(fraction * (np.where(inside, density, 0.0) - 1)).sum())
    return Score(gain, fraction, float(np.sqrt(spread)))


def fit(points: F, a_matrix: F, *, start: float | None = None) -> F:
    """
    Fit a lattice to the points, from those near the origin outwards.

    Parameters
    ----------
    start
        Length of points, in 1/Angstrom, for which the given lattice is good; None: all.

    Returns
    -------
    numpy.ndarray
        A, (3, 3); as given if too few points follow it.
    """
    length = np.linalg.norm(points, axis=1)
    limit = float(length.max()) if start is None else min(start, float(length.max()))
    for _ in range(14):
        inside = length <= limit
        hkl, near = assign(points, a_matrix)
        chosen = near & inside
        if chosen.sum() < 6 or np.linalg.matrix_rank(hkl[chosen]) < 3:
            return a_matrix
        off = points[chosen] - hkl[chosen] @ a_matrix.T
        error = np.linalg.norm(off, axis=1)
        weight = 1 / (1 + (error / (2 * np.median(error) + 1e-9)) ** 2)
        rows = hkl[chosen] * weight[:, None]
        # the restraint keeps an axis that the spots do not reach
        held = 1e-3 * np.eye(3)
        change, *_ = np.linalg.lstsq(
            np.vstack([rows, held]), np.vstack([off * weight[:, None], 0 * held]), rcond=None
        )
        a_matrix = a_matrix + change.T
        if limit >= length.max() and np.abs(change).max() < 1e-8:
            break
        limit = min(1.35 * limit, float(length.max()))
    return a_matrix


def assign(points: F, a_matrix: F, near: float = _NEAR) -> tuple[F, NDArray[np.bool_]]:
    """
    Give points the indices of the nearest lattice point.

    Returns
    -------
    hkl : numpy.ndarray
        (n, 3), whole numbers.
    close : numpy.ndarray
        Which ones are near enough, (n,); never (0, 0, 0).
    """
    exact = points @ inverse(a_matrix).T
    hkl = np.round(exact)
    close = (np.abs(exact - hkl).max(axis=1) < near) & (hkl != 0).any(axis=1)
    return hkl, close
