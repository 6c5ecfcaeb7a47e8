"""The symmetry of a crystal, from its intensities or as it is known, and its axes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flows.mx.found import Symmetry
from flows.mx.recipe import MergingRecipe
from flows.mx.reference import Reference
from flows.mx.types import Floats, Known
from tasks.errors import DataError
from tasks.mx.crystal import Crystal
from tasks.mx.laue import Group, LaueResult, laue_group, unscored
from tasks.mx.observations_file import SweepObservations
from tasks.mx.refine_parameters import symmetrised
from tasks.mx.reflections import Observations
from tasks.mx.reindex import consistent_indexing
from tasks.mx.screw_axes import ScrewResult, screw_axes
from tasks.mx.settings import to_reference_setting
from tasks.mx.symmetry import centring, laue_rotations

Sweeps = tuple[SweepObservations, ...]
_GUESS = 0.5  # probability below which the best space group is as good as others


def determine(
    recipe: MergingRecipe,
    known: Known,
    sweeps: Sequence[SweepObservations],
    reference: Reference | None = None,
) -> tuple[Symmetry, Sweeps]:
    """Settle the space group, and bring all sweeps to its axes.

    Parameters
    ----------
    recipe : MergingRecipe
        Whether small molecules are meant.
    known : Known
        A space group that somebody says counts, where the lattice allows it.
    sweeps : sequence of SweepObservations
        Indexed alike.
    reference : Reference, optional
        Its setting and indexing are kept, and its space group.

    Raises
    ------
    DataError
        The lattice does not have the symmetry that is asked for, or is not the reference's.
    """
    if reference is not None:
        return _as_reference(reference, sweeps)
    joined = Observations.join([each.observations for each in sweeps])
    wanted = known.space_group
    if wanted and sweeps[0].crystal.space_group == wanted:  # indexed in its axes already
        return _given(wanted, None), tuple(sweeps)
    laue, few = _scored(joined, sweeps[0].crystal)
    if wanted:
        group = _like(laue, wanted)
        if group is None:
            raise DataError(
                f"The lattice does not have the symmetry of {wanted}: it allows "
                f"{', '.join(_names(laue)[:6])}. Leave the space group "
                "empty to have it determined."
            )
        there = _in_axes(sweeps, group.change_of_basis, wanted)
        return _given(wanted, laue), tuple(_named(each, wanted) for each in there)
    moved = _in_axes(sweeps, laue.change_of_basis, laue.space_group)
    if few:
        return _by_lattice(laue, few), tuple(_named(each, laue.space_group) for each in moved)
    screws = screw_axes(
        Observations.join([each.observations for each in moved]),
        laue.space_group,
        small_molecule=recipe.small_molecule,
    )
    found = Symmetry(
        laue=laue,
        screws=screws,
        space_group=_of_the_axes(laue, screws),
        candidates=screws.possible,
        undetermined=laue.undetermined or screws.undetermined,
        sentence=f"{laue.sentence} {screws.sentence}",
    )
    return found, tuple(_named(each, found.space_group) for each in moved)


def _of_the_axes(laue: LaueResult, screws: ScrewResult) -> str:
    """Return the most likely space group; where that is a guess, one without screws or glides."""
    bare = laue.space_group
    guess = screws.confidence < _GUESS and bare in screws.possible
    return bare if guess else screws.space_groups[0]


def _scored(joined: Observations, crystal: Crystal) -> tuple[LaueResult, str]:
    """Score the groups of the lattice; where the data are too few for it, say so."""
    try:
        return laue_group(joined, crystal), ""
    except DataError as error:
        return unscored(crystal), str(error)


def _by_lattice(laue: LaueResult, few: str) -> Symmetry:
    """Take the symmetry of the lattice, since nothing else is known; that decides nothing."""
    group = laue.space_group
    candidates = _names(laue)
    sentence = (
        f"{few} The symmetry is undetermined; that of the lattice, {group}, is taken. Measure more "
        "of the crystal, merge several sweeps, or name the space group."
    )
    return Symmetry(laue, None, group, candidates, True, sentence)


def _names(laue: LaueResult) -> tuple[str, ...]:
    """Return the groups' representatives, each once: several may lie along different axes."""
    return tuple(dict.fromkeys(each.space_group for each in laue.groups))


def _as_reference(
    reference: Reference, sweeps: Sequence[SweepObservations]
) -> tuple[Symmetry, Sweeps]:
    """Bring sweeps to the setting of reference data, and index them as these are."""
    crystal, change = to_reference_setting(sweeps[0].crystal, reference.cell, reference.space_group)
    there = [in_axes(each, change, reference.space_group) for each in sweeps]
    ways = consistent_indexing(
        [each.observations for each in there],
        [crystal] * len(there),
        reference=(reference.hkl, reference.intensity),
    )
    moved = tuple(
        in_axes(each, way.matrix.astype(np.float64), reference.space_group)
        for each, way in zip(there, ways, strict=True)
    )
    sure = all(way.sure for way in ways)
    sentence = (
        f"Setting and indexing are those of {reference.name} (correlation "
        f"{min(way.correlation for way in ways):.2f})."
    )
    if not sure:
        sentence += " Another way of indexing agrees about as well: look at it before phasing."
    group = reference.space_group
    return Symmetry(None, None, group, (group,), not sure, sentence), moved


def _given(wanted: str, laue: LaueResult | None) -> Symmetry:
    return Symmetry(laue, None, wanted, (wanted,), False, f"The space group {wanted} is given.")


def _like(laue: LaueResult, wanted: str) -> Group | None:
    """Return the group of the lattice with the Laue symmetry of a space group, if there is one."""
    like = _kind(wanted)
    return next((each for each in laue.groups if _kind(each.space_group) == like), None)


def _kind(space_group: str) -> tuple[str, frozenset[bytes]]:
    """Return what groups share that differ in screw axes and the like alone."""
    rotations = laue_rotations(space_group)
    return centring(space_group), frozenset(each.tobytes() for each in rotations)


def _in_axes(
    sweeps: Sequence[SweepObservations], change_of_basis: Floats, space_group: str
) -> Sweeps:
    return tuple(in_axes(each, change_of_basis, space_group) for each in sweeps)


def in_axes(
    sweep: SweepObservations, change_of_basis: Floats, space_group: str
) -> SweepObservations:
    """Describe a sweep with other axes: ``h_new = change_of_basis @ h``."""
    seen = sweep.observations
    moved = seen.hkl @ np.asarray(change_of_basis).T
    return replace(
        sweep,
        observations=replace(seen, hkl=np.rint(moved).astype(np.int32)),
        crystal=sweep.crystal.change_basis(change_of_basis, space_group),
    )


def _named(sweep: SweepObservations, space_group: str) -> SweepObservations:
    """Name a sweep's space group, and let its cell be as that demands."""
    crystal = replace(sweep.crystal, space_group=space_group)
    return replace(sweep, crystal=symmetrised(crystal))
