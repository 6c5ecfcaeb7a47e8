"""
Energy scales of sweeps, brought into line.

Each sweep's reference foil is fitted with the same foil moved by a trial shift, scaled, over a
straight background. The fit is linear but for the shift, so for every trial shift it is a
projection, the same for all sweeps: one matrix product gives the residuals of all sweeps for all
shifts, and a parabola about the least one gives the shift and, from its curvature, the uncertainty
(W. H. Press et al., *Numerical Recipes*, section 15.6; the elimination of the linear parameters is
the variable projection of G. H. Golub, V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973),
doi:10.1137/0710036).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.interpolate  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.errors import DataError
from tasks.io.spectra import F

_interpolate: Any = scipy.interpolate

B = NDArray[np.bool_]

_STEP = 0.1  # eV between trial shifts
_FEWEST = 12  # points of the window for a fit
_MISSING = 0.2  # of the window: a sweep with more missing is not fitted


@dataclass(frozen=True)
class Alignment:
    """
    What brings each sweep to the energy scale of the reference.

    Attributes
    ----------
    shift
        eV to add to the energies of the sweep, (sweeps,); NaN where there was nothing to fit.
    sigma
        1 sigma of the shift, eV, (sweeps,).
    residual
        Root mean square of the fit, in units of the absorption, (sweeps,).
    at_border
        Whether the best shift lies at the border of the range tried, (sweeps,): do not trust it.
    """

    shift: F
    sigma: F
    residual: F
    at_border: B


def align(
    energy: F,
    mu: F,
    reference: F,
    e0: float,
    *,
    window: tuple[float, float] = (-15.0, 35.0),
    reach: float = 5.0,
    noise: F | None = None,
) -> Alignment:
    """
    Find the shift of each sweep against a reference spectrum by least squares.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        Of the foil in each sweep, (sweeps, points).
    reference
        Of the same foil, with the energies taken to be right, (points,).
    e0
        Edge energy of the foil, eV.
    window
        What is fitted, eV from the edge.
    reach
        Largest shift tried, eV.
    noise
        Of a point of each sweep, (sweeps,); from the fit's own residual when left out, which is too
        small on a grid finer than the points that were measured.

    Raises
    ------
    DataError
        If the window has too few points, or the reference none of the edge.
    """
    inside = (energy >= e0 + window[0]) & (energy <= e0 + window[1])
    if inside.sum() < _FEWEST:
        raise DataError(
            f"Only {inside.sum()} points lie between {e0 + window[0]:.1f} and "
            f"{e0 + window[1]:.1f} eV, too few to align the sweeps: is the edge in the scan?"
        )
    shifts: F = _STEP * np.arange(-round(reach / _STEP), round(reach / _STEP) + 1, dtype=np.float64)
    seen, enough = _complete(energy[inside], mu[:, inside])
    basis = _moved(energy, reference, inside, shifts)
    squares = to_host(squares_left(seen, basis))
    return _best(shifts, squares, int(inside.sum()), noise, enough)


@algorithm("xas.squares_left", version="1", rtol=1e-9)
def squares_left(mu: Array, basis: Array) -> Array:
    """
    Sum the squares that linear fits with several sets of functions leave of each spectrum.

    Parameters
    ----------
    mu
        (spectra, points).
    basis
        Orthonormal functions of each fit, (fits, points, functions).

    Returns
    -------
    Array
        (spectra, fits).
    """
    xp = namespace(mu, basis)
    fits, points, functions = basis.shape
    columns = xp.reshape(xp.permute_dims(basis, (1, 0, 2)), (points, fits * functions))
    explained = xp.reshape((mu @ columns) ** 2, (mu.shape[0], fits, functions))
    return xp.sum(mu**2, axis=1, keepdims=True) - xp.sum(explained, axis=2)


@squares_left.case
def lines_and_parabolas() -> Inputs:
    """Fit noise on a line with a line, and with a parabola."""
    x = np.linspace(-1, 1, 40)
    basis = [np.linalg.qr(np.stack([x**n for n in powers], 1))[0] for powers in ((0, 1), (0, 2))]
    mu = 1 + x + 0.1 * np.random.default_rng(7).normal(size=(6, 40))
    return (mu, np.stack(basis)), {}


def half_step_energy(energy: F, mu: F, e0: float) -> F:
    """
    Find where each spectrum rises, on average; an estimate of shifts of its own kind.

    It shares nothing with the fit of `align`, so that it can check it: levels before and after the
    edge, and the mean energy at which the spectrum passes the heights between 30 and 70 %, which
    is an area, so that no point of the grid decides alone.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        (spectra, points).
    e0
        Edge energy, eV.

    Returns
    -------
    numpy.ndarray
        eV, (spectra,); NaN without an edge.
    """
    pre, post = (energy > e0 - 60) & (energy < e0 - 15), (energy > e0 + 25) & (energy < e0 + 80)
    near = (energy > e0 - 12) & (energy < e0 + 25)
    low, high = mu[:, pre].mean(axis=1), mu[:, post].mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        height = (mu[:, near] - low[:, None]) / (high - low)[:, None]
    passed = (np.clip(height, 0.3, 0.7) - 0.3) / 0.4
    found: F = energy[near][-1] - np.trapezoid(passed, energy[near], axis=1)
    rises = (passed[:, 0] < 0.01) & (passed[:, -1] > 0.99)
    return np.where(rises, found, np.nan)


def align_series(
    energy: F,
    mu: F,
    e0: float,
    *,
    window: tuple[float, float] = (-15.0, 35.0),
    reach: float = 5.0,
    noise: F | None = None,
) -> Alignment:
    """
    Align sweeps to one another: to the median sweep first, then to the mean of what came of it.

    The shifts have the median 0; what the common energy scale is worth is for `calibrate` to say.
    Parameters and errors are those of `align`.
    """
    reference = _over_sweeps(np.nanmedian, mu)
    first = align(energy, mu, reference, e0, window=window, reach=reach, noise=noise)
    good = ~first.at_border & np.isfinite(first.shift)
    if not good.any():
        return first
    moved = np.empty_like(mu[good])
    for row, shift, sweep in zip(moved, first.shift[good], mu[good], strict=True):
        row[:] = np.interp(energy - shift, energy, sweep)
    reference = _over_sweeps(np.nanmean, moved)
    found = align(energy, mu, reference, e0, window=window, reach=reach, noise=noise)
    return replace(found, shift=found.shift - np.nanmedian(found.shift[good]))


def _over_sweeps(average: Callable[..., Any], mu: F) -> F:
    """Average the sweeps point by point; NaN where none has a value."""
    known = np.isfinite(mu).any(axis=0)
    found = np.full(mu.shape[1], np.nan)
    found[known] = average(mu[:, known], axis=0)
    return found


def _complete(energy: F, mu: F) -> tuple[F, B]:
    """Interpolate over missing points, and say which sweeps have enough of their own."""
    missing = ~np.isfinite(mu)
    enough = missing.mean(axis=1) <= _MISSING
    if not missing.any():
        return mu, enough
    seen = np.where(missing, 0.0, mu)
    for row in np.flatnonzero(missing.any(axis=1) & enough):
        known = ~missing[row]
        seen[row] = np.interp(energy, energy[known], mu[row, known])
    return seen, enough


def _moved(energy: F, reference: F, inside: B, shifts: F) -> Host:
    """Make orthonormal functions of the fit for each shift: background and reference; (n, m, 3)."""
    known = np.isfinite(reference)
    spline = _interpolate.make_interp_spline(energy[known], reference[known], k=3)
    x = energy[inside]
    line = np.stack([np.ones_like(x), np.linspace(-1, 1, len(x))], axis=1)
    line = np.broadcast_to(line, (len(shifts), *line.shape))
    wanted = np.clip(x + shifts[:, None], energy[known][0], energy[known][-1])
    basis, triangle = np.linalg.qr(np.concatenate([line, spline(wanted)[:, :, None]], axis=2))
    if np.abs(triangle[:, 2, 2]).min() < 1e-9 * np.abs(triangle[:, 0, 0]).max():
        raise DataError(
            "The reference spectrum has no edge in the window of the alignment: is it the foil "
            "of this edge?"
        )
    return basis


def _best(shifts: F, squares: F, points: int, noise: F | None, enough: B) -> Alignment:
    """Put a parabola about the least sum of squares."""
    lowest = np.argmin(squares, axis=1)
    at_border = (lowest == 0) | (lowest == len(shifts) - 1)
    middle = np.clip(lowest, 1, len(shifts) - 2)
    rows = np.arange(len(squares))
    before, least, after = (squares[rows, middle + step] for step in (-1, 0, 1))
    bend = np.maximum(before - 2 * least + after, 1e-300)
    offset = np.clip(0.5 * (before - after) / bend, -1, 1)
    left = np.maximum(least - 0.25 * (before - after) * offset, 0.0)
    variance = left / (points - 4) if noise is None else noise**2
    shift = np.where(at_border, shifts[lowest], shifts[middle] + _STEP * offset)
    return Alignment(
        shift=np.where(enough, shift, np.nan),
        sigma=np.where(enough, _STEP * np.sqrt(2 * variance / bend), np.nan),
        residual=np.where(enough, np.sqrt(left / points), np.nan),
        at_border=at_border & enough,
    )
