"""Symmetry operators on indices: rotations, equivalents, centrings.

An operator is a matrix M on indices, ``h_new = M @ h``. Spacegroups are gemmi's; what is here are
the arrays that the rest of the reduction counts with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.equivalents import space_group_of
from tasks.mx.reflections import Ints

PRIMITIVE: dict[str, list[list[float]]] = {
    "P": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "A": [[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]],
    "B": [[0.5, 0, 0.5], [0, 1, 0], [-0.5, 0, 0.5]],
    "C": [[0.5, -0.5, 0], [0.5, 0.5, 0], [0, 0, 1]],
    "I": [[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]],
    "F": [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
    "R": [[2 / 3, 1 / 3, 1 / 3], [-1 / 3, 1 / 3, 1 / 3], [-1 / 3, -2 / 3, 1 / 3]],
}
"""Axes of a primitive cell (rows) in those of the centred one; R: hexagonal axes, obverse."""


def space_group(symbol: str) -> Any:
    """
    Look a symbol up.

    Raises
    ------
    DataError
        If there is no such space group.
    """
    return space_group_of(symbol)


def rotations(symbol: str) -> Ints:
    """Return the rotations of a space group on indices, (n, 3, 3), improper ones included."""
    operators = space_group(symbol).operations().sym_ops
    return np.array([np.array(each.rot).T // each.DEN for each in operators], dtype=np.int32)


def laue_rotations(symbol: str) -> Ints:
    """Return the proper rotations of its Laue class, (n, 3, 3); a Friedel mate is one more."""
    proper: dict[bytes, Ints] = {}
    for each in rotations(symbol):
        matrix = np.asarray(each * round(float(np.linalg.det(each))), dtype=np.int32)
        proper[matrix.tobytes()] = matrix
    return np.array(list(proper.values()))


def centring(symbol: str) -> str:
    """Return the letter of the lattice; rhombohedral axes are primitive."""
    found = space_group(symbol)
    return "P" if found.hm[0] == "R" and found.ext != "H" else str(found.hm[0])


def keys(hkl: NDArray[Any]) -> NDArray[np.int64]:
    """Return one number per index, (n,), that orders like the indices; below 2^20 in size."""
    wide = np.asarray(hkl, dtype=np.int64) + (1 << 20)
    return (wide[..., 0] << 42) | (wide[..., 1] << 21) | wide[..., 2]


def representatives(hkl: NDArray[Any], proper: Ints, *, friedel: bool = True) -> Ints:
    """
    Map indices to one member of their class of equivalents.

    Parameters
    ----------
    hkl
        (n, 3).
    proper
        Rotations that make them equivalent, (m, 3, 3).
    friedel
        Whether -h belongs to the class of h.

    Returns
    -------
    numpy.ndarray
        The equivalent that is largest in h, then k, then l, (n, 3).
    """
    start = np.asarray(hkl, dtype=np.int32)
    best, best_keys = start.copy(), keys(start)
    for matrix in proper:
        turned = start @ matrix.T
        for each in (turned, -turned) if friedel else (turned,):
            found = keys(each)
            better = found > best_keys
            best[better], best_keys[better] = each[better], found[better]
    return best


def classes(
    hkl: NDArray[Any], proper: Ints, *, friedel: bool = True
) -> tuple[Ints, NDArray[np.intp]]:
    """Return the representatives once each, (m, 3), and to which one each index belongs, (n,)."""
    found = representatives(hkl, proper, friedel=friedel)
    _, first, which = np.unique(keys(found), return_index=True, return_inverse=True)
    return found[first], which


def merge_equivalents(
    hkl: NDArray[Any], intensity: F, sigma: F, proper: Ints, *, friedel: bool = True
) -> tuple[Ints, F, F, Ints]:
    """
    Average equivalents with weights 1/sigma².

    Returns
    -------
    hkl : numpy.ndarray
        (m, 3).
    intensity, sigma : numpy.ndarray
        (m,).
    count : numpy.ndarray
        Observations in each, (m,).
    """
    unique, which = classes(hkl, proper, friedel=friedel)
    weight = 1 / np.maximum(sigma, 1e-12) ** 2
    total = np.bincount(which, weight, len(unique))
    mean = np.bincount(which, weight * intensity, len(unique)) / total
    count = np.bincount(which, minlength=len(unique)).astype(np.int32)
    return unique, mean, 1 / np.sqrt(total), count


def positions(hkl: NDArray[Any], table: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where indices stand in a sorted table of `keys`, -1 where they do not, (n,)."""
    if len(table) == 0:
        return np.full(len(hkl), -1, dtype=np.intp)
    wanted = keys(hkl)
    at = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return np.where(table[at] == wanted, at, -1)
