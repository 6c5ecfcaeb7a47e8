"""The files of a total-scattering result: curves as text, patterns and curves as NeXus."""

from typing import Any

import numpy as np

from flows.pdf import series_phases
from flows.pdf.found import Liquid, Result
from flows.pdf.recipe import Recipe
from flows.pdf.report import liquid_figures, transform_of
from flows.pdf.types import Curves
from flows.reduction import Reduction
from tasks.io.nxazint import Integration, write_nxazint1d
from tasks.io.nxpdf import Along, Curve, write_nxpdf
from tasks.io.nxpdf import Kind as NexusKind
from tasks.io.pdf_text import Kind, write_columns, write_table
from tasks.io.powder import Facts

HDF5, TEXT = "application/x-hdf5", "text/plain"


def write(run: Reduction, recipe: Recipe, result: Result) -> None:
    """Write the files of a result into the run's folder."""
    stem = run.claim.output_folder.parent.name
    _write_patterns(run, stem, recipe, result)
    _write_intensity(run, stem, recipe, result)
    for number, curves in enumerate(result.transformed.curves):
        named = stem if number == 0 else f"{stem}_{curves.mode}"
        _write_curves(run, named, recipe, result, curves)
        _write_nexus(run, named, recipe, result, curves)
        if len(result.corrected.frames) > 1:
            _write_series(run, named, recipe, result, curves)
    _write_findings(run, stem, recipe, result)


def _write_patterns(run: Reduction, stem: str, recipe: Recipe, result: Result) -> None:
    """Write I(Q) of every frame as it was measured."""
    patterns, opened = result.patterns, result.opened
    if opened.wavelength is None:
        return  # of a pattern against Q, which comes in a file already
    write_nxazint1d(
        run.output(f"{stem}_patterns.h5", "pattern", HDF5),
        Integration(
            axis=patterns.q,
            intensity=patterns.intensity,
            sigma=patterns.sigma,
            unit="q_1/angstrom",
            wavelength=opened.wavelength,
            monitor=patterns.monitor,
            solid_angle_applied=opened.is_image,
            polarization_applied=opened.is_image and recipe.polarisation is not None,
            normalization_applied=opened.is_image,
            instrument=run.claim.beamline,
            parameters=_parameters(run, recipe, result),
            title=opened.title or run.claim.dataset_name,
            sample=run.claim.sample or "",
        ),
    )


def _write_intensity(run: Reduction, stem: str, recipe: Recipe, result: Result) -> None:
    """Write the merged I(Q), as measured and without its background."""
    corrected = result.corrected
    header = _header(run, recipe, result)
    measured = (corrected.q, corrected.measured)
    write_columns(run.output(f"{stem}.chi", "pattern", TEXT), "chi", measured, header)
    free = (corrected.q, corrected.merged, corrected.merged_sigma)
    write_columns(run.output(f"{stem}.iq", "pattern", TEXT), "iq", free, header)


def _write_curves(
    run: Reduction, stem: str, recipe: Recipe, result: Result, curves: Curves
) -> None:
    header = _header(run, recipe, result) | transform_of(recipe, curves)
    inside = curves.q <= curves.qmax + 1e-9
    kinds: dict[Kind, tuple[Any, ...]] = {
        "sq": (curves.q[inside], curves.s[inside], curves.s_sigma[inside]),
        "fq": (curves.q[inside], curves.f[inside], curves.f_sigma[inside]),
        "gr": (curves.r, curves.g, curves.g_sigma),
    }
    for kind, columns in kinds.items():
        write_columns(run.output(f"{stem}.{kind}", "pattern", TEXT), kind, columns, header)


def _write_nexus(run: Reduction, stem: str, recipe: Recipe, result: Result, curves: Curves) -> None:
    corrected, liquid = result.corrected, result.interpreted.liquid
    found: dict[NexusKind, Curve] = {
        "iq": Curve(corrected.q, corrected.merged, corrected.merged_sigma),
        "sq": Curve(curves.q, curves.s, curves.s_sigma),
        "fq": Curve(curves.q, curves.f, curves.f_sigma),
        "gr": Curve(curves.r, curves.g, curves.g_sigma),
    }
    told: dict[str, Any] = {"transform": transform_of(recipe, curves)}
    if liquid is not None and curves.mode == "absolute":
        found |= _liquid_curves(liquid)
        told["liquid"] = liquid_figures(liquid)
    write_nxpdf(
        run.output(f"{stem}_pdf.h5", "pdf", HDF5),
        found,
        _parameters(run, recipe, result) | told,
        _facts(run, result),
        inputs=[result.opened.data.path],
    )


