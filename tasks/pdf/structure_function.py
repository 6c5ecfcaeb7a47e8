"""What both ways from I(Q) to S(Q) return, and the checks and resampling that both begin with."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse  # pyright: ignore[reportMissingTypeStubs]

from tasks.errors import DataError
from tasks.pdf.tables import F

_FEWEST = 50  # bins between qmin and qmax


@dataclass(frozen=True, eq=False)
class StructureFunction:
    """
    S(Q) and F(Q) = Q (S(Q) - 1) of a block of patterns.

    Attributes
    ----------
    q
        1/Å, shape (bins,).
    s, s_sigma
        Faber-Ziman structure function, shape (frames, bins).
    f, f_sigma
        Reduced structure function, 1/Å, shape (frames, bins). A sigma counts the noise that the
        bin shares with its neighbours as its own, so that sums over bins, and so G(r), come out
        right; between one bin and the next, resampled curves scatter up to a fifth less.
    mode
        ``compatible`` or ``absolute``.
    details
        What the mode found and used.
    """

    q: F
    s: F
    s_sigma: F
    f: F
    f_sigma: F
    mode: Literal["compatible", "absolute"]
    details: dict[str, Any] = field(default_factory=dict[str, Any])


def chebyshev(q: F, terms: int) -> F:
    """Return polynomials over the range of Q, shape (bins, terms)."""
    x = 2 * (q - q[0]) / (q[-1] - q[0]) - 1
    return np.asarray(np.polynomial.chebyshev.chebvander(x, terms - 1), dtype=float)


def known_bins(q: F, intensity: F, sigma: F | None) -> tuple[F, F, F]:
    """
    Keep the bins that all frames know; a missing sigma becomes zero.

    Returns
    -------
    q, intensity, variance : numpy.ndarray
        Shapes (bins,), (frames, bins), (frames, bins).

    Raises
    ------
    DataError
        If shapes do not fit or Q does not increase.
    """
    axis, block = np.asarray(q, dtype=float), np.atleast_2d(np.asarray(intensity, dtype=float))
    noise = np.zeros_like(block) if sigma is None else np.atleast_2d(np.asarray(sigma, float))
    if block.shape != noise.shape or block.shape[1:] != axis.shape:
        raise DataError(
            f"Intensities of shape {block.shape}, sigmas {noise.shape} and {len(axis)} bins of Q "
            "do not belong together."
        )
    known = np.all(np.isfinite(block) & np.isfinite(noise), axis=0) & np.isfinite(axis)
    axis = axis[known]
    if np.any(np.diff(axis) <= 0):
        raise DataError("Q must increase from bin to bin: sort the pattern, or integrate it again.")
    return axis, block[:, known], noise[:, known] ** 2


def check_range(q: F, qmin: float, qmax: float) -> None:
    """Refuse a range of Q that the data do not cover."""
    inside = int(np.sum((q >= qmin) & (q <= qmax)))
    if len(q) < 2 or not qmin < qmax or inside < _FEWEST:
        raise DataError(
            f"Between qmin {qmin:g} and qmax {qmax:g} 1/Å there are {inside} bins with data, which "
            f"is not enough for S(Q); the pattern goes from {q.min(initial=np.inf):.2f} to "
            f"{q.max(initial=0):.2f} 1/Å."
        )
    if qmin < q[0] - 2 * (q[1] - q[0]) or qmax > q[-1] + 2 * (q[-1] - q[-2]):
        raise DataError(
            f"qmin {qmin:g} to qmax {qmax:g} 1/Å reaches beyond the pattern, which goes from "
            f"{q[0]:.2f} to {q[-1]:.2f} 1/Å: choose a range inside it."
        )


def resample(q: F, block: F, variance: F, grid: F) -> tuple[F, F]:
    """
    Interpolate linearly, and give the variance that sums over the new points have.

    A new point shares its noise with its neighbours. What is returned is the row sum of their
    covariance: the variance of independent points under which any average over several points
    is as uncertain as it really is.

    Parameters
    ----------
    q, grid
        Old and new points, increasing; the new lie within the old or less than a step outside.
    block, variance
        Shape (frames, old points).

    Returns
    -------
    values, variance : numpy.ndarray
        Shape (frames, new points).
    """
    weights = _interpolation(q, grid)
    shared = np.asarray(weights.sum(axis=0)).ravel()
    return (weights @ block.T).T, (weights @ (variance * shared).T).T


def _interpolation(q: F, grid: F) -> Any:
    """Sparse matrix (new, old) of linear interpolation; ends are held."""
    left = np.clip(np.searchsorted(q, grid, side="right") - 1, 0, len(q) - 2)
    share = np.clip((grid - q[left]) / (q[left + 1] - q[left]), 0, 1)
    rows = np.arange(len(grid))
    return scipy.sparse.csr_array(
        (np.r_[1 - share, share], (np.r_[rows, rows], np.r_[left, left + 1])),
        shape=(len(grid), len(q)),
    )
