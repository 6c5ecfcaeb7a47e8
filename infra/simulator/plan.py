"""What is to be measured: everything that makes one simulated scan, as plain frozen values."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from infra.simulator.phantom import Array, Ellipsoid, Geometry, sample_object, transmission
from infra.simulator.physics import Beam, Counts, Detector, expose_scan

Integers = NDArray[np.int64]
Layout = Literal["dxchange", "nxtomo", "tiff_folder"]
Way = Literal["slow", "rename", "linked"]

PROJECTION, FLAT, DARK = 0, 1, 2  # the image_key of NXtomo


@dataclass(frozen=True)
class Delivery:
    """How the data acquisition brings a scan to disk.

    `slow` writes frame by frame, `rename` writes beside the place and renames, `linked` writes a
    master file that points to a file of frames, which comes later. Each takes `seconds`.
    """

    way: Way = "rename"
    seconds: float = 0.0


@dataclass(frozen=True)
class ScanPlan:
    """One scan. The defaults make a good one; `seed` draws object and noise.

    `flats` counts those before and after the projections; with `calibrations_inside` False flats
    and darks are left out, for `write_calibration` to write into a file of their own. `lost` lists
    the projections that the data acquisition dropped. `uid` and `started_at` tell a scan from
    another of the same name: `identified` draws them.
    """

    name: str = "scan_0001"
    layout: Layout = "dxchange"
    delivery: Delivery = field(default_factory=Delivery)
    geometry: Geometry = field(default_factory=Geometry)
    beam: Beam = field(default_factory=Beam)
    detector: Detector = field(default_factory=Detector)
    absorbance: float = 1.5
    flats: tuple[int, int] = (10, 10)
    darks: int = 10
    calibrations_inside: bool = True
    lost: tuple[int, ...] = ()
    seed: int = 0
    uid: str | None = None
    started_at: datetime | None = None
    title: str = "simulated tomography"
    sample: str = "ellipsoids"
    proposal: str = ""

    def identified(self) -> "ScanPlan":
        """Return the same plan as a scan that is measured now, with a uid of its own."""
        return replace(self, uid=str(uuid4()), started_at=datetime.now(UTC))

    @property
    def parts(self) -> list[Ellipsoid]:
        """The object."""
        return sample_object(self.geometry, self.absorbance, self.seed)


@dataclass(frozen=True)
class Recording:
    """The frames of a scan in the order of their exposure: darks, flats, projections, flats.

    `planned_keys` (image_key as in NXtomo) and `planned_angles` (degrees) have a value for each
    planned frame; `frames` (n, rows, columns) are those that were kept, `numbers` (n,) say which.
    """

    frames: Counts
    numbers: Integers
    planned_keys: Integers
    planned_angles: Array

    @property
    def image_key(self) -> Integers:
        """Kind of each frame, (n,)."""
        return self.planned_keys[self.numbers]

    def of(self, key: int) -> Counts:
        """Return the frames of one kind."""
        return self.frames[self.image_key == key]

    def numbers_of(self, key: int) -> Integers:
        """Return the numbers of the frames of one kind, from 0; a gap is a lost frame."""
        rank = np.cumsum(self.planned_keys == key) - 1
        return rank[self.numbers[self.image_key == key]]

    @property
    def projection_angles(self) -> Array:
        """Angles of all planned projections in degrees."""
        return self.planned_angles[self.planned_keys == PROJECTION]

    @property
    def flats_before(self) -> int:
        """How many of the flats come before the first projection."""
        projections = np.flatnonzero(self.planned_keys == PROJECTION)
        first = projections[0] if len(projections) else len(self.planned_keys)
        return int(np.sum(self.planned_keys[:first] == FLAT))

    def select(self, *keys: int) -> "Recording":
        """Return a recording of the frames of these kinds only."""
        planned, kept = np.isin(self.planned_keys, keys), np.isin(self.image_key, keys)
        return Recording(
            frames=self.frames[kept],
            numbers=(np.cumsum(planned) - 1)[self.numbers[kept]],
            planned_keys=self.planned_keys[planned],
            planned_angles=self.planned_angles[planned],
        )


def measure(plan: ScanPlan) -> Recording:
    """Simulate the whole scan in memory."""
    exposure = expose_scan(
        transmission(plan.parts, plan.geometry),
        plan.beam,
        plan.detector,
        flats=plan.flats,
        darks=plan.darks,
        seed=plan.seed,
    )
    before, after = plan.flats
    angles = np.rad2deg(plan.geometry.angles)
    blocks = [
        (exposure.darks, DARK, np.zeros(plan.darks)),
        (exposure.flats_before, FLAT, np.zeros(before)),
        (exposure.projections, PROJECTION, angles),
        (exposure.flats_after, FLAT, np.full(after, plan.geometry.arc)),
    ]
    keys = np.concatenate([np.full(len(frames), key) for frames, key, _ in blocks])
    kept = np.setdiff1d(np.arange(len(keys)), np.array(plan.lost, int) + plan.darks + before)
    return Recording(
        frames=np.concatenate([frames for frames, _, _ in blocks])[kept],
        numbers=kept,
        planned_keys=keys,
        planned_angles=np.concatenate([angles for _, _, angles in blocks]),
    )
