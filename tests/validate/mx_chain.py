"""The project's own way from simulated images to merged intensities, as the flow walks it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf

import numpy as np

from flows.mx.spotting import dark_images
from infra.simulator.mx import instrument
from infra.simulator.mx.plan import SweepPlan
from infra.simulator.mx.sweep import Sweep
from infra.simulator.mx.truth import Truth
from tasks.io.diffraction import Beam, Detector, Geometry, Goniometer, Rotation
from tasks.mx.beam_stop import shadow_limit
from tasks.mx.crystal import Crystal, cell_of
from tasks.mx.geometry import resolution
from tasks.mx.image_figures import ImageFigures, spots_and_figures, spots_resolution
from tasks.mx.index import Indexed, index
from tasks.mx.integrate import to_observations
from tasks.mx.integrate_block import integrate_block
from tasks.mx.laue import LaueResult, laue_group
from tasks.mx.merge import Merged, merge
from tasks.mx.mosaicity import Mosaicity, first_guess, margin, reflecting_range
from tasks.mx.profile import ProfileModel, join_profiles, learn_profiles
from tasks.mx.refine import Refined, refine
from tasks.mx.reflections import Observations, Reflections, Spots
from tasks.mx.resolution_cut import Cut, resolution_cut
from tasks.mx.scale import Scaled, scale
from tasks.mx.screw_axes import ScrewResult, screw_axes
from tasks.mx.seen import Seen, what_is_seen
from tasks.mx.spots import join_blocks

BLOCK = 30  # images
BEYOND = 0.75  # of the spots' resolution, as the flow has it
NEAR = 0.1  # how far indices may be from whole ones where the lattice is the truth's
ALONG_DEG = 10.0  # of turn, from which the crystal is refined along the sweep


def geometry_of(plan: SweepPlan) -> Geometry:
    """Return the geometry that is handed over with a plan's images."""
    plane, detector, turn = instrument.claimed_plane(plan), plan.detector, plan.rotation
    axes = plan.goniometer
    return Geometry(
        Beam(plan.beam.wavelength, polarisation=plan.beam.polarisation),
        Detector(
            origin=plane.origin,
            fast=plane.fast,
            slow=plane.slow,
            pixel=(detector.pixel, detector.pixel),
            shape=detector.shape,
            thickness=detector.thickness,
            material=detector.sensor,
            absorption=instrument.absorption(detector.sensor, plan.beam.wavelength),
            name=detector.name,
        ),
        Goniometer(np.array(axes.axes), np.array(axes.angles_deg), axes.scan_axis, axes.names),
        Rotation(turn.start_deg, turn.width_deg, turn.images),
    )


