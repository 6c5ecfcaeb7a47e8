"""
Spots: strong pixels that touch each other, on one image or on neighbouring ones.

A sweep is searched in blocks of images. `block_spots` sums up what each group of strong pixels
holds; groups that touch a block's first or last image are kept whatever their size, with the box
that they cover there, so that `join_blocks` can put together what a border cut. Centroids and their
variances follow from the sums, after W. Kabsch, Acta Cryst. D66, 133 (2010) and G. Winter et al.,
Acta Cryst. D74, 85 (2018): the background is the mean of the pixels around a spot on each image.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.reflections import Columns, Ints, Spots
from tasks.mx.strong_pixels import strong_pixels

Mask = NDArray[np.bool_]

_INNER, _OUTER = 2, 6  # pixels from a spot's box to where its background begins and ends
_LEAST_PIXELS, _MOST_PIXELS = 3, 1000
_FARTHEST = 2.0  # pixels between a spot's centroid and its brightest pixel
_HOT = 3  # images on which a single pixel counts before it is a hot pixel rather than a spot


@dataclass(frozen=True)
class SpotParts(Columns):
    """
    Groups of strong pixels of a block of images, n of them, as sums that can be added.

    Attributes
    ----------
    sums
        Of c, c x, c y, c z, c x², c y², c z² of the counts c above the background over the pixels
        and those next to them, at the pixels' and images' centres; then of the raw counts, (n, 14).
    pixels
        How many there are, (n,).
    peak
        Counts of the brightest pixel and its x, y, z, (n, 4).
    box
        First and last column, row and image, inclusive, (n, 6).
    first_box, last_box
        First and last column and row on the block's first and last image, (n, 4); -1: not there.
    borders
        First and last image of the block, (n, 2).
    overloaded
        Whether a pixel is above the detector's range, (n,).
    """

    sums: F
    pixels: Ints
    peak: F
    box: Ints
    first_box: Ints
    last_box: Ints
    borders: Ints
    overloaded: Mask


def find_spots(
    images: NDArray[np.int32],
    mask: Mask,
    first: int = 0,
    gain: float = 1.0,
    saturation: float | None = None,
    *,
    least_pixels: int = _LEAST_PIXELS,
) -> Spots:
    """
    Find the spots of images that are not continued elsewhere.

    Parameters
    ----------
    images
        Counts, (images, rows, columns); negative ones are no pixels.
    mask
        True: left out, (rows, columns).
    first
        Image coordinate of the first image.
    gain
        Counts per photon.
    saturation
        Counts above which a pixel is overloaded.
    least_pixels
        Smaller spots are left out.
    """
    parts = block_spots(images, mask, first, gain, saturation, least_pixels=least_pixels)
    return join_blocks([parts], gain, least_pixels=least_pixels)


def block_spots(
    images: NDArray[np.int32],
    mask: Mask,
    first: int = 0,
    gain: float = 1.0,
    saturation: float | None = None,
    *,
    least_pixels: int = _LEAST_PIXELS,
    strong: Mask | None = None,
) -> SpotParts:
    """
    Sum up the groups of strong pixels of a block of images; parameters as for `find_spots`.

    Parameters
    ----------
    strong
        From `strong_pixels`, (images, rows, columns), where that was run before.
    """
    from tasks.mx.spot_kernels import spot_sums

    images = np.ascontiguousarray(images)
    if strong is None:
        strong = cast("Mask", strong_pixels(images, mask, gain))
    pixels = _grouped(images, strong, least_pixels)
    starts, brightest = pixels.starts, _brightest(pixels)
    sums = spot_sums(images, mask, strong, pixels.zyx, starts, _MOST_PIXELS, _INNER, _OUTER)
    peaks = pixels.zyx[brightest, ::-1].astype(np.float64) + np.array([0.5, 0.5, first + 0.5])
    limit = np.inf if saturation is None else saturation
    last = len(images) - 1
    return SpotParts(
        sums=_moved(sums, first),
        pixels=np.diff(np.append(starts, len(pixels.zyx))).astype(np.int32),
        peak=np.hstack([pixels.counts[brightest, None], peaks]),
        box=_boxes(pixels.zyx[:, ::-1], starts) + np.array([0, 0, 0, 0, first, first], np.int32),
        first_box=_border_boxes(pixels, 0),
        last_box=_border_boxes(pixels, last),
        borders=np.broadcast_to(np.array([first, first + last], np.int32), (len(starts), 2)).copy(),
        overloaded=pixels.counts[brightest] > limit,
    )


def join_blocks(
    parts: list[SpotParts], gain: float = 1.0, *, least_pixels: int = _LEAST_PIXELS
) -> Spots:
    """
    Join what the borders of blocks cut, and leave out what is no spot.

    Too small or too large groups are left out, those whose brightest pixel is far from their
    centroid (several spots, or an edge) unless they are overloaded, and single pixels that count on
    several images (hot ones).

    Parameters
    ----------
    parts
        Of all blocks, in the order of their images.
    """
    together = SpotParts.join(parts)
    if not len(together):
        return _as_spots(together, gain)
    joined = _merge(together, _pairs(parts))
    spots = _as_spots(joined, gain)
    width, height, depth = (joined.box[:, 1::2] - joined.box[:, ::2] + 1).T
    apart = np.hypot(*(joined.peak[:, 1:3] - spots.xyz[:, :2]).T)
    keep = (spots.pixels >= least_pixels) & (spots.pixels <= _MOST_PIXELS) & (spots.intensity > 0)
    keep &= (apart <= _FARTHEST) | joined.overloaded
    keep &= (width * height > 1) | (depth < _HOT)
    return spots.take(keep)


@dataclass(frozen=True)
class _Pixels:
    """Strong pixels sorted by group, then image: group, position, counts, where groups begin."""

    group: NDArray[np.int64]
    zyx: NDArray[np.int64]
    counts: F
    starts: NDArray[np.int64]


def _grouped(images: NDArray[np.int32], strong: Mask, least_pixels: int) -> _Pixels:
    """Group the strong pixels; groups that are too small and touch no border are left out."""
    from tasks.mx.spot_kernels import connect

    places = np.flatnonzero(strong)
    group = cast("NDArray[np.int64]", connect(places, *images.shape[1:]))
    zyx = np.column_stack(np.unravel_index(places, images.shape))
    size = np.bincount(group, minlength=1)
    at_border = np.zeros(len(size), dtype=np.bool_)
    at_border[group[(zyx[:, 0] == 0) | (zyx[:, 0] == len(images) - 1)]] = True
    keep = np.flatnonzero((size >= least_pixels)[group] | at_border[group])
    order = keep[np.argsort(group[keep], kind="stable")]
    group = group[order]
    return _Pixels(group, zyx[order], images.ravel()[places[order]].astype(float), _starts(group))


def _moved(sums: F, first: int) -> F:
    """Move sums along z by so many images."""
    moved = sums.copy()
    for at in (0, 7):
        c, z = sums[:, at], sums[:, at + 3]
        moved[:, at + 3] = z + first * c
        moved[:, at + 6] = sums[:, at + 6] + 2 * first * z + first**2 * c
    return moved


def _brightest(pixels: _Pixels) -> NDArray[np.int64]:
    order = np.lexsort((-pixels.counts, pixels.group))
    return order[pixels.starts]


def _border_boxes(pixels: _Pixels, image: int) -> Ints:
    boxes = np.full((len(pixels.starts), 4), -1, dtype=np.int32)
    here = np.flatnonzero(pixels.zyx[:, 0] == image)
    if len(here):
        starts = _starts(pixels.group[here])
        row = np.searchsorted(pixels.starts, here[starts], side="right") - 1
        boxes[row] = _boxes(pixels.zyx[here, :0:-1], starts)
    return boxes


def _starts(sorted_groups: NDArray[np.int64]) -> NDArray[np.int64]:
    changed = np.ones(len(sorted_groups), dtype=np.bool_)
    changed[1:] = sorted_groups[1:] != sorted_groups[:-1]
    return np.flatnonzero(changed)


def _added(values: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[Any]:
    return np.add.reduceat(values, starts) if len(starts) else values[:0]


def _boxes(at: NDArray[np.int64], starts: NDArray[np.int64]) -> Ints:
    """Return the lowest and highest of each column of positions, column by column."""
    if not len(starts):
        return np.zeros((0, 2 * at.shape[1]), dtype=np.int32)
    ends = np.minimum.reduceat(at, starts), np.maximum.reduceat(at, starts)
    return np.stack(ends, axis=2).reshape(len(starts), -1).astype(np.int32)


def _pairs(parts: list[SpotParts]) -> NDArray[np.int64]:
    """Return rows of the joined parts that continue each other across a border, (pairs, 2)."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    offset = 0
    for one, other in itertools.pairwise(parts):
        ending = np.flatnonzero(one.last_box[:, 0] >= 0)
        beginning = np.flatnonzero(other.first_box[:, 0] >= 0)
        if len(ending) and len(beginning) and other.borders[0, 0] == one.borders[0, 1] + 1:
            overlap = _overlapping(one.last_box[ending], other.first_box[beginning])
            rows = np.column_stack([ending[overlap[:, 0]], beginning[overlap[:, 1]] + len(one)])
            found.append(rows + offset)
        offset += len(one)
    return np.concatenate(found)


