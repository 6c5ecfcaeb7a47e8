"""
From F(Q) to G(r), with its noise.

G(r) = 2/pi integral of F(Q) M(Q) sin(Q r) dQ (T. Egami and S. J. L. Billinge, *Underneath the
Bragg Peaks*, Pergamon 2012, chapter 3), as a product with one matrix for all patterns. The noise of
independent bins adds by squares through the same matrix.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.errors import DataError
from tasks.pdf.tables import F

Window = Literal["none", "lorch", "soper", "hann"]
LowQ = Literal["none", "linear"]

_SOPER = 4.493409458  # where tan x = x


@dataclass(frozen=True, eq=False)
class PairDistribution:
    """
    Reduced pair distribution functions.

    Attributes
    ----------
    r
        Å, shape (distances,).
    g, g_sigma
        G(r), 1/Å², shape (frames, distances).
    """

    r: Array
    g: Array
    g_sigma: Array


def to_gr(
    q: F,
    f: F,
    f_sigma: F | None,
    r: F,
    *,
    qmin: float,
    qmax: float,
    window: Window = "none",
    low_q: LowQ = "none",
) -> PairDistribution:
    """
    Transform F(Q) between qmin and qmax to distances.

    Parameters
    ----------
    q
        1/Å, shape (bins,), increasing, not necessarily even.
    f, f_sigma
        1/Å, shape (frames, bins) or (bins,).
    r
        Å, shape (distances,).
    qmin, qmax
        Where the transform begins and ends, 1/Å.
    window
        What F(Q) is multiplied by: ``none``; ``lorch``, sin(x)/x with x = pi Q / qmax (E. Lorch,
        J. Phys. C 2, 229 (1969)); ``soper``, 3 (sin x - x cos x) / x³ with x = 4.493 Q / qmax,
        which is zero at qmax too (A. K. Soper and E. R. Barney, J. Appl. Cryst. 44, 714 (2011));
        ``hann``, cos²(pi Q / 2 qmax).
        A smoother window has smaller ripples and broader peaks.
    low_q
        What stands for F(Q) below qmin: ``none``, nothing; ``linear``, a straight line from zero to
        its mean slope over the first tenth of 1/Å, that is S(Q) constant. What lies there decides
        about the slow part of G(r) and hardly about peaks.

    Returns
    -------
    PairDistribution
        The sigma is zero where there is none of F(Q).

    Raises
    ------
    DataError
        If qmin and qmax leave nothing to transform.
    """
    block = np.atleast_2d(f)
    noise = np.zeros_like(block) if f_sigma is None else np.atleast_2d(f_sigma)
    inside = (q >= qmin - 1e-9) & (q <= qmax + 1e-9)
    if inside.sum() < 2:
        raise DataError(f"There is no F(Q) between qmin {qmin:g} and qmax {qmax:g} 1/Å.")
    return sine_transform(
        q[inside], block[:, inside], noise[:, inside], np.asarray(r, float), qmax, window, low_q
    )


@algorithm("pdf.sine_transform", version="1", rtol=1e-10)
def sine_transform(
    q: Array,
    f: Array,
    f_sigma: Array,
    r: Array,
    qmax: float,
    window: str = "none",
    low_q: str = "none",
) -> PairDistribution:
    """
    Transform all of F(Q), as `to_gr`.

    Parameters
    ----------
    q, r
        Shapes (bins,) and (distances,).
    f, f_sigma
        Shape (frames, bins).
    qmax, window, low_q
        As `to_gr`.
    """
    xp = namespace(f)
    matrix = sine_matrix(_key(q), _key(r), qmax, window, low_q)
    operator, squared = xp.asarray(matrix), xp.asarray(matrix**2)
    return PairDistribution(r, f @ operator, xp.sqrt(f_sigma**2 @ squared))


def _key(grid: Array) -> bytes:
    """Make a grid that can be looked up in a cache."""
    return np.asarray(to_host(grid), dtype=float).tobytes()


@functools.lru_cache(maxsize=4)
def sine_matrix(q_bytes: bytes, r_bytes: bytes, qmax: float, window: str, low_q: str) -> Host:
    """Return the operator (bins, distances) from F(Q) to G(r); grids as bytes of float64."""
    q, r = np.frombuffer(q_bytes), np.frombuffer(r_bytes)
    matrix = np.sin(np.outer(q, r))
    matrix *= (2 / np.pi * np.gradient(q) * WINDOWS[window](np.pi * q / qmax))[:, None]
    if low_q == "linear":
        first = q <= q[0] + 0.1
        matrix[first] += 2 / np.pi * _line(q[0], r) / (q[first] * first.sum())[:, None]
    return matrix


def _line(qmin: float, r: Host) -> Host:
    """Integral of Q sin(Q r) from 0 to qmin, shape (distances,)."""
    x, safe = qmin * r, np.where(r == 0, 1, r)
    return np.where(r == 0, 0, (np.sin(x) - x * np.cos(x)) / safe**2)


def _soper(x: Host) -> Host:
    y = x * _SOPER / np.pi
    return 3 * (np.sin(y) - y * np.cos(y)) / y**3


WINDOWS: dict[str, Callable[[Host], Host]] = {
    "none": np.ones_like,
    "lorch": lambda x: np.sinc(x / np.pi),
    "soper": _soper,
    "hann": lambda x: np.cos(x / 2) ** 2,
}
"""Windows by name, of pi Q / qmax above zero."""


@sine_transform.case
def two_shells() -> Inputs:
    """Transform two damped waves with a window, from an uneven grid."""
    q = np.linspace(0.8, 20, 300) ** 1.01
    f = np.sin(q * np.array([[2.5], [3.1]])) * np.exp(-0.01 * q**2)
    return (q, f, np.full(f.shape, 0.1), np.linspace(0, 10, 60), 20.6, "lorch", "linear"), {}
