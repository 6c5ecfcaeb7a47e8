"""Write a simulated scan the way a data acquisition would, and its truth somewhere else."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infra.simulator import dxchange, nxtomo, tiff_folder, truth
from infra.simulator.plan import DARK, FLAT, PROJECTION, ScanPlan, measure

WRITERS = {"dxchange": dxchange.write, "nxtomo": nxtomo.write, "tiff_folder": tiff_folder.write}


def write_scan(folder: Path, plan: ScanPlan, *, truth_folder: Path | None = None) -> Path:
    """Measure a scan and write it into the folder.

    Parameters
    ----------
    folder
        The beamline's folder; it must exist.
    plan
        What to measure and how to deliver it.
    truth_folder
        Where to leave the truth, as NAME.json; it must not lie in a folder that is watched.

    Returns
    -------
    The file or folder of the scan.
    """
    if truth_folder is not None:
        truth.write(truth_folder, plan)
    recording = measure(plan)
    if not plan.calibrations_inside:
        recording = recording.select(PROJECTION)
    return WRITERS[plan.layout](folder, plan, recording)


def write_calibration(folder: Path, plan: ScanPlan, name: str) -> Path:
    """Write the flats and darks that `calibrations_inside=False` keeps out of the scan."""
    calibration = replace(plan, name=name, title="flats and darks", sample="none").identified()
    return WRITERS[plan.layout](folder, calibration, measure(plan).select(FLAT, DARK))


def write_entries(
    folder: Path, name: str, plans: Sequence[ScanPlan], *, truth_folder: Path | None = None
) -> Path:
    """Write several NXtomo scans into one file, one after the other, as entry1, entry2, ..."""
    path = folder / f"{name}.nxs"
    for number, plan in enumerate(plans, start=1):
        if truth_folder is not None:
            truth.write(truth_folder, plan)
        nxtomo.write_entry(path, f"entry{number}", plan, measure(plan))
    return path
