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
) -> Bools:
    """
    Tell what is kept.

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

    Returns
    -------
    numpy.ndarray
        (n,); see `tasks.mx.groups.reject`.
    """
    return reject(groups, intensity / scale, variance / scale**2, usable, threshold)


def fraction(usable: Bools, kept: Bools) -> float:
    """Return which part of the usable observations was left out."""
    return float(1 - kept.sum() / max(int(np.sum(usable)), 1))
