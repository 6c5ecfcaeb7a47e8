"""
How well calculated normalised amplitudes explain the observed ones.

The log-likelihood gain compares, reflection by reflection, the distribution of the observed
amplitude around the calculated one (V. Luzzati, 1952; R. Srinivasan & S. Ramachandran, 1965; as a
target of molecular replacement: R. J. Read, Acta Cryst. D57, 1373 (2001)) with Wilson's. sigmaA,
the correlation between true and calculated structure factors, is chosen in each resolution shell
for the largest gain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.structure.observed import Normalised

_SIGMA_A = np.linspace(0.0, 0.97, 49)


def correlation(first: F, second: F) -> float:
    """Return the linear correlation of two arrays (n,)."""
    a, b = first - first.mean(), second - second.mean()
    return float(a @ b / np.sqrt(max((a @ a) * (b @ b), 1e-30)))


def calculated(data: Normalised, structure_factors: NDArray[Any]) -> F:
    """Return intensities (n,) scaled to mean 1 in each shell, reflections as in the data."""
    intensity = np.abs(structure_factors) ** 2
    count = np.bincount(data.shell)
    observed = np.bincount(data.shell, data.e_squared) / count
    mean = np.bincount(data.shell, intensity) / count
    return intensity * (observed / np.maximum(mean, 1e-12))[data.shell]


def log_likelihood_gain(data: Normalised, intensity: F) -> float:
    """
    Return the log-likelihood gain of calculated normalised intensities (n,), in natural units.

    Those of a random structure give about half a unit for each shell, by chance.
    """
    gains = np.zeros((len(_SIGMA_A), int(data.shell.max()) + 1))
    for number, sigma_a in enumerate(_SIGMA_A):
        each = _gain(data, intensity, float(sigma_a))
        gains[number] = np.bincount(data.shell, each, minlength=gains.shape[1])
    return float(gains.max(axis=0).sum())


def _gain(data: Normalised, intensity: F, sigma_a: float) -> F:
    """Return the gain of each reflection for one sigmaA, (n,)."""
    import scipy.special  # pyright: ignore[reportMissingTypeStubs]

    variance = 1 - sigma_a**2
    moduli = np.sqrt(data.e_squared * intensity)
    x = sigma_a * moduli / variance
    spread = (data.e_squared + sigma_a**2 * intensity) / variance - data.e_squared
    bessel: Any = scipy.special.i0e(2 * x)  # scaled by exp(-2 x)
    acentric = -np.log(variance) - spread + np.log(bessel) + 2 * x
    centric: F = -np.log(variance) / 2 - spread / 2 + np.logaddexp(x, -x) - np.log(2.0)
    return np.where(data.centric, centric, acentric)
