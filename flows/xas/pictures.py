"""The pictures of an XAS run: spectrum, EXAFS, sweeps, composition, components, match."""

import numpy as np

from flows.reduction import Reduction
from flows.xas.recipe import Recipe
from flows.xas.types import Components, Composition, Exafs, Match, Opened, Result
from tasks.xas.pictures import (
    Curves,
    draw_combination,
    draw_components,
    draw_composition,
    draw_exafs,
    draw_match,
    draw_spectrum,
    draw_sweeps,
)

PNG = "image/png"
FEWEST_SWEEPS = 3  # for a heat map or a curve against sweeps to say anything


def draw(run: Reduction, recipe: Recipe, result: Result) -> list[str]:
    """Draw all pictures of a run into its folder.

    Returns
    -------
    list of str
        Their file names, the most telling one first.
    """
    drawn = [_spectrum(run, result)]
    is_series = len(result.sweeps.mu) >= FEWEST_SWEEPS
    composition = result.interpreted.composition
    if composition is not None:
        drawn.append(_combination(run, recipe, composition))
    if composition is not None and is_series:
        drawn.insert(0, _composition(run, result, composition))
    if is_series:
        drawn.append(_sweeps(run, result))
    if result.exafs is not None:
        drawn.append(_exafs(run, recipe, result.opened, result.exafs))
    if result.interpreted.components is not None:
        drawn.append(_components(run, result.interpreted.components))
    if result.interpreted.match is not None:
        drawn.append(_match(run, result.interpreted.match))
    return drawn


def _title(run: Reduction, opened: Opened) -> str:
    return f"{run.claim.dataset_name}   {opened.element} {opened.edge}"


def _spectrum(run: Reduction, result: Result) -> str:
    spectrum = result.spectrum
    curves = Curves(
        energy=spectrum.energy,
        mu=spectrum.mu,
        sigma=spectrum.sigma,
        pre_edge=spectrum.pre_edge,
        post_edge=spectrum.post_edge,
        norm=spectrum.norm,
        flat=spectrum.flat,
        e0=spectrum.e0,
        edge_step=spectrum.edge_step,
        matched=None if spectrum.matched is None else np.asarray(spectrum.matched.norm[0]),
    )
    draw_spectrum(run.output("spectrum.png", "preview", PNG), curves, _title(run, result.opened))
    return "spectrum.png"


def _sweeps(run: Reduction, result: Result) -> str:
    draw_sweeps(
        run.output("sweeps.png", "preview", PNG),
        result.spectrum.energy,
        np.asarray(result.spectrum.norms),
        result.spectrum.e0,
        sorted(result.sweeps.left_out),
        _title(run, result.opened),
    )
    return "sweeps.png"


def _exafs(run: Reduction, recipe: Recipe, opened: Opened, exafs: Exafs) -> str:
    draw_exafs(
        run.output("exafs.png", "preview", PNG),
        exafs.k,
        exafs.chi,
        exafs.r,
        exafs.chi_r,
        kweight=recipe.kweight,
        k_range=exafs.k_range,
        title=_title(run, opened),
    )
    return "exafs.png"


def _combination(run: Reduction, recipe: Recipe, composition: Composition) -> str:
    parts = zip(composition.names, composition.fractions, composition.standards, strict=True)
    draw_combination(
        run.output("combination.png", "preview", PNG),
        composition.energy,
        composition.data,
        {name: weight * curve for name, weight, curve in parts},
        on=recipe.fit_on,
        title=f"{run.claim.dataset_name}   R factor {composition.r_factor:.2g}",
    )
    return "combination.png"


def _composition(run: Reduction, result: Result, composition: Composition) -> str:
    kept = result.sweeps.kept
    fractions = {
        name: (composition.sweep_fractions[kept, number], composition.sweep_sigma[kept, number])
        for number, name in enumerate(composition.names)
    }
    draw_composition(
        run.output("composition.png", "preview", PNG),
        kept.astype(np.float64),
        fractions,
        composition.sweep_r_factor[kept],
        across="sweep",
        title=_title(run, result.opened),
    )
    return "composition.png"


def _components(run: Reduction, found: Components) -> str:
    draw_components(
        run.output("components.png", "preview", PNG),
        found.energy,
        found.loadings,
        found.scores,
        found.levels,
        count=found.by_noise,
        title=f"{run.claim.dataset_name}   {found.by_noise} components by the noise, "
        f"{found.by_indicator} by the indicator function",
    )
    return "components.png"


def _match(run: Reduction, found: Match) -> str:
    draw_match(
        run.output("match.png", "preview", PNG),
        found.energy,
        found.data,
        dict(zip(found.names, found.candidates, strict=True)),
        title=f"{run.claim.dataset_name}   {_verdict(found)}",
    )
    return "match.png"


def _verdict(found: Match) -> str:
    if not found.is_match:
        return f"no match (probability {found.confidence:.0%}); nearest: {found.names[0]}"
    return f"{found.names[0]} (probability {found.confidence:.0%})"
