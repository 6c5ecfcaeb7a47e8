"""
The edge energy: where the absorption rises fastest.

The point of steepest rise is searched twice, first in the spectrum as it is, then about the point
found with the derivative smoothed by a Lorentzian about as wide as the core-hole level; both times
the neighbours must be steep too, so that a glitch of one point does not count. The rules and
figures are those of xraylarch (M. Newville, J. Phys. Conf. Ser. 430, 012007 (2013)), which all
groups of spectra in the literature have been aligned with. Resampling, smoothing and
differentiation are linear, so that for each window on a grid they are one matrix.
"""

import functools

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.xas.grid import checked_grid

_STEEP = (0.6, 0.3, 0.15)  # of the steepest: the first that at least three points exceed
_REACH = 75  # points about the steepest that are searched again, smoothed
_MARGIN = 3  # points at either end of a scan that are never the edge
_EARLY = 0.05  # of the scan: a steepest point before it is a glitch, and all after it is searched


@algorithm("xas.find_e0", version="1", rtol=1e-12)
def find_e0(energy: Array, mu: Array) -> Array:
    """
    Find the edge energy of each spectrum, to the grid point.

    Between repeats of one scan it jumps by a grid point or two: to bring spectra onto one another,
    align them by a fit instead.

    Parameters
    ----------
    energy
        Shape (points,), eV, increasing.
    mu
        Absorption, shape (spectra, points).

    Returns
    -------
    Array
        eV, shape (spectra,); not-a-number where a spectrum has no edge or holds values that are
        not numbers.

    Raises
    ------
    DataError
        If the energies do not increase.
    """
    xp = namespace(mu)
    grid = checked_grid(energy)
    finite = xp.all(xp.isfinite(mu), axis=1)
    clean = xp.where(finite[:, None], mu, 0.0)  # without a slope: no edge is found in it
    coarse = to_host(_steepest(_differences(clean) / xp.asarray(np.gradient(grid))))
    indices, group, counts = np.unique(coarse, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(counts)
    found = [
        _refine(grid, xp.take(clean, xp.asarray(order[end - count : end]), axis=0), int(index))
        for index, count, end in zip(indices, counts, ends, strict=True)
    ]
    return xp.take(xp.concat(found), xp.asarray(np.argsort(order)))


def _refine(grid: Host, mu: Array, index: int) -> Array:
    """Search again about a grid point, smoothed; (spectra,) energies. Point 0 is no edge."""
    xp = namespace(mu)
    if index == 0:
        return xp.full((mu.shape[0],), xp.nan, dtype=mu.dtype)
    first, last = max(_MARGIN, index - _REACH), min(index + _REACH, len(grid) - _MARGIN)
    about = float(grid[index])
    if index < _EARLY * len(grid):
        first, last = _MARGIN, len(grid) - _MARGIN
        about = float(np.mean(grid))
    step = 0.5 * (np.clip(_finest_step(grid), 0.01, 1.0) + np.clip(about / 25000, 0.01, 1.0))
    window = grid[first:last]
    operator = xp.asarray(_smooth_derivative(window.tobytes(), float(step)))
    found = _steepest(mu[:, first:last] @ operator)
    energies = xp.take(xp.asarray(window), xp.where(found > 0, found, 0))
    return xp.where(found > 0, energies, xp.nan)


def _steepest(slope: Array) -> Array:
    """Index of the largest slope whose neighbours are steep too, 0 if there is none."""
    xp = namespace(slope)
    points: int = slope.shape[1]
    margin = max(_MARGIN, int(0.02 * points))
    if points <= 2 * margin:
        return xp.zeros((slope.shape[0],), dtype=xp.int64)
    inner = slope[:, margin:-margin]
    lowest = xp.min(inner, axis=1, keepdims=True)
    span = xp.max(inner, axis=1, keepdims=True) - lowest
    height = (slope - lowest) / xp.where(span > 0, span, 1.0)
    steep = height > _threshold(height)
    alone = steep[:, margin - 1 : -margin - 1] & steep[:, margin + 1 : points - margin + 1]
    among = steep[:, margin:-margin] & alone
    best = xp.argmax(xp.where(among, height[:, margin:-margin], -1.0), axis=1)
    return xp.where(xp.any(among, axis=1), best + margin, 0)


def _threshold(height: Array) -> Array:
    """Choose for each spectrum how steep is steep; (spectra, 1)."""
    xp = namespace(height)
    chosen = xp.zeros_like(height[:, :1])
    for level in reversed(_STEEP):
        enough = xp.sum(xp.astype(height > level, xp.int64), axis=1, keepdims=True) >= 3
        chosen = xp.where(enough, level, chosen)
    return chosen


def _differences(mu: Array) -> Array:
    """Half the difference between the neighbours of each point, one-sided at the ends."""
    xp = namespace(mu)
    first, last = mu[:, 1:2] - mu[:, :1], mu[:, -1:] - mu[:, -2:-1]
    return xp.concat([first, (mu[:, 2:] - mu[:, :-2]) / 2, last], axis=1)


def _finest_step(grid: Host) -> float:
    """Average ten of the smallest steps, leaving out the hundredth that is smallest."""
    skipped = int(0.01 * len(grid))
    steps = np.sort(np.diff(grid)[skipped : len(grid) - skipped])
    return float(np.mean(steps[skipped : skipped + 10]))


@functools.lru_cache(maxsize=256)
def _smooth_derivative(window: bytes, step: float) -> Host:
    """
    Matrix that a spectrum (points,) is multiplied with to give its smoothed derivative.

    The derivative is resampled to even steps, convolved with a Lorentzian whose half width is one
    step, mirrored at the ends, and resampled back.
    """
    grid = np.frombuffer(window)
    first, last = int(grid[0] / step - 5), int(grid[-1] / step + 5)
    fine = step * np.arange(first, last + 1)
    derivative = _differences(np.eye(len(grid))).T / np.gradient(grid)[:, None]
    below, share = _brackets(fine, grid)
    smooth = (1 - share)[:, None] * _lorentzian(below, len(fine))
    smooth += share[:, None] * _lorentzian(below + 1, len(fine))
    resampled = np.zeros((len(fine), len(grid)))
    below, share = _brackets(grid, fine)
    resampled[np.arange(len(fine)), below] = 1 - share
    resampled[np.arange(len(fine)), below + 1] = share
    return np.ascontiguousarray((smooth @ resampled @ derivative).T)


def _lorentzian(rows: Host, count: int) -> Host:
    """Weights (rows, count) of a convolution over `count` even steps."""
    row, column = rows[:, None], np.arange(count)
    weights = 1 / (1.0 + (row - column) ** 2)
    weights[:, 1:] += 1 / (1.0 + (row + column[1:]) ** 2)  # what lies before the first step
    weights += 1 / (1.0 + (2 * count - 1 - row - column) ** 2)  # and behind the last
    return weights / np.sum(1 / (1.0 + np.arange(-count, count) ** 2))


def _brackets(grid: Host, wanted: Host) -> tuple[Host, Host]:
    """Find the point before each wanted place, and how far it is to the next, 0..1."""
    below = np.clip(np.searchsorted(grid, wanted, side="right") - 1, 0, len(grid) - 2)
    share = (wanted - grid[below]) / (grid[below + 1] - grid[below])
    return below, np.clip(share, 0, 1)


@find_e0.case
def steps_at_several_energies() -> Inputs:
    """Make edges with a white line, some noise, on a grid that is fine at the edge."""
    rng = np.random.default_rng(3)
    grid = np.r_[np.arange(6950, 7090, 5.0), np.arange(7090, 7150, 0.5), np.arange(7150, 7500, 4.0)]
    edges = rng.uniform(7110, 7125, (6, 1))
    rise: Host = 0.5 + np.arctan((grid - edges) / 1.5) / np.pi
    white_line = np.exp(-(((grid - edges - 4) / 3) ** 2))
    return (grid, rise + 0.4 * white_line + rng.normal(0, 0.002, (6, len(grid)))), {}
