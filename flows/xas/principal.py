"""Principal components of the sweeps: how many things change, and which standards they can make."""

import numpy as np
from numpy.typing import NDArray

from flows.xas.recipe import Recipe
from flows.xas.types import Components, Floats, Spectrum, Sweeps, Target
from tasks.xas.components import Components as Found
from tasks.xas.components import components, second_moment, transform_targets
from tasks.xas.standards import Scale, Standard, prepare

Indices = NDArray[np.int64]

FEWEST = 5  # sweeps
_ROWS = 2000  # sweeps summed up at a time
_MEDIAN = 0.6744897501960817  # median of |x| for white noise of 1


def find_components(
    recipe: Recipe, sweeps: Sweeps, spectrum: Spectrum, standards: list[Standard], scale: Scale
) -> Components | None:
    """Find the principal components of the sweeps that count.

    Parameters
    ----------
    recipe : Recipe
        The range of fits is that of the components too.
    sweeps, spectrum
        All sweeps, and their normalisation.
    standards : list of Standard
        Tried as targets.
    scale : Scale
        What the energies hang on.

    Returns
    -------
    Components or None
        None for fewer than five sweeps.
    """
    kept = sweeps.kept
    if len(kept) < FEWEST:
        return None
    above = spectrum.energy - spectrum.e0
    inside = np.flatnonzero((above >= recipe.fit_from) & (above <= recipe.fit_to))
    moment = np.zeros((len(inside), len(inside)))
    squares: list[Floats] = []
    for begin in range(0, len(kept), _ROWS):
        block = np.ascontiguousarray(spectrum.norms[kept[begin : begin + _ROWS]][:, inside])
        moment += second_moment(block)
        squares.append(_noise(block))
    found = components(moment, len(kept), float(np.sqrt(np.mean(squares))))
    count = found.by_noise or found.by_indicator
    shown = max(1, min(max(count, found.by_indicator), len(found.shapes)))
    scores = [
        found.scores(np.asarray(spectrum.norms[kept[begin : begin + _ROWS]][:, inside]), shown)
        for begin in range(0, len(kept), _ROWS)
    ]
    return Components(
        energy=spectrum.energy[inside],
        loadings=found.shapes[:shown],
        scores=np.concatenate(scores),
        levels={"real error": found.real_error, "indicator": found.indicator},
        by_indicator=found.by_indicator,
        by_noise=count,
        targets=_targets(found, count, standards, spectrum, inside, scale),
    )


def _noise(block: Floats) -> Floats:
    """Mean square noise of a grid point, by the differences of sweeps that follow one another."""
    if len(block) < 2:
        return np.empty(0)
    apart = np.abs(np.diff(block, axis=0))
    return (np.median(apart, axis=0) / _MEDIAN) ** 2 / 2


def _targets(
    found: Found,
    count: int,
    standards: list[Standard],
    spectrum: Spectrum,
    inside: Indices,
    scale: Scale,
) -> tuple[Target, ...]:
    """Try which standards the components can make, where they cover the whole range."""
    ready = prepare(standards, spectrum.energy, spectrum.e0, spectrum.windows, scale)
    if not ready.standards or not ready.inside[inside].all():
        return ()
    covered = np.cumsum(ready.inside)[inside] - 1  # places of the range among the covered points
    tried = transform_targets(found, min(count, len(found.real_error)), ready.norm[:, covered])
    told = zip(ready.standards, tried.residual, tried.spoil, tried.possible, strict=True)
    return tuple(
        Target(standard.name, float(residual), float(spoil), bool(possible))
        for standard, residual, spoil, possible in told
    )
