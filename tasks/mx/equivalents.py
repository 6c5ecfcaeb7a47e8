"""Which reflections are symmetry equivalents of each other, Friedel pairs told apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.mx.reflections import Ints

if TYPE_CHECKING:
    import gemmi

Bools = NDArray[np.bool_]
_MOST_INDEX = 1 << 20


@dataclass(frozen=True)
class Equivalents:
    """
    Unique reflections, and which of them each observation is.

    Attributes
    ----------
    hkl
        Unique indices in CCP4's asymmetric unit, sorted, (u, 3).
    of
        Number of the unique reflection of each observation, (n,).
    plus
        True where a rotation of the group takes the observation there, False where Friedel's law
        is needed, (n,); True for all centric ones.
    centric, absent
        Centric, and systematically absent in the space group, (u,).
    multiplicity
        How often a rotation takes it onto itself (epsilon), (u,).
    """

    hkl: Ints
    of: Ints
    plus: Bools
    centric: Bools
    absent: Bools
    multiplicity: Ints

    def groups(self, anomalous: bool) -> Ints:
        """Return what is compared with each other, (n,): Friedel pairs apart if anomalous."""
        return (2 * self.of + ~self.plus if anomalous else self.of).astype(np.int32)


def space_group_of(symbol: str) -> gemmi.SpaceGroup:
    """
    Look up a Hermann-Mauguin symbol.

    Raises
    ------
    DataError
        There is no such space group.
    """
    import gemmi

    try:
        return gemmi.SpaceGroup(symbol)
    except ValueError as error:
        raise DataError(
            f"{symbol!r} is not the symbol of a space group; write it like 'P 21 21 21'"
        ) from error


def equivalents(hkl: NDArray[Any], space_group: str) -> Equivalents:
    """
    Find the symmetry equivalents among indices.

    Parameters
    ----------
    hkl
        (n, 3).
    space_group
        Hermann-Mauguin symbol.

    Raises
    ------
    DataError
        No such space group.
    """
    group = space_group_of(space_group)
    operations = group.operations()
    first, positive = _representatives(np.ascontiguousarray(hkl, np.int32), rotations(space_group))
    keys, where, of = np.unique(_key(first), return_index=True, return_inverse=True)
    unique, flipped = _asymmetric_unit(group, first[where])
    order = np.lexsort(unique.T[::-1])
    rank = np.empty(len(keys), dtype=np.int32)
    rank[order] = np.arange(len(keys))
    centric = np.asarray(operations.centric_flag_array(unique), dtype=np.bool_)
    plus = (positive != flipped[of]) | centric[of]
    unique = np.ascontiguousarray(unique[order])
    return Equivalents(
        hkl=unique,
        of=rank[of],
        plus=plus,
        centric=centric[order],
        absent=np.asarray(operations.systematic_absences(unique), dtype=np.bool_),
        multiplicity=np.asarray(
            operations.epsilon_factor_without_centering_array(unique), np.int32
        ),
    )


@cache
def rotations(space_group: str) -> Ints:
    """Return the rotations W of a group's operations, (operations, 3, 3): indices turn as h W."""
    operations = space_group_of(space_group).operations()
    return np.array([each.rot for each in operations.sym_ops], dtype=np.int32) // 24


def all_unique(
    cell: tuple[float, ...], space_group: str, d_min: float, d_max: float = np.inf
) -> Ints:
    """Return every unique reflection in a range of d in Angstrom that is not absent, (u, 3)."""
    import gemmi

    longest = 0.0 if np.isinf(d_max) else d_max
    return np.asarray(
        gemmi.make_miller_array(
            gemmi.UnitCell(*cell), space_group_of(space_group), d_min, longest, unique=True
        ),
        dtype=np.int32,
    )


def isym(hkl: NDArray[Any], asymmetric: NDArray[Any], space_group: str) -> Ints:
    """
    Return M/ISYM of an MTZ file: which operation takes each index to its place.

    Parameters
    ----------
    hkl, asymmetric
        As observed, and in the asymmetric unit, (n, 3).

    Returns
    -------
    numpy.ndarray
        2 k + 1 where operation k takes the index there, 2 k + 2 where it takes it to the Friedel
        mate, (n,).
    """
    found = np.zeros(len(hkl), dtype=np.int32)
    for number, rotation in enumerate(rotations(space_group)):
        turned = hkl @ rotation
        for sign in (1, -1):
            fits = (found == 0) & (sign * turned == asymmetric).all(axis=1)
            found[fits] = 2 * number + (1 if sign == 1 else 2)
    return found


def _asymmetric_unit(group: gemmi.SpaceGroup, hkl: Ints) -> tuple[Ints, Bools]:
    import gemmi

    region, operations = gemmi.ReciprocalAsu(group), group.operations()
    moved = [region.to_asu(each, operations) for each in hkl.tolist()]
    if not moved:
        return np.zeros((0, 3), dtype=np.int32), np.zeros(0, dtype=np.bool_)
    where = np.array([each for each, _ in moved], dtype=np.int32)
    return where, np.array([number % 2 == 0 for _, number in moved])


def _key(hkl: Ints) -> NDArray[np.int64]:
    wide = hkl.astype(np.int64) + _MOST_INDEX
    return (wide[:, 0] << 42) | (wide[:, 1] << 21) | wide[:, 2]


def _representatives(hkl: Ints, turns: Ints) -> tuple[Ints, Bools]:
    """Return the largest index among all equivalents, and whether it is no Friedel mate."""
    best, best_key = hkl.copy(), _key(hkl)
    positive = np.ones(len(hkl), dtype=np.bool_)
    for sign in (1, -1):
        for turned in (sign * (hkl @ rotation) for rotation in turns):
            key = _key(turned)
            better = key > best_key
            best[better], best_key[better], positive[better] = turned[better], key[better], sign > 0
    return best, positive
