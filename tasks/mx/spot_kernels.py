"""
The loops over strong pixels that join them to spots, compiled by numba.

Importing this module costs a third of a second: import it where it is needed.
"""

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]


@compiled
def connect(places: Any, rows: int, columns: int) -> Any:
    """
    Give a number to each connected group of pixels that share faces, across images.

    Parameters
    ----------
    places
        Numbers of the pixels in the flattened (images, rows, columns), sorted, (n,), int64.

    Returns
    -------
    numpy.ndarray
        Group of each pixel, from 0 in the order of their first pixels, (n,), int64.
    """
    parent: Any = np.arange(len(places))
    above, before = 0, 0
    for i in range(places.size):
        place = places[i]
        if i > 0 and places[i - 1] == place - 1 and place % columns != 0:
            _unite(parent, i, i - 1)
        while places[above] < place - columns:
            above += 1
        if places[above] == place - columns and place % (rows * columns) >= columns:
            _unite(parent, i, above)
        while places[before] < place - rows * columns:
            before += 1
        if places[before] == place - rows * columns:
            _unite(parent, i, before)
    return _number(parent)


@compiled
def unite(pairs: Any, count: int) -> Any:
    """Return the group of each of so many things that pairs (n, 2) connect, (count,)."""
    parent: Any = np.arange(count)
    for i in range(len(pairs)):
        _unite(parent, pairs[i, 0], pairs[i, 1])
    return _number(parent)


