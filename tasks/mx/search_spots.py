"""Which spots the search for a lattice starts from, and how long its axes may be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.matrices import from_scipy
from tasks.mx.reflections import Spots

Mask = NDArray[np.bool_]

_RING = 0.004  # 1/Angstrom, width of a ring of ice or powder
_CROWDED = 4.0  # times as many spots as its neighbourhood has
_NEIGHBOURS = 2.0  # reciprocal axes that neighbours may be apart in the median
_SECTIONS = 30  # of the sweep, that give equally many spots


def crowded(points: F) -> Mask:
    """
    Tell which points lie on crowded shells: ice, or a powder.

    Parameters
    ----------
    points
        Reciprocal-space points, (n, 3), in 1/Angstrom.

    Returns
    -------
    numpy.ndarray
        (n,).
    """
    median_filter = from_scipy("ndimage").median_filter

    length = np.linalg.norm(points, axis=1)
    bins = (length / _RING).astype(int)
    counts = np.bincount(bins, minlength=int(bins.max()) + 1).astype(np.float64)
    smooth = median_filter(counts, size=15, mode="nearest")
    rings = counts > _CROWDED * smooth + 8
    return np.asarray(rings[bins], dtype=bool)


def for_search(spots: Spots, points: F, most: int) -> NDArray[np.intp]:
    """
    Choose the strongest spots of each section of a sweep, without crowded shells.

    Returns
    -------
    numpy.ndarray
        Numbers of at most about `most` spots.
    """
    rows = np.flatnonzero(~crowded(points) & np.isfinite(points).all(axis=1))
    if len(rows) <= most:
        return rows
    z = spots.xyz[rows, 2]
    low, high = float(z.min()), float(z.max()) + 1e-6
    section = ((z - low) / (high - low) * _SECTIONS).astype(int)
    chosen: list[NDArray[np.intp]] = []
    for number in range(_SECTIONS):
        own = rows[section == number]
        order = np.argsort(-spots.intensity[own], kind="stable")
        chosen.append(own[order[: -(-most // _SECTIONS)]])
    return np.concatenate(chosen)


def longest_axis(points: F) -> float:
    """
    Estimate a length, in Angstrom, that no axis exceeds by much.

    Neighbours in a cloud of lattice points stand one reciprocal axis apart or a few of them, where
    spots are missing. Give all spots, not a choice of them. The same reflection seen twice (closer
    than 1/1500 per Angstrom) does not count.
    """
    tree = from_scipy("spatial").cKDTree(points)

    distance, _ = tree.query(points, k=min(8, len(points)))
    distance = np.where(distance > 1 / 1500, distance, np.inf).min(axis=1)
    finite = distance[np.isfinite(distance)]
    if len(finite) < 5:
        return 100.0
    return float(np.clip(_NEIGHBOURS / np.median(finite), 15.0, 1000.0))
