"""From integrated reflections to the observations that scaling starts from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.geometry import from_laboratory
from tasks.mx.reflections import Flag, Observations, Reflections

LEAST_RECORDED = 0.75
"""Partiality below which a reflection is left out."""
SUMMED_FROM = 50.0
"""Ratio of intensity and sigma above which the sum is taken where the peak is whole."""
SHELL = 300
"""Reflections whose mean tells what to expect at their resolution."""
HALF = 0.5
"""Photon that a fit's variance has beside its own intensity."""
LEAST_VARIANCE = 0.25
"""Part of a variance that stays, whatever intensity is expected."""


def to_observations(reflections: Reflections, geometry: Geometry) -> Observations:
    """
    Choose and correct one intensity per reflection.

    Fitted ones, combined with the summed ones where these are as good and do not depend on the
    profile's shape: an error of the profile of 1 % would govern the strongest. Overloaded ones,
    those without background or profile, those that something else lies on, and those of which less
    than three quarters were recorded are left out.

    An intensity's variance follows its own counts: one that is low by chance would seem the better
    known. The sigmas of weak ones are those of the intensity that is likeliest on average, given
    what others have at that resolution; the intensities stay as they are.
    """
    spoilt = Flag.OVERLOADED | Flag.NO_BACKGROUND | Flag.NO_PROFILE | Flag.MISFIT
    kept = ~reflections.has(spoilt)
    kept &= (reflections.partiality >= LEAST_RECORDED) & np.isfinite(reflections.correction)
    reflections = reflections.take(kept)
    intensity, sigma = combined(reflections)
    factor = reflections.correction / reflections.partiality
    usual = _usual(reflections.d, intensity * factor) / factor
    sigma = _steadied(intensity, sigma, usual, geometry.detector.gain)
    return Observations(
        hkl=reflections.hkl,
        intensity=intensity * factor,
        sigma=sigma * factor,
        d=reflections.d,
        xyz=reflections.xyz,
        s1=from_laboratory(geometry, reflections.s1, reflections.xyz[:, 2]),
        sweep=reflections.sweep,
        flags=reflections.flags,
    )


def combined(reflections: Reflections) -> tuple[F, F]:
    """
    Return intensities and sigmas, (n,): the fitted ones go over into the summed ones.

    The weight of the sum is ``1 / (1 + (50 sigma / I)^3)`` with I the fitted intensity, a smooth
    step, and 0 where pixels of the peak lack or a neighbour takes them.
    """
    whole = ~reflections.has(Flag.INCOMPLETE | Flag.NEIGHBOUR)
    strength = np.maximum(reflections.fitted, 1e-6) / reflections.fitted_sigma
    weight: NDArray[np.float64] = np.where(whole, 1 / (1 + (SUMMED_FROM / strength) ** 3), 0.0)
    intensity = weight * reflections.summed + (1 - weight) * reflections.fitted
    sigma = weight * reflections.summed_sigma + (1 - weight) * reflections.fitted_sigma
    return intensity, sigma


def _usual(d: F, intensity: F) -> F:
    """Return the mean of corrected intensities at each one's resolution, (n,); never 0."""
    if not len(d):
        return np.ones(0)
    order = np.argsort(d)
    shells = np.array_split(order, max(1, len(order) // SHELL))
    middle = np.array([d[shell].mean() for shell in shells])
    level = np.array([intensity[shell].mean() for shell in shells])
    least = max(1e-3 * float(level.max()), np.finfo(np.float64).tiny)
    return np.maximum(np.interp(d, middle, level), least)


def _steadied(intensity: F, sigma: F, usual: F, gain: float) -> F:
    """
    Return sigmas whose counting part is that of the expected intensity, (n,).

    Intensities are distributed exponentially about what is usual (Wilson, Acta Cryst. 2, 318
    (1949)); with a normal error, the expectation is that of a normal distribution cut off at 0
    (French & Wilson, Acta Cryst. A34, 517 (1978)).
    """
    from scipy.special import log_ndtr  # pyright: ignore[reportMissingTypeStubs]

    variance, own = sigma**2, np.maximum(intensity, 0) + HALF * gain
    for _ in range(2):
        width = np.sqrt(variance)
        at = (intensity - variance / usual) / width
        expected = width * (at + np.exp(-(at**2) / 2 - log_ndtr(at)) / np.sqrt(2 * np.pi))
        moved = sigma**2 + gain * (expected - own)
        variance = np.maximum(moved, LEAST_VARIANCE * sigma**2)
    return np.sqrt(variance)
