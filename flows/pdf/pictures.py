"""The pictures of a total-scattering run: image, I(Q), F(Q), G(r), and what they say."""

import numpy as np

from flows.pdf.found import Interpreted, Liquid, Parts, Result, SeriesPhases
from flows.pdf.recipe import Recipe
from flows.pdf.report import name_of
from flows.pdf.types import Curves, Image, Opened
from flows.reduction import Reduction
from tasks.pdf.finding_pictures import draw_liquid, draw_phases
from tasks.pdf.pictures import (
    draw_heat_map,
    draw_image,
    draw_intensity,
    draw_pair_distribution,
    draw_parts,
    draw_similarity,
    draw_structure,
)

PNG = "image/png"
FEWEST_FRAMES = 3  # for a heat map to say anything


def draw(run: Reduction, recipe: Recipe, result: Result) -> list[str]:
    """Draw all pictures of a run into its folder.

    Returns
    -------
    list of str
        Their file names, the most telling one first.
    """
    drawn: list[str] = []
    curves, found = result.transformed.first, result.interpreted
    if curves is not None:
        drawn.append(_pair_distribution(run, result, curves))
        drawn.append(_structure(run, recipe, curves))
    drawn.append(_intensity(run, result))
    if result.patterns.image is not None:
        drawn.append(_image(run, result, result.patterns.image))
    if curves is not None and len(result.corrected.frames) >= FEWEST_FRAMES:
        drawn.insert(0, _heat_map(run, result, curves))
    if found.similarity is not None:
        drawn.append(_similarity(run, found, found.similarity))
    if curves is not None and found.parts is not None:
        drawn.append(_parts(run, found, curves, found.parts))
    if found.phases is not None and len(found.phases.frames):
        drawn.append(_phases(run, found.phases))
    if found.liquid is not None:
        drawn.append(_liquid(run, result, found.liquid))
    return drawn


def _pair_distribution(run: Reduction, result: Result, curves: Curves) -> str:
    fit = result.interpreted.fits[0] if result.interpreted.fits else None
    told = f"   Rw {fit.rw:.3f}" if fit else ""
    draw_pair_distribution(
        run.output("pair_distribution.png", "preview", PNG),
        curves.r,
        curves.g,
        curves.g_sigma,
        f"{run.claim.dataset_name}   {result.opened.sample.formula}, Q to {curves.qmax:.2f} 1/Å"
        f"{told}",
        fit=(name_of(fit), fit.r, fit.calculated) if fit else None,
        line=_low_r(result.opened, curves),
    )
    return "pair_distribution.png"


def _low_r(opened: Opened, curves: Curves) -> np.ndarray | None:
    """Return -4 pi rho r where G(r) is absolute and the density is known."""
    sample = opened.sample
    if curves.mode != "absolute" or sample.composition is None or sample.density is None:
        return None
    return -4 * np.pi * sample.composition.number_density(sample.density) * curves.r


def _structure(run: Reduction, recipe: Recipe, curves: Curves) -> str:
    draw_structure(
        run.output("structure_function.png", "preview", PNG),
        curves.q,
        curves.f,
        curves.f_sigma,
        (curves.qmin, curves.qmax),
        f"{run.claim.dataset_name}   {curves.mode}, window: {recipe.window}",
    )
    return "structure_function.png"


def _intensity(run: Reduction, result: Result) -> str:
    corrected = result.corrected
    told = ""
    if corrected.scale is not None:
        told = f"   {corrected.background_kind} x {corrected.scale:.4g}, by {corrected.scaled_by}"
    draw_intensity(
        run.output("intensity.png", "preview", PNG),
        corrected.q,
        corrected.measured,
        corrected.merged,
        corrected.merged_sigma,
        corrected.background,
        f"{run.claim.dataset_name}{told}",
    )
    return "intensity.png"


def _image(run: Reduction, result: Result, image: Image) -> str:
    draw_image(
        run.output("image.png", "preview", PNG),
        image.mean,
        image.mask,
        image.cake,
        image.azimuth,
        image.cake_q,
        run.claim.dataset_name,
    )
    return "image.png"


def _heat_map(run: Reduction, result: Result, curves: Curves) -> str:
    every = np.full((result.opened.shape[0], len(curves.r)), np.nan)
    every[result.corrected.frames] = curves.each_g
    draw_heat_map(
        run.output("heat_map.png", "preview", PNG),
        curves.r,
        every,
        np.asarray(sorted(result.patterns.left_out), np.int64),
        run.claim.dataset_name,
    )
    return "heat_map.png"


def _similarity(run: Reduction, found: Interpreted, matrix: np.ndarray) -> str:
    draw_similarity(
        run.output("similarity.png", "preview", PNG),
        found.frames,
        matrix,
        f"{run.claim.dataset_name}   Pearson's correlation of G(r)",
    )
    return "similarity.png"


def _parts(run: Reduction, found: Interpreted, curves: Curves, parts: Parts) -> str:
    draw_parts(
        run.output("components.png", "preview", PNG),
        parts.axis,
        parts.patterns,
        found.frames,
        parts.amounts,
        f"{run.claim.dataset_name}   components of F(Q), as G(r)",
    )
    return "components.png"


def _phases(run: Reduction, phases: SeriesPhases) -> str:
    draw_phases(
        run.output("phases.png", "preview", PNG),
        phases.frames,
        phases.mass,
        phases.mass_sigma,
        phases.names,
        f"{run.claim.dataset_name}   phases fitted to G(r)",
    )
    return "phases.png"


def _liquid(run: Reduction, result: Result, liquid: Liquid) -> str:
    after = liquid.normalising
    draw_liquid(
        run.output("liquid.png", "preview", PNG),
        liquid.radial,
        (liquid.measured_q, liquid.measured_s),
        (after.q, after.s) if after else None,
        liquid.shell,
        f"{run.claim.dataset_name}   {result.opened.sample.formula}, Q to {liquid.qmax:.2f} 1/Å",
    )
    return "liquid.png"
