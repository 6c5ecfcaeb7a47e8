"""
Sums over the pixels of each bin, of many frames: the work of azimuthal integration.

Without splitting a pixel belongs to the one bin that holds its centre. With splitting it is shared
among the bins that the box around it covers, in proportion, as pyFAI does (G. Ashiotis et al.,
J. Appl. Cryst. 48, 510 (2015), doi:10.1107/S1600576715004306).

Of a frame with values v (raw less dark) and weights w that fall into a bin with shares c (one
without splitting), the result has six rows: sum of c v, c v², c v w, and of the pixels that are not
valid in this frame sum of c w, c w², c.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tasks.algorithm import Inputs, algorithm, current_engine
from tasks.arrays import Array, Host, gpu_module, is_on_gpu, namespace, to_host

ROWS = 6


@algorithm("pdf.bin_sums", version="1", rtol=1e-9)
def bin_sums(
    frames: Array,
    bin_of: Array,
    weight: Array,
    bins: int,
    lowest: float | None = None,
    highest: float | None = None,
    dark: Array | None = None,
    squares: bool = False,
) -> Array:
    """
    Sum over the pixels of each bin, every pixel in one bin.

    Parameters
    ----------
    frames
        Raw values, (frames, pixels), of any real type.
    bin_of
        Bin of each pixel, (pixels,); `bins` means none.
    weight
        What one count of signal stands for at each pixel, (pixels,).
    bins
        How many bins there are.
    lowest, highest
        Values outside are not valid in their frame; neither are those that are no numbers.
    dark
        What to take off each frame, (pixels,).
    squares
        Whether the second and the third row are wanted; else they are zero.

    Returns
    -------
    Array
        (frames, 6, bins), float64; the module says of what.
    """
    xp = namespace(frames)
    everywhere = xp.ones(weight.shape, dtype=xp.float64)
    found = _valid(xp, frames, dark, lowest, highest)
    return _sums(*found, xp.astype(weight, xp.float64), everywhere, bin_of, bins, squares)


@algorithm("pdf.split_sums", version="1", rtol=1e-9)
def split_sums(
    frames: Array,
    first: Array,
    start: Array,
    share: Array,
    weight: Array,
    bins: int,
    lowest: float | None = None,
    highest: float | None = None,
    dark: Array | None = None,
    squares: bool = False,
) -> Array:
    """
    Sum over the pixels of each bin, every pixel shared among neighbouring bins.

    Parameters
    ----------
    frames
        Raw values, (frames, pixels), of any real type.
    first
        First bin of each pixel, (pixels,).
    start
        Where the shares of each pixel begin, (pixels + 1,); none for a pixel that is left out.
    share
        Part of a pixel in its first bin, the one after, and so on, (shares,).
    weight
        What one count of signal stands for at each pixel, (pixels,).
    bins
        How many bins there are.
    lowest, highest
        Values outside are not valid in their frame; neither are those that are no numbers.
    dark
        What to take off each frame, (pixels,).
    squares
        Whether the second and the third row are wanted; else they are zero.

    Returns
    -------
    Array
        (frames, 6, bins), float64; the module says of what.
    """
    xp = namespace(frames)
    pixel, bin_of = expand(xp, first, start, share)
    found = _valid(xp, frames, dark, lowest, highest)
    value, good = (xp.take(each, pixel, axis=1) for each in found)
    weights = xp.take(xp.astype(weight, xp.float64), pixel)
    return _sums(value, good, weights, xp.astype(share, xp.float64), bin_of, bins, squares)


def expand(xp: Any, first: Array, start: Array, share: Array) -> tuple[Array, Array]:
    """Return the pixel and the bin of each share, (shares,) both."""
    place = xp.arange(share.shape[0], dtype=xp.int64)
    offsets = xp.astype(start, xp.int64)
    pixel = xp.searchsorted(offsets, place, side="right") - 1
    bin_of = xp.take(xp.astype(first, xp.int64), pixel) + place - xp.take(offsets, pixel)
    return pixel, bin_of


def _valid(
    xp: Any, frames: Array, dark: Array | None, lowest: float | None, highest: float | None
) -> tuple[Array, Array]:
    """Return values, zero where they are not valid, and validity as a number."""
    raw = xp.astype(frames, xp.float64)
    least, most = _limits(lowest, highest)
    good = (raw >= least) & (raw <= most)
    value = raw if dark is None else raw - xp.astype(dark, xp.float64)[None, :]
    return xp.where(good, value, 0.0), xp.astype(good, xp.float64)


def _limits(lowest: float | None, highest: float | None) -> tuple[float, float]:
    """Return limits that leave out infinities at least."""
    largest = sys.float_info.max
    return -largest if lowest is None else lowest, largest if highest is None else highest


def _sums(
    value: Array,
    good: Array,
    weight: Array,
    share: Array,
    bin_of: Array,
    bins: int,
    squares: bool,
) -> Array:
    """Sort by bin, then take differences of running sums: the standard has no histogram."""
    xp = namespace(value)
    where = xp.astype(bin_of, xp.int64)
    order = xp.argsort(where)
    edges = xp.searchsorted(xp.take(where, order), xp.arange(bins + 1, dtype=xp.int64))
    rows = _rows(value, good, weight, share, squares)
    return xp.stack([between(xp, xp.take(row, order, axis=1), edges) for row in rows], axis=1)


def _rows(value: Array, good: Array, weight: Array, share: Array, squares: bool) -> list[Array]:
    """Return what is summed, six rows of (frames, shares) or (shares,)."""
    mine, missing = share * value, share * (1.0 - good)
    second = [mine * value, mine * weight] if squares else [0.0 * mine] * 2
    return [mine, *second, missing * weight, missing * weight**2, missing]


def between(xp: Any, rows: Array, edges: Array) -> Array:
    """Sum sorted values (frames, n) between edges (bins + 1,)."""
    none = xp.zeros((rows.shape[0], 1), dtype=rows.dtype)
    upto = xp.concat([none, xp.cumulative_sum(rows, axis=1)], axis=1)
    return xp.take(upto, edges[1:], axis=1) - xp.take(upto, edges[:-1], axis=1)


@bin_sums.implementation("numba", requires=("numba",), priority=30)
def _(
    frames: Array,
    bin_of: Array,
    weight: Array,
    bins: int,
    lowest: float | None = None,
    highest: float | None = None,
    dark: Array | None = None,
    squares: bool = False,
) -> Array:
    """One pass over each frame, frames in parallel."""
    from tasks.pdf.kernels import bin_frame, bin_frame_squares

    limits = np.array(_limits(lowest, highest))

    def add(image: Host, out: Host) -> None:
        signal, missing = np.zeros((bins + 1, 3)), np.zeros((bins + 1, 3))
        if squares:
            bin_frame_squares(image, dark, weight, bin_of, limits, signal, missing)
        else:
            only = np.zeros(bins + 1)
            bin_frame(image, dark, weight, bin_of, limits, only, missing)
            signal[:, 0] = only
        out[:3], out[3:] = signal[:-1].T, missing[:-1].T

    return _each(frames, bins, add)


@split_sums.implementation("numba", requires=("numba",), priority=30)
def _(
    frames: Array,
    first: Array,
    start: Array,
    share: Array,
    weight: Array,
    bins: int,
    lowest: float | None = None,
    highest: float | None = None,
    dark: Array | None = None,
    squares: bool = False,
) -> Array:
    """One pass over each frame as it arrives, frames in parallel."""
    from tasks.pdf.kernels import split_frame, split_frame_squares

    limits = np.array(_limits(lowest, highest))

    def add(image: Host, out: Host) -> None:
        signal, missing = np.zeros((bins, 3)), np.zeros((bins, 3))
        pixels = (dark, weight, first, start, share, limits)
        if squares:
            split_frame_squares(image, *pixels, signal, missing)
        else:
            only = np.zeros(bins)
            split_frame(image, *pixels, only, missing)
            signal[:, 0] = only
        out[:3], out[3:] = signal.T, missing.T

    return _each(frames, bins, add)


def _each(frames: Host, bins: int, add: Callable[[Host, Host], None]) -> Host:
    """Fill the result frame by frame, as many at a time as there are cores."""
    images = np.ascontiguousarray(frames, frames.dtype.newbyteorder("="))
    sums = np.zeros((len(images), ROWS, bins))
    cores = min(current_engine().resources.cores, len(images))
    if cores <= 1:
        for image, out in zip(images, sums, strict=True):
            add(image, out)
        return sums
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(add, images, sums))
    return sums


@bin_sums.implementation("cupy", requires=("cupy",), needs_gpu=True, priority=50)
def _(
    frames: Array,
    bin_of: Array,
    weight: Array,
    bins: int,
    lowest: float | None = None,
    highest: float | None = None,
    dark: Array | None = None,
    squares: bool = False,
) -> Array:
    """Histogram with weights, frame by frame."""
    cp = gpu_module("cupy")
    place, weights = cp.asarray(bin_of).astype(cp.int64), cp.asarray(weight).astype(cp.float64)
    taken, ones = None if dark is None else cp.asarray(dark), cp.ones(len(weights))
    xp = namespace(weights)

    def add(image: Array) -> Array:
        value, good = _valid(xp, cp.asarray(image)[None], taken, lowest, highest)
        rows = _rows(value[0], good[0], weights, ones, squares)
        return cp.stack([cp.bincount(place, row, bins + 1)[:bins] for row in rows])

    sums = cp.stack([add(image) for image in frames])
    return sums if is_on_gpu(frames) else to_host(sums)


@split_sums.implementation("cupy", requires=("cupy",), needs_gpu=True, priority=50)
def _(
    frames: Array,
    first: Array,
    start: Array,
    share: Array,
    weight: Array,
    bins: int,
    lowest: float | None = None,
    highest: float | None = None,
    dark: Array | None = None,
    squares: bool = False,
) -> Array:
    """Products of a sparse matrix (bins, shares) with each frame's rows."""
    cp, sparse = gpu_module("cupy"), gpu_module("cupyx.scipy.sparse")
    parts = cp.asarray(share).astype(cp.float64)
    xp, number = namespace(parts), len(parts)
    pixel, bin_of = expand(xp, cp.asarray(first), cp.asarray(start), parts)
    entries = (cp.ones(number), (bin_of, cp.arange(number)))
    matrix = sparse.csr_matrix(entries, shape=(bins, number))
    weights = cp.asarray(weight).astype(cp.float64)[pixel]
    taken = None if dark is None else cp.asarray(dark)

    def add(image: Array) -> Array:
        value, good = _valid(xp, cp.asarray(image)[None], taken, lowest, highest)
        rows = _rows(value[0][pixel], good[0][pixel], weights, parts, squares)
        return (matrix @ cp.stack(rows, axis=1)).T

    sums = cp.stack([add(image) for image in frames])
    return sums if is_on_gpu(frames) else to_host(sums)


