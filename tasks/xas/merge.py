"""
Many sweeps, one spectrum, with uncertainties from the noise and from the scatter.

The weighted mean and its two uncertainties are those of P. R. Bevington, D. K. Robinson, *Data
Reduction and Error Analysis for the Physical Sciences*, chapter 4: internal, from the noise of each
sweep, and external, from how the sweeps scatter; their squared ratio is the reduced chi-square and
says whether the noise explains the scatter. The robust mean weighs down what lies far off, after
P. J. Huber, Ann. Math. Stat. 35, 73 (1964), doi:10.1214/aoms/1177703732.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace
from tasks.io.spectra import F

_HUBER = 2.0  # sigma up to which a sweep counts fully
_ROUNDS = 5
_MEDIAN = 0.6744897501960817  # median of |x| for white noise of 1
_BLOCK = 64  # points at a time, so that temporary arrays stay in the cache


@dataclass(frozen=True)
class Merged:
    """
    A mean over sweeps.

    Attributes
    ----------
    mu
        (points,); NaN where no sweep has a value.
    sigma_noise
        1 sigma by the noise of the sweeps, (points,); NaN if the noise is not known.
    sigma_scatter
        1 sigma by the scatter of the sweeps, (points,); NaN with fewer than two.
    chi2
        Reduced chi-square of each point: scatter over noise, squared, (points,).
    effective
        How many sweeps of equal weight the mean is worth, (points,).
    """

    mu: F
    sigma_noise: F
    sigma_scatter: F
    chi2: F
    effective: F

    @property
    def sigma(self) -> F:
        """The larger of the two uncertainties, (points,)."""
        return np.fmax(self.sigma_noise, self.sigma_scatter)


def merge(mu: F, noise: F | None = None, robust: bool = False) -> Merged:
    """
    Average sweeps on one grid.

    Parameters
    ----------
    mu
        Aligned, (sweeps, points); NaN is left out.
    noise
        1 sigma of each value, (sweeps, points), or of each sweep, (sweeps,); all alike when left
        out. A grid finer than the points measured correlates neighbours, not sweeps: the
        uncertainties of single points hold.
    robust
        Weigh down values that lie more than 2 sigma off.
    """
    known = np.ones(len(mu)) if noise is None else noise
    sigma = np.broadcast_to(known if known.ndim == 2 else known[:, None], mu.shape)
    found = weighted_mean(mu, np.ascontiguousarray(sigma), robust)
    if noise is None:
        found[[1, 3]] = np.nan
    return Merged(*found)


@algorithm("xas.merge", version="1", rtol=1e-9)
def weighted_mean(mu: Array, sigma: Array, robust: bool) -> Array:
    """
    Average over the first axis.

    Parameters
    ----------
    mu, sigma
        Values and their noise, (sweeps, points); values that are NaN, or whose noise is, count not.
    robust
        Weigh down what lies far off.

    Returns
    -------
    Array
        (5, points): mean, sigma by noise, sigma by scatter, reduced chi-square, effective number.
    """
    xp = namespace(mu)
    good = xp.isfinite(mu) & xp.isfinite(sigma) & (sigma > 0)
    y = xp.where(good, mu, 0.0)
    weight = xp.where(good, 1 / xp.where(good, sigma, 1.0) ** 2, 0.0)
    factor = _huber(xp, y, sigma, weight, good) if robust else xp.ones_like(y)
    used = weight * factor
    number = xp.astype(good, y.dtype)
    total, squares, count = (xp.sum(each, axis=0) for each in (used, used**2, number))
    safe = xp.where(total > 0, total, 1.0)
    mean = xp.sum(used * y, axis=0) / safe
    off = xp.where(good, y - mean, 0.0)
    response = xp.sum(xp.where(factor < 1, 0.0, weight), axis=0)  # of the sum of pulls to the mean
    response = xp.where(response > 0, response, safe)
    spared = xp.clip(1 - used / safe, min=1e-9)  # of its pull, what a sweep did not put in the mean
    degrees = xp.where(count > 1, count - 1, xp.nan)
    values = [
        mean,
        xp.sqrt(xp.sum(used * factor, axis=0)) / response,
        xp.where(count > 1, xp.sqrt(xp.sum((used * off) ** 2 / spared, axis=0)), xp.nan) / response,
        xp.sum(used * off**2, axis=0) / degrees,
        total**2 / xp.where(squares > 0, squares, 1.0),
    ]
    return xp.stack([xp.where(total > 0, each, xp.nan) for each in values])


@weighted_mean.implementation("numpy", priority=20)
def _(mu: Array, sigma: Array, robust: bool) -> Array:
    """Few points at a time."""
    reference = weighted_mean.implementations["reference"].function
    blocks = [slice(first, first + _BLOCK) for first in range(0, mu.shape[1], _BLOCK)]
    return np.concatenate([reference(mu[:, b], sigma[:, b], robust) for b in blocks], axis=1)


@weighted_mean.case
def plain() -> Inputs:
    """Make sweeps of different noise."""
    rng = np.random.default_rng(9)
    sigma = rng.uniform(0.5, 2, (12, 1)) * np.ones(150)
    mu = 3 + sigma * rng.normal(size=sigma.shape)
    return (mu, sigma, False), {}


@weighted_mean.case
def robust_with_outliers() -> Inputs:
    """Make sweeps of which two are far off."""
    (mu, sigma, _), _ = plain()
    mu[[3, 7], 20:60] += 50
    return (mu, sigma, True), {}


def _huber(xp: Any, y: Array, sigma: Array, weight: Array, good: Array) -> Array:
    """Weigh values by how many sigma they lie off, beginning at the median; (sweeps, points)."""
    centre = _median(xp, y, good)
    scale = _median(xp, xp.abs(y - centre) / xp.where(good, sigma, 1.0), good) / _MEDIAN
    reach = _HUBER * xp.where(scale > 0, scale, 1.0) * xp.where(good, sigma, 1.0)
    factor: Any = 1.0
    for _ in range(_ROUNDS):
        far = xp.abs(y - centre)
        factor = reach / xp.where(far > reach, far, reach)
        total = xp.sum(weight * factor, axis=0)
        centre = xp.sum(weight * factor * y, axis=0) / xp.where(total > 0, total, 1.0)
    return factor


def _median(xp: Any, values: Array, good: Array) -> Array:
    """Median over the first axis of the good ones; 0 where there are none."""
    count = xp.sum(xp.astype(good, xp.int64), axis=0, keepdims=True)
    ordered = xp.sort(xp.where(good, values, xp.inf), axis=0)
    lower = xp.take_along_axis(ordered, xp.clip(count - 1, min=0) // 2, axis=0)
    upper = xp.take_along_axis(ordered, count // 2, axis=0)
    return xp.where(count > 0, (lower + upper) / 2, 0.0)[0, :]
