"""What a crystallography run tells people: quality figures, and the artifacts in Prefect's UI."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from flows import artifacts
from flows.mx.found import Reduced, Result, Solved, Symmetry
from flows.mx.recipe import Recipe
from flows.mx.types import Placed
from flows.mx.verdict import judgement
from flows.reduction import Reduction
from tasks.io.diffraction import Geometry
from tasks.mx.geometry import beam_centre

_OVERALL = {
    "i_over_sigma": "i_over_sigma",
    "completeness": "completeness",
    "multiplicity": "multiplicity",
    "r_meas": "r_meas",
    "r_pim": "r_pim",
    "cc_half": "cc_half",
    "cc_anom": "cc_anom",
}
_SCORES_SHOWN = 8
_NAMES = ("a", "b", "c", "alpha", "beta", "gamma")


def watched(placed: Placed | None) -> dict[str, Any]:
    """Return what is worth watching while the last stages run."""
    if placed is None or placed.refined is None:
        return {}
    cell = " ".join(f"{each:.1f}" for each in placed.refined.crystal.cell)
    return {"cell": cell, "indexed": round(placed.share, 3)}


def quality(result: Result) -> dict[str, Any]:
    """Collect the figures that tell how good a result is; units are in the names."""
    spotted, placed = result.spotted, result.placed
    figures: dict[str, Any] = {
        "images": len(result.opened.images) - len(result.opened.lost),
        "seen": spotted.seen.kind,
        "spots": len(spotted.spots),
        "spots_per_image": _figure(float(np.median(spotted.figures.spots))),
        "spots_to_angstrom": _figure(_median(spotted.figures.resolution)),
    }
    grid = spotted.grid
    if grid is not None and grid.best is not None and grid.centre is not None:
        figures["grid_best"] = [each + 1 for each in grid.best]
        figures["grid_centre"] = [_figure(each + 1) for each in grid.centre]
    if placed is not None and placed.stills is not None:
        figures["stills_indexed"] = len(placed.stills.indexed)
    if placed is not None and placed.refined is not None:
        x, y, z = placed.refined.rmsd
        figures["indexed_share"] = _figure(placed.share)
        figures["rmsd_pixels"] = _figure(float(np.hypot(x, y)))
        figures["rmsd_images"] = _figure(float(z))
    if result.integrated is not None and result.integrated.reflections is not None:
        figures["mosaicity_deg"] = _figure(result.integrated.mosaicity.sigma_m_deg)
        figures["reflections"] = len(result.integrated.reflections)
    if result.reduced is not None:
        figures |= merged_quality(result.reduced)
    return figures | structure_quality(result.solved)


def merged_quality(reduced: Reduced) -> dict[str, Any]:
    """Return space group, cell and the overall figures of table 1."""
    overall, outer = reduced.table.statistics.overall, reduced.table.statistics.shells[-1]
    cell = {
        name: _figure(value, 5) for name, value in zip(_NAMES, reduced.merged.cell, strict=True)
    }
    figures: dict[str, Any] = {
        "space_group": reduced.symmetry.space_group,
        "space_groups": " or ".join(reduced.symmetry.candidates),
        **cell,
        "resolution_angstrom": _figure(reduced.cut.d_min),
        "unique_reflections": overall.unique,
        **{name: _figure(getattr(overall, field)) for name, field in _OVERALL.items()},
        "outer_shell_cc_half": _figure(outer.cc_half),
        "outer_shell_i_over_sigma": _figure(outer.i_over_sigma),
        "outliers": _figure(reduced.scaled.rejected),
    }
    return figures | {
        name: _figure(value) if isinstance(value, float) else value
        for name, value in reduced.figures.items()
    }


def structure_quality(solved: Solved | None) -> dict[str, Any]:
    """Return R factors and geometry of a structure; nothing where there is none."""
    if solved is None or solved.structure is None:
        return {}
    found = solved.structure
    return {
        "r_work": _figure(found.r_work),
        "r_free": _figure(found.r_free),
        "rmsd_bonds_angstrom": _figure(found.bonds),
        "rmsd_angles_deg": _figure(found.angles),
        "copies": found.copies,
        "space_group_gap": _figure(found.gap),
        "blobs": len(found.blobs),
    }


def metadata(recipe: Recipe, result: Result) -> dict[str, Any]:
    """Describe the derived dataset: what it is, what it hangs on, and what the raw data said."""
    opened, placed = result.opened, result.placed
    refined = placed.refined if placed is not None else None
    return {
        "format": "MTZ" if result.reduced is not None else None,
        "ends_at": result.ends_at or None,
        "program": recipe.program,
        "seen": list(result.spotted.seen.sentences),
        "tried": list(placed.tried) if placed is not None else [],
        "stills": stills_of(placed),
        "refined": list(refined.said) if refined is not None else [],
        "sigmas": {name: _figure(v, 3) for name, v in refined.sigmas.items()} if refined else None,
        "geometry": geometry_of(opened.geometry if refined is None else refined.geometry),
        "known": {"cell": opened.known.cell, "space_group": opened.known.space_group or None},
        "said_by": dict(opened.known.said_by),
        **(merged_metadata(result.reduced) if result.reduced is not None else {}),
        **structure_metadata(result.solved),
        "raw": dict(opened.metadata),
    }


def stills_of(placed: Placed | None) -> list[dict[str, Any]]:
    """Return image number, cell and orientation of each still that is indexed."""
    if placed is None or placed.stills is None:
        return []
    return [
        {
            "image": each.image + 1,
            "cell": [_figure(value, 6) for value in each.crystal.cell],
            "a_matrix": [[_figure(value, 7) for value in row] for row in each.crystal.a_matrix],
            "indexed_share": _figure(each.share),
        }
        for each in placed.stills.indexed
    ]


def merged_metadata(reduced: Reduced) -> dict[str, Any]:
    """Return symmetry, resolution and table 1."""
    return {
        "space_group": reduced.symmetry.space_group,
        "space_groups": list(reduced.symmetry.candidates),
        "undetermined": reduced.symmetry.undetermined,
        "symmetry": reduced.symmetry.sentence,
        **symmetry_scores(reduced.symmetry),
        "cell": [round(each, 4) for each in reduced.merged.cell],
        "resolution_rule": reduced.cut.rule,
        "table_1": reduced.table.numbers(),
        "free_set": _free_set(reduced),
    }


def symmetry_scores(symmetry: Symmetry) -> dict[str, Any]:
    """Return how each rotation, Laue group and space group of the lattice scores."""
    found: dict[str, Any] = {}
    if symmetry.laue is not None:
        found["rotations"] = [
            {
                "axis": each.axis,
                "order": each.order,
                "pairs": each.pairs,
                "correlation": _figure(each.correlation),
                "probability": _figure(each.probability),
            }
            for each in symmetry.laue.operators
        ]
        found["laue_groups"] = [
            {"space_group": each.space_group, "probability": _figure(each.probability)}
            for each in symmetry.laue.groups[:_SCORES_SHOWN]
        ]
    if symmetry.screws is not None:
        found["screw_axes"] = [
            {"space_groups": list(each.space_groups), "probability": _figure(each.probability)}
            for each in symmetry.screws.candidates[:_SCORES_SHOWN]
        ]
    return found


def _free_set(reduced: Reduced) -> str:
    share = float(reduced.free.free(reduced.merged.hkl).mean())
    kept = len(reduced.free.known)
    said = f"{share:.1%} of the reflections are free (flag 0)"
    return f"{said}, {kept} flags from the reference." if kept else f"{said}."


def structure_metadata(solved: Solved | None) -> dict[str, Any]:
    """Return where the model is from, how the space groups compare, and the strongest blobs."""
    if solved is None:
        return {}
    if solved.structure is None:
        return {"structure": solved.ends_at}
    found = solved.structure
    return {
        "structure": found.model_origin,
        "structure_space_group": found.space_group,
        "structure_candidates": [
            {"space_group": each.space_group, "cc": _figure(each.cc), "z": _figure(each.z)}
            for each in found.candidates
        ],
        "blobs": [
            {
                "near": each.nearest,
                "peak_sigma": _figure(each.peak),
                "volume_angstrom3": _figure(each.volume),
            }
            for each in found.blobs
        ],
        "structure_notes": list(found.notes),
    }


def geometry_of(geometry: Geometry) -> dict[str, Any]:
    """Return what a person compares with the beamline's own numbers."""
    x, y = beam_centre(geometry)
    return {
        "wavelength_angstrom": round(geometry.beam.wavelength, 6),
        "distance_mm": round(geometry.detector.distance, 3),
        "beam_centre_pixels": [round(x, 2), round(y, 2)],
        "detector": geometry.detector.name,
        "images": geometry.rotation.images,
        "width_deg": geometry.rotation.width_deg,
    }


