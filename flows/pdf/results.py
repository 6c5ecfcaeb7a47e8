"""The files of a total-scattering result."""

import numpy as np

from flows.pdf.recipe import Recipe
from flows.pdf.types import Result
from flows.reduction import Reduction

TEXT = "text/plain"


def write(run: Reduction, recipe: Recipe, result: Result) -> None:
    """Write the files of a result into the run's folder."""
    stem = run.claim.output_folder.parent.name
    curves = result.transformed.first
    corrected = result.corrected
    np.savetxt(
        run.output(f"{stem}.iq", "pattern", TEXT),
        np.column_stack([corrected.q, corrected.merged, corrected.merged_sigma]),
    )
    if curves is not None:
        np.savetxt(
            run.output(f"{stem}.gr", "pattern", TEXT),
            np.column_stack([curves.r, curves.g, curves.g_sigma]),
        )
