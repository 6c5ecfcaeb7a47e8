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

    `frames` is (n, rows, columns), `image_key` (n,) as in NXtomo, `angles` (n,) in degrees,
    `numbers` (n,) counts the exposures, with gaps where a frame was lost.
    """

    frames: Counts
    image_key: Integers
    angles: Array
    numbers: Integers
    announced_angles: Array = field(repr=False)

    def of(self, key: int) -> Counts:
        """Return the frames of one kind."""
        return self.frames[self.image_key == key]

    @property
    def projection_numbers(self) -> Integers:
        """Numbers of the projections among the exposures."""
        return self.numbers[self.image_key == PROJECTION]

    @property
    def flats_before(self) -> int:
        """How many of the flats come before the first projection."""
        first = self.projection_numbers.min(initial=self.numbers.max())
        return int(np.sum((self.image_key == FLAT) & (self.numbers <= first)))

    def select(self, *keys: int) -> "Recording":
        """Return a recording of the frames of these kinds only."""
        keep = np.isin(self.image_key, keys)
        return replace(
            self,
            frames=self.frames[keep],
            image_key=self.image_key[keep],
            angles=self.angles[keep],
            numbers=self.numbers[keep],
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
    announced = np.rad2deg(plan.geometry.angles)
    before, after = plan.flats
    blocks = [
        (exposure.darks, DARK, np.zeros(plan.darks)),
        (exposure.flats_before, FLAT, np.zeros(before)),
        (exposure.projections, PROJECTION, announced),
        (exposure.flats_after, FLAT, np.full(after, plan.geometry.arc)),
    ]
    total = sum(len(frames) for frames, _, _ in blocks)
    keep = np.setdiff1d(np.arange(total), np.array(plan.lost, int) + plan.darks + before)
    return Recording(
        frames=np.concatenate([frames for frames, _, _ in blocks])[keep],
        image_key=np.concatenate([np.full(len(frames), key) for frames, key, _ in blocks])[keep],
        angles=np.concatenate([angles for _, _, angles in blocks])[keep],
        numbers=keep,
        announced_angles=announced,
    )
