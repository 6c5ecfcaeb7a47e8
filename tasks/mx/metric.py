"""The symmetry of a lattice by its lengths and angles.

Two-fold axes of the reduced cell give every rotation a lattice can have (Le Page, J. Appl. Cryst.
15, 255 (1982); here as gemmi finds them).
"""

from __future__ import annotations

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal
from tasks.mx.reflections import Ints
from tasks.mx.symmetry import PRIMITIVE, centring


def reduced(crystal: Crystal) -> tuple[Crystal, F]:
    """
    Return the crystal in its Niggli cell, and the matrix that takes indices there.

    Parameters
    ----------
    crystal
        The letter of its space group says how the cell is centred.
    """
    import gemmi

    primitive = np.array(PRIMITIVE[centring(crystal.space_group)])
    cell = gemmi.UnitCell(*crystal.change_basis(primitive, "P 1").cell)
    vector = gemmi.GruberVector(cell, "P", track_change_of_basis=True)
    vector.niggli_reduce(epsilon=1e-9 * cell.volume ** (2 / 3))
    operator = vector.change_of_basis
    matrix = np.array(operator.rot, dtype=np.float64).T / operator.DEN
    if np.linalg.det(matrix) < 0:
        matrix = -matrix
    total = matrix @ primitive
    return crystal.change_basis(total, "P 1"), total


def lattice_rotations(crystal: Crystal, tolerance_deg: float = 2.0) -> Ints:
    """
    Return the proper rotations of a lattice on its indices, (n, 3, 3).

    Parameters
    ----------
    tolerance_deg
        How far a two-fold axis of the direct lattice may be from that of the reciprocal one.
    """
    import gemmi

    small, to_small = reduced(crystal)
    group = gemmi.find_lattice_symmetry(gemmi.UnitCell(*small.cell), "P", tolerance_deg)
    found = np.array([np.array(each.rot).T // each.DEN for each in group.sym_ops])
    back = np.rint(np.linalg.inv(to_small) @ found @ to_small)
    return back.astype(np.int32)


def symmetric_metric(crystal: Crystal, proper: Ints) -> F:
    """Return the metric tensor of the direct axes, averaged over rotations, (3, 3), in square A."""
    direct = crystal.direct
    metric = direct @ direct.T
    turned = np.linalg.inv(proper).transpose(0, 2, 1)
    return np.mean(turned.transpose(0, 2, 1) @ metric @ turned, axis=0)


def orders(proper: Ints) -> Ints:
    """Return the order of each proper rotation, (n,), from its trace."""
    return np.array([{3: 1, -1: 2, 0: 3, 1: 4, 2: 6}[int(np.trace(each))] for each in proper])
