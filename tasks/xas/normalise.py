"""
Normalisation: the edge step of each spectrum is brought to one.

A line is fitted below the edge and a polynomial above it; their distance at the edge is the step
(J. Wong, F. W. Lytle, R. P. Messmer, D. H. Maylotte, Phys. Rev. B 30, 5596 (1984)). Where the fits
begin and end follows the rules of xraylarch and Athena (B. Ravel and M. Newville, J. Synchrotron
Rad. 12, 537 (2005)), so that results compare with theirs. For one grid and one edge energy both
fits are linear in the absorption: two small matrices serve all spectra of a batch.
"""

import functools
from dataclasses import dataclass

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace
from tasks.errors import DataError
from tasks.xas.grid import at_or_below, checked_grid, nearest
from tasks.xas.units import ETOK

_SCALE = 1000.0  # eV that count as one in the polynomials: keeps the fits well conditioned


@dataclass(frozen=True)
class Windows:
    """
    Where the lines below and above the edge are fitted.

    Attributes
    ----------
    pre1, pre2
        Begin and end of the range below the edge, eV relative to the edge energy.
    norm1, norm2
        The same above the edge.
    nnorm
        Degree of the polynomial above the edge.
    nvict
        The line below the edge is fitted to the absorption times the energy to this power
        (J. A. Victoreen, J. Appl. Phys. 20, 1141 (1949)): 0 in transmission, 3 or 4 suits
        fluorescence of dilute samples.
    even_k
        Whether points above the edge count by their spacing in wavenumber, as if the scan had even
        steps of it, rather than each alike. A grid that is finer about the edge than the scan was
        gives the first oscillations too much weight: edge steps differ by 3 % from those of the
        points as measured (median of 135 real spectra), and by 0.2 % if they count evenly.
    """

    pre1: float
    pre2: float
    norm1: float
    norm2: float
    nnorm: int = 2
    nvict: int = 0
    even_k: bool = False


@dataclass(frozen=True)
class Normalised:
    """
    Normalised spectra and what they were divided by.

    Attributes
    ----------
    norm
        Absorption less the line below the edge, over the edge step; (spectra, points).
    flat
        The same, with the curve above the edge turned level: for looking, and for fits of XANES.
    edge_step
        Shape (spectra,); negative where the absorption falls at the edge.
    pre_edge, post_edge
        The two curves, (spectra, points).
    """

    norm: Array
    flat: Array
    edge_step: Array
    pre_edge: Array
    post_edge: Array


@dataclass(frozen=True)
class Sigma:
    """
    Standard uncertainties of normalised spectra.

    Attributes
    ----------
    norm
        Shape (spectra, points).
    edge_step
        Shape (spectra,).
    """

    norm: Array
    edge_step: Array


def default_windows(energy: Array, e0: float) -> Windows:
    """
    Choose the fit ranges from how far the scan goes.

    Parameters
    ----------
    energy
        Shape (points,), eV, increasing.
    e0
        Edge energy, eV.

    Returns
    -------
    Windows
        From the second point to half way to the edge; from 25 eV above the edge (less in a short
        scan) to the end, by a parabola, or a line below 300 eV, or a constant below 30 eV.

    Raises
    ------
    DataError
        If the energies do not increase or the edge energy is not among them.
    """
    grid = checked_grid(energy, e0)
    rounded = 5.0 if nearest(grid, e0) > 20 else 2.0
    pre1 = max(rounded * round((grid[1] - e0) / rounded), grid[0] - e0)
    norm2 = min(5.0 * round((grid[-1] - e0) / 5.0), grid[-1] - e0)
    norm1 = min(25.0, 5.0 * round(norm2 / 15.0), norm2 - 2.0)
    span = norm2 - norm1
    nnorm = 2 if span >= 300 else 1 if span >= 30 else 0
    return Windows(float(pre1), float(pre1) / 2, float(norm1), float(norm2), nnorm)


