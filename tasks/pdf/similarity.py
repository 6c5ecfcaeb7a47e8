"""
How like the patterns of a series are, and where the series changes.

Pearson's correlation of each pattern with each other, as for powder patterns of a series; blocks on
the diagonal are states, their edges the changes. Where a series changes is told from the patterns
themselves: the mean of some frames before against the mean of as many after, in units of the noise.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace
from tasks.errors import DataError
from tasks.io.spectra import F

_NDIMAGE: Any = scipy.ndimage
_ROWS = 2000  # of a picture
_WINDOW = 5  # frames before and after
_FALSE = 6.0  # standard deviations above the noise that a change must have
_POOLED = 9  # points about a point
_ROBUST = 1.4826  # of the median of absolute deviations, for 1 sigma


@dataclass(frozen=True)
class Changes:
    """
    Where a series changes.

    Attributes
    ----------
    score
        Between each frame and the next: mean square of the difference between the frames before
        and after, over that of noise; 1 where nothing changes. Shape (frames - 1,).
    threshold
        Score from which a change is none of noise.
    at
        Numbers of the frames that a change comes just before: largest scores first.
    spans
        First and last frame of each change, as long as the score stays above the threshold.
    """

    score: F
    threshold: float
    at: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]


@algorithm("pdf.pearson", version="1", rtol=1e-5)
def pearson(patterns: Array) -> Array:
    """
    Correlate each pattern with each other.

    Parameters
    ----------
    patterns
        Shape (frames, points), without NaN (see `comparable`).

    Returns
    -------
    Array
        Pearson's coefficients, from -1 to 1, shape (frames, frames); 0 for a constant pattern.
    """
    xp = namespace(patterns)
    centred = patterns - xp.mean(patterns, axis=1, keepdims=True)
    length = xp.sqrt(xp.sum(centred * centred, axis=1, keepdims=True))
    unit = centred / xp.where(length > 0, length, xp.ones_like(length))
    return xp.clip(xp.matmul(unit, xp.matrix_transpose(unit)), -1.0, 1.0)


@pearson.implementation("single", priority=20)
def _pearson_single(patterns: Array) -> Array:
    """Multiply in single precision what was centred in double: errors of 1e-6, thrice as fast."""
    unit = patterns - patterns.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", unit, unit))
    unit /= np.where(length > 0, length, 1.0)[:, None]
    single = unit.astype(np.float32)
    matrix = single @ single.T
    return np.clip(matrix, -1.0, 1.0, out=matrix).astype(patterns.dtype)


@pearson.case
def a_few_patterns() -> Inputs:
    """Twenty patterns of noise over a slope."""
    noise = np.random.default_rng(5).normal(size=(20, 60))
    return (noise + np.linspace(0, 3, 60),), {}


def comparable(patterns: F) -> F:
    """
    Keep the points that have a value in every pattern.

    Parameters
    ----------
    patterns
        Shape (frames, points); NaN in bins without pixels.

    Returns
    -------
    ndarray
        Shape (frames, fewer points).

    Raises
    ------
    DataError
        If fewer than 10 points have a value in all patterns; the sentence names the emptiest one.
    """
    finite = np.isfinite(patterns)
    kept = np.all(finite, axis=0)
    if kept.sum() < 10:
        worst = int(np.argmin(finite.sum(axis=1)))
        raise DataError(
            f"Only {kept.sum()} points have a value in all {len(patterns)} patterns: frame {worst} "
            f"has {finite[worst].sum()}. Leave it out to compare the others."
        )
    return patterns if np.all(kept) else patterns[:, kept]


def fewer_rows(patterns: F, most: int = _ROWS) -> tuple[F, F]:
    """
    Average neighbouring frames until a picture can show them.

    Parameters
    ----------
    patterns
        Shape (frames, points).
    most
        Rows that the picture may have.

    Returns
    -------
    first : ndarray
        Number of the first frame of each row, shape (rows,).
    rows : ndarray
        Their means, shape (rows, points); all frames go in, the last row may hold fewer.
    """
    together = -(-len(patterns) // most)
    first = np.arange(0, len(patterns), together)
    counts = np.diff(first, append=len(patterns))
    return first.astype(np.float64), np.add.reduceat(patterns, first, axis=0) / counts[:, None]


def frame_noise(patterns: F) -> F:
    """
    Tell the noise of a point from how a frame differs from its neighbours.

    No point gets less than the median of the points about it: few frames make estimates scatter,
    and a point whose noise is taken for too small would look like a change.

    Parameters
    ----------
    patterns
        In the order of the series, which must change more slowly than from frame to frame; shape
        (frames, points).

    Returns
    -------
    ndarray
        1 sigma of each point, shape (points,).

    Raises
    ------
    DataError
        If there are fewer than 5 frames.
    """
    if len(patterns) < 5:
        raise DataError(
            f"{len(patterns)} frames are too few to tell their noise: give sigma, or 5 frames."
        )
    second = patterns[2:] - 2 * patterns[1:-1] + patterns[:-2]
    own = _ROBUST / np.sqrt(6) * np.median(np.abs(second), axis=0)
    return np.maximum(own, _NDIMAGE.median_filter(own, _POOLED, mode="nearest"))


def find_changes(
    patterns: F, sigma: F | None = None, *, independent: float | None = None, window: int = _WINDOW
) -> Changes:
    """
    Find where a series changes.

    Parameters
    ----------
    patterns
        In the order of the series, shape (frames, points).
    sigma
        1 sigma, shape (points,) or (frames, points); from neighbouring frames when left out.
    independent
        How many points of a pattern are independent: r range times Qmax over pi for G(r); all when
        left out, as for I(Q).
    window
        Frames before and after that are compared; fewer at the ends of the series.

    Returns
    -------
    Changes

    Raises
    ------
    DataError
        If there are fewer than 2 frames, or fewer than 5 without a sigma.
    """
    frames, points = patterns.shape
    if frames < 2:
        raise DataError("One pattern is no series: there is nothing that could change.")
    noise = frame_noise(patterns) if sigma is None else sigma
    scaled = patterns / np.where(noise > 0, noise, np.inf)
    before = np.vstack([np.zeros(points), np.cumsum(scaled, axis=0)])
    middle = np.arange(1, frames, dtype=np.intp)
    low, high = np.maximum(middle - window, 0), np.minimum(middle + window, frames)
    left, right = (middle - low)[:, None], (high - middle)[:, None]
    difference = (before[high] - before[middle]) / right - (before[middle] - before[low]) / left
    score = np.mean(difference**2, axis=1) / (1 / left + 1 / right)[:, 0]
    threshold = 1 + _FALSE * np.sqrt(2 / (independent or points))
    spans = _runs_above(score, threshold)
    at = sorted(
        (begin + int(np.argmax(score[begin - 1 : end])) for begin, end in spans),
        key=lambda frame: -score[frame - 1],
    )
    return Changes(score, float(threshold), tuple(at), tuple(spans))


def _runs_above(score: F, threshold: float) -> list[tuple[int, int]]:
    """First and last frame of each run of scores above the threshold."""
    above = np.diff(np.concatenate([[False], score > threshold, [False]]).astype(int))
    begins, ends = np.flatnonzero(above > 0), np.flatnonzero(above < 0)
    return [(int(b) + 1, int(e)) for b, e in zip(begins, ends, strict=True)]
