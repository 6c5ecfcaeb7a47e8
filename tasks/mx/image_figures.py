"""
What each image of a sweep tells at once: spots, resolution, ice, overloads, intensity, background.

**Spots** are counted on each image by itself, groups of at least two strong pixels. The
**resolution** of an image is where 95 % of its spots lie at lower resolution, spots on rings of ice
left out; with fewer than ten there is none. The detector's edge may limit it. **Ice** is by what
part of its surroundings the second strongest ring of hexagonal ice stands out of the radial profile
of the pixels that are not near strong ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.geometry import resolution
from tasks.mx.ice import ice_scores, on_ring
from tasks.mx.reflections import Columns
from tasks.mx.spots import SpotParts, block_spots
from tasks.mx.strong_pixels import strong_pixels

Mask = NDArray[np.bool_]

BINS = 400  # of a radial profile, evenly in 1/d
_STEP = 4  # every fourth row and column makes a profile: some hundred pixels a bin and more
_REACH = 3  # pixels from a strong one: its flanks tell nothing of the background
_FEWEST_SPOTS = 10  # for a resolution
_WITHIN = 95.0  # per cent of the spots
_LEAST_PIXELS = 2


@dataclass(frozen=True)
class ImageFigures(Columns):
    """
    Figures of some images, n of them.

    Attributes
    ----------
    image
        Number of each, from 0 in the sweep, (n,).
    spots
        How many there are on it, (n,).
    resolution
        Of its spots, in Angstrom, (n,); NaN with fewer than ten.
    ice
        By what part of its surroundings the second strongest ring of ice stands out, (n,); 0 for
        fewer than two rings.
    overloaded
        Pixels above the detector's range, (n,).
    total
        Counts of all valid pixels, (n,); NaN for a lost image.
    background
        Median over the resolutions of the profile, (n,).
    profile, profile_sigma
        Mean counts of the pixels not near strong ones in rings evenly in 1/d, and 1 sigma,
        (n, 400); NaN where there is none.
    """

    image: NDArray[np.int32]
    spots: NDArray[np.int32]
    resolution: F
    ice: F
    overloaded: NDArray[np.int64]
    total: F
    background: F
    profile: F
    profile_sigma: F


def inverse_d(geometry: Geometry) -> F:
    """Return 1/d at the centres of the profiles' bins, (400,), in 1/Angstrom."""
    return (np.arange(BINS) + 0.5) * _finest(geometry) / BINS


def image_figures(
    images: NDArray[np.int32],
    mask: Mask,
    geometry: Geometry,
    saturation: float | None = None,
    first: int = 0,
    gain: float = 1.0,
) -> ImageFigures:
    """
    Return the figures of some images.

    Parameters
    ----------
    images
        Counts, (images, rows, columns); negative ones are no pixels.
    mask
        True: left out, (rows, columns).
    saturation
        Counts above which a pixel is overloaded.
    first
        Image coordinate of the first image.
    gain
        Counts per photon.
    """
    return spots_and_figures(images, mask, geometry, saturation, first, gain)[1]


def spots_and_figures(
    images: NDArray[np.int32],
    mask: Mask,
    geometry: Geometry,
    saturation: float | None = None,
    first: int = 0,
    gain: float = 1.0,
) -> tuple[SpotParts, ImageFigures]:
    """Return a block's spots, for `join_blocks`, and its figures, both from one search."""
    images = np.ascontiguousarray(images)
    strong = cast("Mask", strong_pixels(images, mask, gain))
    parts = block_spots(images, mask, first, gain, saturation, strong=strong)
    counts, limits = _spots_of_images(strong, geometry)
    total, overloaded = _totals(images, mask, saturation)
    profile, sigma = _profiles(images, mask, strong, geometry, gain)
    levels = [row[np.isfinite(row)] for row in profile]
    figures = ImageFigures(
        image=np.arange(first, first + len(images), dtype=np.int32),
        spots=counts,
        resolution=limits,
        ice=ice_scores(inverse_d(geometry), profile, sigma),
        overloaded=overloaded,
        total=total,
        background=np.array([np.median(row) if len(row) else np.nan for row in levels]),
        profile=profile,
        profile_sigma=sigma,
    )
    return parts, figures


