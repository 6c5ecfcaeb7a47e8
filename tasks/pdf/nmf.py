"""
Components of a series: patterns that are nowhere negative, and how much of each a frame holds.

Non-negative matrix factorisation (D. D. Lee, H. S. Seung, Nature 401, 788 (1999)) by hierarchical
alternating least squares (A. Cichocki, A.-H. Phan, IEICE Trans. Fundamentals E92-A, 708 (2009)) on
the part of the series that is above noise, which makes it fast for long series (G. Zhou,
A. Cichocki, S. Xie, IEEE Trans. Signal Process. 60, 2928 (2012)). It starts from the frames that
are least alike (successive projections: M. C. U. Araujo et al., Chemom. Intell. Lab. Syst. 57, 65
(2001)). How many components there are follows from the noise: singular values of the series above
the largest one that noise alone would have. Best on I(Q) or F(Q), whose points are independent;
points of G(r) are not, so their number of independent ones must be told.

A factorisation is not unique: any mixture of two components in which nothing becomes negative fits
as well (rotational ambiguity). Components are pure phases only if each phase has, somewhere in the
series, a frame without the others, and somewhere in the pattern a point of its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]
import scipy.sparse.linalg  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.similarity import comparable, frame_noise

_OPTIMISE: Any = scipy.optimize
_SPARSE: Any = scipy.sparse.linalg
_MOST = 12  # components that can still be told apart
_CLEAR = 1.05  # times the noise's largest singular value
_ROUNDS = 3000  # of the alternating least squares
_STEADY = 1e-6  # relative change of the weights in a round that ends them
_TINY_SHARE = 1e-3  # of the largest value: negative values below are noise

AMBIGUITY = (
    "Components are not unique: they are pure phases only if each phase is alone in some frame and "
    "has a point of the pattern to itself."
)


@dataclass(frozen=True)
class Components:
    """
    Components of a series.

    Attributes
    ----------
    weights
        Amount of each component in each frame, not negative, scaled so that their sum is as near 1
        as possible in all frames; shape (frames, components).
    shapes
        The components, on the scale of the patterns, `offset` included; shape (components, points).
    offset
        What was taken off each point to make the patterns non-negative, shape (points,).
    kept
        Points that have a value in all patterns, which `shapes` are given for, shape (all points,).
    residual
        Root mean square of what a frame's components leave, shape (frames,).
    singular_values
        Of the patterns in units of the noise, largest first.
    threshold
        The largest singular value of noise alone.
    reason
        Why so many components, and how the patterns were made non-negative.
    """

    weights: F
    shapes: F
    offset: F
    kept: NDArray[np.bool_]
    residual: F
    singular_values: F
    threshold: float
    reason: str
    ambiguity: str = AMBIGUITY

    @property
    def number(self) -> int:
        """How many components there are."""
        return self.weights.shape[1]


def components(
    patterns: F,
    sigma: F | None = None,
    *,
    number: int | None = None,
    independent: float | None = None,
) -> Components:
    """
    Factor a series into components.

    Parameters
    ----------
    patterns
        I(Q), F(Q) or G(r), shape (frames, points); points that lack a value somewhere are left out.
    sigma
        1 sigma, shape (points,) or (frames, points); from neighbouring frames when left out.
    number
        How many components; told from the noise when left out.
    independent
        How many points of a pattern are independent: r range times Qmax over pi for G(r); all when
        left out.

    Returns
    -------
    Components

    Raises
    ------
    DataError
        If there are fewer than 3 frames (5 without a sigma), or not more frames than components.
    """
    kept = np.all(np.isfinite(patterns), axis=0)
    data = comparable(patterns)
    if len(data) < 3:
        raise DataError(f"Components need at least 3 patterns; the series has {len(data)}.")
    noise = _noise(data, sigma, kept)
    values = _singular_values(data / noise)
    threshold = _noise_edge(len(data), data.shape[1], independent)
    counted = int(np.sum(values > _CLEAR * threshold))
    chosen = number or min(max(counted, 1), _MOST)
    if chosen >= len(data):
        raise DataError(f"{len(data)} patterns cannot be factored into {chosen} components.")
    offset, how = _offset(data)
    amounts, shapes = _factor((data - offset) / noise, chosen)
    scale = _closure(amounts)
    weights, shapes = amounts * scale, shapes / scale[:, None] * noise
    residual = np.sqrt(np.mean((data - offset - weights @ shapes) ** 2, axis=1))
    reason = _reason(number, counted, chosen, values, threshold, sigma is None) + " " + how
    return Components(weights, shapes + offset, offset, kept, residual, values, threshold, reason)


def _noise(data: F, sigma: F | None, kept: NDArray[np.bool_]) -> F:
    """1 sigma of each point, shape (points,): points are weighed by it, frames are not."""
    if sigma is None:
        noise = frame_noise(data)
    else:
        noise = np.sqrt(np.mean(np.atleast_2d(sigma)[:, kept] ** 2, axis=0))
    if not np.all(np.isfinite(noise)) or not np.any(noise > 0):
        raise DataError("The patterns have no noise to count components by: give their sigma.")
    return np.maximum(noise, 1e-3 * float(np.median(noise[noise > 0])))


def _noise_edge(frames: int, points: int, independent: float | None) -> float:
    """
    Tell the largest singular value of noise of unit variance.

    That is sqrt(frames) + sqrt(points) for independent points (V. A. Marchenko, L. A. Pastur, Math.
    USSR Sb. 1, 457 (1967)); fewer independent ones hold the same variance in fewer directions.
    """
    free = min(independent or points, points)
    return float(np.sqrt(points / free) * (np.sqrt(frames) + np.sqrt(free)))


def _singular_values(data: F) -> F:
    """Singular values, largest first, from the smaller matrix of second moments."""
    moment = data @ data.T if len(data) <= data.shape[1] else data.T @ data
    return np.sqrt(np.maximum(np.linalg.eigvalsh(moment)[::-1], 0.0))


def _leading(data: F, number: int) -> tuple[F, F]:
    """Leading part of the data as (frames, number) orthonormal columns times (number, points)."""
    begin = np.ones(min(data.shape))  # the same start each time: results must not change
    left: F = _SPARSE.svds(data, number, v0=begin, return_singular_vectors="u")[0]
    return left, left.T @ data


def _offset(data: F) -> tuple[F, str]:
    """
    Choose what is taken off each point so that nothing is negative.

    In a series whose weights sum to one in each frame, an offset that is the same in all frames is
    part of each component, so that it may be added to them again.
    """
    lowest = data.min(axis=0)
    if lowest.min() >= -_TINY_SHARE * float(np.abs(data).max()):
        return np.minimum(lowest, 0.0), "The patterns are positive and were taken as they are."
    return lowest, (
        "The least value of each point in the series was taken off and added to each component "
        "again, which holds as far as the weights of a frame sum to one."
    )


def _factor(data: F, number: int) -> tuple[F, F]:
    """Factor data (frames, points), not negative: (frames, number) and (number, points)."""
    left, right = _leading(data, number)
    shapes = data[_least_alike(left * np.linalg.norm(right, axis=1), number)].copy()
    weights = np.maximum(left @ np.linalg.lstsq(shapes.T, right.T)[0].T, 0.0)
    for _ in range(_ROUNDS):
        before = weights.copy()
        _improve(shapes, weights.T @ weights, (weights.T @ left) @ right)
        _improve(weights.T, shapes @ shapes.T, (shapes @ right.T) @ left.T)
        if np.linalg.norm(weights - before) <= _STEADY * np.linalg.norm(before):
            break
    share = np.linalg.norm(weights, axis=0) * np.linalg.norm(shapes, axis=1)
    order = np.argsort(-share, kind="stable")
    return weights[:, order], shapes[order]


def _improve(rows: F, products: F, target: F) -> None:
    """Set one row after the other to its non-negative least squares, in place."""
    for k in range(len(rows)):
        if products[k, k] > 0:
            rows[k] = np.maximum(rows[k] + (target[k] - products[k] @ rows) / products[k, k], 0.0)


def _least_alike(scores: F, number: int) -> list[int]:
    """Numbers of the frames that stand farthest out, each after the others are projected out."""
    rest, chosen = scores.copy(), list[int]()
    for _ in range(number):
        lengths = np.linalg.norm(rest, axis=1)
        chosen.append(int(np.argmax(lengths)))
        direction = rest[chosen[-1]] / max(float(lengths.max()), np.finfo(float).tiny)
        rest -= np.outer(rest @ direction, direction)
    return chosen


def _closure(amounts: F) -> F:
    """Find the scale of each component that brings the sum of a frame's weights nearest to 1."""
    scale: F = _OPTIMISE.nnls(amounts, np.ones(len(amounts)))[0]
    alone = 1 / np.maximum(amounts.max(axis=0), np.finfo(float).tiny)
    return np.where(scale > 0, scale, alone)


def _reason(
    asked: int | None, counted: int, chosen: int, values: F, threshold: float, guessed: bool
) -> str:
    source = "told from neighbouring frames" if guessed else "given"
    text = (
        f"{counted} singular values are above noise ({source}): the smallest of them is "
        f"{values[max(counted, 1) - 1] / threshold:.1f} times the largest of noise alone"
    )
    if asked:
        return f"{asked} components were asked for; {text}."
    if counted == 0:
        return "No singular value is above noise: one component is the mean of the series."
    if chosen < counted:
        return f"{chosen} components, the most that are looked for; {text}."
    return f"{chosen} components: {text}."
