"""The whole way from merged data and a model to a refined structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.mx.structure.blobs import find_blobs
from tasks.mx.structure.isomorphous import place_as_it_stands
from tasks.mx.structure.maps import read_maps, write_map
from tasks.mx.structure.models import find_model, read_model
from tasks.mx.structure.monomers import monomer_library, require_packages
from tasks.mx.structure.observed import Observed, read_merged
from tasks.mx.structure.pictures import draw_blob, draw_candidates, draw_cycles
from tasks.mx.structure.placed import placed_structure, write_data
from tasks.mx.structure.refinement import Refined, refine_structure
from tasks.mx.structure.result import (
    Blob,
    ModelSource,
    Progress,
    StructureResult,
    StructureSettings,
)
from tasks.mx.structure.sequences import clean_sequence
from tasks.mx.structure.solve import Solution, place_model
from tasks.mx.structure.trimming import trim

_FREE = 0.05  # of the reflections, where the data bring no flags
_DOUBTFUL = 0.45  # Rfree after refinement


def solve_structure(
    merged: Path,
    source: ModelSource,
    space_groups: Sequence[str],
    folder: Path,
    *,
    settings: StructureSettings | None = None,
    progress: Progress = lambda sentence: None,
) -> StructureResult:
    """
    Find a model, place it, refine it, and list what it does not explain.

    Parameters
    ----------
    merged
        MTZ with merged intensities (or amplitudes) and free flags.
    source
        Where a model may be found.
    space_groups
        Those that the data leave open; empty: all that have the data's point group and lattice.
    folder
        Where files are written; it is made.
    settings
        Parameters.
    progress
        Told what is being done.

    Raises
    ------
    DataError
        No model, no solution that stands out, or something is not installed.
    """
    settings = settings or StructureSettings()
    require_packages()
    monomers = monomer_library(settings.monomers)
    folder.mkdir(parents=True, exist_ok=True)
    observed = read_merged(merged)
    model = find_model(source, folder, progress)
    trimmed = trim(read_model(model.path), model.path, settings.plddt)
    solution = place_as_it_stands(observed, trimmed.structure, space_groups, settings)
    if solution is None:
        residues = len(clean_sequence(source.sequence))
        solution = place_model(
            observed, trimmed.structure[0], space_groups, settings, progress, residues
        )
    observed, notes = _with_flags(observed.reindexed(solution.reindex))
    group = solution.placement.space_group
    built = placed_structure(trimmed.structure, solution.transform, solution.placement, observed)
    start, data = folder / "placed.mmcif", folder / "data.mtz"
    built.make_mmcif_document().write_file(str(start))
    write_data(data, observed, group)
    refined = refine_structure(
        start, data, folder, monomers, cycles=settings.cycles, progress=progress
    )
    progress("calculating maps and looking for blobs")
    blobs, maps, pictures = _look(refined, solution, folder, settings)
    last = refined.cycles[-1]
    return StructureResult(
        space_group=group,
        reindex=solution.reindex,
        copies=len(solution.placement.molecules),
        candidates=solution.candidates,
        gap=solution.gap,
        r_work=last.r_work,
        r_free=last.r_free,
        bonds=last.bonds,
        angles=last.angles,
        cycles=refined.cycles,
        model_origin=model.origin,
        residues_kept=trimmed.kept,
        blobs=blobs,
        model=refined.model,
        mtz=refined.mtz,
        maps=maps,
        pictures=pictures,
        log=refined.log,
        notes=(trimmed.sentence, *solution.notes, *notes, *_doubts(last.r_free)),
    )


def _with_flags(observed: Observed) -> tuple[Observed, tuple[str, ...]]:
    """Choose a free set where the data bring none, the same for the same indices."""
    if observed.free is not None:
        return observed, ()
    draws = np.random.default_rng(0).random(len(observed.hkl))
    order = np.lexsort(observed.hkl.T)
    free = np.zeros(len(order), dtype=bool)
    free[order] = draws < _FREE
    sentence = f"The data have no free flags: {_FREE:.0%} of the reflections were set apart."
    return replace(observed, free=free), (sentence,)


def _look(
    refined: Refined, solution: Solution, folder: Path, settings: StructureSettings
) -> tuple[tuple[Blob, ...], tuple[Path, Path], dict[str, Path]]:
    """Write maps, find blobs, and draw."""
    import gemmi

    structure: Any = gemmi.read_structure(str(refined.model))
    structure.setup_cell_images()
    best, difference = read_maps(refined.mtz)
    maps = folder / "2fofc.ccp4", folder / "fofc.ccp4"
    blobs = find_blobs(difference, structure, settings.blobs)
    pictures = {"r_factors": folder / "r_factors.png", "space_groups": folder / "space_groups.png"}
    draw_cycles(pictures["r_factors"], refined.cycles)
    draw_candidates(pictures["space_groups"], solution.candidates)
    for number, blob in enumerate(blobs[: settings.pictures], 1):
        path = pictures[f"blob_{number}"] = folder / f"blob_{number}.png"
        draw_blob(path, blob, number, best, difference, structure)
    for path, grid in zip(maps, (best, difference), strict=True):
        write_map(path, grid, structure)
    return blobs, maps, pictures


def _doubts(r_free: float) -> tuple[str, ...]:
    if r_free <= _DOUBTFUL:
        return ()
    return (
        f"R free is {r_free:.2f} after refinement: the placement may be wrong, or much of the "
        "molecule is missing. Look at the map before it is used.",
    )
