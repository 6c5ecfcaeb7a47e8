"""From periods to lattices, and which of them explains the spots best."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.basis_vectors import Vectors
from tasks.mx.lattice_score import Score, assign, fit, score
from tasks.mx.matrices import inverse, lengths, svd
from tasks.mx.reduction import Cell, buerger, direct_of, unlikeness

Candidate = tuple[F, Score]

_FIT = 0.2  # planes, that a point may be off
_TRIED = 40
_VOLUMES = 0.1  # of the logarithm, within which volumes are alike
_CLEAR = 20  # spots, without which no larger cell is believed
_EMPTY = 0.02  # of the spots, that chance may put on points that are none
_PARALLEL = 0.985  # cosine, above which two vectors do not tell an orientation
_ANGLE = 0.06  # rad, error of a known angle
_KNOWN = 0.04  # relative error of a length that is still the known one


def combine(points: F, vectors: Vectors, reach: float) -> list[Candidate]:
    """
    Combine periods to lattices.

    Parameters
    ----------
    points
        (n, 3), in 1/Angstrom.
    vectors
        Candidates for axes.
    reach
        Length of points for which they are precise.

    Returns
    -------
    list
        A and its score, the best first.
    """
    found = vectors.vectors
    if len(found) < 3:
        return []
    near = points[np.linalg.norm(points, axis=1) <= reach]
    orders = near @ found.T
    fits = (np.abs(orders - np.round(orders)) < _FIT).astype(np.float32)
    sizes = np.linalg.norm(found, axis=1)
    rows: list[NDArray[np.intp]] = []
    counts: list[F] = []
    volumes: list[F] = []
    for i in range(len(found) - 2):
        count = (fits[:, i : i + 1] * fits).T @ fits
        volume = np.abs(np.cross(found[:, None], found[None]) @ found[i])
        j, k = np.triu_indices(len(found), 1)
        good = (j > i) & (volume[j, k] > 0.1 * sizes[i] * sizes[j] * sizes[k])
        j, k = j[good], k[good]
        rows.append(np.column_stack([np.full(len(j), i), j, k]))
        counts.append(count[j, k])
        volumes.append(volume[j, k])
    chosen = _chosen(np.concatenate(rows), np.concatenate(counts), np.concatenate(volumes))
    return _best(points, [found[row] for row in chosen], reach)


def combine_known(points: F, vectors: Vectors, reach: float, cell: F) -> list[Candidate]:
    """
    Place a known lattice so that pairs of periods are its vectors.

    Parameters
    ----------
    cell
        Primitive axes in any orientation, rows, (3, 3).

    Returns
    -------
    list
        A of the cell's own axes and its score, the best first.
    """
    reduced, to_reduced = buerger(cell)
    known = np.array([row for row in product((-1, 0, 1), repeat=3) if any(row)]) @ reduced
    known_length = np.linalg.norm(known, axis=1)
    found = vectors.vectors
    length = np.linalg.norm(found, axis=1)
    like = np.abs(length[:, None] / known_length - 1) < _KNOWN
    near = points[np.linalg.norm(points, axis=1) <= reach]
    placed: list[tuple[float, F]] = []
    for i in range(len(found)):
        for j in range(i + 1, len(found)):
            for u, v in product(np.flatnonzero(like[i]), np.flatnonzero(like[j])):
                cosine = found[i] @ found[j] / length[i] / length[j]
                wanted = known[u] @ known[v] / known_length[u] / known_length[v]
                if max(abs(wanted), abs(cosine)) > _PARALLEL:
                    continue
                if abs(np.arccos(cosine) - np.arccos(wanted)) > _ANGLE:
                    continue
                turned = reduced @ _turn(known[[u, v]], found[[i, j]]).T
                placed.append((_count(near, turned), turned))
    placed.sort(key=lambda each: -each[0])
    tried = [inverse(to_reduced) @ axes for _, axes in placed[:_TRIED]]
    scored = [_settle(points, inverse(axes), reach) for axes in tried]
    # what drifted away from the known cell is no candidate
    good = [each for each in scored if unlikeness(inverse(each[0]), cell) < 2 * _KNOWN]
    return sorted(good, key=lambda each: -each[1].gain)


def multiples(
    points: F, a_matrix: F, found: Score, longest: float | None = None
) -> tuple[F, Score, str]:
    """
    Choose between a lattice, its sublattices and its superlattices.

    A superlattice is taken where spots at its additional points are more than chance would place
    there (pseudo-centring leaves few and weak ones); a lattice is left for a coarser one where its
    additional points are as good as empty. No axis becomes longer than ``longest``.

    Returns
    -------
    a_matrix : numpy.ndarray
        Of the reduced cell chosen.
    found : Score
    why : str
        A sentence, empty if nothing changed.
    """
    why = ""
    for _ in range(4):
        step = _coarser(points, a_matrix) or _finer(points, a_matrix, found)
        if step is None:
            break
        changed = inverse(buerger(inverse(fit(points, step[0])))[0])
        if longest is not None and np.linalg.norm(inverse(changed), axis=1).max() > longest:
            break
        a_matrix, why = changed, step[1]
        found = score(points, a_matrix)
    return a_matrix, found, why


def _coarser(points: F, a_matrix: F) -> tuple[F, str] | None:
    """Return a reciprocal lattice with fewer points (a smaller cell) that has all the spots."""
    hkl, close = assign(points, a_matrix, 0.2)
    indices = hkl[close]
    if len(indices) < 12:
        return None
    for prime in (2, 3, 5):
        for row in _rows(prime):
            on = (indices @ row) % prime == 0
            if (~on).mean() < _EMPTY:
                words = f"A cell {prime} times as large had empty points."
                return a_matrix @ _sublattice(row, prime), words
    return None


def _finer(points: F, a_matrix: F, found: Score) -> tuple[F, str] | None:
    """Return a reciprocal lattice with more points (a larger cell) if spots lie on them."""
    exact = points @ inverse(a_matrix).T
    off = exact - np.round(exact)
    lost = np.abs(off).max(axis=1) > 0.12
    tolerance: F = np.minimum(np.maximum(3 * found.spread / lengths(a_matrix.T), 0.02), 0.08)
    best: tuple[float, F, str] | None = None
    for prime in (2, 3):
        for row in _rows(prime):
            counted = 0
            for step in range(1, prime):
                apart = off - np.asarray(step * row / prime, dtype=np.float64)
                apart = np.asarray(apart - np.round(apart), dtype=np.float64)
                counted += int(((np.abs(apart) < tolerance).all(axis=1) & lost).sum())
            chance = (prime - 1) * float(np.prod(2 * tolerance)) * float(lost.sum())
            enough = max(_CLEAR, 0.03 * len(points), chance + 6 * np.sqrt(chance) + 3)
            gained = counted - chance
            if counted > enough and (best is None or gained > best[0] * 1.05):
                words = f"{counted} spots lie between the points of a cell {prime} times as small."
                best = (gained, a_matrix @ _with_points_between(row, prime), words)
    return None if best is None else (best[1], best[2])


def _rows(prime: int) -> list[F]:
    """Return the directions of index `prime` sublattices: h.row = 0 modulo prime."""
    found: list[F] = []
    for row in product(range(prime), repeat=3):
        first = next((value for value in row if value), 0)
        if first == 1:
            found.append(np.array(row, dtype=np.float64))
    return found


def _sublattice(row: F, prime: int) -> F:
    """Return a basis (columns) of the indices with h.row = 0 modulo prime, (3, 3)."""
    pivot = int(np.flatnonzero(row)[0])  # row[pivot] is 1
    basis = np.eye(3)
    for other in range(3):
        if other != pivot:
            basis[pivot, other] = -row[other]
    basis[pivot, pivot] = prime
    return basis


def _with_points_between(row: F, prime: int) -> F:
    """Return a basis (columns) of the whole numbers and multiples of row / prime, (3, 3)."""
    pivot = int(np.flatnonzero(row)[0])
    basis = np.eye(3)
    basis[:, pivot] = row / prime
    return basis


def _chosen(rows: NDArray[np.intp], counts: F, volumes: F) -> NDArray[np.intp]:
    """Return triples that fit many points, at most three of a volume, small ones first."""
    if not len(rows):
        return rows
    good = np.flatnonzero(counts >= 0.6 * counts.max())
    size = np.round(np.log(volumes[good]) / 0.05).astype(int)
    good = good[np.lexsort([-counts[good], size])]
    size = np.sort(size)
    first = np.searchsorted(size, size, side="left")
    return rows[good[np.arange(len(good)) - first < 3][: 3 * _TRIED]]


def _best(points: F, axes: list[F], reach: float) -> list[Candidate]:
    if not axes:
        return []
    rough = [
        (score(points[np.linalg.norm(points, axis=1) <= reach], inverse(each)), each)
        for each in axes
    ]
    rough.sort(key=lambda each: -each[0].gain)
    settled: list[Candidate] = []
    for each in _varied([each for _, each in rough]):
        reduced, _ = buerger(each)
        found, how = _settle(points, inverse(reduced), reach)
        if all(unlikeness(inverse(found), inverse(other)) > 0.005 for other, _ in settled):
            settled.append((found, how))
    return sorted(settled, key=lambda each: -each[1].gain)


def _varied(axes: list[F]) -> list[F]:
    """
    Return the first lattices, and the first one of each of the smallest volumes.

    Two crystals, a few degrees apart, have coincidence lattices: cells many times as large, on
    whose points both have their spots. Before periods are precise those seem better than the cell
    of one crystal, which leaves the spots of the other.
    """
    logarithms = [float(np.log(abs(np.linalg.det(each)))) for each in axes]
    first: dict[int, int] = {}
    for number, value in enumerate(logarithms):
        first.setdefault(round((value - min(logarithms)) / _VOLUMES), number)
    small = [first[size] for size in sorted(first)[: _TRIED // 4]]
    return [axes[number] for number in sorted({*range(min(len(axes), _TRIED // 4)), *small})]


def _settle(points: F, a_matrix: F, reach: float) -> Candidate:
    fitted = fit(points, a_matrix, start=reach)
    return fitted, score(points, fitted)


def _turn(known: F, found: F) -> F:
    """Return the rotation that takes two known vectors closest to two found ones, (3, 3)."""
    one = np.vstack([known / np.linalg.norm(known, axis=1)[:, None], [np.cross(*known)]])
    other = np.vstack([found / np.linalg.norm(found, axis=1)[:, None], [np.cross(*found)]])
    one[2] /= np.linalg.norm(one[2])
    other[2] /= np.linalg.norm(other[2])
    left, _, right = svd(other.T @ one)
    return left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right


def _count(points: F, axes: F) -> float:
    orders = points @ axes.T
    return float((np.abs(orders - np.round(orders)).max(axis=1) < _FIT).mean())


def known_axes(cell: Cell, space_group: str) -> F:
    """Return primitive axes of a known cell, rows, (3, 3), in Angstrom."""
    from tasks.mx.reduction import primitive

    return primitive(space_group or "P 1") @ direct_of(cell)
