"""Rings as ridges of an image: points on their crests, and the direction across each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

_ndimage: Any = scipy.ndimage

F = NDArray[np.float64]
B = NDArray[np.bool_]

_SIDE = 700  # pixels of the down-sampled image along its longer side
_SCALE = 1.5  # of its pixels: the width of the ridges looked for
_MOST = 12_000  # points
_CLEAR = 4.0  # times the noise of the curvature


@dataclass(frozen=True)
class Ridges:
    """
    Points on crests.

    Attributes
    ----------
    x1, x2
        m, along the slow and the fast axis, shape (points,).
    n1, n2
        Unit vector across the crest, shape (points,); its sign means nothing.
    anywhere1, anywhere2
        m, points spread evenly over the valid area: what chance has to choose from.
    step
        m, side of a pixel of the down-sampled image: the points are known to a part of it.
    size
        m, of the detector along both axes.
    """

    x1: F
    x2: F
    n1: F
    n2: F
    anywhere1: F
    anywhere2: F
    step: float
    size: tuple[float, float]

    def some(self, which: Any) -> "Ridges":
        """Keep some of the points."""
        kept = (self.x1[which], self.x2[which], self.n1[which], self.n2[which])
        return Ridges(*kept, self.anywhere1, self.anywhere2, self.step, self.size)


def find_ridges(image: F, valid: B, pixel: tuple[float, float]) -> Ridges:
    """
    Find points on the crests of rings, without knowing anything of the geometry.

    Where the curvature of the square root of the counts is strongly negative in one direction and
    its crest lies within the pixel, there is a point (C. Steger, IEEE Trans. Pattern Anal. Mach.
    Intell. 20, 113 (1998)). The square root makes Poisson noise even, and tames spots.

    Parameters
    ----------
    image
        Counts, shape (rows, columns).
    valid
        True where a pixel may be used, same shape.
    pixel
        m, height and width of a pixel.
    """
    factor = -(-max(image.shape) // _SIDE)
    small, usable = _binned(image, valid, factor)
    strength, offset1, offset2, n1, n2 = _crests(_filled(np.sqrt(small.clip(min=0)), usable))
    usable = _ndimage.binary_erosion(usable, iterations=3, border_value=0)
    inside = usable & (np.abs(offset1) <= 0.6) & (np.abs(offset2) <= 0.6)
    noise = 1.4826 * np.median(np.abs(strength[usable])) if usable.any() else 0.0
    rows, columns = np.nonzero(inside & (strength > _CLEAR * noise))
    if len(rows) > _MOST:
        best = np.argpartition(-strength[rows, columns], _MOST)[:_MOST]
        rows, columns = rows[best], columns[best]
    at = rows, columns
    step1, step2 = factor * pixel[0], factor * pixel[1]
    across1, across2 = n1[at] / step1, n2[at] / step2  # pixels need not be square
    length = np.hypot(across1, across2)
    everywhere = np.argwhere(usable)
    everywhere = everywhere[:: max(1, len(everywhere) // 1500)]
    return Ridges(
        (rows + 0.5 + offset1[at]) * step1,
        (columns + 0.5 + offset2[at]) * step2,
        across1 / length,
        across2 / length,
        (everywhere[:, 0] + 0.5) * step1,
        (everywhere[:, 1] + 0.5) * step2,
        max(step1, step2),
        (image.shape[0] * pixel[0], image.shape[1] * pixel[1]),
    )


def _binned(image: F, valid: B, factor: int) -> tuple[F, B]:
    """Average blocks of pixels over the valid ones; a block needs half of them."""
    rows, columns = (side // factor for side in image.shape)

    def blocks(values: NDArray[Any]) -> F:
        cut = values[: rows * factor, : columns * factor]
        return cut.reshape(rows, factor, columns, factor).sum(axis=(1, 3), dtype=np.float64)

    count = blocks(valid)
    mean = blocks(np.where(valid, image, 0)) / np.maximum(count, 1)
    return mean, 2 * count >= factor**2


def _filled(image: F, usable: B) -> F:
    """Fill what is not usable from its surroundings, so that its edges are no ridges."""
    weight = _ndimage.gaussian_filter(usable.astype(float), 4, mode="constant")
    smooth = _ndimage.gaussian_filter(np.where(usable, image, 0), 4, mode="constant")
    return np.where(usable, image, smooth / np.maximum(weight, 1e-6))


def _crests(image: F) -> tuple[F, F, F, F, F]:
    """Return how strong a ridge is at each pixel, where its crest is, and the direction across."""

    def derivative(order: tuple[int, int]) -> F:
        return _ndimage.gaussian_filter(image, _SCALE, order=order, mode="nearest")

    h11, h12, h22 = derivative((2, 0)), derivative((1, 1)), derivative((0, 2))
    g1, g2 = derivative((1, 0)), derivative((0, 1))
    middle, spread = (h11 + h22) / 2, np.hypot((h11 - h22) / 2, h12)
    lowest, highest = middle - spread, middle + spread
    angle = np.arctan2(2 * h12, h11 - h22) / 2 + np.pi / 2  # of the lowest eigenvalue
    n1, n2 = np.cos(angle), np.sin(angle)
    along = -(g1 * n1 + g2 * n2) / np.where(lowest < 0, lowest, -np.inf)
    strength = np.where(lowest < 0, -lowest - np.abs(highest), 0)  # a spot is no ridge
    along = np.where(lowest < 0, along, np.inf)
    with np.errstate(invalid="ignore"):
        return strength, along * n1, along * n2, n1, n2
