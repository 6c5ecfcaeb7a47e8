"""
Where a molecule of known orientation lies: all places at once, by a Fourier transform.

The observed intensities are multiplied with those that the molecule and its symmetry mates would
give together; as a function of the place this is a Fourier series (R. A. Crowther & D. M. Blow,
Acta Cryst. 23, 544 (1967)). The highest places are then judged by the correlation itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.structure.likelihood import calculated, correlation
from tasks.mx.structure.observed import Normalised, fractional_matrix
from tasks.mx.structure.placement import (
    Complex,
    Molecule,
    moved_parts,
    sampled,
    structure_factors,
)
from tasks.mx.structure.rotation import turned_indices
from tasks.mx.structure.transform import Transform

_SPACING = 3.0  # grid points per resolution
_PEAKS = 40  # of the map, judged by their correlation


@dataclass(frozen=True)
class Place:
    """A molecule, the correlation with it, and how high its peak is in sigmas of the map."""

    molecule: Molecule
    cc: float
    z: float


def search_translation(
    data: Normalised,
    transform: Transform,
    space_group: str,
    rotation: F,
    fixed: Sequence[Molecule] = (),
    keep: int = 3,
) -> tuple[Place, ...]:
    """
    Find the best places of a molecule.

    Parameters
    ----------
    data, transform
        Normalised intensities, and the molecule's transform.
    space_group
        In which it is tried.
    rotation
        Of the molecule, (3, 3).
    fixed
        Molecules that are placed already.
    keep
        How many are returned, best first.
    """
    indices = turned_indices(data.hkl, space_group)
    parts = sampled(data, transform, space_group, rotation)
    known = structure_factors(data, transform, space_group, fixed)
    heights = _map(data, parts, indices, known)
    mean, sigma = float(heights.mean()), max(float(heights.std()), 1e-12)
    to_orthogonal = np.linalg.inv(fractional_matrix(data.cell))
    found: list[Place] = []
    for at, height in _peaks(heights):
        intensity = calculated(data, known + moved_parts(parts, indices, at))
        found.append(
            Place(
                Molecule(rotation, to_orthogonal @ at),
                correlation(data.e_squared, intensity),
                (height - mean) / sigma if heights.size > 1 else 0.0,
            )
        )
    return tuple(sorted(found, key=lambda place: -place.cc)[:keep])


def _map(data: Normalised, parts: Complex, indices: NDArray[np.int64], known: Complex) -> F:
    """Return the translation function; an axis along which the origin is free has one point."""
    from tasks.mx.structure.search_kernels import translation_coefficients

    differences = indices[:1] - indices
    free = ~np.any(differences, axis=(0, 1)) & ~np.any(known)
    spacing = data.d_min / _SPACING
    shape = [1 if free[axis] else _fast(data.cell[axis] / spacing) for axis in range(3)]
    coefficients = np.zeros(shape, dtype=np.complex128)
    together = np.sum(np.abs(parts) ** 2, axis=0) + np.abs(known) ** 2
    weight = (data.e_squared - 1) / np.maximum(together, 0.1 * together.mean())
    # Intensities that are large whatever the place would fill the map with their own pattern.
    translation_coefficients(parts, indices, known, weight, coefficients)
    return np.real(np.fft.ifftn(coefficients)) * coefficients.size


def _fast(points: float) -> int:
    import scipy.fft  # pyright: ignore[reportMissingTypeStubs]

    return int(cast(Any, scipy.fft).next_fast_len(max(4, int(np.ceil(points)))))


def _peaks(heights: F) -> list[tuple[F, float]]:
    """Return the highest points of a periodic map that no neighbour exceeds, fractional."""
    top = np.ones(heights.shape, dtype=bool)
    for axis in range(3):
        for step in (-1, 1):
            top &= heights >= np.roll(heights, step, axis=axis)
    found = np.flatnonzero(top)
    best = found[np.argsort(-heights.ravel()[found])][:_PEAKS]
    at = np.column_stack(np.unravel_index(best, heights.shape)) / np.array(heights.shape)
    return [(at[number], float(heights.ravel()[each])) for number, each in enumerate(best)]
