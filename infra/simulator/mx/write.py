"""Write a sweep as a beamline would, and its truth elsewhere."""

from pathlib import Path
from typing import Literal

from infra.simulator.mx import cbf, nxmx, truth
from infra.simulator.mx.plan import SweepPlan
from infra.simulator.mx.sweep import Sweep
from infra.simulator.mx.truth import Truth

Format = Literal["nxmx", "dectris", "cbf", "cbf.gz"]
FORMATS: tuple[Format, ...] = ("nxmx", "dectris", "cbf", "cbf.gz")


def write_sweep(
    folder: Path,
    plan: SweepPlan,
    form: Format = "nxmx",
    *,
    seconds: float = 0.0,
    truth_folder: Path | None = None,
) -> Truth:
    """Measure a sweep and write it into the folder.

    Parameters
    ----------
    folder
        The beamline's folder; it must exist.
    plan
        What to measure.
    form
        ``nxmx`` has a virtual data set, ``dectris`` external links alone; ``cbf`` has a file per
        image.
    seconds
        How long it grows, in everybody's sight; at 0 as fast as it can.
    truth_folder
        Where to leave the truth, as NAME.npz; it must not lie in a folder that is watched.

    Returns
    -------
    What is true of it.
    """
    true = Sweep(plan).truth
    if truth_folder is not None:
        truth.write(truth_folder, plan.name, true)
    if form in ("cbf", "cbf.gz"):
        cbf.write(folder, plan, seconds=seconds, packed=form == "cbf.gz")
    else:
        layout = "vds" if form == "nxmx" else "links"
        nxmx.write(folder, plan, seconds=seconds, layout=layout)
    return true
