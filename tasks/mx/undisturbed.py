"""Which reflections something else lies on: a grain of ice, a spot of another crystal.

What is usual is told by the reflections themselves, so that a profile that fits all of them
poorly sorts out none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F

MUCH, SIGMAS = 3.0, 6.0
"""Photons about a peak are too many from so many times what is usual and so many sigmas on."""
SHELL, FEWEST = 300, 30
"""Reflections of like strength that are compared, and how many tell what is usual."""


def undisturbed(seen: F, below: F, total: F) -> NDArray[np.bool_]:
    """
    Tell beside which peaks no image has far more photons than there usually are.

    One grain of ice beside one strong peak outweighs the tails of all others, which are to tell how
    far peaks reach.

    Parameters
    ----------
    seen, below
        Photons, and the background's share of them, outside of a peak's core, (n, images).
    total
        Photons of the peak, (n,).
    """
    if len(seen) < FEWEST:
        return np.ones(len(seen), np.bool_)
    total = np.maximum(total, 1)
    usual = total * max(float(np.median((seen - below).sum(axis=1) / total)), 0.0)
    expected = usual[:, None] + below
    limit = expected + (MUCH - 1) * usual[:, None] + SIGMAS * np.sqrt(expected + 1)
    return ~np.any(seen > limit, axis=1)


def misfits(strength: F, misfit: F) -> NDArray[np.bool_]:
    """
    Tell which reflections differ from their profiles far more than others of their strength do.

    Parameters
    ----------
    strength
        Intensity over sigma, (n,); NaN where there is none.
    misfit
        Mean squared residual of the fit over its variance, (n,).
    """
    known = np.nonzero(np.isfinite(strength) & (misfit > 0))[0]
    out = np.zeros(len(strength), np.bool_)
    if len(known) < FEWEST:
        return out
    order = known[np.argsort(strength[known])]
    for rows in np.array_split(order, max(1, len(order) // SHELL)):
        logs: Any = np.log(misfit[rows])
        off = logs - np.median(logs)
        out[rows] = off > SIGMAS * 1.4826 * np.median(np.abs(off))
    return out
