"""
Fourier transform of chi(k) to distances, and back.

The convention is that of the field (D. E. Sayers, E. A. Stern, F. W. Lytle, Phys. Rev. Lett. 27,
1204 (1971); M. Newville, Rev. Mineral. Geochem. 78, 33 (2014)): chi(k) times a power of k and a
window, padded to 2048 points, times the step over the root of pi. Peaks stand about 0.4 Å below
the distance of the atoms, since the phase of the scattering is not taken out. Only the few hundred
distances that are looked at are computed, as a product with one matrix.
"""

import functools
from dataclasses import dataclass

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.xas.windows import window as window_on

POINTS = 2048
"""Points that chi(k) is padded to, which sets the step in R: pi / (points * step in k)."""


@dataclass(frozen=True)
class Transform:
    """
    Spectra against distance.

    Attributes
    ----------
    r
        Å, shape (distances,), from 0; not corrected for the phase.
    chi_r
        Complex, shape (spectra, distances), Å to the power -(1 + kweight).
    """

    r: Array
    chi_r: Array


@dataclass(frozen=True)
class Filtered:
    """
    What a range of distances contributes, against k.

    Attributes
    ----------
    q
        1/Å, shape (points,).
    chi_q
        Complex, shape (spectra, points); its real part is chi(k) times the power of k and the
        window of the forward transform.
    """

    q: Array
    chi_q: Array


@algorithm("xas.transform", version="1", rtol=1e-10)
def transform(
    k: Array,
    chi: Array,
    kmin: float = 3.0,
    kmax: float = 12.0,
    dk: float = 1.0,
    kweight: int = 2,
    window: str = "hanning",
    rmax: float = 10.0,
) -> Transform:
    """
    Transform chi(k) to distances.

    Parameters
    ----------
    k
        Even grid from 0, 1/Å, shape (points,).
    chi
        Shape (spectra, points).
    kmin, kmax, dk
        Where the window rises and falls, and over which width, 1/Å.
    kweight
        Power of k.
    window
        One of `tasks.xas.windows.WINDOWS`.
    rmax
        The largest distance, Å.

    Returns
    -------
    Transform
        Complex chi(R).

    Raises
    ------
    ValueError
        If there is no such window.
    """
    xp = namespace(chi)
    r, cosines, sines = _forward(_key(k), kmin, kmax, dk, kweight, window, rmax)
    real, imaginary = chi @ xp.asarray(cosines), chi @ xp.asarray(sines)
    chi_r = xp.astype(real, xp.complex128) + 1j * xp.astype(imaginary, xp.complex128)
    return Transform(xp.asarray(r), chi_r)


@transform.implementation("numpy", priority=20)
def _(
    k: Array,
    chi: Array,
    kmin: float = 3.0,
    kmax: float = 12.0,
    dk: float = 1.0,
    kweight: int = 2,
    window: str = "hanning",
    rmax: float = 10.0,
) -> Transform:
    """Let one product fill real and imaginary parts where they belong in memory."""
    r, cosines, sines = _forward(_key(k), kmin, kmax, dk, kweight, window, rmax)
    parts = np.stack([cosines, sines], axis=2).reshape(len(cosines), -1)
    return Transform(r, (chi @ parts).view(np.complex128))


@algorithm("xas.back_transform", version="1", rtol=1e-10)
def back_transform(
    r: Array,
    chi_r: Array,
    rmin: float = 1.0,
    rmax: float = 3.0,
    dr: float = 0.5,
    window: str = "hanning",
    qmax: float = 15.0,
) -> Filtered:
    """
    Transform a range of distances back to k.

    Parameters
    ----------
    r, chi_r
        From `transform`.
    rmin, rmax, dr
        Where the window rises and falls, and over which width, Å.
    window
        One of `tasks.xas.windows.WINDOWS`.
    qmax
        The largest k, 1/Å.

    Returns
    -------
    Filtered
        Complex chi(q).

    Raises
    ------
    ValueError
        If there is no such window.
    """
    xp = namespace(chi_r)
    q, operator = _backward(_key(r), rmin, rmax, dr, window, qmax)
    return Filtered(xp.asarray(q), chi_r @ xp.asarray(operator))


def resolution(k: Host) -> float:
    """Return the step in R, Å, that belongs to an even grid of k."""
    return float(np.pi / (POINTS * (k[1] - k[0])))


def _key(grid: Array) -> bytes:
    return np.asarray(to_host(grid), dtype=float).tobytes()


@functools.lru_cache(maxsize=32)
def _forward(
    k_bytes: bytes, kmin: float, kmax: float, dk: float, kweight: int, window: str, rmax: float
) -> tuple[Host, Host, Host]:
    k = np.frombuffer(k_bytes)
    step, rstep = k[1] - k[0], resolution(k)
    longest = max(k[-1], kmax + dk)  # the window is laid out to its own end, then cut
    grid = step * np.arange(int(1.01 + longest / step))
    weights = (window_on(window, grid, kmin, kmax, dk) * grid**kweight)[: len(k)]
    r = rstep * np.arange(int(min(POINTS / 2, 1.01 + rmax / rstep)))
    phases = 2 * np.outer(k, r)
    scaled = step / np.sqrt(np.pi) * weights[:, None]
    return r, scaled * np.cos(phases), -scaled * np.sin(phases)


@functools.lru_cache(maxsize=32)
def _backward(
    r_bytes: bytes, rmin: float, rmax: float, dr: float, window: str, qmax: float
) -> tuple[Host, Host]:
    r = np.frombuffer(r_bytes)
    step = np.pi / (POINTS * (r[1] - r[0]))
    grid = (r[1] - r[0]) * np.arange(POINTS)
    weights = window_on(window, grid, rmin, rmax, dr)[: len(r)]
    q = step * np.arange(int(1.05 + qmax / step))
    scale = 2 * np.sqrt(np.pi) / step / POINTS
    return q, scale * weights[:, None] * np.exp(2j * np.outer(r, q))


@transform.case
def shells_of_neighbours() -> Inputs:
    """Transform damped oscillations of several distances."""
    k = 0.05 * np.arange(261)
    distances = np.linspace(1.5, 4.0, 5)[:, None]
    chi = np.sin(2 * k * distances) * np.exp(-0.01 * k**2) / np.maximum(k, 1) ** 2
    return (k, chi), {"window": "kaiser"}


@back_transform.case
def one_shell() -> Inputs:
    """Transform random chi(R) back."""
    rng = np.random.default_rng(8)
    r = np.pi / (POINTS * 0.05) * np.arange(326)
    return (r, rng.normal(size=(3, 326)) + 1j * rng.normal(size=(3, 326))), {}
