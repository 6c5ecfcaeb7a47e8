"""Reference profiles: how the counts of a reflection are spread, learned from strong ones.

In Kabsch's frame (Acta Cryst. D66, 133 (2010)) reflections look alike: e1 and e2 are tangential to
the Ewald sphere, e3 is the rotation times zeta, so that it is as long as the path through the
sphere takes. A profile is a table over the three. Along e1 and e2 it holds what a pixel counts
whose centre lies there, as the effective point-spread functions of astronomy do (Anderson & King,
Publ. Astron. Soc. Pac. 112, 1360 (2000)); along e3 it is a density, summed over an image's range.
Nothing says that it is Gaussian.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F, Geometry
from tasks.mx.background import fit_background
from tasks.mx.crystal import Crystal
from tasks.mx.mosaicity import Mosaicity
from tasks.mx.shoebox import Shoeboxes, extract
from tasks.mx.undisturbed import misfits

NODES, BINS = 17, 13
REGIONS = 3
"""Along either side of the detector."""
STRONG, MOST = 8.0, 300
ENOUGH = 3e4
"""Photons: a reflection with more says no more than one with so many."""
TURNS, ROUNDS = 3, 4
LOOSE, TIGHT = (1.0, 0.1), (0.3, 0.01)
"""How far a profile may lie from what it starts from: times itself, and times its peak."""
SHARED, SEGMENT_DEG = 20.0, 10.0


@dataclass(frozen=True)
class Learned:
    """
    Profiles of one block of images.

    Attributes
    ----------
    z
        Image coordinate of its middle.
    tables
        Per region of the detector, row by row, over e3, e2 and e1; each sums to 1, (9, 13, 17, 17).
    reflections
        How many each is made from, (9,).
    mosaicity
        Whose reach is the tables' extent.
    d_min
        Resolution to which reflections were looked for.
    """

    z: float
    tables: NDArray[np.float32]
    reflections: F
    mosaicity: Mosaicity
    d_min: float


@dataclass(frozen=True)
class ProfileModel:
    """
    What serves all blocks of a sweep: widths, and profiles over the detector and along the sweep.

    Attributes
    ----------
    z
        Image coordinates at which there are profiles, (segments,).
    tables
        (segments * 9, 13, 17, 17), those of one segment beside one another.
    smooth
        The same without noise, and positive: for weights.
    reflections
        How many the whole sweep's profiles are made from.
    """

    mosaicity: Mosaicity
    d_min: float
    z: F
    tables: NDArray[np.float32]
    smooth: NDArray[np.float32]
    reflections: int

    def which(self, xyz: F, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Return the table that serves each position, (n,)."""
        segment = np.abs(xyz[:, 2:3] - self.z).argmin(axis=1)
        return segment * REGIONS**2 + region_of(xyz, shape)


