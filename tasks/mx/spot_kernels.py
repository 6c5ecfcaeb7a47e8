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
    Number the connected groups of pixels that share a face, across images.

    Parameters
    ----------
    places
        Numbers of the pixels in the flattened (images, rows, columns), sorted, (n,), int64.

    Returns
    -------
    numpy.ndarray
        Group of each pixel, from 0 in the order of their first pixels, (n,), int64.
    """
    parent = np.arange(places.size)
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
def levels_around(
    images: Any, mask: Any, strong: Any, image: Any, boxes: Any, inner: int, outer: int
) -> Any:
    """Return `level_around` of many boxes (n, 4), each on an image of its number (n,)."""
    levels = np.zeros(len(boxes))
    for i in range(len(boxes)):
        z = image[i]
        levels[i], _ = level_around(images[z], mask, strong[z], boxes[i], inner, outer)
    return levels
