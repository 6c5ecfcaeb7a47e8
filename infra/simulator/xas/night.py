"""A simulated absorption beamline: one short night of a quick series, steps and a growing file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.simulator.xas import standards, truth
from infra.simulator.xas.plan import NO_FAULTS, Faults, Sample, Scan, SeriesPlan
from infra.simulator.xas.write import CARE, write_scan, write_series

PROPOSAL = "2026-0117"
MIXTURES = ((0.7, 0.3, 0.0), (0.2, 0.8, 0.0), (0.0, 0.45, 0.55))
ENERGY = np.arange(7100.0, 7140.0, 0.05)  # eV, where the edges of all compounds lie


@dataclass(frozen=True)
class Expected:
    """What is true about one scan.

    Attributes
    ----------
    name
        Of the scan, as the catalogue will have it.
    e0
        Where the absorption of what is in it rises most, in eV.
    fractions
        By compound.
    bad_sweeps
        How many of its sweeps are spoilt.
    """

    name: str
    e0: float
    fractions: Mapping[str, float]
    bad_sweeps: int = 0


@dataclass(frozen=True)
class Job:
    """One entry of the night: its plan, what is true of its scans, and how they are written."""

    plan: SeriesPlan
    scans: Sequence[Expected]
    write: Callable[[Path], object]


def night(number: int) -> Iterator[Job]:
    """Plan a night: a quick series with bad sweeps, three step scans, a file that grows by scans.

    Parameters
    ----------
    number
        Of the night, from 1; the names of its scans tell it.
    """
    quick = _plan(
        f"quick_{number:04d}",
        number,
        sweeps=120,
        sample=Sample(loss=0.0),  # or later sweeps, with more light, would count more
        faults=Faults(bubbles=0.02, dumps=0.01, no_beam=0.01, closed=0.01, refills=0, spikes=0.02),
    )
    yield Job(quick, [merged(quick)], partial(write_series, plan=quick, seconds=4.0))
    for count, fractions in enumerate(MIXTURES, start=1):
        step = _plan(f"step_{number:04d}_{count}", 10 * number + count, sweeps=1)
        step = replace(
            step,
            fractions=fractions,
            beam=replace(step.beam, counts=CARE * step.beam.counts),
            sample_name=f"mixture {count}",
            title="step scan of a mixture",
        )
        yield Job(step, [merged(step)], partial(write_scan, plan=step))
    heated = _plan(
        f"heated_{number:04d}", number, sweeps=5, rates=(3.0, 1.5), scan=Scan(seconds=60.0)
    )
    yield Job(heated, single(heated), partial(write_series, plan=heated, form="bliss", seconds=5.0))


def measure(jobs: Sequence[Job], folder: Path) -> None:
    """Bring the jobs to disk, one after the other."""
    for job in jobs:
        job.write(folder)


def merged(plan: SeriesPlan) -> Expected:
    """Return what is true of a scan whose good sweeps are merged and count alike."""
    true = truth.of(plan)
    amounts = true.fractions[~true.bad].mean(axis=0)
    return _expected(plan, plan.name, amounts, int(true.bad.sum()))


def single(plan: SeriesPlan) -> list[Expected]:
    """Return what is true of the sweeps of a BLISS file, each of them a scan."""
    return [
        _expected(plan, f"{plan.name}-{number}.1", amounts)
        for number, amounts in enumerate(truth.of(plan).fractions, start=1)
    ]


def _plan(name: str, seed: int, **changes: object) -> SeriesPlan:
    plan = SeriesPlan(name=name, seed=seed, faults=NO_FAULTS, proposal=PROPOSAL)
    plan = replace(plan, **changes)
    # it ends about now
    began = datetime.now(UTC) - timedelta(seconds=plan.sweeps * plan.scan.seconds)
    return replace(plan.identified(), started_at=began)


def _expected(
    plan: SeriesPlan, name: str, amounts: NDArray[np.float64], bad_sweeps: int = 0
) -> Expected:
    parts = standards.load(plan.names, plan.standards, plan.e0)
    rises = np.gradient(sum(a * part.at(ENERGY) for a, part in zip(amounts, parts, strict=True)))
    fractions = dict(zip(plan.names, amounts.tolist(), strict=True))
    return Expected(name, float(ENERGY[np.argmax(rises)]), fractions, bad_sweeps)
