"""How far the shadow of the beam stop reaches, where no mask tells it.

In the shadow there is next to nothing: the mean radial profile of a sweep's background steps up
where it ends. Reflections inside would be integrated as weak ones, and nothing would say so.
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.image_figures import ImageFigures, inverse_d

LARGEST = 0.12
"""1/d in 1/Angstrom within which a shadow ends."""
DARK, LIT = 0.5, 0.9
"""Of the level outside: less than the first is a shadow, the second is out of its half-light."""
NEXT = 6
"""Bins, and half as many as are inside, whose level is the one outside."""
SURE = 20.0
"""By how much two levels must be likelier than one, as a logarithm."""


def shadow_limit(figures: ImageFigures, geometry: Geometry, gain: float = 1.0) -> float:
    """
    Return the resolution in Angstrom beyond which reflections lie in the beam stop's shadow.

    Parameters
    ----------
    figures
        Of a sweep's images; their profiles are those of this geometry.
    gain
        Counts per photon.

    Returns
    -------
    float
        Reflections with a larger d are in the shadow; infinite if there is none.
    """
    s = inverse_d(geometry)
    photons, pixels = _photons_and_pixels(figures, gain)
    there = np.flatnonzero((pixels > 0) & (s < LARGEST))
    edge = _step(photons[there], pixels[there])
    if edge is None:
        return inf
    outside = _level(photons[there], pixels[there], edge)
    lit = photons[there] / pixels[there] >= LIT * outside
    lit[:edge] = False
    first = there[np.argmax(lit)] if lit.any() else there[-1]
    return float(1 / s[first])


def _photons_and_pixels(figures: ImageFigures, gain: float) -> tuple[F, F]:
    """Return the sums over all images in each bin, (bins,) each."""
    mean, sigma = figures.profile, figures.profile_sigma
    seen = np.isfinite(mean) & (sigma > 0)
    mean, sigma = np.where(seen, mean, 0.0), np.where(seen, sigma, 1.0)
    pixels = np.where(mean > 0, gain * mean / sigma**2, gain / sigma) * seen
    return (mean * pixels).sum(axis=0) / gain, pixels.sum(axis=0)


def _step(photons: F, pixels: F) -> int | None:
    """Return the first bin of the brighter of two levels, None if there is no such step."""
    best, edge = SURE, None
    for here in range(1, len(photons)):
        inside = slice(0, here)
        outside = slice(here, here + _width(here))
        low, high = _mean(photons, pixels, inside), _mean(photons, pixels, outside)
        both = _mean(photons, pixels, slice(0, outside.stop))
        gained = _likelihood(photons[inside], low) + _likelihood(photons[outside], high)
        gained -= _likelihood(photons[: outside.stop], both)
        if low < DARK * high and gained > best:
            best, edge = gained, here
    return edge


def _width(inside: int) -> int:
    return NEXT + inside // 2


def _level(photons: F, pixels: F, edge: int) -> float:
    """Return the level beyond an edge and its half-light: the median of some bins."""
    values: NDArray[np.float64] = photons[edge:] / pixels[edge:]
    return float(np.median(values[: _width(edge)]))


def _mean(photons: F, pixels: F, bins: slice) -> float:
    return float(photons[bins].sum() / pixels[bins].sum())


def _likelihood(photons: F, level: float) -> float:
    """Return what of Poisson's likelihood depends on the level, where it is the photons' mean."""
    return float(photons.sum() * np.log(max(level, 1e-12)))
