"""Conventional axes of a lattice, and the axes of a reference.

International Tables A: monoclinic with b unique and the beta nearest to 90 degrees (not acute), so
I 2 where C 2 would be more oblique; orthorhombic a < b < c, C-centred where one face is;
tetragonal, hexagonal and cubic by the axes of symmetry; rhombohedral in hexagonal axes, obverse.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal
from tasks.mx.matrices import inverse, lengths
from tasks.mx.reduction import Cell, buerger, described, direct_of, matching, primitive

_REACH = 4  # of the multiples of reduced axes, among which conventional ones are looked for
_ALIKE = 0.05  # strain between a crystal and its reference


def conventional(direct: F, rotations: F) -> tuple[F, str]:
    """
    Return the conventional axes of a lattice.

    Parameters
    ----------
    direct
        Rows are primitive axes whose metric has the symmetry, (3, 3), in Angstrom.
    rotations
        The proper rotations of its holohedry in these axes, (m, 3, 3), ``x' = W x``.

    Returns
    -------
    matrix : numpy.ndarray
        ``matrix @ direct`` has the conventional axes as rows; whole numbers.
    bravais : str
        Such as ``mC``, ``oI``, ``hR``.
    """
    orders = [_order(each) for each in rotations]
    count, most = len(rotations), max(orders)
    if count == 1:
        return buerger(direct)[1], "aP"
    if count == 2:
        return _monoclinic(direct, rotations[orders.index(2)])
    if count == 4:
        return _orthorhombic(direct, [w for w, n in zip(rotations, orders, strict=True) if n == 2])
    if count == 24:
        axes = [_axis(direct, w) for w, n in zip(rotations, orders, strict=True) if n == 4]
        matrix = _right(np.array(_distinct(axes)))
        return matrix, "c" + {1: "P", 2: "I", 4: "F"}[_size(matrix)]
    return _uniaxial(direct, rotations[orders.index(most)], most)


def _uniaxial(direct: F, main: F, most: int) -> tuple[F, str]:
    """Return tetragonal, hexagonal or rhombohedral axes, c along the main rotation."""
    c = _axis(direct, main)
    plane = _across(direct, main)
    if most == 4:
        matrix = _right(np.array([plane[0], _image(main, plane[0]), c]))
        return matrix, "t" + {1: "P", 2: "I"}[_size(matrix)]
    turn = main if most == 3 else main @ main
    matrix = np.array([plane[0], _image(turn, plane[0]), c])
    matrix = matrix if np.linalg.det(matrix) > 0 else np.array([plane[0], matrix[1], -c])
    if _size(matrix) == 1:
        return matrix, "hP"
    return (matrix if _obverse(matrix) else matrix * [[-1], [-1], [1]]), "hR"


SPACE_GROUPS = {
    "aP": "P 1", "mP": "P 1 2 1", "mC": "C 1 2 1", "mI": "I 1 2 1", "oP": "P 2 2 2",
    "oC": "C 2 2 2", "oI": "I 2 2 2", "oF": "F 2 2 2", "tP": "P 4 2 2", "tI": "I 4 2 2",
    "hP": "P 6 2 2", "hR": "R 3 2:H", "cP": "P 4 3 2", "cI": "I 4 3 2", "cF": "F 4 3 2",
}  # fmt: skip
"""The group of the proper rotations of each Bravais lattice."""


def to_reference_setting(
    crystal: Crystal, reference_cell: Cell, reference_space_group: str
) -> tuple[Crystal, F]:
    """
    Describe a crystal with the axes of a reference.

    Returns
    -------
    crystal : Crystal
        With the reference's space group.
    matrix : numpy.ndarray
        ``h_new = matrix @ h_old``, (3, 3). Where the lattice has a higher symmetry than the
        crystal, one of several choices: indices of two crystals may still have to be matched.

    Raises
    ------
    DataError
        The lattice is not that of the reference.
    """
    mine = primitive(crystal.space_group) @ crystal.direct
    axes = direct_of(reference_cell)
    to_primitive = primitive(reference_space_group)
    turned, strain = matching(mine, to_primitive @ axes)
    if strain > _ALIKE:
        raise DataError(
            f"The crystal's cell, {described(crystal.cell)}, cannot be described in the setting of "
            f"the reference, {described(reference_cell)}: the lattices differ by {strain:.1%}. "
            "Check that the reference belongs to this crystal form."
        )
    change = inverse(to_primitive) @ turned @ primitive(crystal.space_group)
    return crystal.change_basis(change, reference_space_group), change


def _monoclinic(direct: F, rotation: F) -> tuple[F, str]:
    b = _axis(direct, rotation)
    plane = _across(direct, rotation)
    best: tuple[float, F, str] | None = None
    for a, c in product(plane[:8], repeat=2):
        matrix = np.array([a, b, c])
        if _size(matrix) not in (1, 2):
            continue
        matrix = _right(matrix)
        axes = matrix @ direct
        cosine = axes[0] @ axes[2] / np.linalg.norm(axes[0]) / np.linalg.norm(axes[2])
        letter = _letter(matrix)
        if cosine > 1e-9 or letter in "AB":
            continue
        long_first = np.linalg.norm(axes[0]) > np.linalg.norm(axes[2]) + 1e-6
        # of two equally oblique settings C is preferred, and a < c
        cost = float(abs(cosine)) + 1e-4 * (letter == "I") + 1e-5 * long_first
        if letter == "P":  # the shortest axes are the least oblique
            cost = float(np.linalg.norm(axes[0]) + np.linalg.norm(axes[2])) + 1e-5 * long_first
        if best is None or cost < best[0] - 1e-12:
            best = (cost, matrix, "m" + letter)
    if best is None:
        raise ValueError("no monoclinic axes within reach")
    return best[1], best[2]


def _orthorhombic(direct: F, rotations: list[F]) -> tuple[F, str]:
    axes = np.array([_axis(direct, each) for each in rotations])
    axes = axes[np.argsort(np.linalg.norm(axes @ direct, axis=1), kind="stable")]
    letter = _letter(axes)
    if letter in "AB":  # the centred face becomes that of a and b
        axes = axes[[1, 2, 0]] if letter == "A" else axes[[0, 2, 1]]
        letter = "C"
    return _right(axes), "o" + letter


def _axis(direct: F, rotation: F) -> F:
    """Return the shortest lattice vector along a rotation's axis, (3,)."""
    rows = _vectors(direct)
    along = np.abs(rows @ rotation.T - rows).max(axis=1) < 0.5
    if not along.any():
        raise ValueError("the rotation has no axis within reach")
    return rows[along][0]