def _case(splitting: bool) -> tuple[Any, ...]:
    rng = np.random.default_rng(4)
    frames = rng.poisson(40, (3, 500)).astype(np.int32)
    frames[1, 50:60] = -1
    weight = rng.uniform(0.5, 1, 500).astype(np.float32)
    if not splitting:
        return frames, rng.integers(0, 21, 500), weight, 20, 0.0, 1e9
    number = rng.integers(0, 4, 500)
    start = np.concatenate([[0], np.cumsum(number)])
    share = rng.uniform(0.1, 0.9, int(number.sum())).astype(np.float32)
    return frames, rng.integers(0, 17, 500), start, share, weight, 20, 0.0, 1e9


@bin_sums.case
def whole_pixels() -> Inputs:
    """Make counts of which some are marked as not valid."""
    return _case(False), {}


@bin_sums.case
def whole_pixels_with_squares() -> Inputs:
    """Make counts of which some are marked as not valid, and a dark."""
    return (*_case(False), np.linspace(0, 3, 500), True), {}


@split_sums.case
def split_pixels() -> Inputs:
    """Make pixels that lie in none to three bins."""
    return _case(True), {}


@split_sums.case
def split_pixels_with_squares() -> Inputs:
    """Make pixels that lie in none to three bins, and a dark."""
    return (*_case(True), np.linspace(0, 3, 500), True), {}