def region_of(xyz: F, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the number of the detector's region in which positions lie, (n,)."""
    part = xyz[:, :2] / np.array([shape[1], shape[0]]) * REGIONS
    x, y = np.clip(part.astype(np.int64), 0, REGIONS - 1).T
    return y * REGIONS + x


def learn_profiles(
    images: Iterable[NDArray[np.int32]],
    first: int,
    geometry: Geometry,
    crystal: Crystal,
    mosaicity: Mosaicity,
    mask: NDArray[np.bool_],
    saturation: float | None,
    d_min: float,
    block: tuple[int, int],
) -> Learned:
    """
    Learn the profiles of a block from its strong reflections.

    Parameters
    ----------
    images
        Consecutive ones, each (rows, columns), at least those of the block.
    first
        Image coordinate of the first.
    mosaicity
        That of the whole sweep: it says how far the profiles reach.
    block
        Image coordinates of its begin and end. Reflections that reach beyond it tell nothing.
    """
    boxes = extract(
        images, first, geometry, crystal, mosaicity, mask, saturation, d_min, block, inside=True
    )
    total, sigma = boxes.rough_sums()
    strong = np.nonzero(boxes.whole & (total > STRONG * sigma))[0]
    boxes, total = boxes.take(strong), total[strong]
    everywhere = _learn(boxes, total, np.arange(len(boxes)), mosaicity, geometry, _gauss(), LOOSE)
    alone = _alone(boxes, everywhere, mosaicity, geometry)
    if not alone.all():
        boxes, total = boxes.take(np.nonzero(alone)[0]), total[alone]
        rows = np.arange(len(boxes))
        everywhere = _learn(boxes, total, rows, mosaicity, geometry, _gauss(), LOOSE)
    region = region_of(boxes.predicted.xyz, geometry.detector.shape)
    tables = np.empty((REGIONS**2, *everywhere.shape), np.float32)
    for number in range(REGIONS**2):
        rows = np.nonzero(region == number)[0]
        tables[number] = _learn(boxes, total, rows, mosaicity, geometry, everywhere, TIGHT)
    reflections = np.bincount(region, minlength=REGIONS**2).astype(np.float64)
    return Learned((block[0] + block[1]) / 2, tables, reflections, mosaicity, d_min)


def _learn(
    boxes: Shoeboxes,
    total: F,
    rows: NDArray[np.int64],
    mosaicity: Mosaicity,
    geometry: Geometry,
    start: F,
    tolerances: tuple[float, float],
) -> F:
    from tasks.mx.profile_kernels import learn

    if not len(rows):
        return start
    rows = rows[np.argsort(-total[rows])[:MOST]]
    boxes, gain, radius = boxes.take(rows), geometry.detector.gain, mosaicity.beam_reach_deg
    background = fit_background(boxes, radius, gain)
    even, (own, floor) = _smooth(start[None])[0], tolerances
    tolerance = own * even + floor * even.max()
    table = start
    for _ in range(TURNS):
        table = learn(
            *boxes.arrays,
            boxes.jacobian,
            boxes.per_image,
            background.beta,
            background.number,
            gain,
            radius,
            mosaicity.range_deg,
            np.minimum(1, ENOUGH / total[rows]),
            table,
            start,
            tolerance,
            _smooth(table[None])[0],
            ROUNDS,
        )
    return table


def _alone(
    boxes: Shoeboxes, table: F, mosaicity: Mosaicity, geometry: Geometry
) -> NDArray[np.bool_]:
    """Tell on which reflections nothing else lies, (n,)."""
    from tasks.mx.profile_kernels import FIT, FIT_VARIANCE, MISFIT, fit_all

    gain, radius = geometry.detector.gain, mosaicity.beam_reach_deg
    background = fit_background(boxes, radius, gain)
    figures = fit_all(
        *boxes.arrays,
        boxes.jacobian,
        boxes.per_image,
        background.beta,
        background.covariance,
        background.number,
        gain,
        radius,
        mosaicity.range_deg,
        table[None].astype(np.float32),
        _smooth(table[None]).astype(np.float32),
        np.zeros(len(boxes), np.int64),
        geometry.rotation.images,
    )
    return ~misfits(figures[:, FIT] / np.sqrt(figures[:, FIT_VARIANCE]), figures[:, MISFIT])


def _gauss() -> F:
    """Return a profile to start from, Gaussian with a floor that lets tails grow."""
    from scipy.special import ndtr  # pyright: ignore[reportMissingTypeStubs]

    reach = Mosaicity(1, 1).reach
    across = np.exp(-(np.linspace(-reach, reach, NODES) ** 2) / 2)
    along = np.diff(ndtr(np.linspace(-reach, reach, BINS + 1)))
    flat = np.einsum("k,j,i->kji", along, across, across) + 1e-4 * along.max()
    return flat / flat.sum()


def join_profiles(parts: list[Learned], geometry: Geometry) -> ProfileModel:
    """
    Join the profiles of blocks: along the sweep each borrows from those near it.

    Where a region has few strong reflections, it borrows from the whole sweep.

    Raises
    ------
    DataError
        No block has strong reflections.
    """
    number = np.array([part.reflections for part in parts])
    if not number.sum():
        raise DataError(
            "no strong reflections were found where the crystal predicts them, profiles cannot be "
            "learned; look at the indexing and at the resolution of the images"
        )
    tables = np.array([part.tables for part in parts], dtype=np.float64)
    usual = np.einsum("sr,srkji->kji", number, tables) / number.sum()
    z = np.array([part.z for part in parts])
    apart = (z[:, None] - z) * geometry.rotation.width_deg / SEGMENT_DEG
    near = np.exp(-(apart**2) / 2)
    weighted = np.einsum("ts,sr,srkji->trkji", near, number, tables) + SHARED * usual
    weighted /= ((near @ number) + SHARED)[:, :, None, None, None]
    flat = weighted.reshape(-1, *usual.shape)
    return ProfileModel(
        parts[0].mosaicity,
        parts[0].d_min,
        z,
        flat.astype(np.float32),
        _smooth(flat).astype(np.float32),
        int(number.sum()),
    )


def _smooth(tables: F) -> F:
    """Return products of the profiles' faces and rocking curves, made even and positive."""
    faces, curves = tables.sum(axis=1), tables.sum(axis=(2, 3))
    for axis in (1, 2):
        n = faces.shape[axis]
        before = faces.take(np.maximum(np.arange(n) - 1, 0), axis=axis)
        after = faces.take(np.minimum(np.arange(n) + 1, n - 1), axis=axis)
        faces = (before + 2 * faces + after) / 4
    faces = np.maximum(faces, 1e-4 * faces.max(axis=(1, 2), keepdims=True))
    curves = np.maximum(curves, 1e-3 * curves.max(axis=1, keepdims=True))
    product = np.einsum("tk,tji->tkji", curves, faces)
    return product / product.sum(axis=(1, 2, 3), keepdims=True)
