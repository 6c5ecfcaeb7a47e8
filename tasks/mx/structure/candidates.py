"""Space groups and indexings that merged data leave open, and for how many molecules is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.structure.observed import Cell, Observed, fractional_matrix

MATTHEWS = 2.35  # A^3/Da, usual (K. A. Kantardjieff & B. Rupp, Protein Sci. 12, 1865 (2003))
_DENSEST = 1.6  # A^3/Da: hardly any crystal has less (same source)


def space_groups_like(space_group: str) -> tuple[str, ...]:
    """
    Return the chiral space groups with the same rotations and lattice, which screws tell apart.

    Parameters
    ----------
    space_group
        Hermann-Mauguin symbol of any of them.
    """
    import gemmi

    wanted = _rotations_and_centring(gemmi.SpaceGroup(space_group))
    found = {
        each.xhm(): None
        for each in gemmi.spacegroup_table()
        if each.is_sohncke() and _rotations_and_centring(each) == wanted
    }
    return tuple(_without_equals(list(found)))


def groups_to_try(observed: Observed, space_groups: Sequence[str]) -> tuple[str, ...]:
    """Return the given space groups as gemmi names them, or all that the data leave open."""
    import gemmi

    named = tuple(gemmi.SpaceGroup(each).xhm() for each in space_groups)
    return named or space_groups_like(observed.space_group)


def indexings(observed: Observed, obliquity_deg: float = 3.0) -> tuple[str, ...]:
    """
    Return in which ways the axes of the data can be named, as triplets; the first is their own.

    There is more than one where the lattice has rotations that the intensities lack, as in a
    merohedral point group.
    """
    import gemmi

    laws = gemmi.find_twin_laws(
        gemmi.UnitCell(*observed.cell),
        gemmi.SpaceGroup(observed.space_group),
        obliquity_deg,
        False,
    )
    return ("h,k,l", *(law.as_hkl().triplet() for law in laws))


def axes_turn(triplet: str, cell: Cell) -> F:
    """Return the rotation of orthogonal space, (3, 3), that goes with a change of indices."""
    import gemmi

    turn = np.array(gemmi.Op(triplet).rot) / gemmi.Op.DEN
    to_fractional = fractional_matrix(cell)
    return np.linalg.inv(to_fractional) @ np.linalg.inv(turn) @ to_fractional


def copies_expected(mass: float, cell: Cell, space_group: str) -> int:
    """
    Estimate how many molecules the asymmetric unit holds, from the volume per dalton.

    Parameters
    ----------
    mass
        Of the molecule, in daltons.
    cell, space_group
        Of the crystal.

    Raises
    ------
    DataError
        There is no room for one.
    """
    import gemmi

    volume = gemmi.UnitCell(*cell).volume
    share = volume / len(gemmi.SpaceGroup(space_group).operations()) / mass
    if share < 1.2:
        raise DataError(
            f"The model ({mass / 1000:.1f} kDa) does not fit into the asymmetric unit of this "
            f"crystal: {share:.2f} cubic Angstrom per dalton. Take a part of the model, or check "
            "the cell and the Laue group."
        )
    most = max(1, int(share / _DENSEST))
    return min(range(1, most + 1), key=lambda count: _unusual(share / count))


def mass_of(model: Any) -> float:
    """Return the mass of a gemmi model without hydrogens, in daltons, plus 7 % for these."""
    return 1.07 * sum(each.atom.occ * each.atom.element.weight for each in model.all())


def _unusual(volume_per_dalton: float) -> float:
    """Return how far from usual it is; the distribution falls more steeply to dense crystals."""
    distance = float(np.log(volume_per_dalton / MATTHEWS))
    return distance if distance > 0 else -2 * distance


def _rotations_and_centring(group: Any) -> tuple[frozenset[str], str]:
    operations = group.operations()
    turns = frozenset(str(each.rot) for each in operations.sym_ops)
    return turns, str(sorted(str(each) for each in operations.cen_ops))


def _without_equals(symbols: list[str]) -> list[str]:
    """Leave out settings that differ in the origin alone."""
    import gemmi

    kept: dict[Any, str] = {}
    for symbol in symbols:
        group = gemmi.SpaceGroup(symbol)
        screws = frozenset((str(each.rot), _intrinsic(each)) for each in group.operations().sym_ops)
        kept.setdefault((group.number, screws), symbol)
    return list(kept.values())


def _intrinsic(operation: Any) -> tuple[int, ...]:
    """Return the part of a translation along the operation's own axis, whatever the origin."""
    turn = np.array(operation.rot) // operation.DEN
    power, total = turn, np.eye(3, dtype=int)
    order = 1
    while not np.array_equal(power, np.eye(3, dtype=int)):
        total, power, order = total + power, power @ turn, order + 1
    along = total @ np.array(operation.tran)
    return tuple(int(each) % (operation.DEN * order) for each in along)
