"""Write a scan as a beamline would, its truth elsewhere, and the calibrations that go with it."""

from collections.abc import Callable
from pathlib import Path

from infra.simulator.pdf import images, nexus, poni, truth
from infra.simulator.pdf.plan import Kind, ScanPlan

WRITERS: dict[str, Callable[..., Path]] = {
    "hdf5": nexus.write,
    "tiff": images.write_tiff,
    "edf": images.write_edf,
}
CALIBRATIONS: tuple[Kind, ...] = ("container", "empty", "dark", "flat")


def write_scan(
    folder: Path,
    plan: ScanPlan,
    form: str = "hdf5",
    *,
    seconds: float = 0.0,
    truth_folder: Path | None = None,
) -> Path:
    """Measure a scan and write it into the folder.

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
    The file, or the folder of several images.
    """
    if truth_folder is not None:
        truth.write(truth_folder, plan)
    return WRITERS[form](folder, plan, seconds=seconds)


def write_calibrations(folder: Path, plan: ScanPlan, form: str = "hdf5") -> dict[str, Path]:
    """Write what goes with a plan's scans: an empty capillary, air, dark, flat, mask and .poni.

    Returns
    -------
    Files by kind; the kind is the beginning of a file's name, too.
    """
    written = {
        kind: write_scan(folder, plan.as_kind(kind, f"{kind}_0001"), form) for kind in CALIBRATIONS
    }
    written["mask"] = images.write_mask(folder, plan)
    written["geometry"] = poni.write(folder, plan)
    return written
