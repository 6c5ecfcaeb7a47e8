"""What a total-scattering run tells people: quality figures, and the artifacts in Prefect's UI."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from flows import artifacts
from flows.pdf.found import Liquid, Result, SeriesPhases
from flows.pdf.recipe import Recipe
from flows.pdf.types import Curves, Opened, Transformed
from flows.pdf.verdict import judgement
from flows.reduction import Reduction
from tasks.pdf.structure_fit import StructureFit

LEFT_OUT_SHOWN = 50
_TELLING = ("a", "alpha", "alpha_disagreement", "low_r_misfit", "double_share")


def watched(transformed: Transformed) -> dict[str, Any]:
    """Return what is worth watching while the last stages run."""
    curves = transformed.first
    return {} if curves is None else {"qmax": round(curves.qmax, 2)}


def quality(result: Result) -> dict[str, Any]:
    """Collect the figures that tell how good a result is; units are in the names."""
    corrected, patterns, curves = result.corrected, result.patterns, result.transformed.first
    figures: dict[str, Any] = {
        "frames": len(patterns.kept),
        "frames_left_out": len(patterns.left_out),
        "q_min_per_angstrom": round(corrected.q_range[0], 4),
        "q_max_per_angstrom": round(corrected.q_range[1], 3),
        "noise_of_intensity": _figure(_relative_noise(result)),
    }
    if corrected.scale is not None:
        figures["background"] = corrected.background_kind
        figures["background_scale"] = _figure(corrected.scale)
        if corrected.scale_check is not None and np.isfinite(corrected.scale_check.estimate):
            figures["background_scale_seen"] = _figure(corrected.scale_check.estimate)
            figures["background_scale_seen_sigma"] = _figure(corrected.scale_check.sigma, 2)
        figures["background_share"] = _figure(_background_share(result))
    if patterns.image is not None:
        figures["pixels_left_out"] = _figure(float(patterns.image.mask.mean()))
    if curves is not None:
        figures |= _curve_figures(curves)
    for mode in result.transformed.curves:
        figures |= _mode_figures(mode)
    return figures | _interpreted(result)


def _curve_figures(curves: Curves) -> dict[str, Any]:
    peak = int(np.argmax(np.where(curves.r > 1.0, curves.g, -np.inf)))
    return {
        "mode": curves.mode,
        "qmax_per_angstrom": round(curves.qmax, 3),
        "qmin_per_angstrom": round(curves.qmin, 3),
        "largest_peak_angstrom": round(float(curves.r[peak]), 3),
        "noise_of_g": _figure(float(np.median(curves.g_sigma))),
    }


def _mode_figures(curves: Curves) -> dict[str, Any]:
    found = _details(curves)
    return {f"{curves.mode}_{name}": found[name] for name in _TELLING if name in found}


def _details(curves: Curves) -> dict[str, Any]:
    """Return what the mode found as single numbers; of frames, that of the merged pattern."""
    figures: dict[str, Any] = {}
    for name, value in curves.details.items():
        if isinstance(value, np.ndarray) and value.ndim == 1:
            figures[name] = _figure(float(value[0]), 6)
        elif isinstance(value, float):
            figures[name] = _figure(value, 6)
    return figures


def _interpreted(result: Result) -> dict[str, Any]:
    found = result.interpreted
    figures: dict[str, Any] = {}
    if found.fits:
        figures["structures"] = {name_of(fit): _fitted(fit) for fit in found.fits}
        figures["rw"] = _figure(found.fits[0].rw)
    if found.parts is not None:
        figures["components"] = found.parts.count
    if found.similarity is not None:
        figures["least_correlation"] = _figure(float(found.similarity.min()))
    if found.phases is not None and len(found.phases.frames):
        figures["phases"] = _shares(found.phases)
    if found.liquid is not None:
        figures["liquid"] = liquid_figures(found.liquid)
    return figures


def _shares(phases: SeriesPhases) -> dict[str, Any]:
    """Return the shares of the mass in the first and the last frame."""
    figures: dict[str, Any] = {"frames": len(phases.frames), "failed": len(phases.failed)}
    for name, row in (("first", 0), ("last", -1)):
        figures[f"{name}_frame"] = int(phases.frames[row])
        figures[name] = {
            phase: _measured(value, sigma)
            for phase, value, sigma in zip(
                phases.names, phases.mass[row], phases.mass_sigma[row], strict=True
            )
        }
    return figures


def liquid_figures(liquid: Liquid) -> dict[str, Any]:
    """Return the first peak, the neighbours counted in two ways, and how S(Q) was normalised."""
    figures: dict[str, Any] = {
        "atoms_per_cubic_angstrom": _figure(liquid.radial.number_density, 5),
    }
    shell, after = liquid.shell, liquid.normalising
    if shell is not None:
        figures["first_peak_angstrom"] = _measured(shell.peak, shell.peak_sigma)
        figures["minimum_angstrom"] = _figure(shell.minimum)
        figures["neighbours_to_minimum"] = _measured(shell.to_minimum, shell.to_minimum_sigma)
        figures["neighbours_symmetric"] = _measured(shell.symmetric, shell.symmetric_sigma)
    if after is not None:
        figures["iterations"] = after.iterations
        figures["converged"] = after.converged
        figures["nothing_below_angstrom"] = _figure(after.r_min)
        figures["low_r_misfit_before"] = _figure(after.before)
        figures["low_r_misfit_after"] = _figure(after.after)
    return figures


def _measured(value: float, sigma: float) -> dict[str, float | None]:
    return {"value": _figure(value, 5), "sigma": _figure(sigma, 3)}


def _fitted(fit: StructureFit) -> dict[str, Any]:
    values = {
        name: {"value": _figure(value, 6), "sigma": _figure(fit.sigma[name])}
        for name, value in fit.parameters.items()
    }
    return {"rw": _figure(fit.rw), **values}


def name_of(fit: StructureFit) -> str:
    """Name what was fitted."""
    return " + ".join(fit.structures)


def _figure(value: float, digits: int = 4) -> float | None:
    """Keep some digits; None for what is not known, since JSON has no word for it."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def metadata(recipe: Recipe, result: Result) -> dict[str, Any]:
    """Describe the derived dataset: what it is, what it hangs on, and what the raw data said."""
    opened, corrected, curves = result.opened, result.corrected, result.transformed.first
    return {
        "format": "NXpdf",
        "curves": ["I(Q)"] if curves is None else ["I(Q)", "S(Q)", "F(Q)", "G(r)"],
        "ends_at": result.transformed.ends_at or None,
        "modes": [each.mode for each in result.transformed.curves],
        "composition": opened.sample.formula or None,
        "density_g_per_cm3": opened.sample.density,
        "container": _container(opened),
        "said_by": dict(opened.sample.said_by),
        "wavelength_angstrom": opened.wavelength,
        "geometry": _geometry(opened),
        "detector_shape": list(opened.shape[1:]) if opened.is_image else None,
        "frames": opened.shape[0],
        "left_out": dict(list(_left_out(result).items())[:LEFT_OUT_SHOWN]),
        "masked_by": dict(result.patterns.image.masked_by) if result.patterns.image else None,
        "background": _background(result),
        "q_range_per_angstrom": [round(each, 4) for each in corrected.q_range],
        "transform": [transform_of(recipe, each) for each in result.transformed.curves],
        "notes": [*result.transformed.notes, *result.interpreted.notes],
        "raw": dict(opened.metadata),
    }


