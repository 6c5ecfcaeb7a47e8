"""The files of a crystallography result: MTZ, mmCIF, table 1, observations, the structure."""

import json
import shutil
from pathlib import Path
from typing import Any

from catalog.runs import Claim
from flows.mx import report
from flows.mx.found import Reduced, Result, Solved
from flows.mx.recipe import Recipe
from flows.reduction import Reduction
from tasks.io.diffraction import Rotation
from tasks.mx.amplitude_columns import amplitude_columns
from tasks.mx.observations_file import write_observations
from tasks.mx.reflection_files import merged_mtz, unmerged_mtz, write_cif

HDF5, TEXT, JSON = "application/x-hdf5", "text/plain", "application/json"
MTZ, CIF, MAP = "application/octet-stream", "chemical/x-mmcif", "application/octet-stream"


def write(run: Reduction, recipe: Recipe, result: Result) -> None:
    """Write the files of a result into the run's folder."""
    stem = stem_of(run)
    observed = result.observed(run.claim.dataset_name)
    if observed is not None:
        write_observations(run.output(f"{stem}_observations.h5", "observations", HDF5), observed)
    rotation = result.opened.geometry.rotation
    wavelength = result.opened.geometry.beam.wavelength
    write_merged(run, result.reduced, result.solved, [rotation], wavelength)
    told = {"quality": report.quality(result), "metadata": report.metadata(recipe, result)}
    path = run.output(f"{stem}.json", "report", JSON)
    path.write_text(json.dumps(told, indent=1, default=str), encoding="utf-8")


def write_merged(
    run: Reduction,
    reduced: Reduced | None,
    solved: Solved | None,
    rotations: list[Rotation],
    wavelength: float,
) -> None:
    """Write merged and unmerged data, table 1, and what was solved with them."""
    if reduced is None:
        return
    stem = stem_of(run)
    merged = _merged(reduced, run.claim, wavelength)
    unmerged = unmerged_mtz(
        reduced.scaled, rotations, wavelength=wavelength, title=run.claim.dataset_name
    )
    merged.write_to_file(str(run.output(f"{stem}_merged.mtz", "merged", MTZ)))
    unmerged.write_to_file(str(run.output(f"{stem}_unmerged.mtz", "unmerged", MTZ)))
    write_cif(run.output(f"{stem}.cif", "merged", CIF), merged, unmerged)
    table = run.output(f"{stem}_table_1.txt", "table", TEXT)
    table.write_text(reduced.table.text(), encoding="utf-8")
    _write_structure(run, stem, solved)


def write_merged_mtz(path: Path, reduced: Reduced, claim: Claim, wavelength: float) -> None:
    """Write merged data alone, as the search for a structure reads them."""
    _merged(reduced, claim, wavelength).write_to_file(str(path))


def _merged(reduced: Reduced, claim: Claim, wavelength: float) -> Any:
    """Make an MTZ of intensities, amplitudes and the free set."""
    merged = reduced.merged
    return merged_mtz(
        merged,
        wavelength=wavelength,
        amplitudes=amplitude_columns(merged),
        free=reduced.free.flags(merged.hkl),
        title=claim.dataset_name,
    )


def stem_of(run: Reduction) -> str:
    """Return how the files of a run are called."""
    return run.claim.output_folder.parent.name


def _write_structure(run: Reduction, stem: str, solved: Solved | None) -> None:
    if solved is None or solved.structure is None:
        return
    found = solved.structure
    named = {
        found.model: (f"{stem}_model{found.model.suffix}", "model", CIF),
        found.mtz: (f"{stem}_refined.mtz", "refined", MTZ),
        found.maps[0]: (f"{stem}_2fofc.ccp4", "map", MAP),
        found.maps[1]: (f"{stem}_fofc.ccp4", "map", MAP),
        found.log: (f"{stem}_refinement.log", "log", TEXT),
    }
    for path, announced in named.items():
        shutil.copyfile(path, run.output(*announced))
