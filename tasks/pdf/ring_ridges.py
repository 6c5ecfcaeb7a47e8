"""Rings as ridges of an image: points on their crests, and the direction across each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft  # pyright: ignore[reportMissingTypeStubs]
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

_fft: Any = scipy.fft
_ndimage: Any = scipy.ndimage

F = NDArray[np.float64]
B = NDArray[np.bool_]

_SIDE = 700  # pixels of the down-sampled image along its longer side
_ACROSS, _ALONG = 1.5, 8.0  # of its pixels: width and length of the pieces of ring looked for
_DIRECTIONS = 24
_BROAD = 6.0  # of its pixels: what varies more slowly is background
_MOST = 12_000  # points
_CLEAR = 5.0  # sigma


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

    The image is filtered for short straight pieces in 24 directions, which finds rings that no
    single pixel shows, and rings of separate spots. Before that the square root makes Poisson
    noise even, and the inverse hyperbolic sine keeps strong rings and hot pixels from outweighing
    all others.

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
    flat, noise = _flattened(np.sqrt(small.clip(min=0)), usable)
    strength, angle, level = _pieces(flat, noise)
    n1, n2 = np.cos(angle), np.sin(angle)
    crest, offset = _crests(strength, n1, n2)
    usable = _ndimage.binary_erosion(usable, iterations=3, border_value=0)
    rows, columns = np.nonzero(usable & crest & (strength > _CLEAR * level))
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
        (rows + 0.5 + (offset * n1)[at]) * step1,
        (columns + 0.5 + (offset * n2)[at]) * step2,
        across1 / length,
        across2 / length,
        (everywhere[:, 0] + 0.5) * step1,
        (everywhere[:, 1] + 0.5) * step2,
        max(step1, step2),
        (image.shape[0] * pixel[0], image.shape[1] * pixel[1]),
    )


def hot_pixels(image: F) -> B:
    """
    Find single pixels that stand out of their eight neighbours; rings and their spots are wider.

    Parameters
    ----------
    image
        Counts, shape (rows, columns).
    """
    around = _ndimage.median_filter(image, 3)
    above = np.sqrt(image.clip(min=0)) - np.sqrt(around.clip(min=0))
    noise = 1.4826 * float(np.median(np.abs(above)))
    return (above > 8 * noise) & (image > 3 * around)


def _binned(image: F, valid: B, factor: int) -> tuple[F, B]:
    """Average blocks of pixels over the valid ones; a block needs half of them."""
    rows, columns = (side // factor for side in image.shape)

    def blocks(values: NDArray[Any]) -> F:
        cut = values[: rows * factor, : columns * factor]
        return cut.reshape(rows, factor, columns, factor).sum(axis=(1, 3), dtype=np.float64)

    count = blocks(valid)
    mean = blocks(np.where(valid, image, 0)) / np.maximum(count, 1)
    return mean, 2 * count >= factor**2


def _flattened(image: F, usable: B) -> tuple[F, float]:
    """Take off what varies slowly, and compress what stands out; gaps become 0."""
    weight = _ndimage.gaussian_filter(usable.astype(float), _BROAD, mode="constant")
    smooth = _ndimage.gaussian_filter(np.where(usable, image, 0), _BROAD, mode="constant")
    above = np.where(usable, image - smooth / np.maximum(weight, 1e-6), 0)
    if not usable.any():
        return above, 0.0
    noise = 1.4826 * float(np.median(np.abs(above[usable])))
    return (np.arcsinh(above / noise), 1.0) if noise > 0 else (above * 0, 0.0)


def _pieces(image: F, noise: float) -> tuple[F, F, float]:
    """
    Filter for straight pieces in all directions.

    Returns
    -------
    strength, angle : numpy.ndarray
        Of the best direction at each pixel; the angle (rad) is that of the normal.
    level : float
        Standard deviation of one direction's strength, from noise.
    """
    padded = [_fft.next_fast_len(side + round(4 * _ALONG), real=True) for side in image.shape]
    spectrum = _fft.rfft2(image.astype(np.float32), padded)
    k1: Any = 2 * np.pi * _fft.fftfreq(padded[0]).astype(np.float32)[:, None]
    k2: Any = 2 * np.pi * _fft.rfftfreq(padded[1]).astype(np.float32)[None, :]
    angles: F = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    level = 0.0
    found = np.empty((_DIRECTIONS, *image.shape), np.float32)
    for i, angle in enumerate(angles):
        across = k1 * np.cos(angle) + k2 * np.sin(angle)
        along = k2 * np.cos(angle) - k1 * np.sin(angle)
        kernel = across**2 * np.exp(-((_ACROSS * across) ** 2 + (_ALONG * along) ** 2) / 2)
        level = noise * float((kernel**2).mean() ** 0.5)
        found[i] = _fft.irfft2(spectrum * kernel, padded)[: image.shape[0], : image.shape[1]]
    found -= found.mean(axis=0).clip(min=0)  # a spot is as strong in all directions
    best = found.argmax(axis=0)
    before, at, after = (
        np.take_along_axis(found, ((best + j) % _DIRECTIONS)[None], axis=0)[0] for j in (-1, 0, 1)
    )
    shift = _vertex(before, at, after)
    return at.astype(float), angles[best] + shift * np.pi / _DIRECTIONS, level


def _crests(strength: F, n1: F, n2: F) -> tuple[B, F]:
    """Tell where strength is highest across a piece, and how far (pixels) the crest is off."""
    rows, columns = np.indices(strength.shape)
    before, after = (
        _ndimage.map_coordinates(strength, [rows + j * n1, columns + j * n2], order=1)
        for j in (-1, 1)
    )
    crest = (strength >= before) & (strength > after)
    return crest, _vertex(before, strength, after)


def _vertex(before: F, at: F, after: F) -> F:
    """Return where, from -0.5 to 0.5, the parabola through three values has its maximum."""
    bend = 2 * at - before - after
    return np.where(bend > 0, (after - before) / (2 * np.where(bend > 0, bend, 1)), 0).clip(
        -0.5, 0.5
    )
