"""Observations that do not agree with their symmetry equivalents."""

from __future__ import annotations

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.equivalents import Bools
from tasks.mx.groups import Groups, reject

THRESHOLD = 6.0
"""Standard deviations from the weighted mean of the others: Evans, Acta Cryst. D62, 72 (2006)."""


def keep(
    groups: Groups,
    intensity: F,
    scale: F,
    variance: F,
    usable: Bools,
    threshold: float = THRESHOLD,
    together: Groups | None = None,
) -> Bools:
    """
    Tell what is kept.

    Friedel mates apart are few: a pair of which one is wrong shows nothing. So observations are
    compared once more with both mates taken together, the usual difference of mates allowed for.

    Parameters
    ----------
    groups
        What is compared with each other.
    intensity, scale, variance
        As integrated, inverse scale, and sigma'² of the intensity, (n,).
    usable
        False for what is left out beforehand, (n,).
    threshold
        Deviate that is too much.
    together
        Where `groups` has Friedel mates apart: the groups of both.

    Returns
    -------
    numpy.ndarray
        (n,); see `tasks.mx.groups.reject`.
    """
    value, spread = intensity / scale, variance / scale**2
    kept = reject(groups, value, spread, usable, threshold)
    if together is None:
        return kept
    mean = _means(together, value, spread, kept)
    apart = _means(groups, value, spread, kept) - mean
    return reject(together, value, spread + _usual(apart, mean, spread, kept), kept, threshold)


def _means(groups: Groups, value: F, spread: F, kept: Bools) -> F:
    """Return each observation's group's weighted mean, (n,); 0 where none is kept."""
    weight = np.where(kept, 1 / spread, 0.0)
    total = groups.sum(weight)
    above = groups.sum(np.where(kept, weight * value, 0.0))
    return np.divide(above, total, out=np.zeros(len(total)), where=total > 0)[groups.of]


def _usual(apart: F, mean: F, spread: F, kept: Bools) -> F:
    """Return how far mates usually are from their mean, squared, as a part of the mean's square."""
    strong = kept & (mean > 10 * np.sqrt(spread))
    if not strong.any():
        return np.zeros(len(mean))
    part = float(np.median(np.abs(apart[strong]) / mean[strong])) / 0.6745
    return (part * mean) ** 2


def fraction(usable: Bools, kept: Bools) -> float:
    """Return which part of the usable observations was left out."""
    return float(1 - kept.sum() / max(int(np.sum(usable)), 1))
