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


def to_observations(reflections: Reflections, geometry: Geometry) -> Observations:
    """
    Choose and correct one intensity per reflection.

    Fitted ones, combined with the summed ones where these are as good and do not depend on the
    profile's shape: an error of the profile of 1 % would govern the strongest. Overloaded ones,
    those without background or profile, and those of which less than three quarters were recorded
    are left out.
    """
    kept = ~reflections.has(Flag.OVERLOADED | Flag.NO_BACKGROUND | Flag.NO_PROFILE)
    kept &= (reflections.partiality >= LEAST_RECORDED) & np.isfinite(reflections.correction)
    reflections = reflections.take(kept)
    intensity, sigma = combined(reflections)
    factor = reflections.correction / reflections.partiality
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