@dataclass(frozen=True)
class Chain:
    """A sweep and what comes out of it, each part made when it is asked for."""

    plan: SweepPlan
    d_min: float | None = None
    cell: tuple[float, ...] | None = None
    space_group: str = ""

    @cached_property
    def sweep(self) -> Sweep:
        return Sweep(self.plan)

    @property
    def truth(self) -> Truth:
        return self.sweep.truth

    @cached_property
    def images(self) -> np.ndarray:
        """All images, (images, rows, columns); those that never came are -1."""
        images = np.full((self.plan.rotation.images, *self.plan.detector.shape), -1, np.int32)
        for number, image in enumerate(self.sweep.images()):
            if number not in self.plan.faults.lost:
                images[number] = np.maximum(image, -1)
        return images

    @property
    def mask(self) -> np.ndarray:
        return self.sweep.pixels.masked

    @property
    def blocks(self) -> list[tuple[int, int]]:
        end = self.plan.written
        return [(first, min(first + BLOCK, end)) for first in range(0, end, BLOCK)]

    @property
    def telling(self) -> list[tuple[int, int]]:
        """Blocks that tell widths and profiles: every second one."""
        return self.blocks[::2]

    @cached_property
    def _searched(self) -> tuple[Spots, ImageFigures]:
        saturation, geometry = self.plan.detector.saturation, geometry_of(self.plan)
        found = [
            spots_and_figures(self.images[a:b], self.mask, geometry, saturation, a)
            for a, b in self.blocks
        ]
        figures = ImageFigures.join([figures for _, figures in found])
        return join_blocks([parts for parts, _ in found]), figures

    @cached_property
    def lit(self) -> np.ndarray:
        """The images; those with a closed shutter are -1, as if they had never come."""
        dark = dark_images(self._searched[1])
        images = self.images.copy() if dark else self.images
        images[dark] = -1
        return images

    @cached_property
    def shadow(self) -> float:
        """Resolution beyond which the beam stop is, Å; unknown where the beam is not in place."""
        if self.plan.claims.beam_centre != (0.0, 0.0):
            return inf
        return shadow_limit(self._searched[1], geometry_of(self.plan))

    @property
    def spots(self) -> Spots:
        return self._searched[0]

    @cached_property
    def seen(self) -> Seen:
        spots, figures = self._searched
        return what_is_seen(figures, spots, geometry_of(self.plan), self.mask)

    @cached_property
    def indexed(self) -> Indexed:
        return index(
            self.spots, geometry_of(self.plan), cell=self.cell, space_group=self.space_group
        )

    @cached_property
    def refined(self) -> Refined:
        found, turn = self.indexed, self.plan.rotation
        along = abs(self.plan.written * turn.width_deg) >= ALONG_DEG
        return refine(self.spots, found.hkl, found.geometry, found.crystal, along=along)

    @cached_property
    def limit(self) -> float:
        """Resolution to integrate to, Å."""
        geometry = self.refined.geometry
        rows, columns = geometry.detector.shape
        corners = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], dtype=float)
        finest = max(float(resolution(geometry, corners).min()), self.plan.crystal.d_min)
        if self.d_min is not None:
            return max(finest, self.d_min)
        return max(finest, BEYOND * spots_resolution(geometry, self.spots.xyz[:, :2]))

    @cached_property
    def mosaicity(self) -> Mosaicity:
        guess = first_guess(self.spots, self.refined.geometry)
        return Mosaicity.join(
            [
                reflecting_range(
                    self.lit[a:b], a, *self._placed, guess, self.mask, self._full, self.limit
                )
                for a, b in self.telling
            ]
        )

    @cached_property
    def model(self) -> ProfileModel:
        parts = [
            learn_profiles(
                self.lit[a:b],
                a,
                *self._placed,
                self.mosaicity,
                self.mask,
                self._full,
                self.limit,
                (a, b),
            )
            for a, b in self.telling
        ]
        return join_profiles(parts, self.refined.geometry)

    @cached_property
    def reflections(self) -> Reflections:
        return Reflections.join(list(self._integrated()))

    def _integrated(self) -> Iterator[Reflections]:
        reach = margin(self.mosaicity, self.refined.geometry)
        for a, b in self.blocks:
            first, last = max(0, a - reach), min(self.plan.written, b + reach)
            yield integrate_block(
                self.lit[first:last],
                first,
                *self._placed,
                self.model,
                self.mask,
                self._full,
                block=(a, b),
                d_max=self.shadow,
            )

    @property
    def _placed(self) -> tuple[Geometry, Crystal]:
        return self.refined.geometry, self.refined.crystal

    @property
    def _full(self) -> float:
        return float(self.plan.detector.saturation)

    @cached_property
    def observations(self) -> Observations:
        return to_observations(self.reflections, self.refined.geometry)

    @cached_property
    def laue(self) -> LaueResult:
        return laue_group(self.observations, self.refined.crystal)

    @cached_property
    def settled(self) -> Observations:
        """Observations in the conventional axes of the Laue group found."""
        hkl = np.rint(self.observations.hkl @ self.laue.change_of_basis.T).astype(np.int32)
        return replace(self.observations, hkl=hkl)

    @cached_property
    def crystal(self) -> Crystal:
        """The crystal in those axes."""
        change, group = self.laue.change_of_basis, self.laue.space_group
        return self.refined.crystal.change_basis(change, group)

    @cached_property
    def screws(self) -> ScrewResult:
        return screw_axes(self.settled, self.laue.space_group)

    @cached_property
    def scaled(self) -> Scaled:
        rotation = self.refined.geometry.rotation
        return scale(self.settled, [self.crystal], [rotation])

    @cached_property
    def merged(self) -> Merged:
        return merge(self.scaled)

    @cached_property
    def cut(self) -> Cut:
        return resolution_cut(self.merged)


@dataclass(frozen=True)
class Placement:
    """How near a crystal is to the truth.

    Attributes
    ----------
    change
        Takes its indices to the truth's, (3, 3).
    lengths, angles_deg
        Of the truth's axes: the largest relative error, and the largest of their angles.
    turned_deg
        Between the orientations.
    """

    change: np.ndarray
    lengths: float
    angles_deg: float
    turned_deg: float


def placement(true: Truth, found: np.ndarray, second: bool = False) -> Placement:
    """Compare an A matrix with the truth's, whatever axes it chose."""
    a_true = true.second_a_matrix if second else true.a_matrix
    exact = np.linalg.inv(a_true) @ found
    change = np.rint(exact)
    if np.abs(exact - change).max() > NEAR or abs(np.linalg.det(change)) < 0.5:
        raise AssertionError(f"another lattice, its axes in the truth's:\n{np.round(exact, 3)}")
    same = found @ np.linalg.inv(change)
    off = same @ np.linalg.inv(a_true)
    left, _, right = np.linalg.svd(off)
    cosine = (np.trace(left @ right) - 1) / 2
    cell, told = np.array(cell_of(np.linalg.inv(same))), true.cell
    return Placement(
        change,
        float(np.abs(cell[:3] / told[:3] - 1).max()),
        float(np.abs(cell[3:] - told[3:]).max()),
        float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
    )


def rows_in_truth(true: Truth, hkl: np.ndarray, z: np.ndarray, near: float = 3.0) -> np.ndarray:
    """Return which reflection of the truth each is (true indices, image coordinate), -1 if none."""
    top = int(max(np.abs(true.hkl).max(), np.abs(hkl).max())) + 1
    weight = np.array([(2 * top + 1) ** 2, 2 * top + 1, 1])
    spread = 1e6  # images: what keeps the crossings of one reflection in order
    keys = (true.hkl @ weight) * spread + true.xyz[:, 2]
    keys = np.where(true.lattice == 0, keys, np.inf)
    order = np.argsort(keys)
    wanted = (hkl @ weight) * spread + z
    after = np.clip(np.searchsorted(keys[order], wanted), 1, len(keys) - 1)
    pick = np.where(
        np.abs(keys[order[after]] - wanted) < np.abs(keys[order[after - 1]] - wanted),
        order[after],
        order[after - 1],
    )
    return np.where(np.abs(keys[pick] - wanted) < near, pick, -1)
