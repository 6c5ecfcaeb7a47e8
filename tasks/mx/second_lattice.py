"""A second lattice among the spots that the first one leaves: a satellite, or another crystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.mx.crystal import Crystal
from tasks.mx.index import Indexed, NotIndexed, index
from tasks.mx.matrices import inverse, svd
from tasks.mx.reduction import Cell, buerger, matching, primitive
from tasks.mx.reflections import Spots

_FEWEST = 30
_FEWEST_SHARE = 0.1  # of all spots, that a second lattice must explain to be worth a word
_SAME = 0.03  # strain between two cells that are one


@dataclass(frozen=True)
class SecondLattice:
    """
    What was found among the spots left over.

    Attributes
    ----------
    indexed
        As if they were alone; `Indexed.hkl` has a row for each spot left over.
    share
        Of all spots that it explains.
    of_first
        Of as many spots as the first lattice explains.
    same_cell
        It is the same crystal form.
    angle_deg
        Between the two, for the same form; NaN otherwise.
    """

    indexed: Indexed
    share: float
    of_first: float
    same_cell: bool
    angle_deg: float

    @property
    def sentence(self) -> str:
        """For the report."""
        words = (
            f"A second lattice explains {self.share:.0%} of the spots, {self.of_first:.0%} of as "
            "many as the first"
        )
        if self.same_cell:
            return f"{words}; it is the same crystal form, turned by {self.angle_deg:.2f} degrees."
        return f"{words}; its cell is another one."


def second_lattice(spots: Spots, first: Indexed) -> SecondLattice | None:
    """
    Look for a second lattice.

    Parameters
    ----------
    spots
        All of them.
    first
        What they were indexed with.

    Returns
    -------
    SecondLattice or None
        None if the spots left over are few, or no lattice explains them.
    """
    left = ~first.indexed
    if left.sum() < max(_FEWEST, _FEWEST_SHARE * len(spots)):
        return None
    cell: Cell = first.crystal.cell
    try:
        found = index(
            spots.take(left), first.geometry, cell=cell, space_group=first.crystal.space_group
        )
    except NotIndexed:
        return None
    share = float(found.indexed.sum()) / len(spots)
    if share < _FEWEST_SHARE:
        return None
    of_first = float(found.indexed.sum()) / max(float(first.indexed.sum()), 1.0)
    same, angle = _relation(first.crystal, found.crystal)
    return SecondLattice(found, share, of_first, same, angle)


def _relation(one: Crystal, other: Crystal) -> tuple[bool, float]:
    """Tell whether two crystals have one cell, and the smallest angle between them, in degrees."""
    from tasks.mx.lattice import lattices

    first = buerger(primitive(one.space_group) @ one.direct)[0]
    second = primitive(other.space_group) @ other.direct
    matrix, strain = matching(second, first)
    if strain > _SAME:
        return False, float("nan")
    turned = matrix @ second
    best = 180.0
    highest = lattices(Crystal(inverse(first)))[0]
    for rotation in highest.rotations:
        left, _, right = svd(inverse(rotation @ turned) @ first)
        cosine = (float(np.trace(left @ right)) - 1) / 2
        best = min(best, float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    return True, best
