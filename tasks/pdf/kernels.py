"""
The loops over pixels, compiled by numba (S. K. Lam et al., LLVM-HPC 2015).

They hold no lock of the interpreter, so that frames run in parallel in ordinary threads; numba's
own threads are not used, since they do not bear callers in several threads at once. Importing this
module costs a third of a second: import it where it is needed.
"""

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]


@compiled
def bin_frame(
    image: Any, dark: Any, weight: Any, bin_of: Any, limits: Any, signal: Any, missing: Any
) -> None:
    """Add a frame (pixels,) to signal (bins + 1,) and to missing (bins + 1, 3)."""
    for p in range(image.size):
        j = bin_of[p]
        raw = np.float64(image[p])
        if raw >= limits[0] and raw <= limits[1]:
            signal[j] += raw if dark is None else raw - dark[p]
        else:
            w = np.float64(weight[p])
            missing[j, 0] += w
            missing[j, 1] += w * w
            missing[j, 2] += 1


@compiled
def bin_frame_squares(
    image: Any, dark: Any, weight: Any, bin_of: Any, limits: Any, signal: Any, missing: Any
) -> None:
    """Add a frame to signal, its square and its product with the weight, (bins + 1, 3)."""
    for p in range(image.size):
        j = bin_of[p]
        raw = np.float64(image[p])
        if raw >= limits[0] and raw <= limits[1]:
            value = raw if dark is None else raw - dark[p]
            signal[j, 0] += value
            signal[j, 1] += value * value
            signal[j, 2] += value * weight[p]
        else:
            w = np.float64(weight[p])
            missing[j, 0] += w
            missing[j, 1] += w * w
            missing[j, 2] += 1


@compiled
def split_frame(
    image: Any,
    dark: Any,
    weight: Any,
    first: Any,
    start: Any,
    share: Any,
    limits: Any,
    signal: Any,
    missing: Any,
) -> None:
    """Share the pixels of a frame among bins: signal (bins,), missing (bins, 3)."""
    for p in range(image.size):
        raw = np.float64(image[p])
        good = raw >= limits[0] and raw <= limits[1]
        value = raw if dark is None else raw - dark[p]
        w = np.float64(weight[p])  # in single precision its square would spoil the scatter
        shift = first[p] - start[p]
        for k in range(start[p], start[p + 1]):
            if good:
                signal[shift + k] += share[k] * value
            else:
                missing[shift + k, 0] += share[k] * w
                missing[shift + k, 1] += share[k] * w * w
                missing[shift + k, 2] += share[k]


@compiled
def split_frame_squares(
    image: Any,
    dark: Any,
    weight: Any,
    first: Any,
    start: Any,
    share: Any,
    limits: Any,
    signal: Any,
    missing: Any,
) -> None:
    """Share the pixels, their squares and their products with the weight, (bins, 3)."""
    for p in range(image.size):
        raw = np.float64(image[p])
        good = raw >= limits[0] and raw <= limits[1]
        value = raw if dark is None else raw - dark[p]
        w = np.float64(weight[p])  # in single precision its square would spoil the scatter
        shift = first[p] - start[p]
        for k in range(start[p], start[p + 1]):
            if good:
                mine = share[k] * value
                signal[shift + k, 0] += mine
                signal[shift + k, 1] += mine * value
                signal[shift + k, 2] += mine * w
            else:
                missing[shift + k, 0] += share[k] * w
                missing[shift + k, 1] += share[k] * w * w
                missing[shift + k, 2] += share[k]


@compiled
def fill_shares(begin: Any, end: Any, zero: Any, first: Any, start: Any, share: Any) -> None:
    """
    Fill in what part of each pixel, from begin to end in bins, lies in each of its bins.

    What reaches below the angle zero, which does not exist, belongs to the bin that holds zero.
    """
    for p in range(begin.size):
        width = end[p] - begin[p]
        for k in range(start[p], start[p + 1]):
            left = np.float64(first[p] + k - start[p])
            at_zero = begin[p] < zero and left <= zero
            inside = min(end[p], left + 1.0) - (begin[p] if at_zero else max(begin[p], left))
            share[k] = inside / width if width > 0 else 1.0


@compiled
def clip_rings(
    values: Any, edges: Any, cutoff: float, cycles: int, fewest: int, found: Any
) -> None:
    """Fill in mean and standard deviation, (2, rings), of values that are sorted by ring."""
    for j in range(edges.size - 1):
        part = values[edges[j] : edges[j + 1]]
        if part.size < fewest:
            continue
        centre = np.median(part)
        mean, sigma = centre, 1.482602218505602 * np.median(np.abs(part - centre))
        before = -1
        for _ in range(cycles):
            reach = cutoff * sigma if sigma > 0 else np.inf
            count, total, squares = 0, 0.0, 0.0
            for value in part:
                if abs(value - mean) <= reach:
                    off = value - centre
                    count += 1
                    total += off
                    squares += off * off
            if count == 0:
                mean = sigma = np.nan
                break
            mean = centre + total / count
            sigma = np.sqrt(max(squares / count - (total / count) ** 2, 0.0))
            if count == before:
                break
            before = count
        found[0, j], found[1, j] = mean, sigma
