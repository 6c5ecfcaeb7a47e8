"""The results of a series' sweeps: which can be merged, in one setting and indexed alike."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from catalog.runs import InputFile
from flows.mx.known import known_of
from flows.mx.recipe import Recipe as SweepRecipe
from flows.mx.series.recipe import Recipe
from flows.mx.series.types import Members
from flows.mx.symmetry import Sweeps, in_axes
from flows.mx.types import Floats
from flows.reduction import Reduction
from tasks.errors import DataError
from tasks.io.diffraction import Facts
from tasks.mx.observations_file import SweepObservations, read_observations
from tasks.mx.reduction import described
from tasks.mx.reindex import by_orientation, consistent_indexing
from tasks.mx.settings import to_reference_setting

_ROLE, _OUTPUT = "member", "observations"
_FEWEST = 2
_TRIED = 20  # sweeps, whose lattice may be the one that most have


def read_members(run: Reduction, recipe: Recipe) -> Members:
    """Read the observations of all sweeps, and bring those that belong together to one setting.

    Raises
    ------
    DataError
        Fewer than two can be merged.
    """
    found, left_out = _read(run.claim.inputs)
    alike, others = _alike(recipe, found)
    left_out |= others
    if len(alike) < _FEWEST:
        name, why = next(iter(left_out.items()), (run.claim.dataset_name, "it has no results."))
        raise DataError(
            f"Of the sweeps of {run.claim.dataset_name}, {len(alike)} can be merged, and it takes "
            f"two. {name} is left out: {why}"
        )
    indexed, sentences = indexed_alike(alike)
    kept, disagreeing = _agreeing(recipe, indexed, sentences)
    left_out |= disagreeing
    known = known_of(SweepRecipe(space_group=recipe.space_group), run.claim.sample_facts, Facts())
    return Members(
        sweeps=numbered(kept),
        left_out=left_out,
        known=replace(known, cell=None),
        wavelength=kept[0].wavelength,
        doubts={"sweeps": tuple(f"{name} is left out: {why}" for name, why in left_out.items())},
    )


def _read(inputs: Sequence[InputFile]) -> tuple[list[SweepObservations], dict[str, str]]:
    """Read one file for each result; results without observations are named beside."""
    members = [file for file in inputs if file.role == _ROLE]
    files = {file.name: file for file in members if file.output == _OUTPUT}
    found = [replace(read_observations(Path(file.path)), name=n) for n, file in files.items()]
    lacking = {file.name for file in members} - set(files)
    return found, {name: "nothing was integrated of it." for name in sorted(lacking)}


def _alike(recipe: Recipe, found: Sequence[SweepObservations]) -> tuple[Sweeps, dict[str, str]]:
    """Bring those sweeps to one setting that are most; those of another lattice are left out."""
    largest_first = sorted(found, key=lambda each: -len(each.observations))
    groups = [_like(recipe, first, found) for first in largest_first[:_TRIED]]
    return max(groups, key=lambda group: len(group[0]), default=((), {}))


def _like(
    recipe: Recipe, first: SweepObservations, found: Sequence[SweepObservations]
) -> tuple[Sweeps, dict[str, str]]:
    kept: list[SweepObservations] = []
    left_out: dict[str, str] = {}
    for each in found:
        try:
            moved = _in_axes_of(first, each)
        except DataError as error:
            left_out[each.name] = str(error)
            continue
        apart = np.abs(np.array(moved.crystal.cell) / np.array(first.crystal.cell) - 1).max()
        if apart > recipe.cell_tolerance:
            left_out[each.name] = (
                f"its cell, {described(moved.crystal.cell)}, differs by {apart:.1%} from that of "
                f"{first.name}, {described(first.crystal.cell)}."
            )
        else:
            kept.append(moved)
    return tuple(kept), left_out


def _in_axes_of(first: SweepObservations, sweep: SweepObservations) -> SweepObservations:
    if sweep is first:
        return sweep
    group = first.crystal.space_group
    _, change = to_reference_setting(sweep.crystal, first.crystal.cell, group)
    return in_axes(sweep, change, group)


def indexed_alike(sweeps: Sweeps) -> tuple[Sweeps, tuple[float, ...]]:
    """Index all sweeps as the first: by how the crystal lies, else by their intensities.

    Returns
    -------
    tuple of SweepObservations
        Reindexed.
    tuple of float
        How well each agrees with the others; NaN where it was not looked at.
    """
    crystals = [each.crystal for each in sweeps]
    try:
        matrices = [m.astype(np.float64) for m in by_orientation(crystals)]
        correlations = [float("nan")] * len(sweeps)
    except DataError:
        ways = consistent_indexing([each.observations for each in sweeps], crystals)
        matrices = [way.matrix.astype(np.float64) for way in ways]
        correlations = [way.correlation for way in ways]
    moved = tuple(_turned(each, m) for each, m in zip(sweeps, matrices, strict=True))
    return moved, tuple(correlations)


def _turned(sweep: SweepObservations, matrix: Floats) -> SweepObservations:
    return in_axes(sweep, matrix, sweep.crystal.space_group)


def _agreeing(
    recipe: Recipe, sweeps: Sweeps, correlations: Sequence[float]
) -> tuple[Sweeps, dict[str, str]]:
    """Leave out sweeps whose intensities do not agree with the others'."""
    poor = {
        each.name: f"its intensities agree with the others' to {correlation:.2f} only."
        for each, correlation in zip(sweeps, correlations, strict=True)
        if np.isfinite(correlation) and correlation < recipe.least_correlation
    }
    kept = tuple(each for each in sweeps if each.name not in poor)
    if len(kept) >= _FEWEST:
        return kept, poor
    return sweeps, {}  # nobody can say which of two is the wrong one


def numbered(sweeps: Sweeps) -> Sweeps:
    """Give each sweep its place as its number."""
    return tuple(
        replace(
            each,
            observations=replace(
                each.observations, sweep=np.full(len(each.observations), number, np.int32)
            ),
        )
        for number, each in enumerate(sweeps)
    )
