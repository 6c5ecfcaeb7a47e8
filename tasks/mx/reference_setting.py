"""The axes that a user or a reference data set wants, such as I2 where C2 is the rule."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal, cell_of
from tasks.mx.metric import reduced
from tasks.mx.reflections import Ints
from tasks.mx.settings import letter
from tasks.mx.symmetry import centring, laue_rotations, rotations, space_group

_POINTS_PER_CELL = {"P": 1, "A": 2, "B": 2, "C": 2, "I": 2, "R": 3, "F": 4}
_AXES = 40  # shortest lattice vectors that may become axes


@dataclass(frozen=True)
class ReferenceSetting:
    """
    A crystal in the setting of a reference.

    Attributes
    ----------
    matrix
        Takes its indices there, (3, 3).
    crystal
        There.
    misfit
        Largest relative difference of a length, or difference of an angle in radians, from the
        reference's cell; 0 without one.
    """

    matrix: F
    crystal: Crystal
    misfit: float


def read_reference_setting(path: str) -> tuple[str, tuple[float, ...]]:
    """
    Return the space group and cell of a reference MTZ file.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    import gemmi

    try:
        mtz = gemmi.read_mtz_file(path)
    except (RuntimeError, OSError) as error:
        raise DataError(f"The reference {path} cannot be read as MTZ: {error}.") from error
    unit = mtz.cell
    cell = unit.a, unit.b, unit.c, unit.alpha, unit.beta, unit.gamma
    return str(mtz.spacegroup.xhm()), cell


def reference_setting(
    crystal: Crystal,
    group: str,
    cell: tuple[float, ...] | None = None,
    *,
    tolerance: float = 0.05,
) -> ReferenceSetting:
    """
    Bring a crystal to the setting that a user or a reference data set wants.

    Where its symmetry is known already, axes go where the wanted group has axes of the same kind:
    ``P 2 21 21`` is turned to become ``P 21 21 2``.

    Parameters
    ----------
    crystal
        In any setting of the same lattice.
    group
        Symbol of the wanted setting, such as ``I 1 2 1``.
    cell
        Of the reference; else the shortest axes are taken, in the usual order.
    tolerance
        Largest difference from `cell` and from the symmetry: relative for lengths, in radians for
        angles.

    Raises
    ------
    DataError
        If the lattice has no such setting.
    """
    symbol = str(space_group(group).xhm())
    for matrix, misfit in _settings(crystal, symbol, cell, tolerance):
        if _fits(crystal.space_group, symbol, matrix):
            return ReferenceSetting(matrix, crystal.change_basis(matrix, symbol), misfit)
    told = " ".join(f"{value:.2f}" for value in crystal.cell)
    near = "" if cell is None else " near " + " ".join(f"{value:.2f}" for value in cell)
    raise DataError(
        f"The lattice ({told}, {crystal.space_group}) has no setting {group}{near}: check the "
        "reference's cell and space group, or leave them out."
    )


def standard_setting(crystal: Crystal) -> ReferenceSetting:
    """
    Bring a crystal to its space group's standard setting: ``P 2 21 21`` to ``P 21 21 2``.

    Centred monoclinic lattices become C2, whatever beta.
    """
    import gemmi

    number = space_group(crystal.space_group).number
    return reference_setting(crystal, str(gemmi.get_spacegroup_reference_setting(number).xhm()))


def _settings(
    crystal: Crystal, symbol: str, cell: tuple[float, ...] | None, tolerance: float
) -> Iterator[tuple[F, float]]:
    """Right-handed axes of the wanted centring and metric, the best first, with their misfit."""
    small, to_small = reduced(crystal)
    axes = _axes(small, _POINTS_PER_CELL[centring(symbol)])
    direct = axes @ small.direct
    strain = _strain(direct, laue_rotations(symbol))
    cells = np.array([cell_of(each) for each in direct]) if len(direct) else np.zeros((0, 6))
    misfit = np.zeros(len(cells)) if cell is None else _misfit(cells, cell)
    away = np.maximum(strain, misfit)
    best = np.rint(away / 0.005)
    matrices = axes @ to_small
    order = np.lexsort([np.abs(matrices - np.eye(3)).sum(axis=(1, 2)), *_unusual(cells), best])
    for number in order:
        if away[number] < tolerance and letter(axes[number]) == centring(symbol):
            yield matrices[number], float(misfit[number])


def _axes(small: Crystal, size: int) -> NDArray[np.int64]:
    """Triples of short lattice vectors with so many lattice points in their cell, (n, 3, 3)."""
    points = np.array(list(itertools.product(range(-3, 4), repeat=3)), dtype=np.int64)
    points = points[np.gcd.reduce(points, axis=1) == 1]
    length = np.linalg.norm(points @ small.direct, axis=1)
    points = points[np.argsort(length, kind="stable")[:_AXES]]
    triples = points[np.array(list(itertools.permutations(range(len(points)), 3)))]
    return triples[np.rint(np.linalg.det(triples)) == size]


def _unusual(cells: F) -> list[F]:
    """Return what is avoided, the least important first: falling lengths, acute angles, length."""
    acute = np.sum(cells[:, 3:] < 90 - 1e-6, axis=1)
    disorder = np.sum(cells[:, :2] > cells[:, 1:3] + 1e-3, axis=1)
    return [disorder, acute, np.round(cells[:, :3].sum(axis=1), 2)]


def _strain(direct: F, proper: Ints) -> F:
    """How far metrics are from a symmetry, relatively, (n,)."""
    metric = direct @ direct.transpose(0, 2, 1)
    turned = np.linalg.inv(proper).transpose(0, 2, 1)
    mean = np.mean([each.T @ metric @ each for each in turned], axis=0)
    size = np.sqrt(np.einsum("nii->ni", metric))
    return np.abs((metric - mean) / (size[:, :, None] * size[:, None, :])).max(axis=(1, 2))


def _misfit(cells: F, cell: tuple[float, ...]) -> F:
    lengths = np.abs(cells[:, :3] / np.array(cell[:3]) - 1).max(axis=1)
    angles = np.abs(np.radians(cells[:, 3:] - np.array(cell[3:]))).max(axis=1)
    return np.maximum(lengths, angles)


def _fits(old: str, new: str, matrix: NDArray[Any]) -> bool:
    """Tell whether a change of axes takes what is known of the symmetry to the wanted group's."""
    inverse = np.linalg.inv(matrix)
    moved = np.rint(matrix @ rotations(old) @ inverse).astype(np.int32)
    wanted = {each.tobytes() for each in rotations(new)}
    if not {each.tobytes() for each in moved} <= wanted:
        return False
    if space_group(old).number != space_group(new).number:
        return True
    box = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), -1).reshape(-1, 3)
    before = box @ inverse.T
    whole = np.all(np.abs(before - np.rint(before)) < 1e-6, axis=1)
    absent = _absent(old, np.rint(before[whole]))
    return bool(np.array_equal(absent, _absent(new, box[whole])))


def _absent(symbol: str, hkl: NDArray[Any]) -> NDArray[np.bool_]:
    indices = np.ascontiguousarray(hkl, dtype=np.int32)
    return np.asarray(space_group(symbol).operations().systematic_absences(indices))
