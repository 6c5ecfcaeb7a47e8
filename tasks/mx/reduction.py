"""Reduced cells, and how two descriptions of one lattice are taken into one another."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.crystal import cell_of
from tasks.mx.matrices import cholesky, inverse

Cell = tuple[float, float, float, float, float, float]


def buerger(direct: F) -> tuple[F, F]:
    """
    Reduce axes to the shortest ones; right-handed, a <= b <= c, all angles acute or all not.

    The Niggli cell, where it is not decided by equal lengths or angles of exactly 90 degrees within
    the noise: Krivy & Gruber, Acta Cryst. A32, 297 (1976).

    Parameters
    ----------
    direct
        Rows are a, b, c, (3, 3), in Angstrom.

    Returns
    -------
    reduced : numpy.ndarray
        Rows are the new axes.
    matrix : numpy.ndarray
        ``reduced = matrix @ direct``, integers.
    """
    matrix = np.eye(3)
    axes = direct.copy()
    changed = True
    while changed:
        changed = False
        order = np.argsort(np.linalg.norm(axes, axis=1), kind="stable")
        axes, matrix = axes[order], matrix[order]
        for row in _combinations():
            longest = int(np.flatnonzero(row)[-1])
            candidate = row @ axes
            if np.linalg.norm(candidate) < np.linalg.norm(axes[longest]) * (1 - 1e-9):
                matrix[longest] = row @ matrix
                axes[longest] = candidate
                changed = True
                break
    signs = _signs(axes)
    axes, matrix = signs[:, None] * axes, signs[:, None] * matrix
    return axes, np.round(matrix)


def direct_of(cell: Cell) -> F:
    """Return axes of a cell, rows a along x, b in the xy plane, (3, 3), in Angstrom."""
    a, b, c = cell[:3]
    alpha, beta, gamma = np.cos(np.radians(cell[3:]))
    sine = np.sqrt(1 - gamma**2)
    x, y = c * beta, c * (alpha - beta * gamma) / sine
    height = np.sqrt(c**2 - x**2 - y**2)
    return np.array([[a, 0, 0], [b * gamma, b * sine, 0], [x, y, height]], dtype=np.float64)


def unlikeness(direct: F, reference: F) -> float:
    """Return how far two sets of axes differ in shape: the largest strain that relates them."""
    one, other = direct @ direct.T, reference @ reference.T
    lower = inverse(cholesky(other))
    stretched = np.linalg.eigvalsh(lower @ one @ lower.T)
    return float(np.max(np.abs(np.sqrt(np.maximum(stretched, 0.0)) - 1)))


def matching(direct: F, reference: F) -> tuple[F, float]:
    """
    Find which axes of a primitive lattice are those of a reference.

    Parameters
    ----------
    direct, reference
        Rows are primitive axes of any kind, (3, 3), in Angstrom.

    Returns
    -------
    matrix : numpy.ndarray
        ``matrix @ direct`` has the reference's shape; integers, determinant 1.
    strain : float
        How far it has it (`unlikeness`).
    """
    found, to_found = buerger(direct)
    wanted, to_wanted = buerger(reference)
    matrices = unimodular()
    metric = found @ found.T
    metrics = matrices @ metric @ matrices.transpose(0, 2, 1)
    scale = np.outer(*[np.linalg.norm(wanted, axis=1)] * 2)
    rough = np.abs((metrics - wanted @ wanted.T) / scale).max(axis=(1, 2))
    best, strain = np.eye(3), np.inf
    for number in np.argsort(rough, kind="stable")[:24]:
        apart = unlikeness(matrices[number] @ found, wanted)
        if apart < strain - 1e-6:
            best, strain = matrices[number], apart
    matrix = inverse(to_wanted) @ best @ to_found
    return np.round(matrix), strain


@cache
def unimodular() -> F:
    """Return all matrices of -1, 0, 1 with determinant 1, the identity first, (m, 3, 3)."""
    every = np.array(list(product((0, 1, -1), repeat=9)), dtype=np.float64).reshape(-1, 3, 3)
    found = every[np.abs(np.linalg.det(every) - 1) < 0.1]
    distance = np.abs(found - np.eye(3)).sum(axis=(1, 2))
    return found[np.argsort(distance, kind="stable")]


def primitive(space_group: str) -> F:
    """
    Return the primitive axes of a space group's centring in its conventional ones, (3, 3).

    ``primitive(group) @ direct`` has primitive axes as its rows.

    Raises
    ------
    ValueError
        There is no such space group.
    """
    import gemmi

    found: Any = gemmi.find_spacegroup_by_name(space_group)
    if found is None:
        raise ValueError(f"{space_group!r} is no space group")
    translations = np.array(found.operations().cen_ops) / gemmi.Op.DEN
    translations = translations[np.any(translations != 0, axis=1)]
    vectors = [np.eye(3)]
    if len(translations):
        shifted = translations[:, None] - np.array(list(product((0, 1), repeat=3)))
        vectors.insert(0, shifted.reshape(-1, 3))
    rows = np.concatenate(vectors)
    order = np.argsort(np.linalg.norm(rows, axis=1), kind="stable")
    rows = rows[order]
    wanted = 1 / (len(translations) + 1)
    for i in range(len(rows)):
        for j in range(i + 1, len(rows)):
            for k in range(j + 1, len(rows)):
                size = np.linalg.det(rows[[i, j, k]])
                if abs(abs(size) - wanted) < 1e-6:
                    return rows[[i, j, k]] * np.sign(size)
    raise ValueError(f"{space_group!r} has no primitive axes")


def described(cell: Cell | F) -> str:
    """Return a cell as text: a b c in Angstrom, alpha beta gamma in degrees."""
    values = cell if isinstance(cell, tuple) else cell_of(cell)
    return "{:.3f} {:.3f} {:.3f} A, {:.2f} {:.2f} {:.2f} deg".format(*values)


@cache
def _combinations() -> tuple[F, ...]:
    rows = [np.array(row, dtype=np.float64) for row in product((0, 1, -1), repeat=3)]
    return tuple(row for row in rows if np.count_nonzero(row) > 1)


def _signs(axes: F) -> F:
    """Return the signs that make the angles alike and the axes right-handed, (3,)."""
    best, score = np.ones(3), -np.inf
    for signs in product((1.0, -1.0), repeat=3):
        turned = np.array(signs)[:, None] * axes
        if np.linalg.det(turned) < 0:
            continue
        cosines = (turned @ turned.T)[[1, 0, 0], [2, 2, 1]]
        length = np.linalg.norm(axes, axis=1)
        cosines = cosines / (length[[1, 0, 0]] * length[[2, 2, 1]])
        alike = np.all(cosines > 1e-6) or np.all(cosines <= 1e-6)
        value = 10.0 * alike - cosines.sum() + 0.01 * (np.array(signs) > 0).sum()
        if value > score:
            best, score = np.array(signs), value
    return best
