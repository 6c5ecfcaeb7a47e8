"""What a series is made of: by standards, by principal components, and without standards."""

import numpy as np

from flows.reduction import Reduction
from flows.xas.interpretation import interpret as interpret_spectra
from flows.xas.series.recipe import Recipe
from flows.xas.series.types import Explained, Gridded, Members, Resolved
from flows.xas.types import Floats, Spectrum
from tasks.algorithm import Engine
from tasks.xas.clusters import Clusters, cluster
from tasks.xas.mcr import ambiguity, resolve


def interpret(
    run: Reduction, recipe: Recipe, members: Members, gridded: Gridded, spectrum: Spectrum
) -> Explained:
    """Fit standards and find components as for the sweeps of a scan; resolve and group if asked."""
    found = interpret_spectra(
        run, members.recipe, gridded.opened, gridded.alignment, gridded.sweeps, spectrum
    )
    above = spectrum.energy - spectrum.e0
    inside = (above >= members.recipe.fit_from) & (above <= members.recipe.fit_to)
    energy, spectra = spectrum.energy[inside], np.asarray(spectrum.norms[:, inside])
    engine = Engine()
    with engine.active():
        resolved = _resolve(recipe, energy, spectra)
        groups = _group(recipe, spectra)
    run.record("interpret", engine.records)
    return Explained(found, resolved, groups)


def _resolve(recipe: Recipe, energy: Floats, spectra: Floats) -> Resolved | None:
    """Resolve the series once it has more scans than components."""
    number = recipe.components
    if number is None or len(spectra) <= number:
        return None
    found = resolve(spectra, number)
    return Resolved(energy, found, ambiguity(found))


def _group(recipe: Recipe, spectra: Floats) -> Clusters | None:
    """Group the scans once there are more of them than groups."""
    if recipe.groups is None or len(spectra) <= recipe.groups:
        return None
    return cluster(spectra, number=recipe.groups)