def _liquid_curves(liquid: Liquid) -> dict[NexusKind, Curve]:
    radial, after = liquid.radial, liquid.normalising
    found: dict[NexusKind, Curve] = {
        "gofr": Curve(radial.r, radial.g, radial.g_sigma),
        "tofr": Curve(radial.r, radial.t, radial.t_sigma),
        "rdf": Curve(radial.r, radial.rdf, radial.rdf_sigma),
    }
    if after is not None:
        found["sq_iterated"] = Curve(after.q, after.s)
    return found


def _write_findings(run: Reduction, stem: str, recipe: Recipe, result: Result) -> None:
    """Write a liquid's functions, and the shares of phases along a series, as text."""
    header, found = _header(run, recipe, result), result.interpreted
    if found.liquid is not None:
        radial, after = found.liquid.radial, found.liquid.normalising
        header_of_liquid = header | {
            "qmax": found.liquid.qmax,
            "numberdensity": radial.number_density,
            "iterations": after and after.iterations,
            "converged": after and after.converged,
        }
        kinds: dict[Kind, tuple[Any, ...]] = {
            "gofr": (radial.r, radial.g, radial.g_sigma),
            "tofr": (radial.r, radial.t, radial.t_sigma),
            "rdf": (radial.r, radial.rdf, radial.rdf_sigma),
        }
        for kind, columns in kinds.items():
            path = run.output(f"{stem}.{kind}", "pattern", TEXT)
            write_columns(path, kind, columns, header_of_liquid)
    if found.phases is not None and len(found.phases.frames):
        path = run.output(f"{stem}_phases.txt", "table", TEXT)
        write_table(path, series_phases.columns(found.phases), header)


def _write_series(
    run: Reduction, stem: str, recipe: Recipe, result: Result, curves: Curves
) -> None:
    """Write the curves of every frame that counts; shares of phases beside those they are of."""
    corrected, phases = result.corrected, result.interpreted.phases
    fitted = phases is not None and len(phases.frames) and curves is result.transformed.first
    write_nxpdf(
        run.output(f"{stem}_series.h5", "series", HDF5),
        {
            "iq": Curve(corrected.q, corrected.intensity, corrected.sigma),
            "fq": Curve(curves.q, curves.each_f, curves.each_f_sigma),
            "gr": Curve(curves.r, curves.each_g, curves.each_g_sigma),
        },
        _parameters(run, recipe, result) | {"transform": transform_of(recipe, curves)},
        _facts(run, result),
        along=Along("frame", corrected.frames.astype(np.float64)),
        tables={"phases": series_phases.table(phases)} if phases and fitted else None,
        inputs=[result.opened.data.path],
    )


def _header(run: Reduction, recipe: Recipe, result: Result) -> dict[str, Any]:
    """Return what stands above a curve, by the words of other programs where they have one."""
    corrected, opened = result.corrected, result.opened
    return {
        "inputfile": opened.data.path.rpartition("/")[2],
        "run": str(run.claim.run_id),
        "wavelength": opened.wavelength,
        "composition": opened.sample.formula or None,
        "density": opened.sample.density,
        "bgscale": corrected.scale,
        "background": corrected.background_kind or None,
        "frames": len(corrected.frames),
    }


def _parameters(run: Reduction, recipe: Recipe, result: Result) -> dict[str, Any]:
    return {
        "recipe": recipe.model_dump(mode="json"),
        "run": str(run.claim.run_id),
        "background_scale": result.corrected.scale,
        "background_scaled_by": result.corrected.scaled_by,
        "left_out": sorted(result.patterns.left_out),
    }


def _facts(run: Reduction, result: Result) -> Facts:
    opened = result.opened
    return Facts(
        wavelength=opened.wavelength,
        composition=opened.sample.formula,
        density=opened.sample.density,
        container=opened.sample.container_name,
        sample=run.claim.sample or "",
        title=opened.title or run.claim.dataset_name,
        temperature=opened.metadata.get("temperature_K"),
    )
