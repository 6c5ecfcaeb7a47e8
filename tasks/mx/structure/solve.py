"""
Molecular replacement: from a model that may lie anywhere to one that stands in the crystal.

In each space group that the data leave open, the best orientations are tried at all places, what
overlaps with its neighbours is discarded, and the rest is refined as a rigid body. Space groups are
ranked by the log-likelihood gain. A solution must gain more than chance does, and stand out from
whatever else was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.errors import DataError
from tasks.mx.structure.candidates import (
    axes_turn,
    copies_expected,
    groups_to_try,
    indexings,
    mass_of,
)
from tasks.mx.structure.observed import Normalised, Observed, normalise
from tasks.mx.structure.packing import clashes
from tasks.mx.structure.placement import Molecule, Placement, scored
from tasks.mx.structure.result import Candidate, Progress, StructureSettings
from tasks.mx.structure.rigid_body import refine_rigid_body
from tasks.mx.structure.rotation import Orientation, search_rotation
from tasks.mx.structure.transform import Transform, finest, transform_of
from tasks.mx.structure.translation import Place, search_translation

SURE_GAIN = 60.0  # LLG of a right solution (R. D. Oeffner et al., Acta Cryst. D74, 245 (2018))
_STANDS_OUT = 1.5  # times the gain of the best that is something else
_RESIDUE = 110.0  # daltons, of an amino acid on average
_OVERLAP = 0.10  # of the residues
_ORIENTATIONS = (12, 60)  # tried first, and if nothing stands out
_REFINED = 3  # places in each space group
_NEXT_GAIN = 20.0  # of another molecule
_WORTH = 0.5  # of the best gain: space groups below get no more molecules


@dataclass(frozen=True)
class Solution:
    """
    A placed model.

    Attributes
    ----------
    placement
        Space group and molecules.
    transform
        Of the model that was placed.
    reindex
        What the data's indices must undergo, ``h,k,l`` for nothing.
    candidates
        All that was tried, best first: each space group, then the other indexings of the best.
    gap
        Log-likelihood gain above the next space group; NaN if there is none.
    notes
        Sentences for the reader.
    """

    placement: Placement
    transform: Transform
    reindex: str
    candidates: tuple[Candidate, ...]
    gap: float
    notes: tuple[str, ...]


def place_model(
    observed: Observed,
    model: Any,
    space_groups: Sequence[str] = (),
    settings: StructureSettings | None = None,
    progress: Progress = lambda sentence: None,
    residues: int = 0,
) -> Solution:
    """
    Find orientation, place and space group.

    Parameters
    ----------
    observed
        Merged data.
    model
        ``gemmi.Model``, trimmed.
    space_groups
        To be tried; empty: all with the data's rotations and lattice.
    settings
        Resolution and number of copies.
    progress
        Told what is being done.
    residues
        Of the whole molecule, where the model is a part of it; 0 if not known.

    Raises
    ------
    DataError
        Nothing stands out, or there is no room for the model.
    """
    settings = settings or StructureSettings()
    groups = groups_to_try(observed, space_groups)
    whole = max(mass_of(model), _RESIDUE * residues)
    copies = settings.copies or copies_expected(whole, observed.cell, groups[0])
    data = normalise(observed, max(settings.d_min, finest(model)))
    transform = transform_of(model, data.d_min)
    progress("looking for the orientation of the model")
    found = search_rotation(data, transform, groups[0], keep=_ORIENTATIONS[-1])
    best, rest = _first_molecule(data, transform, groups, found, copies, progress)
    for number in range(1, copies):
        progress(f"looking for molecule {number + 1} of {copies}")
        best = _next_molecule(data, transform, best, found, number)
    ranked = sorted(best, key=lambda each: -each.llg)
    _refuse_chance(ranked, rest, copies)
    chosen = refine_rigid_body(data, transform, ranked[0], rounds=2)
    ranked[0] = chosen
    others = _other_indexings(observed, data.d_min, transform, chosen)
    gap = chosen.llg - ranked[1].llg if len(ranked) > 1 else float("nan")
    return Solution(
        chosen,
        transform,
        "h,k,l",
        (*(candidate(each) for each in ranked), *others),
        gap,
        tuple(_notes(ranked, others, copies, found[0])),
    )


def candidate(placement: Placement, reindex: str = "h,k,l") -> Candidate:
    """Return what a placement is worth."""
    return Candidate(
        placement.space_group,
        reindex,
        placement.cc,
        placement.llg,
        placement.z,
        placement.clashes,
    )


def _first_molecule(
    data: Normalised,
    transform: Transform,
    groups: Sequence[str],
    found: Sequence[Orientation],
    copies: int,
    progress: Progress,
) -> tuple[list[Placement], float]:
    """Return the best placement of each space group, and the gain of the best other one."""
    ranked: list[Placement] = []
    rest = 0.0
    for tried in _ORIENTATIONS:
        ranked, rest = [], 0.0
        for group in groups:
            progress(f"looking for its place in {group}")
            places = _places(data, transform, group, found[:tried], ())
            good = _refined(data, transform, Placement(group, ()), places)
            ranked.append(good[0])
            rest = max([rest, *(each.llg for each in good[1:])])
        ranked.sort(key=lambda each: -each.llg)
        others = max([rest, *(each.llg for each in ranked[1:])])
        if copies > 1 or stands_out(ranked[0], others):
            break
    return ranked, rest


def _next_molecule(
    data: Normalised,
    transform: Transform,
    placements: list[Placement],
    found: Sequence[Orientation],
    number: int,
) -> list[Placement]:
    """
    Add a molecule wherever one fits.

    A placement that gains nothing by it stays as it is and is not tried again, nor are those of
    space groups that lie far behind.
    """
    grown: list[Placement] = []
    best_gain = max(each.llg for each in placements)
    for placement in placements:
        group, fixed = placement.space_group, placement.molecules
        if len(fixed) < number or placement.llg < _WORTH * best_gain:
            grown.append(placement)
            continue
        places = _places(data, transform, group, found[: _ORIENTATIONS[0]], fixed)
        best = _refined(data, transform, placement, places)[0]
        better = best.llg > placement.llg + _NEXT_GAIN and best.clashes <= _OVERLAP
        grown.append(best if better else placement)
    return grown


def _places(
    data: Normalised,
    transform: Transform,
    group: str,
    found: Sequence[Orientation],
    fixed: Sequence[Molecule],
) -> list[Place]:
    """Return the best places of all orientations that differ, best first."""
    places = [
        place
        for each in found
        for place in search_translation(data, transform, group, each.rotation, fixed)
    ]
    places.sort(key=lambda place: -place.cc)
    kept: list[Place] = []
    for place in places:
        # The same crystal with another origin has the same correlation.
        if all(abs(place.cc - other.cc) > 1e-4 for other in kept):
            kept.append(place)
    return kept


def _refined(
    data: Normalised, transform: Transform, before: Placement, places: Sequence[Place]
) -> list[Placement]:
    """Refine the best places that do not overlap; best first, overlapping ones at the end."""
    found: list[Placement] = []
    for place in places:
        trial = replace(before, molecules=(*before.molecules, place.molecule), z=place.z)
        if _clashes(data, transform, trial) > 2 * _OVERLAP:
            continue
        trial = refine_rigid_body(data, transform, trial)
        found.append(replace(trial, clashes=_clashes(data, transform, trial)))
        if len(found) == _REFINED:
            break
    if not found:
        trial = replace(before, molecules=(*before.molecules, places[0].molecule), z=places[0].z)
        trial = scored(data, transform, trial)
        found = [replace(trial, clashes=_clashes(data, transform, trial))]
    found.sort(key=lambda each: (each.clashes > _OVERLAP, -each.llg))
    return _different(found)


def _different(placements: Sequence[Placement]) -> list[Placement]:
    """Leave out those that refinement has made equal to a better one."""
    kept: list[Placement] = []
    for placement in placements:
        if all(abs(placement.cc - other.cc) > 5e-3 for other in kept):
            kept.append(placement)
    return kept


def _clashes(data: Normalised, transform: Transform, placement: Placement) -> float:
    return clashes(transform.trace, placement.molecules, placement.space_group, data.cell)


def stands_out(best: Placement, others: float) -> bool:
    """Tell whether a placement gains enough, more than others, and does not overlap."""
    return (
        best.clashes <= _OVERLAP
        and best.llg >= SURE_GAIN
        and best.llg >= _STANDS_OUT * max(others, 0.0)
    )


def _refuse_chance(ranked: Sequence[Placement], rest: float, copies: int) -> None:
    best = ranked[0]
    others = max([0.0 if copies > 1 else rest, *(each.llg for each in ranked[1:])])
    if stands_out(best, others):
        return
    tried = ", ".join(f"{each.space_group} {each.llg:.0f}" for each in ranked[:8])
    raise DataError(
        "Molecular replacement found no solution that stands out: the log-likelihood gain of the "
        f"best is {best.llg:.0f} ({SURE_GAIN:.0f} are needed), that of the best other one "
        f"{others:.0f}; its residues overlap with neighbours to {best.clashes:.0%} (by space "
        f"group: {tried}). Look whether the model is the molecule in the crystal, give a model "
        "that is nearer or trimmed to its rigid core, and check the Laue group, twinning and the "
        f"number of copies ({copies} assumed)."
    )


def _other_indexings(
    observed: Observed, d_min: float, transform: Transform, chosen: Placement
) -> list[Candidate]:
    """Place the first molecule in the other namings of the axes: each must score the same."""
    found: list[Candidate] = []
    for triplet in indexings(observed)[1:]:
        data = normalise(observed.reindexed(triplet), d_min)
        rotation = axes_turn(triplet, observed.cell) @ chosen.molecules[0].rotation
        place = search_translation(data, transform, chosen.space_group, rotation)[0]
        trial = Placement(chosen.space_group, (place.molecule,), z=place.z)
        trial = refine_rigid_body(data, transform, trial)
        found.append(candidate(replace(trial, clashes=_clashes(data, transform, trial)), triplet))
    return found


def _notes(
    ranked: Sequence[Placement], others: Sequence[Candidate], copies: int, best: Orientation
) -> list[str]:
    chosen = ranked[0]
    notes = [
        f"The best orientation stands {best.z:.1f} sigma above chance, its place "
        f"{chosen.z:.1f}; molecular replacement gains {chosen.llg:.0f} in log-likelihood."
    ]
    if len(ranked) > 1:
        notes.append(
            f"{chosen.space_group} gains {chosen.llg - ranked[1].llg:.0f} more than the next space "
            f"group, {ranked[1].space_group}."
        )
    if others:
        listed = "; ".join(f"{each.reindex} {each.llg:.0f}" for each in others)
        notes.append(
            f"Other indexings of the axes were placed too ({listed}): they describe the same "
            "crystal turned, so that the data's own indexing is kept."
        )
    if len(chosen.molecules) < copies:
        notes.append(
            f"{copies} molecules were expected by volume, {len(chosen.molecules)} were found."
        )
    return notes
