"""The files of a calibration: the geometry that others are given, and what it rests on."""

import json
from dataclasses import asdict

from flows.pdf.calibration.recipe import Recipe
from flows.pdf.calibration.types import Result
from flows.reduction import Reduction
from tasks.pdf.geometry import write_poni

GEOMETRY = "geometry"
"""The kind of calibration, and the role of its file."""
FORMAT = "pyfai_geometry"
"""The name of its reader."""


def write(run: Reduction, recipe: Recipe, result: Result) -> None:
    """Write the files of a result into the run's folder."""
    stem = run.claim.output_folder.parent.name
    write_poni(run.output(f"{stem}.poni", GEOMETRY, "text/plain"), result.geometry)
    found = result.calibration
    told = {
        "calibrant": found.calibrant,
        "run": str(run.claim.run_id),
        "recipe": recipe.model_dump(mode="json"),
        "geometry": asdict(result.geometry),
        "sigma": found.sigma,
        "residual_rad": found.residual_rad,
        "reason": found.reason,
        "rings": [asdict(ring) for ring in found.rings],
    }
    path = run.output(f"{stem}_rings.json", "rings", "application/json")
    path.write_text(json.dumps(told, indent=1))
