"""The loops that cut reflections out of images, compiled by numba; import where needed."""

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]

NONE, BACKGROUND, PEAK, CONTESTED, OTHER, OVERLOAD = 0, 1, 2, 3, 4, 5
CORE = 0.75
"""Share of the reach in which a neighbour's peak takes pixels away from one's own."""


@compiled
def mark(cores: Any, skirts: Any, rows: Any, xy: Any, jacobian: Any, half: Any, reach: Any) -> None:
    """
    Count for each pixel of an image, (slow, fast), in how many peaks it lies.

    Rows are those of the reflections that are on this image; half their extent in pixels, (n, 2).
    """
    for row in rows:
        x0, y0 = xy[row, 0], xy[row, 1]
        for y in range(
            max(0, int(y0 - half[row, 1])), min(skirts.shape[0], int(y0 + half[row, 1]) + 1)
        ):
            for x in range(
                max(0, int(x0 - half[row, 0])), min(skirts.shape[1], int(x0 + half[row, 0]) + 1)
            ):
                radius = _radius(jacobian[row], x + 0.5 - x0, y + 0.5 - y0)
                if radius <= reach:
                    skirts[y, x] += 1
                    if radius <= CORE * reach:
                        cores[y, x] += 1


@compiled
def cut(
    image: Any,
    mask: Any,
    saturation: Any,
    cores: Any,
    skirts: Any,
    z: Any,
    rows: Any,
    xy: Any,
    jacobian: Any,
    reach: Any,
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
) -> None:
    """Copy an image's part of shoeboxes, and tell what each of their pixels is."""
    for row in rows:
        width, height = size[row, 0], size[row, 1]
        at = offset[row] + (z - corner[row, 2]) * width * height - 1
        for y in range(corner[row, 1], corner[row, 1] + height):
            for x in range(corner[row, 0], corner[row, 0] + width):
                at += 1
                if y < 0 or x < 0 or y >= image.shape[0] or x >= image.shape[1]:
                    continue
                value = image[y, x]
                if value < 0 or mask[y, x]:
                    continue
                counts[at] = value
                radius = _radius(jacobian[row], x + 0.5 - xy[row, 0], y + 0.5 - xy[row, 1])
                own_core = 1 if radius <= CORE * reach else 0
                if radius <= reach:
                    if value > saturation:
                        codes[at] = OVERLOAD
                    else:
                        codes[at] = CONTESTED if cores[y, x] > own_core else PEAK
                else:
                    codes[at] = OTHER if skirts[y, x] > 0 or value > saturation else BACKGROUND


@compiled
def _radius(jacobian: Any, dx: Any, dy: Any) -> Any:
    u = jacobian[0, 0] * dx + jacobian[0, 1] * dy
    v = jacobian[1, 0] * dx + jacobian[1, 1] * dy
    return np.sqrt(u * u + v * v)


@compiled
def rough(corner: Any, size: Any, offset: Any, counts: Any, codes: Any, xyz: Any) -> Any:
    """Return sum, its sigma and whether no pixel lacks, (n, 3): background is a plain mean."""
    result = np.zeros((len(size), 3))
    for row in range(len(size)):
        peak, pixels, below, around = 0.0, 0, 0.0, 0
        lacking = False
        for at in range(offset[row], offset[row] + size[row, 0] * size[row, 1] * size[row, 2]):
            code = codes[at]
            if code == PEAK:
                peak += counts[at]
                pixels += 1
            elif code == BACKGROUND:
                below += counts[at]
                around += 1
            elif code != OTHER:
                lacking = True
        mean = below / around if around > 0 else 0.0
        result[row, 0] = peak - mean * pixels
        result[row, 1] = np.sqrt(max(peak, 1.0) + (pixels * mean) * pixels / max(around, 1))
        result[row, 2] = 0.0 if lacking or around == 0 else 1.0
    return result
