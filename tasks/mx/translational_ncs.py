"""Pseudo-translations: molecules related by a shift show as a peak of the native Patterson map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.expected_intensity import fractionalising, spacings
from tasks.mx.reflections import Ints
from tasks.mx.symmetry import laue_rotations

D_MIN, D_MAX = 5.0, 50.0
AWAY = 15.0
"""From the origin, in Angstrom: nearer peaks are of the molecule's own shape."""
SUSPICIOUS, ABOVE_NOISE = 0.20, 5.5
"""Of the origin's peak."""


@dataclass(frozen=True)
class Peak:
    """
    A peak of the Patterson map.

    Attributes
    ----------
    vector
        Fractional coordinates, (3,).
    length
        In Angstrom.
    height
        Over that of the origin.
    """

    vector: tuple[float, float, float]
    length: float
    height: float


@dataclass(frozen=True)
class TranslationalNcs:
    """
    The highest peaks away from the origin.

    Attributes
    ----------
    peaks
        Highest first, at most ten.
    noise
        Standard deviation of the map over the origin's peak.
    """

    peaks: tuple[Peak, ...]
    noise: float

    @property
    def suspected(self) -> bool:
        """Whether a peak is above a fifth of the origin's, and above what few data scatter."""
        limit = max(SUSPICIOUS, ABOVE_NOISE * self.noise)
        return bool(self.peaks) and self.peaks[0].height > limit

    @property
    def warning(self) -> str:
        """For the user; empty where there is nothing to say."""
        if not self.suspected:
            return ""
        top = self.peaks[0]
        x, y, z = top.vector
        return (
            f"There is translational pseudo-symmetry: the native Patterson map has a peak of "
            f"{top.height:.0%} of the origin at ({x:.3f}, {y:.3f}, {z:.3f}), {top.length:.0f} Å "
            "away. Statistics of intensities are disturbed; screw axes along it and a cell that "
            "is half as long deserve a second look."
        )


def translational_ncs(
    hkl: Ints, intensity: F, cell: tuple[float, ...], symbol: str
) -> TranslationalNcs:
    """
    Look for peaks of the Patterson map from 50 to 5 Angstrom.

    Parameters
    ----------
    hkl, intensity
        Merged, (n, 3), (n,).
    cell, symbol
        Of the crystal.

    Raises
    ------
    DataError
        If hardly any reflection lies in that range.
    """
    d = spacings(hkl, cell)
    inside = (d > D_MIN) & (d < D_MAX)
    if inside.sum() < 30:
        raise DataError(
            f"Pseudo-translations cannot be looked for: {int(inside.sum())} reflections lie "
            f"between {D_MAX:.0f} and {D_MIN:.0f} Å, 30 are needed."
        )
    patterson = _map(hkl[inside], intensity[inside], cell, symbol)
    patterson /= patterson[0, 0, 0]
    points = np.argwhere(patterson == _highest_around(patterson))
    vectors = points / np.array(patterson.shape)
    vectors -= np.rint(vectors)
    lengths = np.linalg.norm(vectors @ np.linalg.inv(fractionalising(cell)).T, axis=1)
    far = _nearest(vectors, cell, lengths) > AWAY
    order = np.argsort(-patterson[tuple(points[far].T)])
    peaks: list[Peak] = []
    for vector, length, point in zip(
        vectors[far][order], lengths[far][order], points[far][order], strict=True
    ):
        if any(_equivalent(vector, each.vector, symbol) for each in peaks):
            continue
        x, y, z = (float(each) for each in vector)
        peaks.append(Peak((x, y, z), float(length), float(patterson[tuple(point)])))
        if len(peaks) == 10:
            break
    return TranslationalNcs(tuple(peaks), float(patterson.std()))


def _equivalent(one: F, other: tuple[float, float, float], symbol: str) -> bool:
    """Tell whether the map's symmetry, that of the Laue group, makes two vectors equal."""
    turned = np.linalg.inv(laue_rotations(symbol)).transpose(0, 2, 1) @ np.array(other)
    apart = np.concatenate([turned, -turned]) - one
    return bool((np.abs(apart - np.rint(apart)).max(axis=1) < 0.02).any())


def _highest_around(grid: F) -> F:
    """Return the largest value of each point and its neighbours, around the edges."""
    found = grid
    for axis in range(3):
        both = np.maximum(np.roll(found, 1, axis), np.roll(found, -1, axis))
        found = np.maximum(found, both)
    return found


def _map(hkl: Ints, intensity: F, cell: tuple[float, ...], symbol: str) -> F:
    """On a grid of about a third of the resolution."""
    shape = tuple(4 * (int(3 * length / D_MIN / 4) + 1) for length in cell[:3])
    grid: F = np.zeros(shape)
    for each in laue_rotations(symbol):
        for sign in (1, -1):
            where = (sign * hkl @ each.T) % np.array(shape)
            grid[tuple(where.T)] = intensity
    return np.fft.fftn(grid).real


def _nearest(vectors: F, cell: tuple[float, ...], lengths: F) -> F:
    """Distance to the nearest lattice point, (n,): the shortest may not be inside the cell."""
    direct = np.linalg.inv(fractionalising(cell)).T
    shifts = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1], indexing="ij"), -1)
    found = lengths.copy()
    for shift in shifts.reshape(-1, 3):
        found = np.minimum(found, np.linalg.norm((vectors + shift) @ direct.T, axis=1))
    return found
