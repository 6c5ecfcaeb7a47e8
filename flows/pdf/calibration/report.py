"""What a calibration tells people: quality figures, and the artifacts in the Prefect UI."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from flows import artifacts
from flows.pdf.calibration.types import Result
from flows.pdf.calibration.verdict import judgement
from flows.reduction import Reduction
from tasks.io.pdf.describe import HC
from tasks.pdf.geometry import beam_centre


def quality(result: Result) -> dict[str, Any]:
    """Collect the figures that tell how good a calibration is; units are in the names."""
    found, sigma = result.calibration, result.calibration.sigma
    centre = beam_centre(result.geometry)
    figures = {
        "distance_mm": round(1e3 * result.geometry.distance, 4),
        "distance_sigma_mm": _figure(1e3 * sigma.get("distance", np.nan)),
        "centre_row_mm": round(1e3 * centre[0], 4),
        "centre_column_mm": round(1e3 * centre[1], 4),
        "rings": len(found.rings),
        "control_points": sum(ring.points for ring in found.rings),
        "residual_deg": _figure(float(np.rad2deg(found.residual_rad))),
        "residual_pixels": _figure(result.misfit_pixels),
    }
    return {name: value for name, value in figures.items() if value is not None}


def metadata(result: Result) -> dict[str, Any]:
    """Describe the derived dataset: the geometry, and what the raw data said."""
    geometry, opened = result.geometry, result.opened
    return {
        "format": "poni",
        "calibrant": opened.calibrant,
        "wavelength_A": geometry.wavelength,
        "energy_keV": HC / geometry.wavelength,
        "distance_mm": round(1e3 * geometry.distance, 4),
        "poni_mm": [round(1e3 * each, 4) for each in (geometry.poni1, geometry.poni2)],
        "rotations_deg": [
            round(float(np.rad2deg(each)), 4)
            for each in (geometry.rot1, geometry.rot2, geometry.rot3)
        ],
        "orientation": geometry.orientation,
        "frames": opened.frames,
        "left_out": round(float(opened.mask.mean()), 5),
        "raw": dict(opened.metadata),
    }


def publish(run: Reduction, result: Result, derived: UUID, pictures: Sequence[str]) -> None:
    """Show the calibration in the Prefect UI."""
    artifacts.publish(
        run,
        derived,
        judgement(result),
        picture=pictures[0],
        caption=f"Rings of {result.opened.calibrant} on {run.claim.dataset_name}",
        table=[
            ("dataset", run.claim.dataset_name),
            ("version", run.claim.version),
            ("calibrant", result.opened.calibrant),
            ("wavelength (Å)", round(result.geometry.wavelength, 6)),
            *((name.replace("_", " "), value) for name, value in quality(result).items()),
        ],
        reduced="image",
    )


def _figure(value: float) -> float | None:
    """Keep three digits; None for what is not known, since JSON has no word for it."""
    return float(f"{value:.3g}") if np.isfinite(value) else None
