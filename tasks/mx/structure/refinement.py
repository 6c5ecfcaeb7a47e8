"""
Restrained refinement by servalcat, in a process of its own.

K. Yamashita et al., Acta Cryst. D79, 368 (2023): maximum likelihood against intensities, bulk
solvent and anisotropic scale, riding hydrogens.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import DataError
from tasks.mx.structure.children import run_logged
from tasks.mx.structure.result import Cycle, Progress

_PREFIX = "refined"


@dataclass(frozen=True)
class Refined:
    """
    What servalcat left.

    Attributes
    ----------
    cycles
        Before the first and after each.
    model, mtz, log
        Refined model (mmCIF), data with map coefficients, log.
    """

    cycles: tuple[Cycle, ...]
    model: Path
    mtz: Path
    log: Path


def refine_structure(
    model: Path,
    data: Path,
    folder: Path,
    monomers: Path,
    *,
    cycles: int = 12,
    d_min: float | None = None,
    timeout: float = 3600.0,
    progress: Progress = lambda sentence: None,
) -> Refined:
    """
    Refine coordinates and isotropic B factors.

    Parameters
    ----------
    model
        PDB or mmCIF, placed.
    data
        MTZ with IMEAN, SIGIMEAN and FreeR_flag, 0 for the free set.
    folder
        Where files are written.
    monomers
        Folder of the monomer library.
    cycles
        How many.
    d_min
        Finer data are left out, in Angstrom; None: all are used.
    timeout
        Seconds.
    progress
        Told of each cycle.

    Raises
    ------
    DataError
        servalcat failed, most often since a residue is not in the monomer library.
    """
    command = [
        *(sys.executable, "-m", "servalcat", "refine_xtal_norefmac"),
        *("--hklin", str(data), "--labin", "IMEAN,SIGIMEAN,FreeR_flag", "--free", "0"),
        *("--model", str(model), "--monlib", str(monomers)),
        *("--source", "xray", "--ncycle", str(cycles), "--output_prefix", _PREFIX),
    ]
    if d_min is not None:
        command += ["--d_min", f"{d_min:.3f}"]

    def tell(line: str) -> None:
        if line.startswith("====== CYCLE"):
            progress(f"refining, cycle {line.strip().strip('= ').split()[-1]} of {cycles}")

    log = folder / f"{_PREFIX}_output.txt"
    run_logged(command, folder, log, name="servalcat", timeout=timeout, on_line=tell)
    statistics = json.loads((folder / f"{_PREFIX}_stats.json").read_text(encoding="utf-8"))
    found = tuple(_cycle(each) for each in statistics)
    if not found:
        raise DataError(f"servalcat refined nothing; its log is {log}.")
    return Refined(found, folder / f"{_PREFIX}.mmcif", folder / f"{_PREFIX}.mtz", log)


def _cycle(statistics: dict[str, Any]) -> Cycle:
    data: dict[str, float] = statistics["data"]["summary"]
    geometry: dict[str, float] = statistics["geom"]["summary"]["r.m.s.d."]
    return Cycle(
        r_work=_first(data, ("R1work", "Rwork", "R1", "R")),
        r_free=_first(data, ("R1free", "Rfree")),
        bonds=geometry["Bond distances, non H"],
        angles=geometry["Bond angles, non H"],
    )


def _first(values: dict[str, float], names: tuple[str, ...]) -> float:
    return next((float(values[name]) for name in names if name in values), float("nan"))
