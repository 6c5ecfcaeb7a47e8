"""Write a series as a beamline would, its truth somewhere else, and the standards to go with it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from infra.simulator.xas import bliss, qex, quick, truth, xdi
from infra.simulator.xas.plan import NO_FAULTS, EnergyScale, SeriesPlan
from infra.simulator.xas.series import Series

WRITERS: dict[str, Callable[..., Path]] = {
    "quick": quick.write,
    "bliss": bliss.write,
    "qex": qex.write,
    "xdi": xdi.write,
}
CARE = 20  # times as much light for a standard as for a sweep


def write_series(
    folder: Path,
    plan: SeriesPlan,
    form: str = "quick",
    *,
    seconds: float = 0.0,
    truth_folder: Path | None = None,
) -> Path:
    """Measure a series and write it into the folder.

    Parameters
    ----------
    folder
        The beamline's folder; it must exist.
    plan
        What to measure.
    form
        One of WRITERS.
    seconds
        How long the file or folder grows; at 0 a file appears all at once.
    truth_folder
        Where to leave the truth, as NAME.json; it must not lie in a folder that is watched.

    Returns
    -------
    The file or folder of the series.
    """
    if truth_folder is not None:
        truth.write(truth_folder, plan)
    return WRITERS[form](folder, plan, seconds=seconds)


def write_standards(folder: Path, plan: SeriesPlan) -> list[Path]:
    """Measure the standards that go with a series, and write each as NAME.xdi.

    They are pure compounds on the same beamline, with a well-calibrated monochromator and
    `CARE` times the light. Those that the plan calls missing are left out.

    Returns
    -------
    The files, in the order of the plan's names.
    """
    return [
        write_scan(folder, standard_plan(plan, number), note="simulated standard")
        for number, name in enumerate(plan.names)
        if name not in plan.missing
    ]


def write_scan(folder: Path, plan: SeriesPlan, *, note: str = "") -> Path:
    """Measure the first sweep of a plan, and write it into the folder as NAME.xdi."""
    path = folder / f"{plan.name}.xdi"
    scan = Series(plan).block(0)
    signals = {column: values[0] for column, values in scan.signals.items()}
    xdi.write_scan(path, plan, signals, note=note)
    return path


def standard_plan(plan: SeriesPlan, number: int) -> SeriesPlan:
    """Plan the measurement of one of the plan's compounds alone."""
    name = plan.names[number]
    return replace(
        plan,
        name=name,
        sweeps=1,
        fractions=tuple(float(other == name) for other in plan.names),
        claimed_element=None,
        scale=EnergyScale(0, 0, 0, 0, 0, 0),
        beam=replace(plan.beam, counts=CARE * plan.beam.counts),
        sample=replace(plan.sample, edge_step=1.0, expansion=0.0),
        faults=NO_FAULTS,
        seed=plan.seed + 1000 + number,
        sample_name=name,
        title=f"standard {name}",
    )
