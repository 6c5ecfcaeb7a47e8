"""
How many components a series holds, and which standards could be among them.

Principal components come from the matrix of second moments, which is summed up block by block: a
hundred thousand spectra need no more memory than a few. How many are more than noise is told by
two rules, which need not agree: Malinowski's indicator function, which asks for no noise, and the
measured noise, which the real error falls to when enough components are taken. A standard that is
part of the series is a combination of the components: the target transform (E. R. Malinowski,
*Factor Analysis in Chemistry*, 3rd ed., Wiley 2002, chapters 3 and 4; for absorption spectra
S. R. Wasserman et al., J. Synchrotron Rad. 6, 284 (1999)).
"""

from dataclasses import dataclass

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.errors import DataError

_AS_GOOD = 1.05  # times the noise: the noise is not known better
_ACCEPTABLE = 3.0  # SPOIL up to which a target is good (Malinowski 1978)


@dataclass(frozen=True)
class Components:
    """
    Principal components of a series, most important first.

    Attributes
    ----------
    count
        Spectra in the series.
    squares
        Sum of squares that each explains, shape (components,).
    shapes
        The components, orthonormal, shape (components, points).
    real_error
        Malinowski's real error: the noise, if so many components were all, for 1 and more; shape
        (components - 1,).
    indicator
        His indicator function; shape (components - 1,).
    by_indicator
        How many components make the indicator least.
    by_noise
        How many bring the real error down to the measured noise, if that is known.
    """

    count: int
    squares: Host
    shapes: Host
    real_error: Host
    indicator: Host
    by_indicator: int
    by_noise: int | None

    @property
    def explained(self) -> Host:
        """Share of the sum of squares explained by so many components, from 1 on."""
        return np.cumsum(self.squares) / np.sum(self.squares)

    def scores(self, spectra: Host, number: int) -> Host:
        """Amounts of the first components in spectra (spectra, points): (spectra, number)."""
        return spectra @ self.shapes[:number].T


@dataclass(frozen=True)
class Targets:
    """
    Which standards the components can make.

    Attributes
    ----------
    rebuilt
        The nearest combination of the components, shape (standards, points).
    residual
        Root mean square of standard less `rebuilt`, shape (standards,).
    spoil
        How much taking it for a component would add to the error of the series; below 3 is good,
        above 6 unacceptable (E. R. Malinowski, Anal. Chim. Acta 103, 339 (1978)). Shape
        (standards,).
    possible
        Whether it may be part of the series, bool, shape (standards,).
    """

    rebuilt: Host
    residual: Host
    spoil: Host
    possible: Host


@algorithm("xas.second_moment", version="1", rtol=1e-12)
def second_moment(spectra: Array) -> Array:
    """
    Sum the products of points over spectra; those of several blocks add up.

    Parameters
    ----------
    spectra
        Shape (spectra, points).

    Returns
    -------
    Array
        Shape (points, points).
    """
    xp = namespace(spectra)
    return xp.matmul(xp.matrix_transpose(spectra), spectra)


@second_moment.case
def few_spectra() -> Inputs:
    """Sum over five spectra."""
    return (np.random.default_rng(2).normal(size=(5, 8)),), {}


def components(moment: Array, count: int, noise: float | None = None) -> Components:
    """
    Find the principal components of a series.

    Parameters
    ----------
    moment
        Sum of `second_moment` over all blocks, shape (points, points).
    count
        Spectra that went into it.
    noise
        1 sigma of a point, measured: from repeats, or from neighbouring points.

    Returns
    -------
    Components

    Raises
    ------
    DataError
        If there are fewer than three spectra or points, or values that are not numbers.
    """
    matrix = to_host(moment)
    rank = min(count, len(matrix))
    if rank < 3 or not np.all(np.isfinite(matrix)):
        raise DataError(
            f"Components cannot be found in {count} spectra of {len(matrix)} points: take at least "
            "three of each, without values that are not numbers."
        )
    values, vectors = np.linalg.eigh(matrix)
    squares = np.maximum(values[::-1][:rank], 0)
    left_over = np.cumsum(squares[::-1])[::-1][1:]
    others = rank - np.arange(1, rank)
    real_error = np.sqrt(left_over / (max(count, len(matrix)) * others))
    indicator = real_error / others**2
    return Components(
        count=count,
        squares=squares,
        shapes=vectors[:, ::-1].T[:rank],
        real_error=real_error,
        indicator=indicator,
        by_indicator=1 + int(np.argmin(indicator)),
        by_noise=None if noise is None else _reaching(real_error, noise),
    )


def transform_targets(
    found: Components, number: int, standards: Host, *, allowance: float = 0.003
) -> Targets:
    """
    Try whether standards are combinations of the first components.

    Parameters
    ----------
    found
        Components of the series.
    number
        How many of them are more than noise.
    standards
        Prepared as the series was, shape (standards, points).
    allowance
        Residual that the standards' own errors may leave; in a long series the components are
        known so well that no standard passes without.

    Returns
    -------
    Targets
    """
    shapes, points = found.shapes[:number], standards.shape[1]
    amounts = standards @ shapes.T
    rebuilt = amounts @ shapes
    misfit = np.sum((standards - rebuilt) ** 2, axis=1)
    apparent = misfit / max(1, points - number)
    predicted = found.real_error[number - 1] ** 2 * (amounts**2) @ (1 / found.squares[:number])
    added = np.maximum(apparent - predicted, 0)
    spoil = np.sqrt(added / np.maximum(predicted, np.finfo(float).tiny))
    residual = np.sqrt(misfit / points)
    return Targets(rebuilt, residual, spoil, (spoil < _ACCEPTABLE) | (residual < allowance))


def _reaching(real_error: Host, noise: float) -> int:
    """Fewest components whose real error is the noise; all where it stays above."""
    reached = np.flatnonzero(real_error <= _AS_GOOD * noise)
    return 1 + int(reached[0]) if len(reached) else len(real_error) + 1
