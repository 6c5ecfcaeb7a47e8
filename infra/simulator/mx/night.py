"""A simulated crystallography beamline: one short night of sweeps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from infra.simulator.mx.cases import CRYSTALS, empty, off_centre
from infra.simulator.mx.plan import Cell, Claims, Rotation, SweepPlan
from infra.simulator.mx.write import Format, write_sweep

PROPOSAL = "2026-0117"


@dataclass(frozen=True)
class Expected:
    """What is true about one sweep.

    Attributes
    ----------
    name
        Of the sweep, as the catalogue will have it.
    space_group, cell
        Of its crystal: a symbol, and a, b, c in Å with angles in degrees.
    refused
        Whether there is no crystal that could be solved.
    """

    name: str
    space_group: str
    cell: Cell
    refused: bool = False


@dataclass(frozen=True)
class Job:
    """One entry of the night: its plan, what is true of its sweep, and how it is written."""

    plan: SweepPlan
    scan: Expected
    write: Callable[[Path], object]


def night(number: int) -> Iterator[Job]:
    """Plan a night.

    A tetragonal crystal whose NXmx file grows while it is measured, an orthorhombic one in CBF
    files with a beam centre that is 3 mm off, and an empty loop.

    Parameters
    ----------
    number
        Of the night, from 1; the names of its sweeps tell it.
    """
    yield _job(_plan(f"tetragonal_{number:04d}", number, "P43212"), "nxmx", seconds=4.0)
    moved = off_centre(_plan(f"orthorhombic_{number:04d}", number, "P212121"))
    yield _job(moved, "cbf")
    nothing = empty(_plan(f"loop_{number:04d}", number, "P43212"))
    yield _job(replace(nothing, rotation=Rotation(0.0, 1.0, 20), sample="empty loop"), "nxmx")


def measure(jobs: Sequence[Job], folder: Path) -> None:
    """Bring the jobs to disk, one after the other."""
    for job in jobs:
        job.write(folder)


def _job(plan: SweepPlan, form: Format, *, seconds: float = 0.0) -> Job:
    crystal = plan.crystal
    scan = Expected(plan.name, crystal.space_group, crystal.cell, plan.subject != "crystal")
    return Job(plan, scan, partial(write_sweep, plan=plan, form=form, seconds=seconds))


def _plan(name: str, seed: int, crystal: str) -> SweepPlan:
    plan = SweepPlan(
        name=name,
        crystal=replace(CRYSTALS[crystal], orientation_seed=seed),
        rotation=Rotation(0.0, 1.0, 90),
        seed=seed,
        sample=f"simulated crystal in {crystal}",
        proposal=PROPOSAL,
        claims=Claims(),
    )
    return plan.identified()


def truths(number: int) -> Mapping[str, Expected]:
    """Return what is true of a night, by the sweeps' names."""
    return {job.scan.name: job.scan for job in night(number)}
