"""A structure from merged data, where a model is at hand."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from flows.mx.blocks import scratch
from flows.mx.found import Reduced, Solved
from flows.mx.recipe import MergingRecipe
from flows.mx.results import write_merged_mtz
from flows.mx.types import Known
from flows.reduction import Reduction
from flows.sources import path_in
from tasks.errors import DataError
from tasks.mx.structure.determine import solve_structure
from tasks.mx.structure.result import ModelSource, StructureResult, StructureSettings

PREDICTIONS, COMMAND = "DAYSEYE_PREDICTIONS", "DAYSEYE_PREDICTION_COMMAND"
HOURS = "DAYSEYE_PREDICTION_HOURS"
NO_MODEL = (
    "The reduction ends at merged data: there is no structure without a model. Name one in the "
    "recipe, or give the sample's sequence and a folder of predictions."
)
_UNIPROT = re.compile(r"[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9]([A-Z][A-Z0-9]{2}[0-9]){1,2}")
_POOR_FREE = 0.40


def solve(
    run: Reduction,
    recipe: MergingRecipe,
    known: Known,
    reduced: Reduced | None,
    wavelength: float,
) -> Solved | None:
    """Place and refine a model; None without merged data."""
    if reduced is None:
        return None
    if recipe.structure == "no":
        return Solved(ends_at="No structure was asked for.")
    try:
        source = model_source(recipe, known, run.claim.folders)
        if not source.given:
            return Solved(ends_at=NO_MODEL)
        folder = scratch(run) / "structure"
        merged = scratch(run) / "merged.mtz"
        write_merged_mtz(merged, reduced, run.claim, wavelength)
        found = solve_structure(
            merged,
            source,
            reduced.symmetry.candidates,
            folder,
            settings=StructureSettings(copies=recipe.copies or 0),
            progress=lambda sentence: run.stage("solve structure", doing=sentence),
        )
    except DataError as error:
        return Solved(ends_at=f"No structure: {error}", doubts={"structure": (str(error),)})
    return Solved(found, doubts={"structure": _doubts(found)})


def model_source(recipe: MergingRecipe, known: Known, folders: Sequence[Path]) -> ModelSource:
    """Say where a model may come from: the recipe first, then what the site offers.

    Raises
    ------
    DataError
        The recipe names a file or a folder that is not there.
    """
    is_uniprot = bool(_UNIPROT.fullmatch(recipe.model.upper()))
    file = None if is_uniprot or not recipe.model else _there(folders, recipe.model, "model")
    own = _there(folders, recipe.predictions, "predictions") if recipe.predictions else None
    site = os.environ.get(PREDICTIONS)
    return ModelSource(
        file=file,
        folder=own or (Path(site) if site else None),
        command=tuple(json.loads(os.environ.get(COMMAND) or "[]")),
        sequence=known.sequence,
        uniprot=recipe.model.upper() if is_uniprot else "",
        timeout=3600 * float(os.environ.get(HOURS) or 1),
    )


def _there(folders: Sequence[Path], given: str, what: str) -> Path:
    path = path_in(folders, given)
    if path is None:
        told = ", ".join(str(folder) for folder in folders) or "none"
        raise DataError(
            f"The {what} {given!r} of the recipe are not in the beamline's folders ({told}): put "
            "them there, or leave the field empty."
        )
    return path


def _doubts(found: StructureResult) -> tuple[str, ...]:
    if found.r_free > _POOR_FREE:
        return (
            f"Rfree is {found.r_free:.3f}: the model may be wrong or wrongly placed, or much of "
            "the structure is missing. Look at the maps.",
        )
    return ()