def _across(direct: F, rotation: F) -> list[F]:
    """Return lattice vectors across a rotation's axis, the shortest first."""
    order = _order(rotation)
    total = np.sum([np.linalg.matrix_power(rotation, power) for power in range(order)], axis=0)
    rows = _vectors(direct)
    return list(rows[np.abs(rows @ total.T).max(axis=1) < 0.5])


def _vectors(direct: F) -> F:
    """Return lattice vectors by length, (n, 3)."""
    rows = _rows()
    return rows[np.argsort(np.round(lengths(rows @ direct), 6), kind="stable")]


@cache
def _rows() -> F:
    rows = np.array(list(product(range(-_REACH, _REACH + 1), repeat=3)), dtype=np.float64)
    rows = rows[np.gcd.reduce(rows.astype(int), axis=1) == 1]
    positive = [row[np.flatnonzero(row)[0]] > 0 for row in rows]
    return np.concatenate([rows[positive], rows[np.logical_not(positive)]])


def _image(rotation: F, row: F) -> F:
    return rotation @ row


def _order(rotation: F) -> int:
    trace = round(float(np.trace(rotation)))
    return {3: 1, -1: 2, 0: 3, 1: 4, 2: 6}[trace]


def _size(matrix: F) -> int:
    return round(abs(float(np.linalg.det(matrix))))


def _right(matrix: F) -> F:
    """Return right-handed axes: the second one is turned round if need be."""
    return matrix if np.linalg.det(matrix) > 0 else matrix * [[1], [-1], [1]]


def _distinct(rows: list[F]) -> list[F]:
    found: list[F] = []
    for row in rows:
        if not any(np.allclose(row, other) or np.allclose(row, -other) for other in found):
            found.append(row)
    return found


def _letter(matrix: F) -> str:
    """Return the centring of axes, from the lattice points within them."""
    size = _size(matrix)
    # lattice points, in units of the axes
    points = np.array(list(product(range(-2, 3), repeat=3))) @ inverse(matrix)
    inside = np.round(np.mod(points + 1e-6, 1.0), 3) % 1.0
    found = {tuple(float(value) for value in row) for row in inside}
    half = 0.5
    if size == 1:
        return "P"
    if size == 4:
        return "F"
    names = {(0.0, half, half): "A", (half, 0.0, half): "B", (half, half, 0.0): "C"}
    for translation, name in names.items():
        if translation in found:
            return name
    return "I"


def _obverse(matrix: F) -> bool:
    """Tell whether a rhombohedral lattice in hexagonal axes has its points at 2/3 1/3 1/3."""
    point = np.array([2 / 3, 1 / 3, 1 / 3]) @ matrix
    return bool(np.allclose(point, np.round(point), atol=1e-3))
