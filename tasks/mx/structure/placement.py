"""Molecules that have been placed, and the structure factors of such a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.structure.likelihood import calculated, correlation, log_likelihood_gain
from tasks.mx.structure.observed import Normalised, fractional_matrix
from tasks.mx.structure.rotation import reciprocal_points, turned_indices
from tasks.mx.structure.transform import Transform

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Molecule:
    """The centred model turned by a rotation (3, 3), then moved to a place (3,) in Angstrom."""

    rotation: F
    place: F

    def moved(self, positions: F) -> F:
        """Return where centred positions (n, 3) come to lie."""
        return positions @ self.rotation.T + self.place


@dataclass(frozen=True)
class Placement:
    """
    Molecules in a space group.

    Attributes
    ----------
    space_group
        Hermann-Mauguin symbol.
    molecules
        In the asymmetric unit.
    cc
        Correlation of normalised intensities.
    llg
        Log-likelihood gain.
    z
        Of the last molecule's translation function.
    clashes
        Fraction of residues that touch a neighbouring molecule.
    """

    space_group: str
    molecules: tuple[Molecule, ...]
    cc: float = 0.0
    llg: float = 0.0
    z: float = 0.0
    clashes: float = 0.0


def sampled(data: Normalised, transform: Transform, space_group: str, rotation: F) -> Complex:
    """
    Return what each symmetry mate of a turned molecule scatters about its own centroid.

    Returns
    -------
    numpy.ndarray
        (operations, n), with the phases of the operations' translations.
    """
    from tasks.mx.structure.search_kernels import sample

    points = reciprocal_points(data, space_group) * transform.edge
    parts = np.empty(points.shape[:2], dtype=np.complex128)
    sample(transform.values, points, np.ascontiguousarray(rotation), parts)
    return parts * np.exp(2j * np.pi * (data.hkl @ _translations(space_group).T).T)


def structure_factors(
    data: Normalised, transform: Transform, space_group: str, molecules: Sequence[Molecule]
) -> Complex:
    """Return the crystal's structure factors, (n,), on an arbitrary scale for each resolution."""
    indices = turned_indices(data.hkl, space_group)
    to_fractional = fractional_matrix(data.cell)
    total = np.zeros(len(data.hkl), dtype=np.complex128)
    for molecule in molecules:
        parts = sampled(data, transform, space_group, molecule.rotation)
        total += moved_parts(parts, indices, to_fractional @ molecule.place)
    return total


def moved_parts(parts: Complex, indices: NDArray[np.int64], place: F) -> Complex:
    """Add the symmetry mates' parts (operations, n) for a fractional place (3,), (n,)."""
    return np.sum(parts * np.exp(2j * np.pi * (indices @ place)), axis=0)


def scored(data: Normalised, transform: Transform, placement: Placement) -> Placement:
    """Return a placement with its correlation and log-likelihood gain."""
    factors = structure_factors(data, transform, placement.space_group, placement.molecules)
    intensity = calculated(data, factors)
    return replace(
        placement,
        cc=correlation(data.e_squared, intensity),
        llg=log_likelihood_gain(data, intensity),
    )


def _translations(space_group: str) -> F:
    import gemmi

    operations: Any = gemmi.SpaceGroup(space_group).operations().sym_ops
    return np.array([each.tran for each in operations]) / gemmi.Op.DEN
