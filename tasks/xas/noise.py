"""
Noise of single points, from how badly each follows the polynomial through its neighbours.

A difference of order 6 over seven neighbouring points annihilates every polynomial up to degree 5,
whatever the spacing of the points, so that little of the spectrum is left in it; divided by the
root of the sum of its squared weights it has the noise of one point. The median of its size is not
moved by a few glitches or by a white line. Differences for the variance of noise on a smooth curve
go back to J. von Neumann, Ann. Math. Stat. 12, 367 (1941), doi:10.1214/aoms/1177731677; the median
absolute deviation makes them robust.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.io.spectra import F

_ORDER = 6
_FEWEST = 10  # differences that a region needs for a noise of its own
_MEDIAN = 0.6744897501960817  # median of |x| for white noise of 1
_BLOCK = 128  # spectra at a time, so that temporary arrays stay in the cache


@dataclass(frozen=True)
class Noise:
    """
    Noise of one point of each spectrum, 1 sigma.

    Attributes
    ----------
    pre, xanes, exafs
        Before, about and after the edge, (spectra,); NaN where a spectrum has too few points.
    limits
        Where the second and the third region begin, eV.
    """

    pre: F
    xanes: F
    exafs: F
    limits: tuple[float, float]

    def at(self, energy: F) -> F:
        """Return the noise of each point, (spectra, points), for (points,) energies."""
        regions = np.stack([self.pre, self.xanes, self.exafs], axis=1)
        return regions[:, np.searchsorted(self.limits, energy, side="right")]


def point_noise(energy: F, mu: F, e0: float, xanes: tuple[float, float] = (-20.0, 50.0)) -> Noise:
    """
    Measure the noise of spectra before, about and after the edge.

    The points must be as they were measured: interpolation to a finer grid smooths, and the noise
    comes out too small.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        (spectra, points); NaN is left out.
    e0
        Edge energy, eV.
    xanes
        Region about the edge, eV from it.
    """
    limits = (e0 + xanes[0], e0 + xanes[1])
    regions = _fill(noise_by_region(energy, mu, limits))
    return Noise(regions[:, 0], regions[:, 1], regions[:, 2], limits)


def _fill(regions: F) -> F:
    """Let the other regions of a spectrum speak for one that has too few points."""
    known = np.isfinite(regions)
    total = np.sum(regions, axis=1, keepdims=True, where=known)
    count = np.sum(known, axis=1, keepdims=True)
    return np.where(known, regions, np.where(count, total / np.maximum(count, 1), np.nan))


@algorithm("xas.point_noise", version="1", rtol=1e-10)
def noise_by_region(energy: Array, mu: Array, limits: tuple[float, ...]) -> Array:
    """
    Measure the noise of spectra in regions of energy.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        (spectra, points).
    limits
        Where regions end and the next begin, eV.

    Returns
    -------
    Array
        (spectra, regions), in order; NaN where there are too few points.
    """
    xp = namespace(mu)
    left_over = xp.abs(high_differences(energy, mu))
    half = _ORDER // 2
    region = np.searchsorted(np.asarray(limits), to_host(energy)[half:-half], side="right")
    parts = [np.flatnonzero(region == number) for number in range(len(limits) + 1)]
    medians = [_median(xp, xp.take(left_over, xp.asarray(part), axis=1)) for part in parts]
    return xp.stack(medians, axis=1) / _MEDIAN


@noise_by_region.implementation("numpy", priority=20)
def _(energy: Host, mu: Host, limits: tuple[float, ...]) -> Host:
    """Few spectra at a time."""
    reference = noise_by_region.implementations["reference"].function
    blocks = [mu[first : first + _BLOCK] for first in range(0, len(mu), _BLOCK)]
    return np.concatenate([reference(energy, block, limits) for block in blocks])


def high_differences(energy: Array, mu: Array, order: int = _ORDER) -> Array:
    """
    Take what no polynomial through neighbours explains, scaled to the noise of one point.

    Parameters
    ----------
    energy
        (points,), increasing.
    mu
        (spectra, points).
    order
        Of the difference; it takes one point more.

    Returns
    -------
    Array
        (spectra, points - order), each centred on its points; NaN where one of them is.
    """
    xp = namespace(mu)
    weights = xp.asarray(difference_weights(to_host(energy), order))
    points = mu.shape[1] - order
    total: Any = 0.0
    for place in range(order + 1):
        total = total + mu[:, place : place + points] * weights[:, place]
    return total


def difference_weights(energy: Host, order: int = _ORDER) -> Host:
    """Weights (points - order, order + 1) of divided differences, their squares adding up to 1."""
    near = np.lib.stride_tricks.sliding_window_view(energy, order + 1)
    near = (near - near.mean(axis=1, keepdims=True)) / np.ptp(near, axis=1)[:, None]
    apart = near[:, :, None] - near[:, None, :] + np.eye(order + 1)
    weights = 1 / np.prod(apart, axis=2)
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def _median(xp: Any, sizes: Array) -> Array:
    """Median of each row of numbers from 0 on, leaving out NaN; NaN where there are too few."""
    if sizes.shape[1] < _FEWEST:
        return xp.full(sizes.shape[0], xp.nan, dtype=sizes.dtype)
    known = xp.isfinite(sizes)
    count = xp.sum(xp.astype(known, xp.int64), axis=1, keepdims=True)
    ordered = xp.sort(xp.where(known, sizes, xp.inf), axis=1)
    lower = xp.take_along_axis(ordered, xp.clip(count - 1, min=0) // 2, axis=1)
    upper = xp.take_along_axis(ordered, count // 2, axis=1)
    return xp.where(count >= _FEWEST, (lower + upper) / 2, xp.nan)[:, 0]


@noise_by_region.case
def three_regions() -> Inputs:
    """Make an edge with noise, on a grid with three spacings."""
    rng = np.random.default_rng(6)
    energy = np.r_[np.arange(0.0, 60, 2), np.arange(60.0, 100, 0.5), np.arange(100.0, 200, 3)]
    mu = np.arctan((energy - 75) / 4) + rng.normal(0, 0.01, (5, len(energy)))
    return (energy, mu, (60.0, 100.0)), {}
