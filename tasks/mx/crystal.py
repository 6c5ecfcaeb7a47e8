"""A crystal: its cell, how it lies, its symmetry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F


@dataclass(frozen=True)
class Crystal:
    """
    The crystal at zero angles of the goniometer.

    Attributes
    ----------
    a_matrix
        Columns are the reciprocal axes a*, b*, c*, (3, 3), in 1/Angstrom: a point is A h. Busing
        and Levy's U B.
    space_group
        Hermann-Mauguin symbol of a Laue group's or space group's representative, ``P 1`` if
        nothing is known.
    a_matrices
        A at each image's begin and at the last one's end, (images + 1, 3, 3), where it was refined
        along the sweep; None: the same throughout.
    """

    a_matrix: F
    space_group: str = "P 1"
    a_matrices: F | None = None

    @property
    def direct(self) -> F:
        """Rows are the axes a, b, c, (3, 3), in Angstrom."""
        return np.asarray(np.linalg.inv(self.a_matrix), dtype=np.float64)

    @property
    def cell(self) -> tuple[float, float, float, float, float, float]:
        """Unit cell: a, b, c in Angstrom and alpha, beta, gamma in degrees."""
        return cell_of(self.direct)

    @property
    def volume(self) -> float:
        """Of the unit cell, in cubic Angstrom."""
        return float(abs(np.linalg.det(self.direct)))

    def at(self, z: F) -> F:
        """Return A at image coordinates, (n, 3, 3), interpolated where it was refined along."""
        z = np.atleast_1d(np.asarray(z, dtype=np.float64))
        if self.a_matrices is None:
            return np.broadcast_to(self.a_matrix, (len(z), 3, 3))
        last = len(self.a_matrices) - 1
        low = np.clip(np.floor(z).astype(int), 0, last - 1)
        part = np.clip(z - low, 0.0, 1.0)[:, None, None]
        return (1 - part) * self.a_matrices[low] + part * self.a_matrices[low + 1]

    def points(self, hkl: NDArray[Any], z: F | None = None) -> F:
        """Return the reciprocal-lattice points of indices (n, 3), in 1/Angstrom, (n, 3)."""
        if z is None or self.a_matrices is None:
            return np.asarray(hkl, dtype=np.float64) @ self.a_matrix.T
        return np.einsum("nij,nj->ni", self.at(z), np.asarray(hkl, dtype=np.float64))

    def resolution(self, hkl: NDArray[Any]) -> F:
        """Return d of indices (n, 3), (n,), in Angstrom; infinite for (0, 0, 0)."""
        with np.errstate(divide="ignore"):
            return 1 / np.linalg.norm(self.points(hkl), axis=1)

    def change_basis(self, matrix: NDArray[Any], space_group: str | None = None) -> Crystal:
        """
        Describe the same crystal with other axes.

        Parameters
        ----------
        matrix
            Takes old indices to new ones: ``h_new = matrix @ h_old``, (3, 3).
        space_group
            Symbol in the new axes; the old one if None.
        """
        inverse = np.linalg.inv(np.asarray(matrix, dtype=np.float64))
        along = None if self.a_matrices is None else self.a_matrices @ inverse
        return replace(
            self,
            a_matrix=self.a_matrix @ inverse,
            a_matrices=along,
            space_group=self.space_group if space_group is None else space_group,
        )


def cell_of(direct: F) -> tuple[float, float, float, float, float, float]:
    """Return a, b, c in Angstrom and alpha, beta, gamma in degrees of direct axes (rows)."""
    lengths = np.linalg.norm(direct, axis=1)
    cosines = (direct @ direct.T) / np.outer(lengths, lengths)
    angles = np.degrees(np.arccos(np.clip([cosines[1, 2], cosines[0, 2], cosines[0, 1]], -1, 1)))
    a, b, c = (float(length) for length in lengths)
    alpha, beta, gamma = (float(angle) for angle in angles)
    return a, b, c, alpha, beta, gamma
