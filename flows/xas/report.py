"""What an XAS run tells people: quality figures, and the artifacts in the Prefect UI."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from flows import artifacts
from flows.reduction import Reduction
from flows.xas.recipe import Recipe
from flows.xas.types import Composition, Match, Result
from flows.xas.verdict import judgement

LEFT_OUT_SHOWN = 50


def quality(result: Result) -> dict[str, Any]:
    """Collect the figures that tell how good a result is; units are in the names."""
    spectrum, sweeps, alignment = result.spectrum, result.sweeps, result.alignment
    figures: dict[str, Any] = {
        "e0_ev": round(spectrum.e0, 3),
        "edge_step": float(f"{spectrum.edge_step:.5g}"),
        "edge_step_sigma": _figure(spectrum.edge_step_sigma),
        "sweeps": len(sweeps.kept),
        "sweeps_left_out": len(sweeps.left_out),
        "glitches_taken_out": sweeps.glitches,
        "noise_normalised": _figure(_noise(result)),
    }
    if alignment.is_aligned:
        figures["energy_drift_ev"] = round(float(np.ptp(alignment.shift)), 4)
    if alignment.table:
        figures["energy_offset_ev"] = round(alignment.offset, 4)
        figures["foil_table"] = alignment.table
    if spectrum.matched is not None:
        figures["edge_step_mback"] = _figure(float(spectrum.matched.edge_step[0]))
    if result.exafs is not None:
        figures["chi_r_peak_angstrom"] = round(result.exafs.r_peak, 3)
    return figures | _interpreted(result)


def _interpreted(result: Result) -> dict[str, Any]:
    found = result.interpreted
    figures: dict[str, Any] = {}
    if found.composition is not None:
        figures["composition"] = composition_of(found.composition)
        figures["r_factor"] = float(f"{found.composition.r_factor:.3g}")
    if found.components is not None:
        figures["components_by_indicator"] = found.components.by_indicator
        figures["components_by_noise"] = found.components.by_noise
        for target in found.components.targets:
            word = "possible" if target.possible else "not possible"
            figures[f"target_{target.name}"] = f"{word}, residual {target.residual:.2g}"
    if found.match is not None:
        figures["match"] = matched(found.match)
    return figures


def _figure(value: float) -> float | None:
    """Keep three digits; None for what is not known, since JSON has no word for it."""
    return float(f"{value:.3g}") if np.isfinite(value) else None


def composition_of(composition: Composition) -> dict[str, dict[str, float]]:
    """Return fraction and standard uncertainty of each standard by name."""
    values = zip(composition.names, composition.fractions, composition.sigma, strict=True)
    return {
        name: {"fraction": round(float(value), 5), "sigma": round(float(sigma), 5)}
        for name, value, sigma in values
    }


def matched(match: Match) -> dict[str, Any]:
    """Return what a match says, for the catalogue."""
    return {
        "is_match": match.is_match,
        "best": match.names[0] if match.names else None,
        "confidence": round(match.confidence, 3),
        "candidates": list(match.names[:5]),
    }


def metadata(recipe: Recipe, result: Result) -> dict[str, Any]:
    """Describe the derived dataset: what it is, its energies, and what the raw data said."""
    opened, spectrum = result.opened, result.spectrum
    composition, match = result.interpreted.composition, result.interpreted.match
    return {
        "format": "NXxas",
        "element": opened.element,
        "edge": opened.edge,
        "mode": opened.mode,
        "e0_ev": round(spectrum.e0, 3),
        "energy_range_ev": [round(float(spectrum.energy[i]), 3) for i in (0, -1)],
        "points": len(spectrum.energy),
        "sweeps": len(result.sweeps.mu),
        "left_out": dict(list(_left_out(result).items())[:LEFT_OUT_SHOWN]),
        "aligned": result.alignment.is_aligned,
        "foil_table": result.alignment.table or None,
        "energy": _energy(result),
        "windows_ev": {
            name: round(getattr(spectrum.windows, name), 2)
            for name in ("pre1", "pre2", "norm1", "norm2", "nnorm")
        },
        "exafs": result.no_exafs or "chi(k) and chi(R)",
        "standards": composition and _standards(composition),
        "fit_on": recipe.fit_on if composition else None,
        "match": match and {"ids": list(match.ids[:5]), "names": list(match.names[:5])},
        "notes": list(result.interpreted.notes),
        "raw": dict(opened.metadata),
    }


def _energy(result: Result) -> str:
    """Say what the energies hang on."""
    opened, found = result.opened, result.alignment
    if not found.table:
        return f"as recorded: {opened.no_foil or 'not calibrated'}"
    return (
        f"{found.offset:+.2f} ± {found.offset_sigma:.2f} eV, by the {opened.foil} foil "
        f"({found.table})"
    )


def publish(run: Reduction, result: Result, derived: UUID, pictures: Sequence[str]) -> None:
    """Show the result in the Prefect UI."""
    artifacts.publish(
        run,
        derived,
        judgement(result),
        picture=pictures[0],
        caption=f"{Path(pictures[0]).stem.capitalize()} of {run.claim.dataset_name}",
        table=_table(run, result),
    )


def _table(run: Reduction, result: Result) -> list[tuple[str, Any]]:
    opened, spectrum, composition = result.opened, result.spectrum, result.interpreted.composition
    rows: list[tuple[str, Any]] = [
        ("dataset", run.claim.dataset_name),
        ("version", run.claim.version),
        ("element and edge", f"{opened.element} {opened.edge}"),
        ("mode", opened.mode),
        ("edge energy (eV)", round(spectrum.e0, 2)),
        ("energy scale", _energy(result)),
        ("edge step", float(f"{spectrum.edge_step:.4g}")),
        ("sweeps", f"{len(result.sweeps.kept)} of {len(result.sweeps.mu)}"),
    ]
    if result.exafs is not None:
        rows.append(("largest |chi(R)| at (Å)", round(result.exafs.r_peak, 3)))
    if composition is not None:
        for name, found in composition_of(composition).items():
            rows.append((name, f"{found['fraction']:.3f} ± {found['sigma']:.3f}"))
    if result.interpreted.match is not None:
        rows.append(("match", result.interpreted.match.sentence))
    return rows


def _left_out(result: Result) -> dict[str, str]:
    return {str(sweep): why for sweep, why in sorted(result.sweeps.left_out.items())}


def _noise(result: Result) -> float:
    """Return the noise of a point of one sweep, as a share of its edge step."""
    kept = result.sweeps.kept
    return float(np.median(result.sweeps.noise[kept] / result.spectrum.edge_steps[kept]))


def _standards(composition: Composition) -> dict[str, Any]:
    return {
        "library": composition.library,
        "digest": composition.digest,
        "spectra": dict(zip(composition.names, composition.ids, strict=True)),
    }