def _container(opened: Opened) -> Any:
    if opened.sample.container is not None:
        return opened.sample.container.model_dump(mode="json")
    return opened.sample.container_name or None


def _geometry(opened: Opened) -> dict[str, Any] | None:
    geometry = opened.geometry
    if geometry is None:
        return None
    return {
        "distance_mm": round(1e3 * geometry.distance, 4),
        "poni_mm": [round(1e3 * each, 4) for each in (geometry.poni1, geometry.poni2)],
        "rotations_deg": [
            round(float(np.rad2deg(each)), 4)
            for each in (geometry.rot1, geometry.rot2, geometry.rot3)
        ],
        "orientation": geometry.orientation,
        "from": [Path(each.path).name for each in opened.calibrations.get("geometry", ())],
    }


def _background(result: Result) -> dict[str, Any] | None:
    corrected = result.corrected
    if corrected.scale is None:
        return None
    return {
        "kind": corrected.background_kind,
        "scale": _figure(corrected.scale),
        "scaled_by": corrected.scaled_by,
        "scale_check": corrected.scale_check and corrected.scale_check.reason,
        "absorption": corrected.no_absorption or "corrected for sample and container",
    }


def transform_of(recipe: Recipe, curves: Curves) -> dict[str, Any]:
    """Return what the curves of a mode hang on, by the words of other programs."""
    return {
        "pdf_mode": curves.mode,
        "qmin": round(curves.qmin, 4),
        "qmax": round(curves.qmax, 4),
        "qmax_by": "proposed" if recipe.qmax is None else "recipe",
        "qmaxinst": round(float(curves.q[-1]), 4),
        "rpoly": recipe.rpoly if curves.mode == "compatible" else None,
        "window": recipe.window,
        "rmin": recipe.r_min,
        "rmax": recipe.r_max,
        "rstep": recipe.r_step,
        **_details(curves),
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
    )


