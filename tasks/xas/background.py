"""
EXAFS: chi(k) above a smooth background.

The background is a spline whose bends are chosen so that nothing is left at distances where there
are no atoms: AUTOBK (M. Newville, P. Līviņš, Y. Yacoby, J. J. Rehr, E. A. Stern, Phys. Rev. B 47,
14126 (1993)), with the details of xraylarch's implementation. A weak clamp keeps the end of chi(k)
near zero; its strength grows with what is left at low R, which makes the problem nonlinear. All
else is linear: the operators are made once for a grid and an edge energy, and a few Gauss-Newton
steps with the exact Jacobian solve all spectra of a batch at once.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.interpolate  # pyright: ignore[reportMissingTypeStubs]
import scipy.sparse.linalg  # pyright: ignore[reportMissingTypeStubs]

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace
from tasks.errors import DataError
from tasks.xas.fourier import resolution
from tasks.xas.grid import at_or_below, checked_grid, nearest
from tasks.xas.units import e_to_k, k_to_e
from tasks.xas.windows import window as window_on

_interpolate: Any = scipy.interpolate
_sparse_linalg: Any = scipy.sparse.linalg
_KSTEP = 0.05  # 1/Å, of chi(k)
_CLAMPED = 3  # points at the end of chi(k)
_STEPS = 12  # of Gauss-Newton at most; four are the rule
_LEAST_K = 6.0  # 1/Å: three oscillations of a first shell at 2.5 Å beyond k = 3
_COARSEST = 0.3  # 1/Å between points: two points per oscillation of atoms at 5 Å


@dataclass(frozen=True)
class Exafs:
    """
    The fine structure.

    Attributes
    ----------
    k
        Wavenumber of the photoelectron, 1/Å, even steps of 0.05 from 0; shape (wavenumbers,).
    chi
        Shape (spectra, wavenumbers).
    background
        Absorption of the atom alone, (spectra, points); equal to the absorption below the edge.
    """

    k: Array
    chi: Array
    background: Array


def exafs_range(energy: Array, e0: float) -> float | None:
    """
    Tell how far a scan shows the fine structure.

    Parameters
    ----------
    energy
        Shape (points,), eV, increasing.
    e0
        Edge energy, eV.

    Returns
    -------
    float or None
        The largest wavenumber, 1/Å, up to which points are dense enough; None if it is less than
        6 1/Å (137 eV): then the scan is one of the edge alone.

    Raises
    ------
    DataError
        If the energies do not increase or the edge energy is not among them.
    """
    grid = checked_grid(energy, e0)
    k = e_to_k(grid[at_or_below(grid, e0) + 1 :], e0)
    gaps = np.flatnonzero((np.diff(k) > _COARSEST) & (k[1:] > 2))
    kmax = float(k[gaps[0]] if len(gaps) else k[-1])
    return kmax if kmax >= _LEAST_K else None


@algorithm("xas.autobk", version="1", rtol=1e-7)
def autobk(
    energy: Array,
    mu: Array,
    e0: float,
    edge_step: Array,
    rbkg: float = 1.0,
    kmin: float = 0.0,
    kmax: float | None = None,
    kweight: int = 1,
    clamp: float = 1.0,
) -> Exafs:
    """
    Take the smooth background away and extract chi(k).

    Parameters
    ----------
    energy
        Shape (points,), eV, increasing.
    mu
        Absorption, shape (spectra, points).
    e0
        Edge energy, eV, where k is 0.
    edge_step
        Shape (spectra,).
    rbkg
        Distance, Å, below which there are no atoms: about half that of the nearest.
    kmin, kmax
        Range that is looked at, 1/Å; to the end of the scan by default.
    kweight
        Power of k that chi is weighted with.
    clamp
        How strongly the end of chi is drawn to zero; 0 leaves it free.

    Returns
    -------
    Exafs
        Not-a-number in spectra that hold values that are not numbers.

    Raises
    ------
    DataError
        If the energies do not increase, or the scan ends too early: see `exafs_range`.
    """
    xp = namespace(mu)
    grid = checked_grid(energy, e0)
    spline = _spline(grid.tobytes(), e0, rbkg, kmin, kmax, kweight)
    above = mu[:, spline.first : spline.last]
    chi = above @ xp.asarray(spline.to_k)
    coefficients = _solve(spline, chi, clamp)
    chi = (chi - coefficients @ xp.asarray(spline.splines_in_k)) / edge_step[:, None]
    parts = [
        mu[:, : spline.first],
        coefficients @ xp.asarray(spline.splines),
        mu[:, spline.last :],
    ]
    return Exafs(xp.asarray(spline.k), chi, xp.concat(parts, axis=1))


def _solve(spline: "_Spline", chi: Array, clamp: float) -> Array:
    """Find the coefficients of the splines, (spectra, splines)."""
    xp = namespace(chi)
    low_r = xp.asarray(spline.splines_at_low_r)
    wanted = chi @ xp.asarray(spline.to_low_r)
    coefficients = wanted @ xp.asarray(np.linalg.pinv(spline.splines_at_low_r))
    if not clamp:
        return coefficients
    ends = xp.asarray(np.ascontiguousarray(spline.splines_in_k[:, -_CLAMPED:]))
    fixed = low_r @ low_r.T
    for _ in range(_STEPS):
        left = wanted - coefficients @ low_r
        end = chi[:, -_CLAMPED:] - coefficients @ ends
        strength = clamp * (0.1 + 10 * xp.mean(left**2, axis=1))[:, None]
        downhill = left @ low_r.T
        growth = (-20 * clamp / left.shape[1]) * downhill  # of the strength with each coefficient
        jacobian = growth[:, :, None] * end[:, None, :] - strength[:, :, None] * ends[None, :, :]
        slope = downhill - xp.sum(jacobian * (strength * end)[:, None, :], axis=2)
        curvature = fixed[None, :, :] + jacobian @ xp.matrix_transpose(jacobian)
        change = xp.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        coefficients = coefficients + change
        moved = xp.max(xp.abs(change), axis=1) > 1e-9 * xp.max(xp.abs(coefficients), axis=1)
        if not bool(xp.any(moved)):  # what is not a number does not move
            break
    return coefficients


@dataclass(frozen=True)
class _Spline:
    """
    Operators of one grid, edge energy and set of options; rows are multiplied from the left.

    `first` and `last` bound the points above the edge. A spectrum there times `to_k` is chi on the
    even grid `k`, which times `to_low_r` is the residual below rbkg; the splines are given on the
    points (splines, points), in k and at low R.
    """

    first: int
    last: int
    k: Host
    to_k: Host
    to_low_r: Host
    splines: Host
    splines_in_k: Host
    splines_at_low_r: Host


@functools.lru_cache(maxsize=16)
def _spline(
    energy: bytes, e0: float, rbkg: float, kmin: float, kmax: float | None, kweight: int
) -> _Spline:
    grid = np.frombuffer(energy)
    first = at_or_below(grid, e0)
    measured = e_to_k(grid[first:], e0)
    kmax = float(measured[-1] if kmax is None else min(kmax, measured[-1]))
    last = min(len(grid), at_or_below(grid, float(k_to_e(kmax, e0))) + 2)
    k = _KSTEP * np.arange(int(1.01 + kmax / _KSTEP))
    rstep = resolution(k)
    count = 1 + int(2 * max(rbkg, 2 * rstep) * (kmax - kmin) / np.pi)
    bins = int(1 + (count - 1) * np.pi / (2 * rstep * (kmax - kmin)))
    count = max(5, min(128, count))
    splines = _basis(measured, measured[: last - first], kmin, kmax, count)
    to_k = _interpolation(measured[: last - first], k)
    weights = _KSTEP / np.sqrt(np.pi) * k**kweight * window_on("hanning", k, kmin, kmax, 0.1)
    phases = 2 * rstep * np.outer(k, np.arange(bins))
    to_low_r = weights[:, None] * np.hstack([np.cos(phases), -np.sin(phases)])
    in_k = splines @ to_k
    return _Spline(first, last, k, to_k, to_low_r, splines, in_k, in_k @ to_low_r)


def _basis(measured: Host, k: Host, kmin: float, kmax: float, count: int) -> Host:
    """Cubic B-splines (count, points) between points that lie evenly in k."""
    places = [nearest(measured, place) for place in np.linspace(kmin, kmax, count)]
    if len(set(places)) < count:
        raise DataError(
            f"The {len(measured)} points above the edge are too few for the background of an EXAFS "
            "scan: reduce it as a scan of the edge alone."
        )
    knots, coefficients, degree = _interpolate.splrep(measured[places], np.ones(count), k=3)
    units = np.eye(len(coefficients))[:count]
    return np.stack([_interpolate.splev(k, (knots, unit, degree)) for unit in units])


def _interpolation(k: Host, wanted: Host) -> Host:
    """
    Matrix (points, wanted) of the cubic spline through all points.

    The transposed equations are solved: there are fewer wanted places than points.
    """
    knots = np.r_[[k[0]] * 4, k[2:-2], [k[-1]] * 4]  # the third derivative is smooth at k[1], k[-2]
    design = _interpolate.BSpline.design_matrix
    through_points, at_wanted = design(k, knots, 3), design(wanted, knots, 3, extrapolate=True)
    return _sparse_linalg.splu(through_points.T.tocsc()).solve(at_wanted.T.toarray())


@autobk.case
def oscillations_over_a_bent_background() -> Inputs:
    """Make a first shell at 2.2 Å on a background that bends slowly."""
    rng = np.random.default_rng(5)
    grid = np.r_[np.arange(8900, 8970, 5.0), np.arange(8970, 9010, 0.5), np.arange(9010, 9700, 3.0)]
    k = np.maximum(e_to_k(grid, 8979.0), 0)
    chi: Host = np.sin(2 * 2.2 * k) * np.exp(-0.01 * k**2) / np.maximum(k, 1)
    rise: Host = 0.5 + np.arctan((grid - 8979) / 1.5) / np.pi
    mu: Host = rise * (1 + 0.3 * chi) * np.linspace(0.5, 2, 4)[:, None] - 5e-4 * (grid - 8979)
    mu += 0.02 * np.sin((grid - 8979) / 300) + rng.normal(0, 1e-4, (4, len(grid)))
    return (grid, mu, 8979.0, np.linspace(0.5, 2, 4)), {}
