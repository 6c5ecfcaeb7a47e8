"""Amplitudes from intensities that may be negative (French & Wilson, Acta Cryst. A34, 517 (1978)).

The true intensity J is not negative and follows Wilson's distribution about its expected mean S.
Given a measured I with error sigma, its density is that distribution times a normal one. In units
of sigma both cases depend on one number alone, h = I/sigma - sigma/S (acentric) or
I/sigma - sigma/2S (centric): with J = sigma x², x has the density x exp(-(x² - h)²/2), centric ones
without the factor x. The moments of it are integrated here, not looked up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.expected_intensity import Expected, expected_intensity
from tasks.mx.reflections import Ints

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_TAIL = 72.0  # exponents this far below the largest one count for nothing
_BLOCK = 20000
IMPOSSIBLE = -4.0
"""Measured so far below zero that it is an error of the measurement, in sigmas (h)."""


@dataclass(frozen=True)
class Amplitudes:
    """
    Amplitudes and the intensities that go with them, n of them; NaN where rejected.

    Attributes
    ----------
    f, f_sigma
        Mean and standard deviation of the amplitude, (n,).
    intensity, intensity_sigma
        Of the true intensity, (n,).
    rejected
        Measured impossibly far below zero, (n,).
    expected
        Prior that was used; None where the caller gave it.
    """

    f: F
    f_sigma: F
    intensity: F
    intensity_sigma: F
    rejected: NDArray[np.bool_]
    expected: Expected | None = None


def french_wilson(
    hkl: Ints, intensity: F, sigma: F, cell: tuple[float, ...], space_group: str
) -> Amplitudes:
    """
    Estimate amplitudes of merged intensities, with a prior that follows resolution and direction.

    Parameters
    ----------
    hkl, intensity, sigma
        Merged, absent ones left out, (n, 3), (n,), (n,).
    cell, space_group
        Of the crystal.

    Raises
    ------
    DataError
        If there is no signal, see `expected_intensity`.
    """
    prior = expected_intensity(hkl, intensity, sigma, cell, space_group)
    found = posterior(intensity, sigma, prior.mean, prior.centric)
    return Amplitudes(
        found.f, found.f_sigma, found.intensity, found.intensity_sigma, found.rejected, prior
    )


def posterior(intensity: F, sigma: F, expected: F, centric: NDArray[np.bool_]) -> Amplitudes:
    """
    Integrate over the true intensity.

    Parameters
    ----------
    intensity, sigma
        Measured, (n,).
    expected
        Mean of the true ones, epsilon included, (n,).
    centric
        (n,).
    """
    h = intensity / sigma - np.where(centric, 0.5, 1.0) * sigma / expected
    rejected = h < IMPOSSIBLE - sigma / expected
    parts = [_moments(h[k : k + _BLOCK], centric[k : k + _BLOCK]) for k in range(0, len(h), _BLOCK)]
    first, second, fourth = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0))
    void = np.where(rejected, np.nan, 1.0)
    root = np.sqrt(sigma)
    return Amplitudes(
        f=void * root * first,
        f_sigma=void * root * np.sqrt(np.maximum(second - first**2, 0)),
        intensity=void * sigma * second,
        intensity_sigma=void * sigma * np.sqrt(np.maximum(fourth - second**2, 0)),
        rejected=rejected,
    )


def _moments(h: F, centric: NDArray[np.bool_]) -> F:
    """Mean of x, x² and x⁴, (3, n)."""
    nearest = np.minimum(h, 0) ** 2
    reach = np.sqrt(nearest + _TAIL)
    low = np.sqrt(np.maximum(h - reach, 0))
    high = np.sqrt(np.maximum(h + reach, 1e-12))
    half = (high - low)[:, None] / 2
    x = low[:, None] + half * (_NODES + 1)
    density = np.exp(-0.5 * ((x**2 - h[:, None]) ** 2 - nearest[:, None])) * _WEIGHTS
    density *= np.where(centric[:, None], 1.0, x)
    density /= density.sum(axis=1, keepdims=True)
    return np.array([(density * x**power).sum(axis=1) for power in (1, 2, 4)])
