"""
Sweeps with different energies onto one grid.

The grid has the three regions in use everywhere (B. Ravel, M. Newville, J. Synchrotron Rad. 12, 537
(2005), doi:10.1107/S0909049505012719): wide steps before the edge, fine ones about it, even steps
of the photoelectron wavenumber after it.

Points that fall into one bin are averaged, energy and absorption alike, and the value at the grid
point is read off the smooth line through the averages. So nothing is shifted when the points of a
bin lie to one side, and an empty bin is interpolated, without a rule of its own. The line is cubic
between two averages, with the slope of the parabola through each and its neighbours: straight
lines would cut the corners of a white line that a quick scan has few points on.
"""

from dataclasses import dataclass

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace
from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.xas.units import ETOK, k_to_e

_PRE_STEP = 2.0  # eV
_PRE_END, _XANES_END = -30.0, 50.0  # eV from the edge
_K_STEP = 0.05  # 1/Å
_FINEST = 0.05  # eV


@dataclass(frozen=True)
class Rebinned:
    """
    Spectra on one grid.

    Attributes
    ----------
    energy
        eV, (points,).
    mu
        (sweeps, points); NaN outside of what a sweep covers.
    count
        Points of the sweep in each bin, (sweeps, points); 0 where the value is interpolated.
    """

    energy: F
    mu: F
    count: F


def three_region_grid(
    first: float,
    last: float,
    e0: float,
    *,
    pre_step: float = _PRE_STEP,
    xanes_step: float | None = None,
    k_step: float = _K_STEP,
    pre_end: float = _PRE_END,
    xanes_end: float = _XANES_END,
) -> F:
    """
    Make the usual grid of a spectrum about an edge.

    Parameters
    ----------
    first, last
        Range, eV.
    e0
        Edge energy, eV.
    pre_step, xanes_step
        Steps before and about the edge, eV; about the edge e0/25000, down to the next 0.05 eV, when
        left out.
    k_step
        Step after that, 1/Å.
    pre_end, xanes_end
        Where the second and the third region begin, eV from the edge.

    Returns
    -------
    numpy.ndarray
        eV, increasing, all within the range.

    Raises
    ------
    DataError
        If the range does not hold the edge.
    """
    if not first < e0 < last:
        raise DataError(
            f"The sweeps have the range {first:.1f} to {last:.1f} eV in common, and the edge at "
            f"{e0:.1f} eV is not in it: is it the right element and edge?"
        )
    step = xanes_step or max(_FINEST, _FINEST * int(e0 / 25000 / _FINEST + 1e-9))
    pre = np.arange(e0 + pre_end - pre_step, first - 1e-9, -pre_step)[::-1]
    xanes = e0 + step * np.arange(round(pre_end / step), round(xanes_end / step))
    k = np.arange(np.sqrt(ETOK * xanes_end), np.sqrt(ETOK * (last - e0)) + 1e-9, k_step)
    grid = np.concatenate([pre, xanes, k_to_e(k, e0)])
    return grid[(grid >= first) & (grid <= last)]


def common_range(energy: F, share: float = 1.0) -> tuple[float, float]:
    """
    Find the range that all sweeps cover.

    Parameters
    ----------
    energy
        eV, shape (sweeps, points); NaN where there is no point.
    share
        Part of the sweeps that must cover it; below 1, a few short ones do not cut it for all.

    Returns
    -------
    tuple of float
        eV.
    """
    lows, highs = np.nanmin(energy, axis=1), np.nanmax(energy, axis=1)
    lows, highs = lows[np.isfinite(lows)], highs[np.isfinite(highs)]
    low = np.quantile(lows, share, method="higher")
    high = np.quantile(highs, 1 - share, method="lower")
    return float(low), float(high)


def rebin(energy: F, mu: F, grid: F) -> Rebinned:
    """
    Bring sweeps onto a grid.

    Parameters
    ----------
    energy
        eV, shape (sweeps, points), or (points,) for all of them; in any order.
    mu
        Shape (sweeps, points); NaN is left out.
    grid
        eV, shape (bins,), increasing.
    """
    energies = np.broadcast_to(energy, mu.shape)
    both = rebin_sweeps(energies, mu, grid)
    return Rebinned(grid, both[0], both[1])


