"""A simulated imaging beamline: one short night of scans of every kind."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra.simulator.phantom import Geometry
from infra.simulator.physics import Beam
from infra.simulator.plan import Delivery, ScanPlan
from infra.simulator.scan import write_calibration, write_entries, write_scan

PROPOSAL = "2026-0117"
COLUMNS = 256
ROWS = 48


@dataclass(frozen=True)
class Job:
    """One entry of the night: the scans that it brings, and how they are written."""

    scans: Sequence[ScanPlan]
    write: Callable[[Path], object]


def night(first_number: int) -> Iterator[Job]:
    """Plan a night of seven scans in six files, each brought to disk in another way.

    One scan lacks its flats, which come last; one loses a frame.

    Parameters
    ----------
    first_number
        Number of the first file: they are called scan_0001, scan_0002, ...
    """

    def plan(offset: int, sample: str, axis: float, tilt: float = 0.0) -> ScanPlan:
        return ScanPlan(
            name=f"scan_{first_number + offset:04d}",
            geometry=Geometry(columns=COLUMNS, rows=ROWS, projections=181, axis=axis, tilt=tilt),
            beam=Beam(drift=0.01 * offset),
            seed=first_number + offset,
            title=f"night shift, sample {sample}",
            sample=sample,
            proposal=PROPOSAL,
        ).identified()

    def alone(scan: ScanPlan) -> Job:
        return Job([scan], lambda folder: write_scan(folder, scan))

    yield alone(replace(plan(0, "bone", 127.0, 0.2), layout="nxtomo"))
    yield alone(replace(plan(1, "foam", 119.8), layout="nxtomo", delivery=Delivery("linked", 3)))
    shell = replace(plan(2, "shell", 131.6), calibrations_inside=False)
    yield alone(shell)
    teeth = [plan(3, "left tooth", 122.5), plan(3, "right tooth", 133.9, -0.2)]
    file = teeth[0].name
    entries = [
        replace(tooth, name=f"{file}-entry{number}", layout="nxtomo", seed=number)
        for number, tooth in enumerate(teeth, start=1)
    ]
    yield Job(entries, lambda folder: write_entries(folder, file, entries))
    cork = replace(plan(4, "cork", 126.2), layout="tiff_folder", lost=(77,))
    yield alone(replace(cork, delivery=Delivery("slow", 4)))
    yield alone(replace(plan(5, "seed", 124.3), delivery=Delivery("slow", 12)))
    flats = f"flats_{first_number:04d}"
    yield Job([], lambda folder: write_calibration(folder, shell, flats))


def next_number(truths: Path, name: str = "scan") -> int:
    """Return the number after that of the last scan of such a name whose truth is there."""
    found = [re.match(rf"{name}_(\d+)", path.stem) for path in truths.glob(f"{name}_*.json")]
    return 1 + max((int(match[1]) for match in found if match), default=0)


def measure(jobs: Sequence[Job], folder: Path) -> None:
    """Bring the jobs to disk, one after the other."""
    for job in jobs:
        job.write(folder)
