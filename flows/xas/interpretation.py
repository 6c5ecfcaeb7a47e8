"""What the spectra are made of: linear combination, principal components, match."""

import numpy as np

from flows.reduction import Reduction
from flows.xas.composition import compose
from flows.xas.matching import match_spectrum
from flows.xas.principal import find_components
from flows.xas.recipe import Recipe
from flows.xas.types import Alignment, Doubts, Interpreted, Opened, Spectrum, Sweeps
from tasks.algorithm import Engine
from tasks.xas.standards import Standard, foil_of


def interpret(
    run: Reduction,
    recipe: Recipe,
    opened: Opened,
    alignment: Alignment,
    sweeps: Sweeps,
    spectrum: Spectrum,
) -> Interpreted:
    """Fit, decompose and match, as far as the recipe asks and the libraries allow."""
    notes: list[str] = []
    doubts: Doubts = {}
    composition = match = None
    standards = _library(run, opened, [recipe.standards] if recipe.standards else [])
    candidates = _library(run, opened, recipe.libraries)
    scale = alignment.scale(opened.edge)
    engine = Engine()
    with engine.active():
        if recipe.standards:
            chosen = _named(standards, recipe.compounds)
            digest = run.library_digest([recipe.standards], opened.element, opened.edge)
            composition, refused = compose(
                recipe,
                sweeps,
                spectrum,
                alignment,
                chosen,
                recipe.standards,
                digest,
                scale,
            )
            notes += refused
            doubts = _doubts(composition is None, recipe.standards, opened)
        if candidates:
            match, refused = match_spectrum(spectrum, candidates, scale)
            notes += [sentence for sentence in refused if sentence not in notes]
        components = find_components(recipe, sweeps, spectrum, standards, scale)
    run.record("interpret", engine.records)
    if composition is not None:
        doubts = {**doubts, **composition.doubts}
    return Interpreted(composition, components, match, tuple(notes), doubts)


def _library(run: Reduction, opened: Opened, names: list[str] | None) -> list[Standard]:
    """Fetch the spectra of this element and edge; None means all libraries, an empty list none."""
    if names is not None and not names:
        return []
    return [
        Standard(
            key=str(found.id),
            name=found.name,
            compound=found.compound,
            energy=np.asarray(found.energy),
            mu=np.asarray(found.mu),
            foil=foil_of(found.metadata),
        )
        for found in run.library(names, opened.element, opened.edge)
    ]


def _named(standards: list[Standard], compounds: list[str]) -> list[Standard]:
    """Keep those that the recipe names, by name or by compound."""
    if not compounds:
        return standards
    return [each for each in standards if each.name in compounds or each.compound in compounds]


def _doubts(failed: bool, library: str, opened: Opened) -> Doubts:
    if not failed:
        return {}
    told = (
        f"No linear combination was fitted: the library {library!r} has no spectrum of the "
        f"{opened.element} {opened.edge} edge that reaches far enough."
    )
    return {"combination": (told,)}
