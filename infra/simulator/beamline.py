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
    """Plan a night of seven scans, each brought to disk in another way.

    Parameters
    ----------
    first_number
        Number of the first scan: scans are called scan_0001, scan_0002, ...
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

    yield alone(replace(plan(0, "seed", 124.3), delivery=Delivery("slow", 4)))
    without_flats = replace(plan(1, "shell", 131.6), calibrations_inside=False)
    yield alone(without_flats)
    yield alone(replace(plan(2, "bone", 127.0, 0.2), layout="nxtomo"))
    yield alone(replace(plan(3, "foam", 119.8), layout="nxtomo", delivery=Delivery("linked", 3)))
    flats = f"flats_{first_number:04d}"
    yield Job([], lambda folder: write_calibration(folder, without_flats, flats))
    cork = replace(plan(4, "cork", 126.2), layout="tiff_folder", lost=(77,))
    yield alone(replace(cork, delivery=Delivery("slow", 2)))
    pair = [
        replace(plan(5, "tooth left", 122.5), layout="nxtomo"),
        replace(plan(6, "tooth right", 133.9, -0.2), layout="nxtomo"),
    ]
    yield Job(pair, lambda folder: write_entries(folder, pair[0].name, pair))


def next_number(truths: Path) -> int:
    """Return the number after the last scan of this beamline."""
    found = [re.fullmatch(r"scan_(\d+)", path.stem) for path in truths.glob("scan_*.json")]
    return 1 + max((int(match[1]) for match in found if match), default=0)


def measure(jobs: Sequence[Job], folder: Path) -> None:
    """Bring the jobs to disk, one after the other."""
    for job in jobs:
        job.write(folder)
