"""Indexing and refinement by DIALS."""

from __future__ import annotations

import numpy as np

from tasks.io.dials import read_experiments
from tasks.io.dials_table import DialsFlag, read_reflections
from tasks.io.diffraction import F
from tasks.mx.dials.commands import Dials
from tasks.mx.dials.find_spots import IMPORTED, STRONG, write_spots
from tasks.mx.refine import Refined
from tasks.mx.reflections import Spots

INDEXED, REFINED = "indexed", "refined"
Cell = tuple[float, float, float, float, float, float]


def index(
    dials: Dials,
    spots: Spots | None = None,
    *,
    cell: Cell | None = None,
    space_group: str = "",
    max_cell: float | None = None,
) -> tuple[Refined, float]:
    """
    Index spots and refine.

    Parameters
    ----------
    dials
        Where it has imported the sweep; ``refined.expt`` and ``refined.refl`` are left there.
    spots
        Those to index; None: those that DIALS found. Its integration asks for its own.
    cell, space_group
        Known ones.
    max_cell
        Longest axis in Angstrom.

    Returns
    -------
    Refined
        Crystal and geometry.
    float
        Share of the spots that are indexed.

    Raises
    ------
    DataError
        DIALS is not installed, failed, or found no lattice.
    """
    if spots is not None:
        write_spots(dials.file(STRONG), spots)
    words = [f"output.experiments={INDEXED}.expt", f"output.reflections={INDEXED}.refl"]
    if cell is not None:
        words.append("unit_cell=" + ",".join(f"{each:.4f}" for each in cell))
    if space_group:
        words.append(f"space_group={space_group.replace(' ', '')}")
    if max_cell is not None:
        words.append(f"max_cell={max_cell:.1f}")
    dials.run("dials.index", IMPORTED, STRONG, *words)
    dials.run(
        "dials.refine",
        f"{INDEXED}.expt",
        f"{INDEXED}.refl",
        f"output.experiments={REFINED}.expt",
        f"output.reflections={REFINED}.refl",
    )
    return refined_of(dials)


def refined_of(dials: Dials) -> tuple[Refined, float]:
    """Read what refinement left: crystal, geometry, and how well they predict the spots."""
    experiment = read_experiments(dials.file(f"{REFINED}.expt"))[0]
    table = read_reflections(dials.file(f"{REFINED}.refl"))
    flags = np.asarray(table["flags"]).astype(np.int64)
    used = (flags & int(DialsFlag.USED_IN_REFINEMENT)) != 0
    indexed = (flags & int(DialsFlag.INDEXED)) != 0
    observed = np.asarray(table["xyzobs.px.value"], dtype=np.float64)
    calculated = np.asarray(table["xyzcal.px"], dtype=np.float64)
    if experiment.crystal is None:
        raise ValueError("DIALS refined no crystal")
    apart: F = observed[used] - calculated[used]
    return (
        Refined(
            geometry=experiment.geometry,
            crystal=experiment.crystal,
            rmsd=np.sqrt(np.mean(apart**2, axis=0)),
            sigmas={},
            used=used,
            calculated=np.where(indexed[:, None], calculated, np.nan),
            said=("Indexed and refined by DIALS.",),
        ),
        float(indexed.mean()) if len(indexed) else 0.0,
    )
