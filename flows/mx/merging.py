"""From observations to merged data: symmetry, one scale, where the data end, what they say."""

from collections.abc import Sequence

import numpy as np

from catalog.runs import Claim
from flows.mx.dials import scaled_by_dials
from flows.mx.found import Reduced, Symmetry, observed
from flows.mx.intensities import Told, look_at
from flows.mx.recipe import MergingRecipe, Recipe
from flows.mx.reference import Reference, read_reference
from flows.mx.symmetry import Sweeps, determine
from flows.mx.types import Doubts, Integrated, Known, Opened, Placed
from flows.reduction import Reduction
from flows.sources import path_in
from tasks.algorithm import Engine
from tasks.errors import DataError
from tasks.mx.free_set import FreeSet, free_set
from tasks.mx.ice import on_ring
from tasks.mx.merge import Merged, merge
from tasks.mx.merging_statistics import statistics
from tasks.mx.observations_file import SweepObservations
from tasks.mx.reflections import Observations
from tasks.mx.resolution_cut import Cut, resolution_cut
from tasks.mx.scale import Scaled, scale
from tasks.mx.table_one import table_one

_MANY_OUTLIERS = 0.05
_SPARSE = 0.2  # of the unique reflections, below which merged data serve next to nothing


def reduce_sweep(
    run: Reduction,
    recipe: Recipe,
    opened: Opened,
    placed: Placed | None,
    integrated: Integrated | None,
) -> Reduced | None:
    """Scale and merge one sweep; None where nothing was integrated."""
    sweep = observed(placed, integrated, run.claim.dataset_name)
    if sweep is None:
        return None
    sample = run.claim.sample or ""
    if recipe.program == "dials":
        symmetry, scaled = scaled_by_dials(run, recipe)
        reference = reference_of(recipe, run.claim)
        known, wavelength = opened.known, sweep.wavelength
        return merge_scaled(recipe, known, symmetry, scaled, wavelength, reference, sample)
    engine = Engine()
    with engine.active():
        found = merge_sweeps(
            recipe,
            opened.known,
            [sweep],
            reference=reference_of(recipe, run.claim),
            sample=sample,
        )
    run.record("scale and merge", engine.records)
    return found


def merge_sweeps(
    recipe: MergingRecipe,
    known: Known,
    sweeps: Sequence[SweepObservations],
    *,
    reference: Reference | None = None,
    sample: str = "",
) -> Reduced:
    """Determine the symmetry of sweeps that are indexed alike, scale and merge them.

    Parameters
    ----------
    recipe : MergingRecipe
        What to choose.
    known : Known
        Of the crystal.
    sweeps : sequence of SweepObservations
        Their numbers in the column ``sweep`` are their places here.
    reference : Reference, optional
        Data whose setting, indexing and free set are kept.
    sample : str
        Its name; the free set hangs on it.
    """
    symmetry, moved = determine(recipe, known, sweeps, reference)
    scaled = _scaled(recipe, symmetry, moved)
    wavelength = sweeps[0].wavelength
    return merge_scaled(recipe, known, symmetry, scaled, wavelength, reference, sample)


def merge_scaled(
    recipe: MergingRecipe,
    known: Known,
    symmetry: Symmetry,
    scaled: Scaled,
    wavelength: float,
    reference: Reference | None,
    sample: str,
) -> Reduced:
    """Cut the resolution of scaled observations, merge them, and look at what they say."""
    every = merge(scaled)
    cut = _cut(recipe, resolution_cut(every, level=recipe.cc_half, ice=on_ring(every.d)))
    d_min = cut.d_min if np.isfinite(cut.d_min) else 0.0
    merged = merge(scaled, d_min=d_min)
    inside = statistics(scaled, d_min=d_min)
    table = table_one(scaled, inside, wavelength=wavelength, cut=cut)
    told = look_at(recipe, known, symmetry, scaled, merged)
    return Reduced(
        symmetry=symmetry,
        scaled=scaled,
        merged=merged,
        cut=cut,
        statistics=statistics(scaled),
        table=table,
        amplitudes=told.amplitudes,
        free=_free(merged, sample, reference),
        figures=told.figures,
        doubts=_doubts(symmetry, scaled, cut, told, inside.overall.completeness),
    )


def reference_of(recipe: MergingRecipe, claim: Claim) -> Reference | None:
    """Read the reference data that the recipe names, if it names some.

    Raises
    ------
    DataError
        They are not there, or cannot be read.
    """
    if not recipe.reference:
        return None
    path = path_in(claim.folders, recipe.reference)
    if path is None or not path.is_file():
        told = ", ".join(str(folder) for folder in claim.folders) or "none"
        raise DataError(
            f"The reference data {recipe.reference!r} are no file in the beamline's folders "
            f"({told}): put the MTZ there, or leave the recipe's reference empty."
        )
    return read_reference(path)


def _free(merged: Merged, sample: str, reference: Reference | None) -> FreeSet:
    """Return the sample's free set; that of reference data goes on in it."""
    own = free_set(sample, merged.cell, merged.space_group)
    if reference is None or not len(reference.flags):
        return own
    return own.extended(reference.flags_of, reference.flags)


def _scaled(recipe: MergingRecipe, symmetry: Symmetry, sweeps: Sweeps) -> Scaled:
    return scale(
        Observations.join([each.observations for each in sweeps]),
        [each.crystal for each in sweeps],
        [each.rotation for each in sweeps],
        space_group=symmetry.space_group,
        anomalous=recipe.anomalous,
        absorption=None if recipe.absorption == "auto" else 0,
    )


def _cut(recipe: MergingRecipe, found: Cut) -> Cut:
    """Take the resolution that the recipe names, where it names one."""
    if recipe.resolution is None:
        return found
    rule = f"cut at {recipe.resolution:.2f} Å, as the recipe says ({found.rule})"
    return Cut(recipe.resolution, True, rule, found.d, found.cc_half, found.curve)


def _doubts(symmetry: Symmetry, scaled: Scaled, cut: Cut, told: Told, complete: float) -> Doubts:
    outliers = scaled.rejected
    said = list(scaled.warnings)
    if outliers > _MANY_OUTLIERS:
        said.append(
            f"{outliers:.1%} of the observations are outliers: look at the scales against image, "
            "and at the symmetry."
        )
    sparse = (
        f"Only {complete:.1%} of the unique reflections were measured: merge other sweeps of the "
        "crystal with this one, or turn it further."
    )
    nowhere = not np.isfinite(cut.d_min)
    return {
        "symmetry": (symmetry.sentence,) if symmetry.undetermined else (),
        "scaling": tuple(said),
        "completeness": (sparse,) if complete < _SPARSE else (),
        "resolution": (f"{cut.rule}: there is hardly any signal.",) if nowhere else (),
        "intensities": told.warnings,
    }