@algorithm("xas.rebin", version="1", rtol=1e-9)
def rebin_sweeps(energy: Array, mu: Array, grid: Array) -> Array:
    """
    Average points in bins about the grid points, and interpolate between the averages.

    Parameters
    ----------
    energy, mu
        Shape (sweeps, points).
    grid
        Shape (bins,), increasing; a bin reaches halfway to the next grid point.

    Returns
    -------
    Array
        Shape (2, sweeps, bins): the values, and how many points fell into each bin. The points
        next to the grid on either side help to interpolate. Without them, the outermost average
        holds for the bin that it is in, and farther out it is NaN.
    """
    xp = namespace(energy, mu, grid)
    edges = _edges(xp, grid)
    rows = [_rebin_one(xp, energy[row, :], mu[row, :], grid, edges) for row in range(mu.shape[0])]
    return xp.stack([xp.stack([values for values, _ in rows]), xp.stack([n for _, n in rows])])


def _rebin_one(
    xp: Array, energy: Array, mu: Array, grid: Array, edges: Array
) -> tuple[Array, Array]:
    """Rebin one sweep with sums over its points in order of energy."""
    good = xp.isfinite(mu) & xp.isfinite(energy)
    energy, mu = energy[good], mu[good]
    order = xp.argsort(energy)
    energy, mu = xp.take(energy, order), xp.take(mu, order)
    before, after = (
        int(xp.searchsorted(energy, outermost)[0]) for outermost in (edges[:1], edges[-1:])
    )
    inside = slice(before, after)
    place = xp.searchsorted(edges, energy[inside], side="right")
    one_hot = xp.astype(place[:, None] == xp.arange(1, edges.shape[0])[None, :], mu.dtype)
    count = xp.sum(one_hot, axis=0)
    some = count > 0
    below, above = slice(max(before - 1, 0), before), slice(after, min(after + 1, energy.shape[0]))
    averages = (energy[inside] @ one_hot)[some] / count[some]
    centre = xp.concat([energy[below], averages, energy[above]])
    mean = xp.concat([mu[below], (mu[inside] @ one_hot)[some] / count[some], mu[above]])
    if centre.shape[0] < 2:
        return xp.full(grid.shape, xp.nan, dtype=mu.dtype), count
    wanted = xp.clip(grid, min=centre[0], max=centre[-1])
    secant = (mean[1:] - mean[:-1]) / (centre[1:] - centre[:-1])
    inner = _parabola_slope(centre[1:] - centre[:-1], secant)
    slope = xp.concat([secant[:1], inner, secant[-1:]])
    right = xp.clip(xp.searchsorted(centre, wanted), min=1, max=centre.shape[0] - 1)
    left = right - 1
    values = _cubic(
        wanted - xp.take(centre, left),
        xp.take(centre, right) - xp.take(centre, left),
        xp.take(mean, left),
        xp.take(secant, left),
        xp.take(slope, left),
        xp.take(slope, right),
    )
    covered = (edges[1:] > centre[0]) & (edges[:-1] <= centre[-1])
    return xp.where(covered, values, xp.nan), count


def _parabola_slope(gap: Array, secant: Array) -> Array:
    """Slope at inner points of the parabola through each and its neighbours."""
    return (gap[1:] * secant[:-1] + gap[:-1] * secant[1:]) / (gap[1:] + gap[:-1])


def _cubic(x: Array, gap: Array, y: Array, secant: Array, slope: Array, next_slope: Array) -> Array:
    """Cubic from y on, over a gap, that begins and ends with the slopes given."""
    share = x / gap
    bend, twist = 3 * secant - 2 * slope - next_slope, slope + next_slope - 2 * secant
    return y + x * (slope + share * (bend + share * twist))


