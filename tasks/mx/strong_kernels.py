"""
The loops over pixels that find strong ones, compiled by numba.

They hold no lock of the interpreter, so that images run in parallel in ordinary threads. Importing
this module costs a third of a second: import it where it is needed.
"""

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]

HALF, WINDOW, LEAST, MOST = 3, 7, 10, 2**24


@compiled
def strong_in_image(
    image: Any, mask: Any, gain: float, background: float, strong: float, found: Any
) -> None:
    """
    Write True to found (rows, columns) where a pixel is strong.

    Sums over 7 rows are kept per column and carried on from row to row; the seven rows themselves
    stay in the cache. What cannot be strong by the cheap test in single precision, nearly every
    pixel, is done with; the rest is decided exactly.
    """
    rows, columns = image.shape
    lines = np.full((WINDOW, columns + 2 * HALF), -1, np.int32)
    sums = np.zeros(columns + 2 * HALF, np.int32)
    counts = np.zeros(columns + 2 * HALF, np.int32)
    window_sums, window_counts = np.zeros(columns, np.int32), np.zeros(columns, np.int32)
    padded = -(-columns // 8) * 8
    maybe = np.zeros(padded, np.uint8)
    eights = maybe.view(np.uint64)
    changed = False
    for last in range(rows + HALF):
        line = lines[last % WINDOW]
        if last < rows:
            changed = _enter(image[last], mask[last], line, sums, counts) or changed
        else:
            changed = _leave(line, sums, counts) or changed
        row = last - HALF
        if row < 0:
            continue
        _add_up(sums, window_sums)
        if changed:
            _add_up(counts, window_counts)
            changed = False
        _screen(lines[row % WINDOW], window_sums, window_counts, gain, strong, maybe)
        for eight in range(eights.size):
            if eights[eight] == 0:
                continue
            for column in range(8 * eight, min(8 * eight + 8, columns)):
                if maybe[column] != 0:
                    found[row, column] = _decide(
                        lines,
                        row % WINDOW,
                        column,
                        np.int64(window_sums[column]),
                        np.int64(window_counts[column]),
                        gain,
                        background,
                        strong,
                    )


@compiled
def _enter(pixels: Any, masked: Any, line: Any, sums: Any, counts: Any) -> bool:
    """Put a row in the place of the one seven rows before; tell if other columns are valid now."""
    changed = np.int32(0)
    for x in range(pixels.size):
        value = np.int32(-1) if masked[x] else min(pixels[x], np.int32(MOST))
        value = max(value, np.int32(-1))
        old = line[x + HALF]
        more = np.int32(value >= 0) - np.int32(old >= 0)
        sums[x + HALF] += max(value, np.int32(0)) - max(old, np.int32(0))
        counts[x + HALF] += more
        changed |= more
        line[x + HALF] = value
    return changed != 0


@compiled
def _leave(line: Any, sums: Any, counts: Any) -> bool:
    """Take the row of seven rows before out; below the image there is none."""
    for x in range(line.size):
        sums[x] -= max(line[x], np.int32(0))
        counts[x] -= np.int32(line[x] >= 0)
        line[x] = -1
    return True


@compiled
def _add_up(columns: Any, windows: Any) -> None:
    for x in range(windows.size):
        windows[x] = (
            (columns[x] + columns[x + 1])
            + (columns[x + 2] + columns[x + 3])
            + (columns[x + 4] + columns[x + 5])
            + columns[x + 6]
        )


@compiled
def _screen(line: Any, sums: Any, counts: Any, gain: float, strong: float, maybe: Any) -> None:
    """Tell the pixels that may exceed the local mean enough; none that does is missed."""
    limit = np.float32(0.999 * strong * strong * gain)
    single = np.float32(0.999 * gain)
    for x in range(sums.size):
        value, n, total = np.float32(line[x + HALF]), np.float32(counts[x]), np.float32(sums[x])
        above = n * value - total
        maybe[x] = np.uint8((above * abs(above) > limit * n * total) & (value > single))


@compiled
def _decide(
    lines: Any,
    middle: int,
    column: int,
    total: int,
    n: int,
    gain: float,
    background: float,
    strong: float,
) -> bool:
    """Decide on one pixel in exact arithmetic."""
    value = np.int64(lines[middle, column + HALF])
    if n < LEAST or np.float64(value) <= gain:
        return False
    above = np.float64(n * value - total)
    if above * above <= strong * strong * gain * np.float64(n) * np.float64(total):
        return False
    squares = np.int64(0)
    for y in range(WINDOW):
        for x in range(column, column + WINDOW):
            each = np.int64(max(lines[y, x], np.int32(0)))
            squares += each * each
    free = np.float64(n) - 1
    limit = gain * np.float64(total) * (free + background * np.sqrt(2 * free))
    return np.float64(n * squares - total * total) > limit