@algorithm("xas.normalise", version="1", rtol=1e-10)
def normalise(energy: Array, mu: Array, e0: float, windows: Windows) -> Normalised:
    """
    Normalise spectra by the line below and the polynomial above the edge.

    Parameters
    ----------
    energy
        Shape (points,), eV, increasing.
    mu
        Absorption, shape (spectra, points).
    e0
        Edge energy, eV: where the step is measured.
    windows
        Where to fit; the same for standards and samples that are to be compared.

    Returns
    -------
    Normalised
        Not-a-number in spectra that hold values that are not numbers or have no step at all.

    Raises
    ------
    DataError
        If the energies do not increase, or the edge energy or a fit range is outside the scan.
    """
    xp = namespace(mu)
    fits = _fits(checked_grid(energy, e0).tobytes(), e0, windows)
    pre_edge = mu[:, fits.pre] @ xp.asarray(fits.pre_fit) @ xp.asarray(fits.pre_curve)
    above = mu - pre_edge
    curve = above[:, fits.post] @ xp.asarray(fits.post_fit) @ xp.asarray(fits.post_curve)
    step = curve[:, fits.edge]
    divisor = xp.where(xp.abs(step) > 1e-12, step, xp.nan)[:, None]
    norm = above / divisor
    bend = (curve[:, fits.edge :] - step[:, None]) / divisor
    flat = xp.concat([norm[:, : fits.edge], norm[:, fits.edge :] - bend], axis=1)
    return Normalised(norm, flat, step, pre_edge, pre_edge + curve)


@algorithm("xas.normalise_sigma", version="1", rtol=1e-10)
def normalise_sigma(
    energy: Array, norm: Array, edge_step: Array, mu_sigma: Array, e0: float, windows: Windows
) -> Sigma:
    """
    Carry the noise of the points on to normalised spectra, through both fits and the step.

    The noise of different points is taken as independent. What fits and step share with a point is
    kept: where a range is fitted the result is a little less noisy than the noise over the step.

    Parameters
    ----------
    energy
        Shape (points,), eV.
    norm, edge_step
        From `normalise`, (spectra, points) and (spectra,).
    mu_sigma
        Standard uncertainty of the absorption, shape (spectra, points).
    e0, windows
        As they were given to `normalise`.

    Returns
    -------
    Sigma
        First order in the noise.

    Raises
    ------
    DataError
        As `normalise`.
    """
    xp = namespace(norm)
    grid = checked_grid(energy, e0)
    fits = _fits(grid.tobytes(), e0, windows)
    curve, fit = fits.pre_curve, np.zeros((fits.pre_curve.shape[0], len(grid)))
    fit[:, fits.pre] = fits.pre_fit.T
    weights = xp.asarray(fits.step_weights)
    variance = mu_sigma**2
    step_variance = variance @ weights**2
    pairs = [(i, j) for i in range(len(fit)) for j in range(len(fit))]
    line_variance = variance @ xp.asarray(np.stack([fit[i] * fit[j] for i, j in pairs], axis=1))
    line_variance = line_variance @ xp.asarray(np.stack([curve[i] * curve[j] for i, j in pairs]))
    line_and_step = (variance * weights) @ xp.asarray(np.ascontiguousarray(fit.T))
    shared = variance * weights - line_and_step @ xp.asarray(curve)
    own = variance * xp.asarray(1 - 2 * np.sum(fit * curve, axis=0)) + line_variance
    total = own + norm**2 * step_variance[:, None] - 2 * norm * shared
    relative = xp.sqrt(xp.where(total > 0, total, 0.0)) / xp.abs(edge_step)[:, None]
    return Sigma(relative, xp.sqrt(step_variance))


@dataclass(frozen=True)
class _Fits:
    """
    Both fits as matrices: ``mu[:, pre] @ pre_fit @ pre_curve`` is the line below the edge.

    `step_weights` (points,) times a spectrum is its edge step.
    """

    edge: int
    pre: slice
    pre_fit: Host
    pre_curve: Host
    post: slice
    post_fit: Host
    post_curve: Host

    @property
    def step_weights(self) -> Host:
        weights = np.zeros(self.pre_curve.shape[1])
        weights[self.post] = self.post_fit @ self.post_curve[:, self.edge]
        line = self.pre_curve[:, self.post] @ weights[self.post]
        weights[self.pre] -= self.pre_fit @ line
        return weights