def publish(run: Reduction, result: Result, derived: UUID, pictures: Sequence[str]) -> None:
    """Show the result in the Prefect UI."""
    shown = Path(pictures[0]).stem.replace("_", " ").capitalize()
    artifacts.publish(
        run,
        derived,
        judgement(result),
        picture=pictures[0],
        caption=f"{shown} of {run.claim.dataset_name}",
        table=_table(run, result),
        reduced="sweep",
    )


def _table(run: Reduction, result: Result) -> list[tuple[str, Any]]:
    figures = quality(result)
    rows: list[tuple[str, Any]] = [
        ("dataset", run.claim.dataset_name),
        ("version", run.claim.version),
        ("images", f"{figures['images']} of {result.opened.shape[0]}"),
        ("spots", figures["spots"]),
    ]
    if result.reduced is not None:
        rows += table_rows(result.reduced)
    if "r_free" in figures:
        rows += [("R", figures["r_work"]), ("Rfree", figures["r_free"])]
    return rows


def table_rows(reduced: Reduced) -> list[tuple[str, Any]]:
    """Return table 1 in rows: overall, and the outer shell in brackets."""
    table = reduced.table
    body = [(name, f"{overall} ({outer})") for name, overall, _, outer in table.rows()]
    return [*table.facts, *body]


def _median(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _figure(value: float, digits: int = 4) -> float | None:
    """Keep some digits; None for what is not known, since JSON has no word for it."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None
