"""
Iterative normalisation of S(Q) by what is known below the first neighbour.

Below the smallest distance of two atoms there is nothing: G(r) is the straight line -4 pi rho r.
What G shows there is error, and its transform is taken off S(Q), again and again (J. H. Kaplow,
S. L. Strong, B. L. Averbach, Phys. Rev. 138, A1336 (1965); J. H. Eggert, G. Weck, P. Loubeyre,
M. Mezouar, Phys. Rev. B 65, 174105 (2002)). Errors that are slow in Q are taken away; what shows
beyond that distance as well, such as noise or a wrong density, is not.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace
from tasks.errors import DataError
from tasks.io.spectra import F

_SETTLED = 1e-3  # relative change of the misfit from one iteration to the next
_NOTHING = 1e-5  # of the straight line's own square: 0.3 % of the line


@dataclass(frozen=True)
class Iterated:
    """
    S(Q) after the iteration.

    Attributes
    ----------
    s
        Shape (frames, points).
    misfit
        Integral of (G + 4 pi rho r)² up to `rmin` before and after each iteration, Å⁻³, shape
        (iterations + 1, frames).
    converged
        Whether the last iteration changed the misfit by less than 0.1 %, or what is left is less
        than 0.3 % of the straight line; shape (frames,). Such frames are left as they are.
    """

    s: F
    misfit: F
    converged: NDArray[np.bool_]

    @property
    def iterations(self) -> int:
        """How many were made."""
        return len(self.misfit) - 1


@algorithm("pdf.low_r_correction", version="1", rtol=1e-9)
def low_r_correction(q: Array, s: Array, r: Array, rho: float, compton: Array) -> Array:
    """
    Take once off S(Q) what G(r) shows below the first neighbour.

    Parameters
    ----------
    q
        Equidistant, above 0, 1/Å, shape (points,).
    s
        S(Q), shape (frames, points).
    r
        Equidistant up to the smallest distance of two atoms, Å, shape (radii,).
    rho
        Atoms per Å³.
    compton
        Compton scattering over the mean square form factor, shape (points,): a wrong scale shows
        in it too.

    Returns
    -------
    Array
        The new S(Q), then the error in G, Å⁻², side by side: shape (frames, points + radii).
    """
    xp = namespace(s)
    sine = xp.sin(q[:, None] * r[None, :])
    dq, dr = q[1] - q[0], r[1] - r[0]
    weight = xp.ones_like(r)
    weight[-1] = 0.5
    error = xp.matmul((s - 1) * q, sine) * (2 / math.pi * dq) + 4 * math.pi * rho * r
    change = xp.matmul(error * weight, xp.matrix_transpose(sine)) * dr / q
    return xp.concat([s - ((s - 1) / (1 + compton) + 1) * change, error], axis=1)


@low_r_correction.case
def a_wrong_scale() -> Inputs:
    """Two patterns whose scale and background are wrong."""
    q, r = np.linspace(0.5, 15, 90), np.arange(1, 41) * 0.05
    s = np.stack([1 + 0.1 * np.cos(2.5 * q) / q, 1.05 + 0.2 * np.exp(-q)])
    return (q, s, r, 0.05, np.zeros_like(q)), {}


def eggert_kaplow(
    q: F,
    s: F,
    *,
    rmin: float,
    rho: float,
    compton: F | None = None,
    most: int = 200,
) -> Iterated:
    """
    Normalise S(Q) of liquids and glasses by G(r) below the first neighbour.

    Parameters
    ----------
    q
        Equidistant, from as near to 0 as it was measured, 1/Å, shape (points,).
    s
        S(Q), shape (frames, points).
    rmin
        Smallest distance of two atoms, Å: a little below the foot of the first peak.
    rho
        Atoms per Å³.
    compton
        Compton scattering over the mean square form factor, shape (points,); none when left out.
    most
        Iterations.

    Returns
    -------
    Iterated
        The last one; `converged` says where it had settled.

    Raises
    ------
    DataError
        If the grid or the numbers cannot be used, or the iteration runs away.
    """
    steps = np.diff(q)
    if q[0] <= 0 or np.ptp(steps) > 1e-3 * steps.mean() or not np.all(np.isfinite(s)):
        raise DataError("The iteration needs S(Q) without gaps on an equidistant Q above 0.")
    if not (rho > 0 and 4 * math.pi / q[-1] < 2 * rmin):
        raise DataError(
            f"With S(Q) up to {q[-1]:g} 1/Å nothing can be told below {rmin:g} Å: measure to "
            "larger Q, or set rmin to the foot of the first peak and the density above 0."
        )
    radii = int(np.ceil(rmin / (math.pi / q[-1] / 4)))
    r = np.arange(1, radii + 1) * (rmin / radii)
    share = np.zeros_like(q) if compton is None else compton
    history: list[F] = []
    nothing = _NOTHING * (4 * math.pi * rho) ** 2 * rmin**3 / 3
    for _ in range(most + 1):
        both = low_r_correction(q, s, r, rho, share)
        history.append(np.sum(both[:, len(q) :] ** 2, axis=1) * (r[1] - r[0]))
        settled = _settled(history, nothing)
        if settled.all() or len(history) > most:
            break
        s = np.where(settled[:, None], s, both[:, : len(q)])
    _check_not_running_away(history, nothing)
    return Iterated(s, np.stack(history), _settled(history, nothing))


def _settled(history: list[F], nothing: float) -> NDArray[np.bool_]:
    last = history[-1]
    change = np.abs(last - history[-2]) if len(history) > 1 else np.full_like(last, np.inf)
    return (change <= _SETTLED * last) | (last <= nothing)


def _check_not_running_away(history: list[F], nothing: float) -> None:
    away = np.flatnonzero(~(history[-1] <= np.maximum(history[0], nothing)))
    if len(away):
        raise DataError(
            f"The iteration makes S(Q) of frame {away[0]} worse, not better: rmin, the density or "
            "the scale of S(Q) is wrong by far."
        )
