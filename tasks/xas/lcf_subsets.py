"""
The normal equations of linear combination fits, and the search for the best subset of standards.

For standards A and a spectrum y, the fit of a subset with weights that sum to one is
``w = P b + q`` with ``b = A y``: `P` and `q` depend on the standards alone. Its squared residual
follows from the same few numbers, so no subset has to look at the spectra again.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tasks.arrays import Array, Host, to_host
from tasks.errors import DataError

_BLOCK = 1 << 18  # weights tried at a time, so that temporary arrays stay in the cache
_ALIKE = 1e-10  # least eigenvalue of standards that can be told apart, scaled to length 1
_WANTED = 1e-12  # cosine of residual and standard below which it would change nothing


class Equations(NamedTuple):
    """
    What a fit needs to know of a block of spectra.

    Attributes
    ----------
    xp
        Functions of the array library.
    gram
        Products of the standards, (standards, standards), in host memory.
    rhs
        Products of standards and spectra, (standards, spectra).
    square
        Squared length of each spectrum, (spectra,).
    sum_to_one
        Whether the weights sum to 1.
    """

    xp: Any
    gram: Host
    rhs: Array
    square: Array
    sum_to_one: bool

    @classmethod
    def of(cls, xp: Any, spectra: Array, standards: Array, sum_to_one: bool) -> "Equations":
        """Multiply out spectra (spectra, points) and standards (standards, points)."""
        gram = to_host(standards @ standards.T)
        square = xp.vecdot(spectra, spectra)
        return cls(xp, gram, standards @ spectra.T, square, sum_to_one)


class Operators(NamedTuple):
    """
    What turns the right-hand side of a subset into its weights.

    Attributes
    ----------
    gain, offset
        ``weights = gain @ rhs + offset``; (subsets, size, size) and (subsets, size).
    constant
        ``chi2 = square - rhs @ (weights + offset) + constant``; (subsets,).
    """

    gain: Host
    offset: Host
    constant: Host


def subsets(count: int, size: int) -> Host:
    """Return all subsets of a size in lexical order, (subsets, size)."""
    return np.array(list(itertools.combinations(range(count), size)))


def operators(gram: Host, index: Host, sum_to_one: bool) -> Operators:
    """
    Solve the normal equations of subsets.

    Parameters
    ----------
    gram
        Products of the standards, (standards, standards).
    index
        Subsets of one size, (subsets, size).
    sum_to_one
        Whether the weights sum to 1.

    Returns
    -------
    Operators
        Not-a-number for a subset of which one standard is a combination of the others.
    """
    small = gram[index[:, :, None], index[:, None, :]]
    length = np.sqrt(np.diagonal(small, axis1=1, axis2=2))
    scaled = small / (length[:, :, None] * length[:, None, :])
    alike = np.linalg.eigvalsh(scaled)[:, 0] < _ALIKE
    scaled[alike] = np.eye(index.shape[1])
    inverse = np.linalg.inv(scaled) / (length[:, :, None] * length[:, None, :])
    inverse[alike] = np.nan
    if not sum_to_one:
        return Operators(inverse, np.zeros(index.shape), np.zeros(len(index)))
    sums = inverse.sum(axis=2)
    total = sums.sum(axis=1)
    gain = inverse - sums[:, :, None] * sums[:, None, :] / total[:, None, None]
    return Operators(gain, sums / total[:, None], 1 / total)


def trials(equations: Equations, index: Host) -> Iterator[tuple[int, Array]]:
    """
    Try subsets of one size on all spectra, some subsets at a time.

    Parameters
    ----------
    equations
        Of the spectra.
    index
        Subsets, (subsets, size).

    Yields
    ------
    int
        The first subset of the block.
    Array
        Squared residuals, (subsets of the block, spectra); infinite where a weight is negative.
    """
    xp, size, spectra = equations.xp, index.shape[1], equations.rhs.shape[1]
    made = operators(equations.gram, index, equations.sum_to_one)
    step = max(1, _BLOCK // (size * max(1, spectra)))
    for begin in range(0, len(index), step):
        block = slice(begin, begin + step)
        gain, offset, constant = (xp.asarray(part[block]) for part in made)
        flat = xp.asarray(index[block].ravel())
        rhs = xp.reshape(xp.take(equations.rhs, flat, axis=0), (-1, size, spectra))
        weights = gain @ rhs + offset[:, :, None]
        feasible = xp.all(weights >= 0, axis=1)
        explained = xp.sum(rhs * (weights + offset[:, :, None]), axis=1)
        chi2 = equations.square[None, :] - explained + constant[:, None]
        yield begin, xp.where(feasible, chi2, xp.inf)


def active_set(equations: Equations) -> Array:
    """
    Find which standards take part in the best fit when all of them may.

    Standards join one by one, the most wanted first; where the best weights of those that take
    part are not all positive, the way to them ends where the first becomes zero, and it leaves.

    Parameters
    ----------
    equations
        Of the spectra.

    Returns
    -------
    Array
        Bool, shape (spectra, standards).

    Raises
    ------
    DataError
        If rounding keeps it from ending: the standards are too much alike.
    """
    xp, count = equations.xp, len(equations.gram)
    gram, rhs = xp.asarray(equations.gram), equations.rhs.T
    longest = math.sqrt(float(np.max(np.diagonal(equations.gram))))
    enough = _WANTED * longest * xp.sqrt(equations.square)
    taking = _first(equations, rhs)
    weights = xp.astype(taking, rhs.dtype)
    for _ in range(20 * count):
        wanted = _solve(equations, gram, rhs, taking)
        negative = taking & (wanted <= 0)
        stopped = xp.any(negative, axis=1)
        way = xp.where(negative, weights / xp.where(negative, weights - wanted, 1.0), xp.inf)
        share = xp.where(stopped, xp.min(way, axis=1), 1.0)
        weights = xp.where(taking, weights + share[:, None] * (wanted - weights), 0.0)
        stay = taking & ~(negative & (way <= share[:, None]))
        slope = rhs - weights @ gram
        if equations.sum_to_one:
            common = xp.sum(xp.where(taking, slope, 0.0), axis=1)
            slope = slope - (common / xp.sum(xp.astype(taking, slope.dtype), axis=1))[:, None]
        slope = xp.where(taking, -xp.inf, slope)
        join = ~stopped & (xp.max(slope, axis=1) > enough)
        most = xp.arange(count)[None, :] == xp.argmax(slope, axis=1)[:, None]
        if not bool(xp.any(stopped | join)):
            return taking
        taking = stay | (most & join[:, None])
        weights = xp.where(taking, weights, 0.0)
    raise DataError(
        "The fit of the standards does not settle: some of them are too much alike. Leave out "
        "those that cannot be told apart, or limit how many take part."
    )


def _first(equations: Equations, rhs: Array) -> Array:
    """Begin with the nearest standard where weights sum to one, with none otherwise."""
    xp, count = equations.xp, len(equations.gram)
    distance = xp.asarray(np.diagonal(equations.gram).copy())[None, :] - 2 * rhs
    nearest = xp.arange(count)[None, :] == xp.argmin(distance, axis=1)[:, None]
    return nearest & (xp.ones_like(nearest) if equations.sum_to_one else xp.zeros_like(nearest))


def _solve(equations: Equations, gram: Array, rhs: Array, taking: Array) -> Array:
    """Weights of those that take part, 0 for the others; (spectra, standards)."""
    xp, count = equations.xp, gram.shape[0]
    part = xp.astype(taking, rhs.dtype)
    matrix = part[:, :, None] * gram * part[:, None, :] + (1 - part)[:, :, None] * xp.eye(count)
    side = part * rhs
    if equations.sum_to_one:
        one = xp.ones((rhs.shape[0], 1), dtype=rhs.dtype)
        matrix = xp.concat([matrix, part[:, None, :]], axis=1)
        border = xp.concat([part, 0 * one], axis=1)
        matrix = xp.concat([matrix, border[:, :, None]], axis=2)
        side = xp.concat([side, one], axis=1)
    return xp.linalg.solve(matrix, side[:, :, None])[:, :count, 0]
