"""
What the uncertainties of intensities must be, so that equivalents scatter as they say.

``sigma'² = a² (sigma² + (b <I>)²)``: Evans & Murshudov, Acta Cryst. D69, 1204 (2013);
Beilsten-Edmands et al., Acta Cryst. D76, 385 (2020). The asymptotic I/sigma of a strong reflection
is ``ISa = 1 / (a b)``: Diederichs, Acta Cryst. D66, 733 (2010). ``<I>`` is the mean of the group:
an observation's own intensity would give those that are low by chance too much weight. For the same
reason the part of sigma² that follows the observation's own counts is moved to the group's mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.equivalents import Bools
from tasks.mx.groups import Groups
from tasks.mx.reflections import Observations

BINS = 10
_FEWEST = 100
"""Deviates from which two parameters can be told."""
_LEAST_VARIANCE = 0.25
"""Part of sigma² that stays whatever the group's mean is."""
_A_SPREAD, _B_USUAL, _B_SPREAD = 0.5, 0.03, 0.7
"""Prior of ln a and ln b: weak data do not tell b, and no instrument has an infinite ISa."""
_CLIP = 4.0
"""Deviates beyond which a robust width does not listen."""


@dataclass(frozen=True)
class ErrorModel:
    """
    Parameters of the uncertainties.

    Attributes
    ----------
    a, b
        See the module.
    slopes
        How much of sigma² follows the observation's own intensity: for each sweep by number, levels
        of I and d sigma²/dI there, (levels,) each. Exposures and corrections differ by sweep.
    intensities, widths
        Mean I of bins, and the robust width of the normalised deviations in each: 1 if the model
        holds, (bins,).
    """

    a: float = 1.0
    b: float = 0.02
    slopes: Mapping[int, tuple[F, F]] = field(default_factory=dict[int, tuple[F, F]])
    intensities: F | None = None
    widths: F | None = None

    @property
    def isa(self) -> float:
        """Asymptotic I/sigma of a strong observation."""
        return 1 / (self.a * self.b) if self.b > 0 else float("inf")

    def counting(self, seen: Observations, expected: F) -> F:
        """Return sigma² as it would be if the observation had had its expected intensity, (n,)."""
        variance = seen.sigma**2
        slope = np.zeros(len(seen))
        for sweep, (levels, slopes) in self.slopes.items():
            rows = seen.sweep == sweep
            slope[rows] = np.interp(expected[rows], levels, slopes)
        moved = variance - slope * (seen.intensity - expected)
        return np.maximum(moved, _LEAST_VARIANCE * variance)

    def variance(self, seen: Observations, expected: F) -> F:
        """
        Return sigma'².

        Parameters
        ----------
        seen
            As integrated, n of them.
        expected
            What the group's mean would be on the observation's own scale, (n,).
        """
        own = self.counting(seen, expected)
        return self.a**2 * (own + (self.b * expected) ** 2)


def counting_slopes(
    groups: Groups, seen: Observations, expected: F, kept: Bools
) -> dict[int, tuple[F, F]]:
    """
    Find how sigma² follows an observation's own intensity, from equivalents of each other.

    Returns
    -------
    dict of tuple
        `ErrorModel.slopes`; sweeps with too few observations have none.
    """
    numbers: list[int] = np.unique(seen.sweep).tolist()
    found: dict[int, tuple[F, F]] = {}
    for number in numbers:
        used = kept & np.isfinite(expected) & (seen.sweep == number)
        if used.sum() >= _FEWEST:
            excess = _within(groups, seen.intensity - expected, used)
            variance = _within(groups, seen.sigma**2, used)
            weight = seen.sigma[used] ** -2
            ranks = _bins(expected[used])
            above = np.bincount(ranks, weight * excess * variance, BINS)
            below = np.bincount(ranks, weight * excess**2, BINS)
            level = np.bincount(ranks, expected[used], BINS)
            level = level / np.maximum(np.bincount(ranks, None, BINS), 1)
            slopes = np.maximum(above / np.maximum(below, np.finfo(float).tiny), 0)
            order = np.argsort(level)
            found[number] = (level[order], slopes[order])
    return found


def _within(groups: Groups, values: F, used: Bools) -> F:
    """Return the used values' deviations from their group's plain mean."""
    of = groups.of[used]
    total = np.bincount(of, values[used], len(groups))
    count = np.bincount(of, minlength=len(groups))
    return values[used] - (total / np.maximum(count, 1))[of]


def fit_error_model(
    groups: Groups, seen: Observations, scale: F, mean: F, kept: Bools, start: ErrorModel
) -> ErrorModel:
    """
    Fit a and b so that normalised deviations from the weighted mean are N(0, 1) at any intensity.

    Parameters
    ----------
    groups
        What is compared with each other.
    seen, scale
        As integrated, n of them, and inverse scales, (n,).
    mean
        Weighted mean of each observation's group, (n,).
    kept
        False for outliers, (n,).
    start
        Under which the means were weighted; with its slopes.

    Returns
    -------
    ErrorModel
        `start` with other widths where there are too few equivalents to tell.
    """
    import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]

    optimise: Any = scipy.optimize
    expected = scale * mean
    variance = start.variance(seen, expected)
    share = _share_of_mean(groups, scale**2 / variance, kept)
    used = kept & (share < 0.95) & np.isfinite(expected)
    if used.sum() < _FEWEST:
        return start
    own = start.counting(seen, expected)[used]
    left = (seen.intensity - expected)[used] ** 2 / (1 - share[used])
    systematic = expected[used] ** 2

    def unlikely(logarithms: F) -> float:
        a, b = float(np.exp(logarithms[0])), float(np.exp(logarithms[1]))
        model = a**2 * (own + b**2 * systematic)
        ratio = np.minimum(left / model, _CLIP**2)
        usual = ((np.log(a) / _A_SPREAD) ** 2 + (np.log(b / _B_USUAL) / _B_SPREAD) ** 2) / len(own)
        return float(np.mean(np.log(model) + ratio) + usual)

    first: Any = np.log([start.a, max(start.b, 0.01)])
    found = optimise.minimize(unlikely, first, method="Nelder-Mead")
    a, b = np.exp(np.asarray(found.x, dtype=np.float64)).tolist()
    model = replace(start, a=a, b=b)
    deviate = np.sqrt(left) / np.sqrt(model.a**2 * (own + b**2 * systematic))
    ranks = _bins(mean[used])
    widths = [float(np.median(deviate[ranks == each])) / 0.6745 for each in range(BINS)]
    levels = [float(np.mean(mean[used][ranks == each])) for each in range(BINS)]
    return replace(model, intensities=np.array(levels), widths=np.array(widths))


def _share_of_mean(groups: Groups, weights: F, kept: Bools) -> F:
    """Return which part of its group's weighted mean each observation is, (n,)."""
    weights = np.where(kept, weights, 0.0)
    total = groups.sum(weights)[groups.of]
    return np.divide(weights, total, out=np.ones(len(weights)), where=total > 0)


def _bins(values: F) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, values)