def _overlapping(one: Ints, other: Ints) -> NDArray[np.int64]:
    """Return which boxes share a pixel, (pairs, 2)."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    for begin in range(0, len(one), 500):
        a = one[begin : begin + 500, None]
        across = (a[..., 0] <= other[:, 1]) & (a[..., 1] >= other[:, 0])
        down = (a[..., 2] <= other[:, 3]) & (a[..., 3] >= other[:, 2])
        found.append(np.argwhere(across & down) + np.array([begin, 0]))
    return np.concatenate(found)


def _merge(parts: SpotParts, pairs: NDArray[np.int64]) -> SpotParts:
    from tasks.mx.spot_kernels import unite

    group = cast("NDArray[np.int64]", unite(pairs, len(parts)))
    order = np.lexsort((-parts.peak[:, 0], group))
    parts = parts.take(order)
    starts = _starts(group[order])
    lowest, highest = (end.reduceat(parts.box, starts) for end in (np.minimum, np.maximum))
    box = np.where(np.arange(6) % 2 == 0, lowest, highest)
    return SpotParts(
        sums=_added(parts.sums, starts),
        pixels=_added(parts.pixels, starts),
        peak=parts.peak[starts],  # the brightest stands first
        box=box,
        first_box=parts.first_box[starts],
        last_box=parts.last_box[starts],
        borders=parts.borders[starts],
        overloaded=np.logical_or.reduceat(parts.overloaded, starts),
    )


def _as_spots(parts: SpotParts, gain: float) -> Spots:
    """
    Turn sums into centroids and their variances.

    The variance has two parts: that of the counts, each spread evenly over its pixel, and that of
    the place within a pixel that a narrow spot leaves open. For a Gaussian of width s pixels the
    mean of its samples errs by a wave of amplitude exp(-2 pi² s²), here with the variance 1/12 of
    a pixel at s = 0.
    """
    total = np.where(parts.sums[:, :1] > 0, parts.sums[:, :1], np.nan)
    centroid = parts.sums[:, 1:4] / total
    spread = np.clip(parts.sums[:, 4:7] / total - centroid**2, 0, None)
    raw, first, second = parts.sums[:, 7:8], parts.sums[:, 8:11], parts.sums[:, 11:14]
    about = np.clip(second - 2 * centroid * first + centroid**2 * raw, 0, None)
    width = np.clip(spread - 1 / 12, 0, None)
    variance = gain * (about + raw / 12) / total**2 + np.exp(-4 * np.pi**2 * width) / 12
    return Spots(
        xyz=centroid,
        variance=variance,
        intensity=parts.sums[:, 0],
        pixels=parts.pixels,
        images=parts.box[:, 4:6],
        overloaded=parts.overloaded,
    )
