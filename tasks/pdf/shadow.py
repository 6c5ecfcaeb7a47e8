"""
The shadow of the beam stop and its arm.

Around the direct beam the scattering is highest, unless something stands in its way: a disc, dark
up to a sharp edge beyond which the level stays high. A Bragg ring is no such edge, since the level
falls behind it, nor is the first peak of a liquid, which rises slowly. What is dark against its
ring and reaches the disc, if need be across a gap between modules, is the arm; it may let part of
the light through. A shadow elsewhere is left to a mask by hand.
"""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.powder import F
from tasks.pdf.rings import Mask, ring_statistics, rings_of

_BLOCK = 4  # pixels, along rows and columns
_DARK = 0.75  # of the usual level, where a shadow begins
_REACH = 3  # blocks across which parts of a shadow belong together
_CERTAIN = 2.0  # sigma by which a block must be too dark; nine together are certain
_EDGE = 4.0  # how many times brighter it is beyond the edge of the disc
_INNER = 0.3  # of the rings, from the centre, may be the disc
_BEYOND = 6  # rings of blocks over which the level must stay high


def beam_stop(image: NDArray[Any], two_theta: F, mask: Mask) -> Mask:
    """
    Find the shadow of the beam stop.

    Parameters
    ----------
    image
        Above dark, best corrected for solid angle and polarisation, (rows, columns).
    two_theta
        Scattering angle of the pixels, rad, (rows, columns).
    mask
        True for pixels that count not, (rows, columns).

    Returns
    -------
    NDArray
        (rows, columns); nowhere True if there is no shadow around the direct beam.
    """
    values = np.where(mask, 0.0, image)
    ring, rings = rings_of(two_theta)
    usual = ring_statistics(values[~mask], ring[~mask], rings, cycles=0)[0]
    edge, level = _disc(usual)
    if edge == 0:
        return np.zeros_like(mask)
    edge += int(np.argmax(usual[edge:] > _DARK * level))  # its half-shadow
    expected = np.where(np.arange(rings) < edge, level, usual)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _blocks(np.where(mask, np.nan, values / expected[ring]))
    inner = _blocks(np.where(ring < edge, 1.0, 0.0)) > 0.5
    stop = _arm(ratio, _blocks(two_theta), inner)
    height, width = (int(size) for size in image.shape)
    rows = np.minimum(np.arange(height) // _BLOCK, stop.shape[0] - 1)
    columns = np.minimum(np.arange(width) // _BLOCK, stop.shape[1] - 1)
    return stop[np.ix_(rows, columns)] & ~mask


def _disc(usual: F) -> tuple[int, float]:
    """Return how many rings the disc has, none if there is no edge, and the level beyond it."""
    count = len(usual) // _BLOCK
    coarse = usual[: count * _BLOCK].reshape(count, _BLOCK)
    known = np.isfinite(coarse).any(axis=1)
    places = np.flatnonzero(known)
    profile = np.array([np.nanmedian(row) for row in coarse[known]])
    best, found = _EDGE, (0, 0.0)
    for edge in range(1, int(_INNER * len(profile))):
        inside = max(np.median(profile[:edge]), profile[edge - 1])
        beyond = profile[edge + 1 : edge + 1 + _BEYOND]
        rise = beyond.min() / max(inside, 1e-3 * beyond.max(), 1e-12)
        if rise > best:
            best, found = rise, (int(places[edge]) * _BLOCK, float(np.median(beyond)))
    return found


def _arm(ratio: F, two_theta: F, inner: Mask) -> Mask:
    """Return the blocks that are dark and hang together with the disc."""
    ndimage: Any = importlib.import_module("scipy.ndimage")

    known = np.isfinite(ratio)
    ring, rings = rings_of(two_theta)
    sigma = ring_statistics(ratio[known], ring[known], rings, cycles=0)[1]
    noise = np.where(np.isfinite(sigma), sigma, 0.0)[ring]
    around = np.ones((3, 3), np.bool_)
    dark = ~known | (ratio < _DARK) & ((1 - ratio > _CERTAIN * noise) | inner)
    broad: Any = ndimage.binary_opening(dark, around)
    near: Any = ndimage.binary_dilation(broad | inner, around, _REACH)
    labels: Any = ndimage.label(near, around)[0]
    ours = np.isin(labels, np.unique(labels[inner])) & known & (broad | (dark & inner))
    whole: Any = ndimage.binary_closing(np.pad(ours, _REACH), around, _REACH)
    grown: Any = ndimage.binary_dilation(whole, around)
    inside = slice(_REACH, -_REACH)
    return np.asarray(grown[inside, inside], np.bool_)


def _blocks(image: F) -> F:
    """Take the median of blocks of pixels; NaN where fewer than half of them are known."""
    rows, columns = (n // _BLOCK for n in image.shape)
    cut = image[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    pixels = np.sort(cut.swapaxes(1, 2).reshape(rows, columns, _BLOCK**2), axis=2)  # NaN last
    number = np.isfinite(pixels).sum(axis=2)
    middle = np.take_along_axis(pixels, (np.maximum(number - 1, 0) // 2)[..., None], axis=2)[..., 0]
    return np.where(number >= _BLOCK**2 // 2, middle, np.nan)