@functools.lru_cache(maxsize=64)
def _fits(energy: bytes, e0: float, windows: Windows) -> _Fits:
    grid = np.frombuffer(energy)
    pre, degree, nvict = _pre_range(grid, e0, windows)
    post, nnorm = _post_range(grid, e0, windows)
    x = (grid - e0) / _SCALE
    victoreen = (grid / e0) ** nvict
    line = np.vander(x, degree + 1, increasing=True)
    polynomial = np.vander(x, nnorm + 1, increasing=True)
    share = _shares(grid[post] - e0) if windows.even_k else np.ones(post.stop - post.start)
    return _Fits(
        edge=nearest(grid, e0),
        pre=pre,
        pre_fit=(np.linalg.pinv(line[pre]) * victoreen[pre]).T,
        pre_curve=(line / victoreen[:, None]).T,
        post=post,
        post_fit=(np.linalg.pinv(polynomial[post] * share[:, None]) * share).T,
        post_curve=polynomial.T,
    )


def _shares(above: Host) -> Host:
    """How much points so many eV above the edge count, as a factor of their deviations."""
    k = np.sqrt(ETOK * np.maximum(above, 0.0))
    spacing = np.gradient(k) if len(k) > 1 else np.ones(len(k))
    return np.sqrt(np.maximum(spacing, 1e-6 * np.max(spacing)))


def _pre_range(grid: Host, e0: float, windows: Windows) -> tuple[slice, int, int]:
    """Points below the edge, degree of the line and Victoreen exponent: a constant for few."""
    begin, end = at_or_below(grid, e0 + windows.pre1), nearest(grid, e0 + windows.pre2)
    if end <= begin and windows.pre2 < windows.pre1:
        raise DataError(
            f"The range below the edge ends ({windows.pre2:g} eV) before it begins "
            f"({windows.pre1:g} eV): exchange them."
        )
    if at_or_below(grid, e0 + windows.pre2) - begin < 3:
        return slice(begin, max(end, begin + 1)), 0, 0
    return slice(begin, max(end, begin + 2)), 1, windows.nvict


def _post_range(grid: Host, e0: float, windows: Windows) -> tuple[slice, int]:
    """Points above the edge and degree of the polynomial: lower for few."""
    begin = min(at_or_below(grid, e0 + windows.norm1), len(grid) - 3)
    end = nearest(grid, e0 + windows.norm2)
    if windows.norm2 <= windows.norm1 or end <= nearest(grid, e0):
        raise DataError(
            f"The range above the edge, {windows.norm1:g} to {windows.norm2:g} eV, holds no points "
            f"of the scan, which ends {grid[-1] - e0:.1f} eV above the edge."
        )
    if end - begin < 2:
        return slice(max(begin - 2, 0), end), 0
    return slice(begin, end), windows.nnorm if end - begin >= 5 else min(1, windows.nnorm)


def _spectra() -> tuple[Host, Host]:
    """Edges of different height over a falling background, with a little noise."""
    rng = np.random.default_rng(4)
    grid = np.r_[np.arange(6950, 7090, 5.0), np.arange(7090, 7150, 0.5), np.arange(7150, 7600, 4.0)]
    rise: Host = 0.5 + np.arctan((grid - 7112) / 1.5) / np.pi
    mu: Host = rng.uniform(0.5, 2, (6, 1)) * rise + 0.4 - 3e-4 * (grid - 7112)
    return grid, mu + rng.normal(0, 1e-3, (6, len(grid)))


@normalise.case
def edges_over_a_background() -> Inputs:
    """Normalise with a Victoreen exponent."""
    return (*_spectra(), 7112.0, Windows(-150, -40, 50, 450, 2, 3)), {}


@normalise.case
def a_short_scan() -> Inputs:
    """Normalise by constants where few points are left."""
    grid, mu = _spectra()
    inside = (grid > 7100) & (grid < 7130)
    return (grid[inside], mu[:, inside], 7112.0, Windows(-11.0, -10.0, 14.0, 17.0, 2)), {}


@normalise.case
def points_above_the_edge_count_evenly_in_wavenumber() -> Inputs:
    """Normalise on a grid that is finer about the edge."""
    return (*_spectra(), 7112.0, Windows(-150, -40, 25, 450, 2, even_k=True)), {}


@normalise_sigma.case
def noise_of_the_points() -> Inputs:
    """Give each spectrum a noise of its own."""
    grid, mu = _spectra()
    windows = Windows(-150, -40, 50, 450, 2, 3)
    result = normalise(grid, mu, 7112.0, windows)
    sigma = np.linspace(1e-3, 3e-3, len(mu))[:, None] * np.ones_like(mu)
    return (grid, result.norm, result.edge_step, sigma, 7112.0, windows), {}
