"""What a series run tells people: quality figures, and the artifacts in the Prefect UI."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from flows import artifacts
from flows.reduction import Reduction
from flows.xas.series.types import Result
from flows.xas.series.verdict import judgement
from flows.xas.types import Composition

LEFT_OUT_SHOWN = 50


def quality(result: Result) -> dict[str, Any]:
    """Collect the figures that tell how good a result is; units are in the names."""
    spectrum, alignment, kept = result.spectrum, result.gridded.alignment, result.members.kept
    steps = [each.facts.edge_step for each in kept]
    figures: dict[str, Any] = {
        "scans": len(kept),
        "scans_left_out": len(result.members.left_out),
        "scans_to_be_checked": sum(each.verdict == "check" for each in kept),
        "e0_ev": round(spectrum.e0, 3),
        "edge_step_least": float(f"{min(steps):.4g}"),
        "edge_step_most": float(f"{max(steps):.4g}"),
        "noise_normalised": float(f"{np.median(result.gridded.sweeps.noise):.3g}"),
    }
    if alignment.table:
        figures["energy_drift_ev"] = round(float(np.ptp(alignment.shift)), 4)
        figures["foil_table"] = alignment.table
    return figures | _explained(result)


def _explained(result: Result) -> dict[str, Any]:
    explained = result.explained
    composition, components = explained.interpreted.composition, explained.interpreted.components
    figures: dict[str, Any] = {}
    if composition is not None:
        figures["composition_first"] = composition_of(composition, 0)
        figures["composition_last"] = composition_of(composition, -1)
        figures["r_factor_worst"] = float(f"{np.nanmax(composition.sweep_r_factor):.3g}")
    if components is not None:
        figures["components_by_indicator"] = components.by_indicator
        figures["components_by_noise"] = components.by_noise
        for target in components.targets:
            word = "possible" if target.possible else "not possible"
            figures[f"target_{target.name}"] = f"{word}, residual {target.residual:.2g}"
    if explained.resolved is not None:
        figures["resolved_residual"] = float(f"{explained.resolved.found.residual:.3g}")
        figures["resolved_ambiguity"] = explained.resolved.ambiguity.reason
    if explained.groups is not None:
        figures["scans_of_groups"] = np.bincount(explained.groups.labels).tolist()
    return figures


def composition_of(composition: Composition, scan: int) -> dict[str, dict[str, float]]:
    """Return fraction and standard uncertainty of each standard in a scan, by name."""
    values = zip(
        composition.names,
        composition.sweep_fractions[scan],
        composition.sweep_sigma[scan],
        strict=True,
    )
    return {
        name: {"fraction": round(float(value), 5), "sigma": round(float(sigma), 5)}
        for name, value, sigma in values
    }


def metadata(result: Result) -> dict[str, Any]:
    """Describe the derived dataset: which scans, which energies, which standards."""
    opened, spectrum, members = result.gridded.opened, result.spectrum, result.members
    composition, axis = result.explained.interpreted.composition, members.axis
    starts = members.starts
    return {
        "format": "NXxas",
        "element": opened.element,
        "edge": opened.edge,
        "mode": opened.mode,
        "scans": len(members.kept),
        "last_scan": members.kept[-1].name,
        "began_at": starts[0].isoformat() if starts else None,
        "lasted": f"{axis.values[-1]:.4g} {axis.unit}" if axis.unit else None,
        "left_out": dict(members.left_out[:LEFT_OUT_SHOWN]),
        "e0_ev": round(spectrum.e0, 3),
        "energy_range_ev": [round(float(spectrum.energy[i]), 3) for i in (0, -1)],
        "points": len(spectrum.energy),
        "windows_ev": {
            name: getattr(spectrum.windows, name)
            for name in ("pre1", "pre2", "norm1", "norm2", "nnorm")
        },
        "foil_table": result.gridded.alignment.table or None,
        "standards": composition and _standards(composition),
        "recipe_of_scans": members.recipe.model_dump(mode="json", exclude_defaults=True),
        "notes": list(result.explained.interpreted.notes),
    }


def _standards(composition: Composition) -> dict[str, Any]:
    return {
        "library": composition.library,
        "digest": composition.digest,
        "spectra": dict(zip(composition.names, composition.ids, strict=True)),
    }


def publish(run: Reduction, result: Result, derived: UUID, pictures: Sequence[str]) -> None:
    """Show the result in the Prefect UI."""
    artifacts.publish(
        run,
        derived,
        judgement(result),
        picture=pictures[0],
        caption=f"{run.claim.dataset_name}: {len(result.members.kept)} scans",
        table=_table(run, result),
        reduced="series",
    )


def _table(run: Reduction, result: Result) -> list[tuple[str, Any]]:
    opened, members, spectrum = result.gridded.opened, result.members, result.spectrum
    composition = result.explained.interpreted.composition
    total = len(members.kept) + len(members.left_out)
    rows: list[tuple[str, Any]] = [
        ("series", run.claim.dataset_name),
        ("version", run.claim.version),
        ("element and edge", f"{opened.element} {opened.edge}"),
        ("scans", f"{len(members.kept)} of {total}"),
        ("last scan", members.kept[-1].name),
        ("edge energy of the mean (eV)", round(spectrum.e0, 2)),
    ]
    if composition is not None:
        first, last = composition_of(composition, 0), composition_of(composition, -1)
        rows += [(name, f"{_value(first[name])} to {_value(last[name])}") for name in first]
    return rows


def _value(found: dict[str, float]) -> str:
    return f"{found['fraction']:.3f} ± {found['sigma']:.3f}"
