"""The pictures of a series: composition against time, all spectra, components."""

import numpy as np

from flows.reduction import Reduction
from flows.xas.pictures import FEWEST_SWEEPS, PNG
from flows.xas.series.types import Resolved, Result
from flows.xas.types import Components, Composition
from tasks.xas.clusters import Clusters
from tasks.xas.pictures import (
    draw_combination,
    draw_components,
    draw_composition,
    draw_sweeps,
)
from tasks.xas.series_pictures import draw_groups, draw_resolved


def draw(run: Reduction, result: Result) -> list[str]:
    """Draw all pictures of a run into its folder.

    Returns
    -------
    list of str
        Their file names, the most telling one first.
    """
    explained = result.explained
    found = explained.interpreted
    drawn: list[str] = []
    if found.composition is not None:
        drawn.append(_composition(run, result, found.composition))
    drawn.append(_spectra(run, result))
    if found.composition is not None:
        drawn.append(_combination(run, result, found.composition))
    if found.components is not None and len(result.members.kept) >= FEWEST_SWEEPS:
        drawn.append(_components(run, result, found.components))
    if explained.resolved is not None:
        drawn.append(_resolved(run, result, explained.resolved))
    if explained.groups is not None:
        drawn.append(_groups(run, result, explained.groups))
    return drawn


def _title(result: Result) -> str:
    opened = result.gridded.opened
    return f"{opened.title}   {opened.element} {opened.edge}"


def _composition(run: Reduction, result: Result, composition: Composition) -> str:
    axis = result.members.axis
    fractions = {
        name: (composition.sweep_fractions[:, number], composition.sweep_sigma[:, number])
        for number, name in enumerate(composition.names)
    }
    draw_composition(
        run.output("composition.png", "preview", PNG),
        axis.values,
        fractions,
        composition.sweep_r_factor,
        across=axis.name,
        title=f"{_title(result)}   {len(axis.values)} scans",
    )
    return "composition.png"


def _spectra(run: Reduction, result: Result) -> str:
    axis, spectrum = result.members.axis, result.spectrum
    draw_sweeps(
        run.output("spectra.png", "preview", PNG),
        spectrum.energy,
        np.asarray(spectrum.norms),
        spectrum.e0,
        [],
        _title(result),
        what="scan",
        position=axis.values,
        down=axis.name,
    )
    return "spectra.png"


def _combination(run: Reduction, result: Result, composition: Composition) -> str:
    parts = zip(composition.names, composition.fractions, composition.standards, strict=True)
    draw_combination(
        run.output("combination.png", "preview", PNG),
        composition.energy,
        composition.data,
        {name: weight * curve for name, weight, curve in parts},
        on=result.members.recipe.fit_on,
        title=f"{_title(result)}   mean of all scans, R factor {composition.r_factor:.2g}",
    )
    return "combination.png"


def _components(run: Reduction, result: Result, found: Components) -> str:
    draw_components(
        run.output("components.png", "preview", PNG),
        found.energy,
        found.loadings,
        found.scores,
        found.levels,
        count=found.by_noise,
        title=f"{_title(result)}   {found.by_noise} components by the noise, "
        f"{found.by_indicator} by the indicator function",
    )
    return "components.png"


def _resolved(run: Reduction, result: Result, resolved: Resolved) -> str:
    axis = result.members.axis
    draw_resolved(
        run.output("resolved.png", "preview", PNG),
        resolved.energy,
        resolved.found.spectra,
        axis.values,
        resolved.found.fractions,
        resolved.ambiguity.fractions,
        across=axis.name,
        title=f"{_title(result)}   resolved without standards",
    )
    return "resolved.png"


def _groups(run: Reduction, result: Result, groups: Clusters) -> str:
    axis, spectrum = result.members.axis, result.spectrum
    near = np.abs(spectrum.energy - spectrum.e0 - 40) < 90
    centres = [
        np.asarray(spectrum.norms[groups.labels == at][:, near]).mean(axis=0)
        for at in range(len(groups.centres))
    ]
    draw_groups(
        run.output("groups.png", "preview", PNG),
        spectrum.energy[near],
        np.stack(centres),
        axis.values,
        groups.labels,
        across=axis.name,
        title=f"{_title(result)}   groups of like scans",
    )
    return "groups.png"
