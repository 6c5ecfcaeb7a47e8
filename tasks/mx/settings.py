"""The axes that a group of rotations is written in, and the axes of a reference.

The conventional axes of a group follow from its axes and planes by the rules of International
Tables A (2016), chapters 1.5 and 3.1: monoclinic with b unique and the shortest a and c, C-centred
where it is centred; orthorhombic a < b < c, C-centred where one face is; tetragonal, hexagonal and
cubic by the axes of symmetry; rhombohedral in hexagonal axes, obverse.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal
from tasks.mx.matrices import inverse
from tasks.mx.metric import orders, symmetric_metric
from tasks.mx.reduction import Cell, described, direct_of, matching, primitive
from tasks.mx.reflections import Ints
from tasks.mx.symmetry import PRIMITIVE, space_group

_POINTS = np.array(list(itertools.product(range(-4, 5), repeat=3)), dtype=np.int64)
_FEW = np.array(list(itertools.product(range(3), repeat=3)), dtype=np.int64)
_ALIKE = 0.05  # strain between a crystal and its reference
_FAMILIES = {"trigonal": "h", "triclinic": "a"}  # else the system's first letter


@dataclass(frozen=True)
class Setting:
    """
    Conventional axes of a group of rotations.

    Attributes
    ----------
    matrix
        Takes indices in the reduced cell to conventional ones, (3, 3).
    space_group
        The group's representative without screw axes, such as ``C 1 2 1``.
    """

    matrix: F
    space_group: str

    @property
    def bravais(self) -> str:
        """The lattice whose symmetry the group asks for, such as ``mC``, ``oI``, ``hR``."""
        system = str(space_group(self.space_group).crystal_system_str())
        return _FAMILIES.get(system, system[0]) + self.space_group[0]


def conventional(crystal: Crystal, proper: Ints) -> Setting:
    """
    Find the conventional axes of a group of rotations.

    Parameters
    ----------
    crystal
        In its reduced cell.
    proper
        The group's rotations on indices, (n, 3, 3).
    """
    metric = symmetric_metric(crystal, proper)
    axes = _axes(metric, np.rint(np.linalg.inv(proper).transpose(0, 2, 1)).astype(np.int64))
    if np.linalg.det(axes) < 0:
        axes = axes * np.array([[1], [-1], [1]]) if len(proper) == 2 else _other_hand(axes, proper)
    if len(proper) in (3, 6) and round(float(np.linalg.det(axes))) == 3 and not _obverse(axes):
        axes = axes * np.array([[-1], [-1], [1]])
    return Setting(axes.astype(np.float64), _symbol(axes, proper))


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


def _other_hand(axes: NDArray[Any], proper: Ints) -> NDArray[Any]:
    """Along the axis of a tetragonal or hexagonal group alone, elsewhere all three."""
    single = len(proper) in (3, 4, 6, 8, 12) and max(orders(proper)) > 2 and not _cubic(proper)
    return axes * np.array([[1], [1], [-1]]) if single else -axes


def _cubic(proper: Ints) -> bool:
    return int(np.sum(orders(proper) == 3)) == 8


def _axes(metric: F, direct: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows are a, b, c in the reduced cell's axes, of either hand."""
    if len(direct) == 1:
        return np.eye(3, dtype=np.int64)
    order = orders(direct.astype(np.int32))
    highest = int(order.max())
    if _cubic(direct.astype(np.int32)):
        along = 4 if highest == 4 else 2
        return _distinct(direct[order == along])
    if highest == 2:
        return _monoclinic(metric, direct) if len(direct) == 2 else _orthorhombic(metric, direct)
    main = direct[order == highest][0]
    axis, plane = _axis(main), _plane(metric, main)
    first = plane[0]
    turn = 4 if highest == 4 else 3
    rotation = np.linalg.matrix_power(main, highest // turn)
    return np.array([first, rotation @ first, axis])


def _axis(rotation: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shortest lattice vector along a rotation's axis."""
    total = _sum_of_powers(rotation)
    column = total[:, int(np.argmax(np.abs(total).sum(axis=0)))]
    return column // int(np.gcd.reduce(column))


def _plane(metric: F, rotation: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lattice vectors normal to the axis, the shortest first."""
    normal = np.all(_POINTS @ _sum_of_powers(rotation).T == 0, axis=1)
    points = _POINTS[normal & np.any(_POINTS != 0, axis=1)]
    square: F = np.einsum("ni,ij,nj->n", points, metric, points)
    x, y, z = -points.T
    return points[np.lexsort((x, y, z, np.round(square, 6)))]


def _sum_of_powers(rotation: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.sum([np.linalg.matrix_power(rotation, k) for k in range(12)], axis=0)


def _distinct(found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Axes of rotations, each direction once."""
    seen: list[NDArray[np.int64]] = []
    for each in (_axis(rotation) for rotation in found):
        if not any(np.array_equal(each, old) or np.array_equal(each, -old) for old in seen):
            seen.append(each)
    return np.array(seen)


def _orthorhombic(metric: F, direct: NDArray[np.int64]) -> NDArray[np.int64]:
    """Axes a < b < c, but where a face is centred that is C."""
    axes = _distinct(direct[orders(direct.astype(np.int32)) == 2])
    axes = axes[np.argsort(np.einsum("ni,ij,nj->n", axes, metric, axes))]
    turn = {"A": [1, 2, 0], "B": [0, 2, 1]}.get(letter(axes), [0, 1, 2])
    return axes[turn]


def _monoclinic(metric: F, direct: NDArray[np.int64]) -> NDArray[np.int64]:
    """Axis b unique; the shortest a and c with an obtuse angle, or those that centre C."""
    rotation = direct[orders(direct.astype(np.int32)) == 2][0]
    axis, plane = _axis(rotation), _plane(metric, rotation)
    choices: list[tuple[float, float, NDArray[np.int64]]] = []
    for a, c in itertools.permutations(plane[:12], 2):
        axes = np.array([a, axis, c])
        if abs(round(float(np.linalg.det(axes)))) in (1, 2) and a @ metric @ c < 1e-9:
            lengths = float(np.sqrt(a @ metric @ a)), float(np.sqrt(c @ metric @ c))
            choices.append((round(sum(lengths), 6), lengths[0], axes))
    choices.sort(key=lambda each: each[:2])
    return next(axes for _, _, axes in choices if letter(axes) in "PC")


def letter(axes: NDArray[Any]) -> str:
    """Return how a cell is centred whose axes are rows in a primitive cell's axes; ? if oddly."""
    found = _lattice_points(np.asarray(np.linalg.inv(axes), dtype=np.float64))
    for name, rows in PRIMITIVE.items():
        if found == _lattice_points(np.array(rows)):
            return name
    return "?"


def _lattice_points(primitive: F) -> frozenset[int]:
    """Lattice points inside a cell, as numbers: coordinates of a primitive cell's axes given."""
    inside = np.rint(_FEW @ primitive * 6).astype(int) % 6
    return frozenset((inside @ [36, 6, 1]).tolist())


def _obverse(axes: NDArray[Any]) -> bool:
    return letter(axes) == "R"


def _symbol(axes: NDArray[Any], proper: Ints) -> str:
    """Name of the group of rotations in these axes, with the lattice's centring."""
    import gemmi

    there = np.rint(axes @ proper @ np.linalg.inv(axes)).astype(int)
    centre = space_group("R 3:H" if letter(axes) == "R" else f"{letter(axes)} 1").operations()
    operators: list[Any] = []
    for rotation in there:
        for shift in centre.cen_ops:
            operator = gemmi.Op()
            operator.rot = (rotation.T * gemmi.Op.DEN).tolist()
            operator.tran = list(shift)
            operators.append(operator)
    return str(gemmi.find_spacegroup_by_ops(gemmi.GroupOps(operators)).xhm())
