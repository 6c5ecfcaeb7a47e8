"""
Linear combination fit: how much of each standard a spectrum is made of.

With weights that may not be negative the best fit is the best of the unconstrained fits to subsets
of the standards whose weights all come out positive. For few standards, or few at a time out of
many, all subsets are tried: a small matrix for each serves all spectra, and the global optimum is
certain. For many standards at once the active set method (C. L. Lawson and R. J. Hanson, *Solving
Least Squares Problems*, Prentice-Hall 1974, chapter 23) walks to it, all spectra abreast.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.errors import DataError
from tasks.xas.lcf_subsets import Equations, active_set, operators, subsets, trials

_MOST_SUBSETS = 130  # of up to 7 standards; the active set is faster for more
_BLOCK = 4096  # spectra fitted at a time, so that temporary arrays stay small
_TIE = 1e-14  # of the squared spectrum: a larger subset must be better by more than rounding


@dataclass(frozen=True)
class Fit:
    """
    Weights of the standards in each spectrum, and how well they explain it.

    Attributes
    ----------
    weights
        Shape (spectra, standards).
    weights_sigma
        1 sigma by the scatter of the residual alone, shape (spectra, standards): too small where
        errors are not those of single points (see `tasks.xas.lcf_uncertainty`).
    chi2
        Sum of the squared residual, shape (spectra,).
    redchi
        The same per degree of freedom.
    r_factor
        Sum of the squared residual over that of the spectrum.
    support
        The standards that take part, bool, shape (spectra, standards).
    """

    weights: Array
    weights_sigma: Array
    chi2: Array
    redchi: Array
    r_factor: Array
    support: Array


@algorithm("xas.lcf", version="1", rtol=1e-6)
def fit(
    spectra: Array, standards: Array, sum_to_one: bool = True, max_standards: int | None = None
) -> Fit:
    """
    Fit spectra by non-negative amounts of standards.

    Parameters
    ----------
    spectra
        Normalised, flattened or derivative, within the range of the fit; (spectra, points).
    standards
        The same of the standards, through the same windows; (standards, points).
    sum_to_one
        Let the weights of a spectrum sum to 1.
    max_standards
        At most so many take part in a spectrum; all may when left out.

    Returns
    -------
    Fit
        The global optimum for each spectrum; not-a-number for one that holds such values.

    Raises
    ------
    DataError
        If there are no standards, or not more points than standards that take part.
    """
    total, (count, points) = spectra.shape[0], standards.shape
    most = min(max_standards or count, count)
    if not 0 < most < points:
        raise DataError(
            f"{count} standards cannot be fitted to {points} points: name at least one standard, "
            "and fit over more points than there are standards."
        )
    xp = namespace(spectra, standards)
    parts = [
        _fit(xp, spectra[begin : min(begin + _BLOCK, total), :], standards, sum_to_one, most)
        for begin in range(0, max(1, total), _BLOCK)
    ]
    return Fit(*(xp.concat([vars(part)[name] for part in parts]) for name in vars(parts[0])))


def derivative(energy: Array, spectra: Array) -> Array:
    """
    Differentiate spectra, for fits that shall not see slow errors of the normalisation.

    Parameters
    ----------
    energy
        eV, shape (points,).
    spectra
        Shape (spectra, points).

    Returns
    -------
    Array
        1/eV, shape (spectra, points): central differences, one-sided at the ends.
    """
    xp = namespace(energy, spectra)
    lower = xp.concat([spectra[:, :1], spectra[:, :-1]], axis=1)
    upper = xp.concat([spectra[:, 1:], spectra[:, -1:]], axis=1)
    below, above = xp.concat([energy[:1], energy[:-1]]), xp.concat([energy[1:], energy[-1:]])
    return (upper - lower) / (above - below)


def _fit(xp: Any, spectra: Array, standards: Array, sum_to_one: bool, most: int) -> Fit:
    equations = Equations.of(xp, spectra, standards, sum_to_one)
    count = standards.shape[0]
    if most < count or sum(math.comb(count, size) for size in range(1, most + 1)) < _MOST_SUBSETS:
        supports, which = _best_subset(equations, most)
    else:
        supports, inverse = np.unique(to_host(active_set(equations)), axis=0, return_inverse=True)
        which = inverse.ravel()
    gain, offset = _tables(equations, supports)
    place = xp.asarray(which)
    rhs = equations.rhs.T
    gains, offsets = xp.take(xp.asarray(gain), place, axis=0), xp.asarray(offset)
    weights = (gains @ rhs[:, :, None])[:, :, 0] + xp.take(offsets, place, axis=0)
    residual = spectra - weights @ standards
    chi2 = xp.sum(residual**2, axis=1)
    free = standards.shape[1] - np.sum(supports, axis=1) + sum_to_one
    redchi = chi2 / xp.take(xp.asarray(free.astype(float)), place)
    spread = np.sqrt(np.maximum(np.diagonal(gain, axis1=1, axis2=2), 0))
    sigma = xp.sqrt(redchi)[:, None] * xp.take(xp.asarray(spread), place, axis=0)
    support = xp.take(xp.asarray(supports), place, axis=0)
    return Fit(weights, sigma, chi2, redchi, chi2 / equations.square, support)


def _best_subset(equations: Equations, most: int) -> tuple[Host, Host]:
    """Return the subsets that are best for some spectrum, (subsets, standards), and which is."""
    xp, count = equations.xp, len(equations.gram)
    tried = [subsets(count, size) for size in range(1, most + 1)]
    least = xp.zeros_like(equations.square) + (xp.inf if equations.sum_to_one else equations.square)
    best = xp.zeros(equations.square.shape, dtype=xp.int64)
    number = 1  # 0 is the empty subset
    for index in tried:
        for begin, chi2 in trials(equations, index):
            lowest = xp.min(chi2, axis=0)
            better = lowest < least - _TIE * equations.square
            best = xp.where(better, number + begin + xp.argmin(chi2, axis=0), best)
            least = xp.where(better, lowest, least)
        number += len(index)
    winners, inverse = np.unique(to_host(best), return_inverse=True)
    supports = np.zeros((len(winners), count), bool)
    ends = np.cumsum([1, *(len(index) for index in tried)])
    for row, winner in enumerate(winners):
        if winner:
            size = int(np.searchsorted(ends, int(winner), "right")) - 1
            supports[row, tried[size][winner - ends[size]]] = True
    return supports, inverse.ravel()


def _tables(equations: Equations, supports: Host) -> tuple[Host, Host]:
    """Gain (subsets, standards, standards) and offset (subsets, standards), 0 outside a subset."""
    rows, count = supports.shape
    gain, offset = np.zeros((rows, count, count)), np.zeros((rows, count))
    sizes = supports.sum(axis=1)
    for size in np.unique(sizes[sizes > 0]):
        at = np.flatnonzero(sizes == size)
        index = np.nonzero(supports[at])[1].reshape(len(at), size)
        small = operators(equations.gram, index, equations.sum_to_one)
        gain[at[:, None, None], index[:, :, None], index[:, None, :]] = small.gain
        offset[at[:, None], index] = small.offset
    return gain, offset


@fit.case
def three_standards() -> Inputs:
    """Fit mixtures with noise, of which some lack a standard."""
    return _mixtures(3), {}


@fit.case
def few_of_many_that_need_not_sum_to_one() -> Inputs:
    """Fit at most two of five standards."""
    return _mixtures(5), {"sum_to_one": False, "max_standards": 2}


@fit.case
def many_standards() -> Inputs:
    """Fit ten standards by the active set."""
    return _mixtures(10), {}


@fit.case
def many_standards_that_need_not_sum_to_one() -> Inputs:
    """Fit nine standards by the active set without the sum."""
    return _mixtures(9), {"sum_to_one": False}


def _mixtures(count: int) -> tuple[Host, Host]:
    rng = np.random.default_rng(11)
    energy = np.linspace(-20, 60, 90)
    places = np.linspace(0, 6, count)[:, None]
    lines = rng.uniform(0.1, 0.8, (count, 1)) * np.exp(-((energy - places - 4) ** 2) / 9)
    standards = 1 / (1 + np.exp(places - energy)) + lines
    weights = rng.dirichlet(np.full(count, 0.4), 12)
    return weights @ standards + 0.003 * rng.normal(size=(12, 90)), standards
