"""What the curves say: structures, the order in a liquid, and how the frames of a series differ."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.pdf import series_phases
from flows.pdf.found import Interpreted, Parts, SeriesPhases
from flows.pdf.liquid import understand
from flows.pdf.recipe import Recipe
from flows.pdf.structures import Fitted, fit_structures
from flows.pdf.types import Corrected, Curves, Opened, Transformed
from tasks.errors import DataError
from tasks.pdf.fourier import to_gr
from tasks.pdf.nmf import components
from tasks.pdf.similarity import comparable, pearson

_FEWEST_ALIKE, _FEWEST_PARTS = 3, 5  # frames


def interpret(
    recipe: Recipe,
    opened: Opened,
    corrected: Corrected,
    transformed: Transformed,
    folders: Sequence[Path],
) -> Interpreted:
    """Fit structures, count a liquid's neighbours, and compare the frames with one another."""
    curves = transformed.first
    if curves is None:
        return Interpreted()
    fitted = fit_structures(recipe, opened.sample, curves, folders)
    frames = corrected.frames
    similarity = None
    if len(frames) >= _FEWEST_ALIKE:
        similarity = np.asarray(pearson(comparable(curves.each_g)))
    parts = _parts(recipe, curves) if len(frames) >= _FEWEST_PARTS else None
    notes = fitted.notes
    if isinstance(parts, str):
        parts, notes = None, (*notes, parts)
    phases = _phases(recipe, fitted, curves, frames, folders)
    if phases is not None:
        notes = (*notes, *series_phases.notes(phases, len(frames)))
    liquid, unclear = understand(recipe, opened, transformed) if recipe.liquid else (None, ())
    return Interpreted(
        fits=fitted.fits,
        structure=fitted.said,
        frames=frames,
        similarity=similarity,
        parts=parts,
        phases=phases,
        liquid=liquid,
        notes=notes,
        doubts={
            "structure": fitted.doubts + (series_phases.doubts(phases) if phases else ()),
            "transform": unclear,
        },
    )


def _phases(
    recipe: Recipe,
    fitted: Fitted,
    curves: Curves,
    frames: NDArray[np.int64],
    folders: Sequence[Path],
) -> SeriesPhases | None:
    """Fit phases frame by frame, if they could be fitted to the merged curve."""
    if not fitted.fits or not series_phases.are_asked_for(recipe, curves):
        return None
    return series_phases.fit_series_phases(recipe, curves, frames, folders)


def _parts(recipe: Recipe, curves: Curves) -> Parts | str:
    """Factor F(Q), whose points are independent, bring components to G(r); or say why not."""
    inside = curves.q <= curves.qmax
    sigma = curves.each_f_sigma[:, inside]
    try:
        found = components(curves.each_f[:, inside], sigma if (sigma > 0).any() else None)
    except DataError as error:  # a series may change all along: that makes it no bad one
        return f"There are no components: {error}"
    shapes = to_gr(
        curves.q[inside][found.kept],
        found.shapes,
        None,
        curves.r,
        qmin=curves.qmin,
        qmax=curves.qmax,
        window=recipe.window,
    )
    return Parts(
        count=found.number,
        reason=f"{found.reason} {found.ambiguity}",
        axis=curves.r,
        patterns=np.asarray(shapes.g),
        amounts=found.weights,
    )
