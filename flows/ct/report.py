"""What a CT run tells people: quality figures, and the artifacts in the Prefect UI."""

from typing import Any
from uuid import UUID

import numpy as np

from flows import artifacts
from flows.ct.recipe import Recipe
from flows.ct.types import CheckedScan, Found, Volume
from flows.ct.verdict import judgement
from flows.reduction import Reduction


def quality(scan: CheckedScan, found: Found, volume: Volume) -> dict[str, Any]:
    """Collect the figures that tell how good a result is; units are in the names."""
    figures: dict[str, Any] = {
        "rotation_axis_px": round(found.axis.column, 3),
        "rotation_axis_slope": round(found.axis.slope, 6),
        "projections": scan.shape[0] - len(found.left_out),
        "projections_left_out": len(found.left_out),
        "noise": {"value": float(f"{volume.noise:.4g}"), "unit": volume.units},
    }
    if found.sought is not None:
        figures["rotation_axis_confidence"] = round(found.sought.confidence, 3)
        for method, column in found.sought.per_method.items():
            figures[f"rotation_axis_by_{method}_px"] = round(column, 3)
    return figures


def metadata(recipe: Recipe, scan: CheckedScan, found: Found, volume: Volume) -> dict[str, Any]:
    """Describe the derived dataset: shape, units, voxel, axis, and what the raw file said."""
    return {
        "format": "NXtomoproc",
        "shape": list(volume.shape),
        "units": volume.units,
        "data_type": recipe.output_type,
        "voxel_size_um": scan.pixel_size * 1e6 if scan.pixel_size else None,
        "rotation_axis_px": round(found.axis.column, 3),
        "rotation_axis_set_by": "search" if found.sought else "person",
        "angle_range_deg": [round(float(np.rad2deg(scan.angles[i])), 3) for i in (0, -1)],
        "raw": scan.metadata,
    }


def publish(
    run: Reduction, result: UUID, scan: CheckedScan, found: Found, pictures: list[str]
) -> None:
    """Show the result in the Prefect UI."""
    artifacts.publish(
        run,
        result,
        judgement(scan, found),
        picture=pictures[0],
        caption=f"Three orthogonal slices of {run.claim.dataset_name}",
        table=_table(run, scan, found),
    )


def _table(run: Reduction, scan: CheckedScan, found: Found) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [
        ("dataset", run.claim.dataset_name),
        ("version", run.claim.version),
        ("rotation axis (px)", round(found.axis.column, 2)),
        ("projections", scan.shape[0] - len(found.left_out)),
        ("rows", scan.rows[1] - scan.rows[0]),
        ("columns", scan.shape[2]),
    ]
    if scan.pixel_size:
        rows.append(("voxel size (µm)", round(scan.pixel_size * 1e6, 4)))
    if found.sought:
        rows.append(("axis confidence", round(found.sought.confidence, 2)))
    return rows