def _spots_of_images(strong: Mask, geometry: Geometry) -> tuple[NDArray[np.int32], F]:
    """Count the spots of each image by itself and estimate its resolution."""
    from tasks.mx.spot_kernels import connect

    counts, limits = np.zeros(len(strong), dtype=np.int32), np.full(len(strong), np.nan)
    for number, here in enumerate(strong):
        places = np.flatnonzero(here)
        group = connect(places, *here.shape)
        size = np.bincount(group, minlength=1)
        real = size >= _LEAST_PIXELS
        y, x = np.divmod(places, here.shape[1])
        xy = np.column_stack([np.bincount(group, at, len(size)) for at in (x, y)])[real]
        counts[number] = real.sum()
        limits[number] = spots_resolution(geometry, xy / size[real][:, None] + 0.5)
    return counts, limits


def spots_resolution(geometry: Geometry, xy: F) -> float:
    """Return the resolution, in Angstrom, within which 95 % of spots at (n, 2) pixels lie."""
    if not len(xy):
        return float("nan")
    d = resolution(geometry, xy)
    d = d[~on_ring(d)]
    if len(d) < _FEWEST_SPOTS:
        return float("nan")
    return float(1 / np.percentile(1 / d, _WITHIN))


def _totals(
    images: NDArray[np.int32], mask: Mask, saturation: float | None
) -> tuple[F, NDArray[np.int64]]:
    from tasks.mx.spot_kernels import totals

    limit = 2**31 - 1 if saturation is None else int(min(saturation, 2**31 - 1))
    found = np.array([totals(image, mask, limit) for image in images]).reshape(-1, 3)
    sums = np.where(found[:, 2] > 0, found[:, 0], np.nan)
    return sums, found[:, 1].astype(np.int64)


def _profiles(
    images: NDArray[np.int32], mask: Mask, strong: Mask, geometry: Geometry, gain: float
) -> tuple[F, F]:
    """Average the pixels neither masked nor near strong ones in rings, (images, bins) each."""
    from tasks.mx.spot_kernels import near_strong, ring_sums

    ring = _rings(geometry, mask.shape)
    profile = np.full((len(images), BINS), np.nan)
    sigma = profile.copy()
    for number, image in enumerate(images):
        near = near_strong(np.flatnonzero(strong[number]), *mask.shape, _STEP, _REACH)
        found = np.zeros((BINS, 2))
        ring_sums(image, mask, near, ring, _STEP, found)
        there = found[:, 0] > 0
        pixels, counts = found[there].T
        profile[number, there] = counts / pixels
        sigma[number, there] = np.sqrt(gain * np.maximum(counts, gain)) / pixels
    return profile, sigma


@dataclass(frozen=True)
class _Same:
    """A geometry as a key: equal if pixels lie at the same resolutions."""

    facts: tuple[object, ...]
    geometry: Geometry = field(compare=False)


def _rings(geometry: Geometry, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Return the bin of every fourth pixel in both directions; blocks of a sweep share it."""
    beam, detector = geometry.beam, geometry.detector
    vectors = (beam.direction, detector.origin, detector.fast, detector.slow)
    numbers = (beam.wavelength, detector.pixel, detector.thickness, detector.absorption)
    facts = (*(vector.tobytes() for vector in vectors), *numbers, detector.shape)
    return _rings_of(_Same(facts, geometry), shape)


@functools.lru_cache(maxsize=2)
def _rings_of(same: _Same, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    rows, columns = (np.arange(0.5, length, _STEP, dtype=np.float64) for length in shape)
    x, y = np.meshgrid(columns, rows)
    d = resolution(same.geometry, np.column_stack([x.ravel(), y.ravel()]))
    number = np.floor(BINS / d / _finest(same.geometry))
    return np.clip(number, 0, BINS - 1).astype(np.uint16).reshape(x.shape)


def _finest(geometry: Geometry) -> float:
    """Return the highest 1/d on the detector, in 1/Angstrom: that of a corner."""
    rows, columns = geometry.detector.shape
    corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], dtype=np.float64)
    return float(np.max(1 / resolution(geometry, corners)))
