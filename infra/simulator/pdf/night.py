"""A simulated total-scattering beamline: one short night with three samples and a small series."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from infra.simulator.pdf import materials, truth
from infra.simulator.pdf.cases import saturated
from infra.simulator.pdf.plan import Evolution, ScanPlan, small
from infra.simulator.pdf.write import write_scan

PROPOSAL = "2026-0117"
LONG = 2.0  # s of exposure
Order = Literal["calibrant first", "calibrant last"]


@dataclass(frozen=True)
class Expected:
    """What is true about one scan.

    Attributes
    ----------
    name
        Of the scan, as the catalogue will have it.
    cell
        a in Å, of the mean over the good frames; None where there is no crystal to be fitted.
    formula
        Composition.
    distance
        Of a calibrant's scan, in m; None of others.
    bad_frames
        How many frames are spoilt.
    refused
        Whether there is nothing to be made of the scan.
    """

    name: str
    formula: str = ""
    cell: float | None = None
    distance: float | None = None
    bad_frames: int = 0
    refused: bool = False


@dataclass(frozen=True)
class Job:
    """One entry of the night: its plan, what is true of its scan, and how it is written."""

    plan: ScanPlan
    scan: Expected
    write: Callable[[Path], object]


def night(number: int, order: Order = "calibrant first") -> Iterator[Job]:
    """Plan a night.

    A calibrant, an empty capillary, powders of nickel and of ceria, a glass, nickel that is heated
    (with frames without beam), and a scan that is saturated. The calibrant may come last: the
    others must wait for it, as nothing else tells the geometry.

    Parameters
    ----------
    number
        Of the night, from 1; the names of its scans tell it.
    """
    calibrant = _calibrant(number)
    if order == "calibrant first":
        yield calibrant
    yield from _scans(number)
    if order == "calibrant last":
        yield calibrant


def measure(jobs: Sequence[Job], folder: Path) -> None:
    """Bring the jobs to disk, one after the other."""
    for job in jobs:
        job.write(folder)


def _calibrant(number: int) -> Job:
    sharp = replace(materials.NICKEL, radius=80.0)  # few lines: the pixels are large
    plan = _plan(f"calib_Ni_{number:04d}", number, kind="calibrant")
    plan = plan.of(sharp, name="nickel standard", diameter=0.5)
    return _job(plan, distance=plan.geometry.distance)


def _scans(number: int) -> Iterator[Job]:
    base = _plan(f"nickel_{number:04d}", number)
    yield _job(base.as_kind("container", f"container_{number:04d}", title="empty capillary"))
    yield _job(base, cell=base.sample.phases[0].a)
    ceria = _plan(f"ceria_{number:04d}", number).of(materials.CERIA, name="ceria", packing=0.15)
    yield _job(ceria, cell=materials.CERIA.a)
    glass = _plan(f"glass_{number:04d}", number).of(materials.SILICA, name="vitreous silica")
    yield _job(glass)
    heated = _plan(
        f"heated_{number:04d}",
        number,
        frames=20,
        evolution=Evolution(expansion=0.008, softening=1.5),
        title="nickel while it is heated",
    )
    heated = replace(heated, beam=replace(heated.beam, exposure=1.0))
    heated = replace(heated, faults=replace(heated.faults, dumps=(11, 12)))
    yield _job(heated, seconds=4.0)
    bad = saturated(_plan(f"saturated_{number:04d}", number, title="nickel, attenuators out"))
    yield _job(bad, refused=True)


def _job(
    plan: ScanPlan,
    *,
    cell: float | None = None,
    distance: float | None = None,
    refused: bool = False,
    **how: object,
) -> Job:
    true = truth.of(plan)
    if plan.frames > 1:
        cell = float(true.cells[~true.bad, 0].mean())
    expected = Expected(
        plan.name, plan.sample.formula, cell, distance, int(true.bad.sum()), refused
    )
    return Job(plan, expected, partial(write_scan, plan=plan, **how))


def _plan(name: str, seed: int, **changes: object) -> ScanPlan:
    plan = small(ScanPlan(name=name, seed=seed, proposal=PROPOSAL))
    plan = replace(plan, beam=replace(plan.beam, exposure=LONG))
    plan = replace(plan, **changes)
    # it ends about now
    began = datetime.now(UTC) - timedelta(seconds=plan.frames * plan.beam.exposure)
    return replace(plan.identified(), started_at=began)


def truths(number: int) -> Mapping[str, Expected]:
    """Return what is true of a night, by the scans' names."""
    return {job.scan.name: job.scan for job in night(number)}
