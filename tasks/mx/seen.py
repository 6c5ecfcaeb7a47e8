"""
What a sweep shows, before anybody tries to index it: diffraction, nothing, a powder, a salt.

A **powder** shows sharp rings in the mean radial profile, or many spots on the same rings of each
image, and hardly a spot elsewhere. A **salt**, or another crystal of small molecules, shows few
spots for the reciprocal space that was swept: while the crystal turns by an angle, a piece of the
Ewald sphere that is seen under the solid angle dO sweeps the volume |e . (s1 x s0)| dO / wavelength
per radian, with e the rotation axis, and one lattice point lies in each 1 / V of it, V the volume
of the primitive cell. Weak data let V come out too small by the part of spots that are not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.geometry import pixels_to_rays, resolution, scan_axis
from tasks.mx.ice import ice_rings, mean_profile, on_ring
from tasks.mx.image_figures import ImageFigures, inverse_d
from tasks.mx.reflections import Spots

Kind = Literal["diffraction", "no spots", "powder rings", "small cell"]

_FEWEST = 10  # spots of a sweep: with fewer nothing can be indexed
_ROUND = 12  # bins on each side that tell the level below a ring
_SIGNIFICANT, _CONTRAST = 8.0, 0.1  # of a ring: sigmas, and part of the level below
_BEGIN = 0.04  # 1/Angstrom: inside, the beam stop's shadow makes steps
_NEAR = 2.0  # bins from a ring within which a spot is on it
_TEXTURED = 4.0  # spots of a ring on each image on which it has any: one crystal has fewer
_GAPS = 0.5  # of the bins between the first and the last ring: more is no rings
_MOSTLY = 0.7  # of the spots lie on rings
_FEW_RINGS = 3  # that are not ice
_STEP = 16  # pixels: the grid on which the swept volume is summed


@dataclass(frozen=True)
class Seen:
    """
    What a sweep shows.

    Attributes
    ----------
    kind
        In a word; all but ``diffraction`` should not be indexed.
    sentences
        For the user: what is seen, on which grounds, and what to do; also about ice.
    rings
        Of a powder that is not ice, in Angstrom.
    ice
        Rings of ice, in Angstrom.
    volume
        Estimate of the primitive cell's volume in cubic Angstrom; NaN if there is none.
    """

    kind: Kind
    sentences: tuple[str, ...]
    rings: tuple[float, ...]
    ice: tuple[float, ...]
    volume: float


def what_is_seen(
    figures: ImageFigures,
    spots: Spots,
    geometry: Geometry,
    mask: NDArray[np.bool_] | None = None,
    *,
    smallest_volume: float = 2000.0,
) -> Seen:
    """
    Tell what a sweep shows.

    Parameters
    ----------
    figures
        Of its images.
    spots
        Of all of them.
    mask
        True: left out, (rows, columns).
    smallest_volume
        Primitive cells below, in cubic Angstrom, are called a small cell; 0 where small molecules
        are what is measured.
    """
    axis = inverse_d(geometry)
    ice = ice_rings(axis, figures.profile, figures.profile_sigma)
    d = resolution(geometry, spots.xyz[:, :2])
    textured = _textured(axis, d, spots)
    rings = textured or _rings(axis, figures)
    off = _off_rings(axis, d, rings)
    volume = cell_volume(geometry, spots, len(figures), mask)
    told = _about_ice(ice)
    few = _FEWEST + len(figures) // 10
    if len(rings) >= _FEW_RINGS and (textured or int(off.sum()) < few):
        sentence = _powder(rings, int(off.sum()))
        return Seen("powder rings", (sentence, *told), tuple(rings), ice, volume)
    if int((off & ~on_ring(d)).sum()) < _FEWEST:
        return Seen(
            "no spots",
            (_nothing(len(spots), int(on_ring(d).sum()), figures), *told),
            tuple(rings),
            ice,
            volume,
        )
    if volume < smallest_volume:
        sentence = _salt(volume, len(spots), len(figures))
        return Seen("small cell", (sentence, *told), tuple(rings), ice, volume)
    return Seen("diffraction", told, tuple(rings), ice, volume)


def _rings(axis: F, figures: ImageFigures) -> list[float]:
    """Return the d of sharp rings in the mean profile that are not ice, in Angstrom."""
    mean, sigma = mean_profile(figures.profile, figures.profile_sigma)
    found: list[float] = []
    for at in range(_ROUND, len(axis) - _ROUND):
        near = mean[at - _ROUND : at + _ROUND + 1]
        if (
            not np.isfinite(near).all()
            or axis[at] < _BEGIN
            or mean[at] < near[_ROUND - 2 : _ROUND + 3].max()
        ):
            continue
        level = float(np.median(near))
        excess = mean[at] - level
        sharp = excess > 2 * (near[[_ROUND - 5, _ROUND + 5]].max() - level)
        if sharp and excess > max(_SIGNIFICANT * sigma[at], _CONTRAST * level):
            found.append(float(1 / axis[at]))
    return [
        each for each in found if not on_ring(np.array([each]), 2 * float(axis[1] - axis[0]))[0]
    ]


def _off_rings(axis: F, d: F, rings: list[float]) -> NDArray[np.bool_]:
    off = np.ones(len(d), dtype=np.bool_)
    for ring in rings:
        off &= np.abs(1 / d - 1 / ring) > _NEAR * (axis[1] - axis[0])
    return off


def _textured(axis: F, d: F, spots: Spots) -> list[float]:
    """Return the d on which images have many spots at once, where most spots lie so."""
    width = axis[1] - axis[0]
    ring = np.floor(1 / d / width).astype(np.int64)
    image = np.floor(spots.xyz[:, 2]).astype(np.int64)
    pairs, number = np.unique(np.column_stack([ring, image]), axis=0, return_counts=True)
    crowded = [each for each in np.unique(ring) if number[pairs[:, 0] == each].mean() >= _TEXTURED]
    if not len(d) or np.isin(ring, crowded).mean() < _MOSTLY:
        return []
    there = np.isin(ring, crowded)
    bins = np.unique(ring[there])
    spread = len(bins) * width / (np.ptp(1 / d[there]) + width)
    first = bins[np.diff(bins, prepend=-2) > 1]  # neighbouring bins are one ring
    return [float(1 / ((each + 0.5) * width)) for each in first] if spread < _GAPS else []


def cell_volume(
    geometry: Geometry, spots: Spots, images: int, mask: NDArray[np.bool_] | None = None
) -> float:
    """
    Return the volume of the primitive cell that the number of spots tells, in cubic Angstrom.

    NaN with fewer than ten spots, or for stills. It is counted within the resolution of four fifths
    of the spots; rings of ice are left out.
    """
    d = resolution(geometry, spots.xyz[:, :2])
    off = ~on_ring(d)
    if int(off.sum()) < _FEWEST or geometry.rotation.width_deg == 0:
        return float("nan")
    finest = float(np.percentile(1 / d[off], 80))
    swept = _swept_volume(geometry, finest, mask) * images * abs(geometry.rotation.width_deg)
    return float((off & (1 / d <= finest)).sum() / swept) if swept > 0 else float("nan")


def _swept_volume(geometry: Geometry, finest: float, mask: NDArray[np.bool_] | None) -> float:
    """Return the reciprocal volume per degree up to a resolution, rings of ice left out, 1/A³."""
    detector = geometry.detector
    rows, columns = (np.arange(_STEP / 2, length, _STEP) for length in detector.shape)
    x, y = (each.ravel() for each in np.meshgrid(columns, rows))
    xy = np.column_stack([x, y])
    d = resolution(geometry, xy)
    good = (1 / d <= finest) & ~on_ring(d)
    if mask is not None:
        good &= ~mask[y.astype(np.int64), x.astype(np.int64)]
    s1 = pixels_to_rays(geometry, xy[good])
    unit = s1 * geometry.beam.wavelength
    area = _STEP**2 * detector.pixel[0] * detector.pixel[1]
    cosine = np.abs(unit @ detector.normal)
    solid_angle = area * cosine**3 / detector.distance**2
    speed = np.abs(np.cross(s1, geometry.beam.s0) @ scan_axis(geometry.goniometer))
    return float(np.radians(1.0) * (speed * solid_angle).sum() / geometry.beam.wavelength)


def _nothing(count: int, ice: int, figures: ImageFigures) -> str:
    of_ice = f", {ice} of them on rings of ice," if ice else ""
    return (
        f"Hardly any diffraction: {count} spots{of_ice} on {len(figures)} images. Look at the "
        "picture of the detector: is the crystal in the beam, the shutter open, the beam stop out "
        "of the way?"
    )


def _powder(rings: list[float], off: int) -> str:
    listed = ", ".join(f"{each:.2f}" for each in rings[:6])
    return (
        f"Rings of a powder at {listed} Å and {off} spots beside them: there is no single "
        "crystal in the beam. Look for another crystal, or centre it again."
    )


def _salt(volume: float, count: int, images: int) -> str:
    return (
        f"{count} spots on {images} images are so few for the reciprocal space they cover that the "
        f"primitive cell has about {volume:.0f} Å³: a salt or a small molecule rather than a "
        "protein. If it is a small molecule that is measured, say so in the recipe."
    )


def _about_ice(ice: tuple[float, ...]) -> tuple[str, ...]:
    if not ice:
        return ()
    listed = ", ".join(f"{each:.2f}" for each in ice)
    return (f"Rings of ice at {listed} Å: reflections on them are less certain.",)