def _table(run: Reduction, result: Result) -> list[tuple[str, Any]]:
    opened, corrected, curves = result.opened, result.corrected, result.transformed.first
    rows: list[tuple[str, Any]] = [
        ("dataset", run.claim.dataset_name),
        ("version", run.claim.version),
        ("composition", opened.sample.formula or "not known"),
        ("wavelength (Å)", opened.wavelength and round(opened.wavelength, 5)),
        ("frames", f"{len(result.patterns.kept)} of {opened.shape[0]}"),
        ("Q (1/Å)", "{:.2f} to {:.2f}".format(*corrected.q_range)),
    ]
    if corrected.scale is not None:
        scale = f"{corrected.scale:.4g}, by {corrected.scaled_by}"
        rows.append((f"{corrected.background_kind} taken off by", scale))
    if curves is not None:
        rows.append(("Q of G(r) (1/Å)", f"{curves.qmin:.2f} to {curves.qmax:.2f}"))
        rows.append(("largest peak at (Å)", _curve_figures(curves)["largest_peak_angstrom"]))
    for fit in result.interpreted.fits:
        rows.append((f"Rw of {name_of(fit)}", round(fit.rw, 4)))
        rows += [
            (f"{name} of {name_of(fit)}", f"{value:.6g} ± {fit.sigma[name]:.2g}")
            for name, value in fit.parameters.items()
        ]
    return rows + _found_rows(result)


def _found_rows(result: Result) -> list[tuple[str, Any]]:
    phases, liquid = result.interpreted.phases, result.interpreted.liquid
    rows: list[tuple[str, Any]] = []
    if phases is not None and len(phases.frames):
        for number, name in enumerate(phases.names):
            said = f"{phases.mass[0, number]:.1%} to {phases.mass[-1, number]:.1%}"
            rows.append((f"mass of {name}, first to last frame", said))
    if liquid is not None and liquid.shell is not None:
        shell = liquid.shell
        rows.append(("first peak (Å)", f"{shell.peak:.3f} ± {shell.peak_sigma:.3f}"))
        rows.append(("neighbours", f"{shell.to_minimum:.2f} ± {shell.to_minimum_sigma:.2f}"))
    return rows


def _left_out(result: Result) -> dict[str, str]:
    return {str(frame): why for frame, why in sorted(result.patterns.left_out.items())}


def _relative_noise(result: Result) -> float:
    corrected = result.corrected
    known = (corrected.merged > 0) & np.isfinite(corrected.merged_sigma)
    share = corrected.merged_sigma[known] / corrected.merged[known]
    return float(np.median(share)) if len(share) else float("nan")


def _background_share(result: Result) -> float:
    corrected = result.corrected
    if corrected.background is None:
        return float("nan")
    known = np.isfinite(corrected.measured) & np.isfinite(corrected.background)
    return float(corrected.background[known].sum() / corrected.measured[known].sum())
