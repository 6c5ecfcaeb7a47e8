"""
Which combination of standards explains a series, and whether one more is worth it.

Every further standard makes a fit better, also one that is not there. Two measures say whether by
more than chance: the probability of such a gain if the smaller combination were the truth (an F
test, as W. C. Hamilton, Acta Cryst. 18, 502 (1965), introduced it to crystallography as the test
of R factors), multiplied by the number of standards that could have been taken; and the Bayesian
information criterion that also pays for the number of combinations tried (J. Chen and Z. Chen,
Biometrika 95, 759 (2008)). Neighbouring points of a residual are alike, so both count independent
points only.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host
from tasks.xas.lcf import fit
from tasks.xas.lcf_subsets import Equations, subsets, trials

_special: Any = scipy.special

_BLOCK = 256  # spectra ranked at a time, so that the residuals of all combinations fit in memory


@dataclass(frozen=True)
class Ranking:
    """
    Combinations of standards, ranked on a series and for each spectrum.

    Attributes
    ----------
    combinations
        All of up to the largest size, as places of the standards: smaller ones first.
    chi2
        Squared residual of each, with non-negative weights, summed over the series.
    best
        Place among the combinations of the best of each size, shape (sizes, spectra).
    best_chi2
        Its squared residual, shape (sizes, spectra).
    chance
        Probability that the best of one size more is as much better by chance, shape
        (sizes - 1, spectra).
    size
        How many standards each spectrum needs, shape (spectra,).
    series_size
        How many the series needs.
    """

    combinations: tuple[tuple[int, ...], ...]
    chi2: Host
    best: Host
    best_chi2: Host
    chance: Host
    size: Host
    series_size: int

    def best_of(self, size: int, count: int = 1) -> list[tuple[int, ...]]:
        """Return the combinations of a size that explain the series best, best first."""
        places = [i for i, each in enumerate(self.combinations) if len(each) == size]
        places.sort(key=lambda place: float(self.chi2[place]))
        return [self.combinations[place] for place in places[:count]]


def rank(
    spectra: Host, standards: Host, max_standards: int = 4, sum_to_one: bool = True
) -> Ranking:
    """
    Try all combinations of up to so many standards.

    Parameters
    ----------
    spectra, standards
        As for `tasks.xas.lcf.fit`: (spectra, points) and (standards, points).
    max_standards
        Largest size.
    sum_to_one
        Let the weights of a spectrum sum to 1.

    Returns
    -------
    Ranking
    """
    count, most = len(standards), min(max_standards, len(standards))
    levels = [subsets(count, size) for size in range(1, most + 1)]
    totals = [np.zeros(len(level)) for level in levels]
    blocks: list[tuple[Host, Host]] = []
    for begin in range(0, len(spectra), _BLOCK):
        block = spectra[begin : begin + _BLOCK]
        residuals = _residuals(Equations.of(np, block, standards, sum_to_one), levels)
        totals = [total + chi2.sum(axis=1) for total, chi2 in zip(totals, residuals, strict=True)]
        lowest = [(chi2.argmin(axis=0), chi2.min(axis=0)) for chi2 in residuals]
        blocks.append((np.stack([at for at, _ in lowest]), np.stack([low for _, low in lowest])))
    starts = np.cumsum([0, *(len(level) for level in levels[:-1])])
    best = np.concatenate([at for at, _ in blocks], axis=1) + starts[:, None]
    best_chi2 = np.concatenate([low for _, low in blocks], axis=1)
    points = independent_points(spectra, standards, most, sum_to_one)
    together = np.array([[total.min()] for total in totals])
    return Ranking(
        combinations=tuple(tuple(map(int, each)) for level in levels for each in level),
        chi2=np.concatenate(totals),
        best=best,
        best_chi2=best_chi2,
        chance=_chance(best_chi2, points, count, sum_to_one),
        size=_needed(best_chi2, points, count, sum_to_one, 1),
        series_size=int(_needed(together, points.sum(), count, sum_to_one, len(spectra))[0]),
    )


def independent_points(
    spectra: Host, standards: Host, max_standards: int | None = None, sum_to_one: bool = True
) -> Host:
    """
    Count the points whose residuals in the best fit do not repeat each other.

    Parameters
    ----------
    spectra, standards, max_standards, sum_to_one
        As for `tasks.xas.lcf.fit`.

    Returns
    -------
    numpy.ndarray
        Shape (spectra,): the number of points times (1 - r) / (1 + r), where r is how residuals of
        neighbours are correlated.
    """
    found = fit(spectra, standards, sum_to_one, max_standards)
    residual = spectra - found.weights @ standards
    square = np.maximum(np.sum(residual**2, axis=1), np.finfo(float).tiny)
    alike = np.sum(residual[:, 1:] * residual[:, :-1], axis=1) / square
    alike = np.clip(alike, 0, 0.95)
    return residual.shape[1] * (1 - alike) / (1 + alike)


def _residuals(equations: Equations, levels: list[Host]) -> list[Host]:
    """
    Squared residual of each combination with non-negative weights, by size: (subsets, spectra).

    Where a combination wants a negative weight, it is as good as the best of those inside it.
    """
    found: list[Host] = []
    places: dict[tuple[int, ...], int] = {}
    for index in levels:
        chi2 = np.concatenate([block for _, block in trials(equations, index)])
        if not found and not equations.sum_to_one:
            chi2 = np.minimum(chi2, equations.square)
        for left_out in range(index.shape[1] if found else 0):
            inner = np.delete(index, left_out, axis=1)
            at = [places[tuple(each)] for each in inner.tolist()]
            np.minimum(chi2, found[-1][at], out=chi2)
        found.append(np.maximum(chi2, 0))
        places = {tuple(each): place for place, each in enumerate(index.tolist())}
    return found


def _chance(chi2: Host, points: Host, count: int, sum_to_one: bool) -> Host:
    """Probability of the gain of one standard more, for the best of all that could be added."""
    sizes = np.arange(2, len(chi2) + 1)[:, None]
    free = np.maximum(points - sizes + sum_to_one, 1.0)
    gain = (chi2[:-1] - chi2[1:]) / np.maximum(chi2[1:], np.finfo(float).tiny) * free
    single: Host = _special.fdtrc(1.0, free, np.maximum(gain, 0))
    return np.minimum(single * (count - sizes + 1), 1.0)


def _needed(chi2: Host, points: Host, count: int, sum_to_one: bool, spectra: int) -> Host:
    """Size of least information criterion; each spectrum has weights of its own."""
    sizes = range(1, len(chi2) + 1)
    free = np.array([size - sum_to_one for size in sizes])[:, None] * spectra
    ways = np.array([2 * math.log(math.comb(count, size)) for size in sizes])[:, None]
    misfit = points * np.log(np.maximum(chi2, np.finfo(float).tiny) / points)
    return 1 + np.argmin(misfit + free * np.log(points) + ways, axis=0)
