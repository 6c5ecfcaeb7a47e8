"""
A model of the same crystal form, as for one of many crystals soaked with ligands.

It needs no search: it stands where it must, unless the axes of the data are named in another of the
ways that a merohedral point group allows. All of them are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tasks.mx.structure.candidates import groups_to_try, indexings
from tasks.mx.structure.observed import Cell, Observed, normalise
from tasks.mx.structure.packing import clashes
from tasks.mx.structure.placement import Molecule, Placement
from tasks.mx.structure.result import StructureSettings
from tasks.mx.structure.rigid_body import refine_rigid_body
from tasks.mx.structure.solve import Solution, candidate, stands_out
from tasks.mx.structure.transform import finest, transform_of

_LENGTH, _ANGLE = 0.03, 2.0  # relative, degrees: largest difference of the cells


def place_as_it_stands(
    observed: Observed,
    structure: Any,
    space_groups: Sequence[str] = (),
    settings: StructureSettings | None = None,
) -> Solution | None:
    """
    Place a model of the same crystal form in each indexing of the data.

    Parameters
    ----------
    observed
        Merged data.
    structure
        ``gemmi.Structure`` with its cell and space group; one model.
    space_groups
        Those that the data leave open; empty: all with their rotations and lattice.
    settings
        Resolution.

    Returns
    -------
    Solution or None
        None if the crystal forms differ or no indexing stands out: then it must be searched.
    """
    settings = settings or StructureSettings()
    groups = groups_to_try(observed, space_groups)
    group = _same_form(observed, structure, groups)
    if group is None:
        return None
    model = structure[0]
    triplets = indexings(observed)
    d_min = max(settings.d_min, finest(model))
    transform = transform_of(model, d_min)
    start = Placement(group, (Molecule(np.eye(3), transform.centroid),))
    found: list[tuple[Placement, str]] = []
    for triplet in triplets:
        data = normalise(observed.reindexed(triplet), d_min)
        placed = refine_rigid_body(data, transform, start)
        overlap = clashes(transform.trace, placed.molecules, group, observed.cell)
        found.append((replace(placed, clashes=overlap), triplet))
    found.sort(key=lambda each: -each[0].llg)
    best, triplet = found[0]
    if not stands_out(best, max([0.0, *(each.llg for each, _ in found[1:])])):
        return None
    return Solution(
        best,
        transform,
        triplet,
        tuple(candidate(each, name) for each, name in found),
        float("nan"),
        (_note(found),),
    )


def _same_form(observed: Observed, structure: Any, groups: Sequence[str]) -> str | None:
    """Return the model's space group if its crystal is like the one that was measured."""
    own = structure.find_spacegroup()
    if own is None or not structure.cell.is_crystal():
        return None
    cell: Cell = structure.cell.parameters
    lengths = np.array(cell[:3]) / np.array(observed.cell[:3]) - 1
    angles = np.array(cell[3:]) - np.array(observed.cell[3:])
    alike = np.abs(lengths).max() <= _LENGTH and np.abs(angles).max() <= _ANGLE
    return next((each for each in groups if alike and each == own.xhm()), None)


def _note(found: Sequence[tuple[Placement, str]]) -> str:
    best, triplet = found[0]
    sentence = (
        f"The model is of the same crystal form ({best.space_group}): it was placed as it stands, "
        f"with the indices {triplet}, and gains {best.llg:.0f} in log-likelihood"
    )
    if len(found) == 1:
        return sentence + "."
    return sentence + f"; the next indexing, {found[1][1]}, gains {found[1][0].llg:.0f}."
