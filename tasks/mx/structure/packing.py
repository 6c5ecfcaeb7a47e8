"""Whether molecules overlap with their neighbours in the crystal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.structure.observed import Cell, fractional_matrix
from tasks.mx.structure.placement import Molecule

_TOUCH = 3.0  # Angstrom between C-alpha atoms, which no two molecules come near


def clashes(trace: F, molecules: Sequence[Molecule], space_group: str, cell: Cell) -> float:
    """
    Return the fraction of residues that lie within another molecule's trace.

    Parameters
    ----------
    trace
        C-alpha atoms of the centred model, (residues, 3).
    molecules
        In the asymmetric unit.
    space_group, cell
        Of the crystal.
    """
    import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

    if not len(trace):
        return 0.0
    to_fractional = fractional_matrix(cell)
    to_orthogonal = np.linalg.inv(to_fractional).T
    turns, moves = _operations(space_group)
    unit = [molecule.moved(trace) @ to_fractional.T for molecule in molecules]
    touched = 0
    everything = [
        (number, mate, mates @ turn.T + move)
        for number, mates in enumerate(unit)
        for mate, (turn, move) in enumerate(zip(turns, moves, strict=True))
    ]
    for number, own in enumerate(unit):
        tree: Any = scipy.spatial.KDTree(own @ to_orthogonal)
        near = np.zeros(len(own), dtype=bool)
        for other, mate, positions in everything:
            centre = np.rint(own.mean(axis=0) - positions.mean(axis=0))
            for shift in centre + _AROUND:
                if other == number and mate == 0 and not np.any(shift):
                    continue
                near |= _within(tree, (positions + shift) @ to_orthogonal, len(own))
        touched += int(near.sum())
    return touched / (len(unit) * len(trace))


_AROUND = np.array(
    [(a, b, c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)], dtype=np.float64
)


def _within(tree: Any, positions: F, count: int) -> NDArray[np.bool_]:
    """Tell which points of the tree lie near to positions, (count,)."""
    distance, which = tree.query(positions, distance_upper_bound=_TOUCH)
    near = np.zeros(count, dtype=bool)
    near[which[np.isfinite(distance)]] = True
    return near


def _operations(space_group: str) -> tuple[F, F]:
    import gemmi

    operations = list(gemmi.SpaceGroup(space_group).operations())
    turns = np.array([each.rot for each in operations]) / gemmi.Op.DEN
    moves = np.array([each.tran for each in operations]) / gemmi.Op.DEN
    return turns, moves