@rebin_sweeps.implementation("numpy", priority=20)
def _(energy: Host, mu: Host, grid: Host) -> Host:
    """All sweeps of a block at once: every sum is one count over bins."""
    edges = _edges(np, grid)
    result = np.empty((2, len(mu), len(grid)))
    size = max(1, _BLOCK // mu.shape[1])
    for first in range(0, len(mu), size):
        block = slice(first, first + size)
        result[:, block] = _rebin_block(energy[block], mu[block], grid, edges)
    return result


_BLOCK = 1 << 16  # points rebinned at a time, so that temporary arrays stay in the cache


def _rebin_block(energy: Host, mu: Host, grid: Host, edges: Host) -> tuple[Host, Host]:
    sweeps, bins = len(mu), len(grid) + 2  # the outermost ones hold what is outside of the grid
    good = np.isfinite(mu) & np.isfinite(energy)
    if not good.all():
        energy, mu = np.where(good, energy, -np.inf), np.where(good, mu, 0.0)
    place = np.searchsorted(edges, energy.ravel(), side="right").reshape(energy.shape)
    flat = (place + bins * np.arange(sweeps)[:, None]).ravel()
    energy = energy - grid[0]  # so that sums keep all digits
    count = np.bincount(flat, None, bins * sweeps).reshape(sweeps, bins).astype(float)
    filled = np.maximum(count, 1.0)
    inside = np.where(place > 0, energy, 0.0).ravel()
    centre = np.bincount(flat, inside, bins * sweeps).reshape(sweeps, bins) / filled
    mean = np.bincount(flat, mu.ravel(), bins * sweeps).reshape(sweeps, bins) / filled
    some = count > 0
    rows = np.arange(sweeps)
    for column, outside, sign in ((0, 0, 1.0), (-1, bins - 1, -1.0)):
        height = np.where((place == outside) & good, sign * energy, -np.inf)
        next_to_grid = np.argmax(height, axis=1)
        centre[:, column], mean[:, column] = energy[rows, next_to_grid], mu[rows, next_to_grid]
        some[:, column] = np.isfinite(height[rows, next_to_grid])
    values = _interpolate(centre, mean, some, grid - grid[0], edges - grid[0])
    return values, count[:, 1:-1]


def _interpolate(centre: Host, mean: Host, some: Host, grid: Host, edges: Host) -> Host:
    """
    Read the line through the averages of bins that are not empty, (sweeps, bins + 2), at the grid.

    The sweeps are laid end to end on one long axis, so that one interpolation does for all.
    """
    some = some & (some.sum(axis=1, keepdims=True) > 1)
    values = np.full((len(some), len(grid)), np.nan)
    if not some.any():
        return values
    rows = some.any(axis=1)
    some, centre, mean = some[rows], centre[rows], mean[rows]
    first = np.min(centre, axis=1, where=some, initial=np.inf)[:, None]
    last = np.max(centre, axis=1, where=some, initial=-np.inf)[:, None]
    offset = 2 * float(np.max(last) - np.min(first)) * np.arange(len(some))[:, None]
    x, y, row = (centre + offset)[some], mean[some], np.nonzero(some)[0]
    gap = np.diff(x)
    secant = np.diff(y) / gap
    begins = np.flatnonzero(np.diff(row)) + 1  # of each sweep but the first
    slope = np.concatenate([secant[:1], _parabola_slope(gap, secant), secant[-1:]])
    slope[begins], slope[begins - 1] = secant[begins], secant[begins - 2]
    wanted = np.minimum(np.maximum(grid, first), last) + offset
    left = np.searchsorted(x, wanted.ravel()).reshape(wanted.shape) - 1
    left = np.minimum(
        np.maximum(left, np.r_[0, begins][:, None]), np.r_[begins, len(x)][:, None] - 2
    )
    found = _cubic(wanted - x[left], gap[left], y[left], secant[left], slope[left], slope[left + 1])
    covered = (edges[1:] > first) & (edges[:-1] <= last)
    values[rows] = np.where(covered, found, np.nan)
    return values


def _edges(xp: Array, grid: Array) -> Array:
    """Halfway between grid points, and as far beyond the outermost ones; (bins + 1,)."""
    middle = (grid[1:] + grid[:-1]) / 2
    return xp.concat([2 * grid[:1] - middle[:1], middle, 2 * grid[-1:] - middle[-1:]])


@rebin_sweeps.case
def up_and_down() -> Inputs:
    """Make sweeps up and down onto a grid that is partly finer than they are."""
    rng = np.random.default_rng(5)
    grid = np.concatenate([np.arange(0.0, 40, 5), np.arange(40.0, 60, 0.5), np.arange(60.0, 90, 2)])
    energy = np.sort(rng.uniform(-5, 95, (5, 120)), axis=1)
    energy[1] = energy[1, ::-1]
    mu = np.arctan(energy - 50) + 0.01 * rng.normal(size=energy.shape)
    return (energy, mu, grid), {}


@rebin_sweeps.case
def missing_values_in_sweeps_that_end_with_the_grid() -> Inputs:
    """Leave out points of sweeps that have none outside of the grid."""
    rng = np.random.default_rng(6)
    grid = np.arange(0.0, 40, 2)
    energy = np.sort(rng.uniform(0, 38, (4, 60)), axis=1)
    mu = np.arctan(energy - 20)
    mu[1, ::7], mu[2, :5], mu[3, -1] = np.nan, np.nan, np.nan
    return (energy, mu, grid), {}
