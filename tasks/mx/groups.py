"""Sums over symmetry equivalents: the loops that scaling and merging spend their time in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.equivalents import Bools
from tasks.mx.reflections import Ints


@dataclass(frozen=True)
class Groups:
    """
    Observations sorted by what they are compared with.

    Attributes
    ----------
    of
        Group of each observation, (n,).
    order
        Numbers of the observations, group by group, (n,).
    offsets
        Where each group begins in `order`, and the end, (groups + 1,).
    """

    of: Ints
    order: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        """Return how many groups there are, empty ones included."""
        return len(self.offsets) - 1

    def sum(self, values: NDArray[Any]) -> F:
        """Sum a column over each group, (groups,)."""
        found: F = np.bincount(self.of, weights=values, minlength=len(self)).astype(np.float64)
        return found


def groups_of(numbers: Ints, count: int | None = None) -> Groups:
    """Sort observations by the number of their group, (n,)."""
    counts = np.bincount(numbers, minlength=count or 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Groups(numbers, np.argsort(numbers, kind="stable"), offsets)


def normal_equations(
    groups: Groups,
    columns: Ints,
    values: NDArray[np.float32],
    weights: F,
    gradient: F,
    parameters: int,
) -> tuple[F, F]:
    """
    Set up least squares with every group's own mean eliminated.

    With rows ``a`` and each group's weighted mean row ``m``, the matrix is the sum of
    ``weight (a - m)(a - m)ᵀ`` and the right-hand side that of ``gradient (a - m)``.

    Parameters
    ----------
    groups
        Groups of n observations.
    columns, values
        The rows' elements, (n, width).
    weights, gradient
        (n,); a weight of 0 leaves an observation out.
    parameters
        Length of a row.

    Returns
    -------
    matrix, right
        (parameters, parameters) and (parameters,).
    """
    from tasks.mx.scale_kernels import normal

    return normal(groups.order, groups.offsets, columns, values, weights, gradient, parameters)


def reject(groups: Groups, values: F, variances: F, usable: Bools, threshold: float) -> Bools:
    """
    Leave out, one after another, the observation that disagrees most with the rest of its group.

    Parameters
    ----------
    groups
        Groups of n observations.
    values, variances
        Scaled intensities and their variances, (n,).
    usable
        False for what is left out beforehand, (n,).
    threshold
        Deviate, in standard deviations from the weighted mean of the others, that is too much.

    Returns
    -------
    numpy.ndarray
        True for what is kept, (n,). Of two that disagree none is left out: nothing tells which.
    """
    from tasks.mx.scale_kernels import reject_worst

    return reject_worst(groups.order, groups.offsets, values, variances, usable, threshold)