@compiled
def _root(parent: Any, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def _unite(parent: Any, i: int, j: int) -> None:
    a, b = _root(parent, i), _root(parent, j)
    parent[max(a, b)] = min(a, b)


@compiled
def _number(parent: Any) -> Any:
    numbers = np.empty(parent.size, np.int64)
    found = 0
    for i in range(parent.size):
        root = _root(parent, i)
        if root == i:
            numbers[i] = found
            found += 1
        else:
            numbers[i] = numbers[root]
    return numbers


@compiled
def level_around(
    image: Any, mask: Any, strong: Any, box: Any, inner: int, outer: int
) -> tuple[float, int]:
    """
    Return the mean of the pixels around a box that are neither masked nor strong, and how many.

    Parameters
    ----------
    box
        First and last column, first and last row, inclusive, (4,).
    inner, outer
        How far away from the box they begin and end, in pixels.
    """
    rows, columns = image.shape
    total, number = 0.0, 0
    for y in range(max(box[2] - outer, 0), min(box[3] + outer + 1, rows)):
        inside = box[2] - inner <= y <= box[3] + inner
        for x in range(max(box[0] - outer, 0), min(box[1] + outer + 1, columns)):
            if inside and box[0] - inner <= x <= box[1] + inner:
                continue
            if not (mask[y, x] or strong[y, x] or image[y, x] < 0):
                total += image[y, x]
                number += 1
    return total / max(number, 1), number


@compiled
def spot_sums(
    images: Any, mask: Any, strong: Any, zyx: Any, starts: Any, most: int, inner: int, outer: int
) -> Any:
    """
    Add up the counts of each group of strong pixels and of the pixels next to them.

    The flanks of a spot are not strong but carry its centroid, so that a group is grown by a pixel
    on all sides and by an image before and after. Strong pixels of other groups take no part.

    Parameters
    ----------
    zyx
        Strong pixels, those of a group together, sorted by image, (n, 3).
    starts
        Where the groups begin, (groups,).
    most
        Larger groups are none and get zeros.
    inner, outer
        Where the background is taken, as in `level_around`.

    Returns
    -------
    numpy.ndarray
        (groups, 14): sums of c, c x, c y, c z, c x², c y², c z² of the counts above the background,
        with the pixels' and images' centres, then the same of the raw counts.
    """
    sums = np.zeros((starts.size, 14))
    for g in range(starts.size):
        end = starts[g + 1] if g + 1 < starts.size else len(zyx)
        if end - starts[g] <= most:
            _sum_group(images, mask, strong, zyx[starts[g] : end], inner, outer, sums[g])
    return sums


@compiled
def _sum_group(
    images: Any, mask: Any, strong: Any, zyx: Any, inner: int, outer: int, sums: Any
) -> None:
    depth, rows, columns = images.shape
    y0, y1 = zyx[:, 1].min(), zyx[:, 1].max()
    x0, x1 = zyx[:, 2].min(), zyx[:, 2].max()
    box = np.array([x0, x1, y0, y1])
    for z in range(max(zyx[0, 0] - 1, 0), min(zyx[-1, 0] + 2, depth)):
        part = _grown(zyx, z, y0, x0, y1 - y0 + 3, x1 - x0 + 3)
        level, _ = level_around(images[z], mask, strong[z], box, inner, outer)
        for y in range(max(y0 - 1, 0), min(y1 + 2, rows)):
            for x in range(max(x0 - 1, 0), min(x1 + 2, columns)):
                kind, value = part[y - y0 + 1, x - x0 + 1], np.float64(images[z, y, x])
                if kind == 0 or mask[y, x] or value < 0 or (kind == 1 and strong[z, y, x]):
                    continue
                _add(sums, 0, value - level, x + 0.5, y + 0.5, z + 0.5)
                _add(sums, 7, value, x + 0.5, y + 0.5, z + 0.5)


@compiled
def _grown(zyx: Any, z: int, y0: int, x0: int, height: int, width: int) -> Any:
    """Return 2 at a group's pixels on an image and 1 next to them, in its box grown by one."""
    part = np.zeros((height, width), np.uint8)
    for i in range(len(zyx)):
        if abs(zyx[i, 0] - z) <= 1:
            y, x = zyx[i, 1] - y0, zyx[i, 2] - x0
            part[y : y + 3, x : x + 3] = 1
    for i in range(len(zyx)):
        if zyx[i, 0] == z:
            part[zyx[i, 1] - y0 + 1, zyx[i, 2] - x0 + 1] = 2
    return part


@compiled
def _add(sums: Any, at: int, c: float, x: float, y: float, z: float) -> None:
    sums[at] += c
    sums[at + 1] += c * x
    sums[at + 2] += c * y
    sums[at + 3] += c * z
    sums[at + 4] += c * x * x
    sums[at + 5] += c * y * y
    sums[at + 6] += c * z * z


@compiled
def totals(image: Any, mask: Any, limit: int) -> Any:
    """Return the sum of the valid pixels, how many are above the limit, and how many are valid."""
    total, above, valid = np.int64(0), np.int64(0), np.int64(0)
    most = np.int32(limit)
    for y in range(image.shape[0]):
        pixels, masked = image[y], mask[y]
        row_above, row_valid = np.int32(0), np.int32(0)
        for x in range(pixels.size):
            value = np.int32(-1) if masked[x] else pixels[x]
            total += np.int64(max(value, np.int32(0)))
            row_above += np.int32(value > most)
            row_valid += np.int32(value >= 0)
        above += row_above
        valid += row_valid
    return total, above, valid


@compiled
def near_strong(places: Any, rows: int, columns: int, step: int, reach: int) -> Any:
    """
    Tell which pixels of a grid of every so many rows and columns are near strong ones.

    Parameters
    ----------
    places
        Numbers of the strong pixels in the flattened image, (n,).
    reach
        How far away they count, in pixels.
    """
    near = np.zeros((-(-rows // step), -(-columns // step)), np.bool_)
    for place in places:
        y, x = place // columns, place % columns
        y0, x0 = max(y - reach + step - 1, 0) // step, max(x - reach + step - 1, 0) // step
        near[y0 : (y + reach) // step + 1, x0 : (x + reach) // step + 1] = True
    return near


@compiled
def ring_sums(image: Any, mask: Any, near: Any, ring: Any, step: int, sums: Any) -> None:
    """Add a grid's pixels that are neither masked nor near strong ones to sums (bins, 2)."""
    for row in range(ring.shape[0]):
        for column in range(ring.shape[1]):
            value = image[row * step, column * step]
            if value >= 0 and not (mask[row * step, column * step] or near[row, column]):
                sums[ring[row, column], 0] += 1
                sums[ring[row, column], 1] += value
