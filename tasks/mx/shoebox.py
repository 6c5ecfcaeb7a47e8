"""Reflections cut out of images: small boxes of counts, with what each pixel belongs to.

Images are taken one at a time, so that the memory needed is that of one image and of the boxes (5
bytes a pixel), however many images a block has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import pixels_to_rays
from tasks.mx.mosaicity import Mosaicity, smallest_zeta
from tasks.mx.predict import Predicted, predict
from tasks.mx.reflections import Ints

AROUND = 1.6
"""Half of a box in radii of its peak."""


@dataclass(frozen=True)
class Shoeboxes:
    """
    Boxes of n reflections.

    Attributes
    ----------
    predicted
        Whose they are.
    jacobian
        Kabsch's e1 and e2 in degrees per pixel along fast and slow, (n, 2, 2); e1 shrunk so that
        peaks that the lattice's spread draws out are round.
    per_image
        How far the rotation goes along e3 with one image, (n,), in degrees; signed.
    corner, size
        First pixel and image, and how many: fast, slow, images, (n, 3).
    offset
        Where in `counts` and `codes` a box begins, (n,): images, then slow, then fast.
    counts, codes
        All boxes, one after another.
    """

    predicted: Predicted
    jacobian: F
    per_image: F
    corner: Ints
    size: Ints
    offset: NDArray[np.int64]
    counts: Ints
    codes: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return how many boxes there are."""
        return len(self.predicted)

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What every kernel begins with."""
        return self.corner, self.size, self.offset, self.counts, self.codes, self.predicted.xyz

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Tell whose peaks lack no pixel, (n,)."""
        return self._rough[:, 2] > 0

    @property
    def _rough(self) -> F:
        from tasks.mx.shoebox_kernels import rough

        return rough(*self.arrays)

    def rough_sums(self) -> tuple[F, F]:
        """Return peaks less plain means of what is around, and sigmas, (n,)."""
        found = self._rough
        return found[:, 0], found[:, 1]

    def take(self, rows: NDArray[Any]) -> Shoeboxes:
        """Return some boxes; the counts stay shared."""
        return Shoeboxes(
            self.predicted.take(rows),
            self.jacobian[rows],
            self.per_image[rows],
            self.corner[rows],
            self.size[rows],
            self.offset[rows],
            self.counts,
            self.codes,
        )


def extract(
    images: Iterable[NDArray[np.int32]],
    first: int,
    geometry: Geometry,
    crystal: Crystal,
    mosaicity: Mosaicity,
    mask: NDArray[np.bool_],
    saturation: float | None,
    d_min: float,
    block: tuple[int, int],
    *,
    inside: bool = False,
) -> Shoeboxes:
    """
    Cut the reflections of a block out of its images.

    Parameters
    ----------
    images
        Consecutive ones, each (rows, columns): the block's own and its margins.
    first
        Image coordinate of the first.
    block
        The boxes' reflections have their centres between these image coordinates; those beyond
        are known as neighbours.
    inside
        Take only those whose whole range is inside of the block.
    """
    from tasks.mx.shoebox_kernels import cut, mark

    predicted, jacobian, per_image = _with_neighbours(geometry, crystal, mosaicity, d_min, block)
    z, half_z = predicted.xyz[:, 2], mosaicity.range_deg / np.abs(per_image)
    wanted = (z >= block[0]) & (z < block[1])
    if inside:
        wanted &= (z - half_z >= block[0]) & (z + half_z <= block[1])
    half = _extent(jacobian, mosaicity.beam_reach_deg)
    corner, size = _boxes(predicted.xyz, half, half_z)
    pixels = np.where(wanted, size.astype(np.int64).prod(axis=1), 0)
    offset = np.cumsum(pixels) - pixels
    counts = np.zeros(int(pixels.sum()), np.int32)
    codes = np.zeros(len(counts), np.uint8)
    cores = np.zeros(mask.shape, np.uint8)
    skirts = np.zeros(mask.shape, np.uint8)
    limit = np.inf if saturation is None else float(saturation)
    last = corner[:, 2] + size[:, 2]
    for number, image in enumerate(images, first):
        on = (corner[:, 2] <= number) & (number < last)
        cores[:], skirts[:] = 0, 0
        mark(
            cores,
            skirts,
            np.nonzero(on)[0],
            predicted.xyz,
            jacobian,
            half,
            mosaicity.beam_reach_deg,
        )
        cut(
            image,
            mask,
            limit,
            cores,
            skirts,
            number,
            np.nonzero(on & wanted)[0],
            predicted.xyz,
            jacobian,
            mosaicity.beam_reach_deg,
            corner,
            size,
            offset,
            counts,
            codes,
        )
    found = Shoeboxes(predicted, jacobian, per_image, corner, size, offset, counts, codes)
    return found.take(np.nonzero(wanted)[0])


def _with_neighbours(
    geometry: Geometry, crystal: Crystal, mosaicity: Mosaicity, d_min: float, block: tuple[int, int]
) -> tuple[Predicted, F, F]:
    width = geometry.rotation.width_deg
    zeta_min = smallest_zeta(mosaicity, geometry)
    reach = mosaicity.range_deg / abs(width) / zeta_min
    predicted = predict(
        geometry, crystal, d_min, z_range=(block[0] - reach, block[1] + reach), zeta_min=zeta_min
    )
    jacobian = frame(geometry, predicted)
    jacobian[:, 0] /= mosaicity.stretch(geometry.beam.wavelength / predicted.d)[:, None]
    return predicted, jacobian, predicted.zeta * width


def frame(geometry: Geometry, predicted: Predicted) -> F:
    """
    Return how Kabsch's e1 and e2 grow along the detector, (n, 2, 2), in degrees per pixel.

    ``e1 = s1 x s0``, ``e2 = s1 x e1``, normalised; a plane about each reflection stands for the
    sphere, which is wrong by 0.01 pixels 4 pixels away from it at 200 mm.
    """
    s1, xy = predicted.s1, predicted.xyz[:, :2]
    e1 = np.cross(s1, geometry.beam.s0)
    e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    e2 = np.cross(s1, e1)
    e2 /= np.linalg.norm(e2, axis=1, keepdims=True)
    jacobian = np.empty((len(xy), 2, 2))
    for i, step in enumerate(np.eye(2) / 2):
        along = pixels_to_rays(geometry, xy + step) - pixels_to_rays(geometry, xy - step)
        jacobian[:, 0, i] = (along * e1).sum(axis=1)
        jacobian[:, 1, i] = (along * e2).sum(axis=1)
    return np.degrees(jacobian * geometry.beam.wavelength)


def _extent(jacobian: F, radius: float) -> F:
    """Return half the width and height of ellipses, (n, 2), in pixels."""
    inverse = np.linalg.inv(jacobian)
    return radius * np.linalg.norm(inverse, axis=2)


def _boxes(xyz: F, half: F, half_z: F) -> tuple[Ints, Ints]:
    around = np.column_stack([np.ceil(AROUND * half + 1), half_z])
    low = np.floor(xyz - around).astype(np.int32)
    high = np.floor(xyz + around).astype(np.int32)
    return low, high - low + 1
