"""One way of indexing for all sweeps and crystals.

A lattice of more symmetry than its crystal can be indexed in several ways that its metric does not
tell apart (merohedry), and sweeps may choose differently. Each data set is reindexed by the
rotation of the lattice that makes it agree with the others: by pairwise correlation of E² where
they overlap, the best joint choice found as the leading eigenvectors of all correlations (W. Brehm
& K. Diederichs, Acta Cryst. D70, 101 (2014)) and then improved one data set at a time. Sweeps of
one crystal on one goniometer agree by their orientation alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal
from tasks.mx.laue import pair_correlation
from tasks.mx.metric import lattice_rotations
from tasks.mx.normalise import normalise
from tasks.mx.reflections import Ints, Observations
from tasks.mx.symmetry import (
    keys,
    laue_rotations,
    merge_equivalents,
    positions,
)

_FEWEST = 15
_SURE_GAP = 3.0


@dataclass(frozen=True)
class Indexing:
    """
    How one data set is to be reindexed.

    Attributes
    ----------
    matrix
        Takes its indices to the common ones, (3, 3).
    correlation
        Of E² with the others, or the reference, after that; NaN without overlap.
    runner_up
        The best that another matrix gives; NaN if there is none.
    z
        Their difference over its standard deviation; infinite where there is no choice.
    pairs
        Reflections in common.
    """

    matrix: Ints
    correlation: float
    runner_up: float
    z: float
    pairs: int

    @property
    def sure(self) -> bool:
        """Whether the data decide."""
        return self.z > _SURE_GAP


def reindex(observations: Observations, matrix: NDArray[Any]) -> Observations:
    """Return observations with new indices, ``h_new = matrix @ h_old``."""
    hkl = np.rint(observations.hkl @ np.asarray(matrix, dtype=np.float64).T)
    return replace(observations, hkl=hkl.astype(np.int32))


def ambiguities(crystal: Crystal, tolerance_deg: float = 2.0) -> tuple[Ints, ...]:
    """
    Return the ways to index that the lattice allows, the identity first, (3, 3) each.

    Parameters
    ----------
    crystal
        Its space group says what is symmetry already.
    tolerance_deg
        See `lattice_rotations`.
    """
    inside = laue_rotations(crystal.space_group)
    ways = [np.eye(3, dtype=np.int32)]
    covered = {each.tobytes() for each in inside}
    for each in lattice_rotations(crystal, tolerance_deg):
        if each.tobytes() not in covered:
            ways.append(each)
            covered |= {(one @ each).astype(np.int32).tobytes() for one in inside}
    return tuple(ways)


def by_orientation(crystals: Sequence[Crystal]) -> tuple[Ints, ...]:
    """
    Index sweeps of one crystal, which was not remounted between them, as the first one is.

    Returns
    -------
    tuple of numpy.ndarray
        ``h_first = matrix @ h``, (3, 3) each.

    Raises
    ------
    DataError
        If a lattice is not turned as the first one.
    """
    found: list[Ints] = []
    for number, each in enumerate(crystals):
        exact = np.linalg.inv(crystals[0].a_matrix) @ each.a_matrix
        matrix = np.rint(exact)
        if np.abs(exact - matrix).max() > 0.1 or round(float(np.linalg.det(matrix))) != 1:
            raise DataError(
                f"The lattice of sweep {number + 1} does not lie as that of the first one: the "
                "crystal was remounted or slipped, or the goniometer's angles in the files are "
                "wrong. Treat the sweeps as different crystals."
            )
        found.append(matrix.astype(np.int32))
    return tuple(found)


def consistent_indexing(
    sets: Sequence[Observations],
    crystals: Sequence[Crystal],
    *,
    reference: tuple[Ints, F] | None = None,
    tolerance_deg: float = 2.0,
) -> tuple[Indexing, ...]:
    """
    Find how to reindex each data set so that all agree.

    Parameters
    ----------
    sets
        One of each sweep or crystal, all in the setting of one Laue group.
    crystals
        As `sets`; of one space group.
    reference
        Merged indices (m, 3) and intensities (m,) that the result must agree with; else the first
        data set stays as it is.
    tolerance_deg
        See `lattice_rotations`.

    Raises
    ------
    DataError
        If the crystals have different lattices.
    """
    group = crystals[0].space_group
    others = sorted({each.space_group for each in crystals} - {group})
    if others:
        raise DataError(
            f"Data sets in {group} and {', '.join(others)} cannot be indexed alike: bring them to "
            "one setting first."
        )
    ways = ambiguities(crystals[0], tolerance_deg)
    tables = [_merged(each, group) for each in sets]
    if reference is not None:
        known = _reference(reference, group)
        return tuple(_against(each, [known], ways, group) for each in tables)
    if len(ways) == 1:
        identity = Indexing(ways[0], float("nan"), float("nan"), float("inf"), 0)
        return tuple(identity for _ in sets)
    chosen = _together(tables, ways, group)
    moved = [_turned(each, ways[k], group) for each, k in zip(tables, chosen, strict=True)]
    found = [
        _against(each, moved[:k] + moved[k + 1 :], ways, group) for k, each in enumerate(tables)
    ]
    return tuple(
        replace(each, matrix=ways[k]) if not np.array_equal(each.matrix, ways[k]) else each
        for each, k in zip(found, chosen, strict=True)
    )


Table = tuple[Ints, F, NDArray[np.int64]]
"""Merged indices, E² and the indices' sorted keys."""


def _merged(observations: Observations, group: str) -> Table:
    found = normalise(observations)
    proper = laue_rotations(group)
    hkl, e2, _, _ = merge_equivalents(found.hkl, found.e2, found.sigma, proper)
    return _sorted(hkl, np.minimum(e2, 16.0))


def _reference(reference: tuple[Ints, F], group: str) -> Table:
    hkl, intensity = reference
    proper = laue_rotations(group)
    merged, mean, _, _ = merge_equivalents(hkl, intensity, np.ones(len(hkl)), proper)
    return _sorted(merged, mean)


def _sorted(hkl: Ints, values: F) -> Table:
    table = keys(hkl)
    order = np.argsort(table)
    return hkl[order], values[order], table[order]


def _turned(table: Table, matrix: Ints, group: str) -> Table:
    hkl = (table[0] @ matrix.T).astype(np.int32)
    merged, mean, _, _ = merge_equivalents(hkl, table[1], np.ones(len(hkl)), laue_rotations(group))
    return _sorted(merged, mean)


def _agreement(one: Table, other: Table) -> tuple[float, int]:
    """Correlation of the ranks' scale: square roots, so that few strong ones do not rule."""
    at = positions(one[0], other[2])
    first, second = one[1][at >= 0], other[1][at[at >= 0]]
    if len(first) < _FEWEST:
        return 0.0, len(first)
    root_one, root_two = np.sqrt(np.maximum(first, 0)), np.sqrt(np.maximum(second, 0))
    if min(root_one.std(), root_two.std()) <= 0:
        return 0.0, len(first)
    scaled = root_one / root_one.std(), root_two / root_two.std()
    return pair_correlation(scaled[0] - scaled[0].mean(), scaled[1] - scaled[1].mean()), len(first)


def _against(table: Table, others: Sequence[Table], ways: Sequence[Ints], group: str) -> Indexing:
    """Best way to index one data set against others."""
    means: list[float] = []
    pairs = 0
    for way in ways:
        turned = _turned(table, way, group)
        each = [_agreement(turned, other) for other in others]
        pairs = sum(count for _, count in each)
        total = sum(value * count for value, count in each)
        means.append(total / pairs if pairs else float("nan"))
    if pairs < _FEWEST:
        return Indexing(ways[0], float("nan"), float("nan"), 0.0, pairs)
    order = np.argsort(means)[::-1]
    best, correlation = int(order[0]), means[int(order[0])]
    if len(ways) == 1:
        return Indexing(ways[0], correlation, float("nan"), float("inf"), pairs)
    second = means[int(order[1])]
    z = (correlation - second) / float(np.sqrt(2 / pairs))
    return Indexing(ways[best], correlation, second, z, pairs)


def _together(tables: Sequence[Table], ways: Sequence[Ints], group: str) -> list[int]:
    """
    Choose the way of each data set by all correlations.

    One node for each data set and way; the leading eigenvectors of the matrix of correlations put
    nodes that agree close together. Then data sets change their way one by one as long as that
    raises the sum of correlations.
    """
    count, choices = len(tables), len(ways)
    turned = [[_turned(each, way, group) for way in ways] for each in tables]
    weights = np.zeros((count, choices, count, choices))
    for i, j in product(range(count), range(count)):
        if i < j:
            for a, b in product(range(choices), range(choices)):
                value, pairs = _agreement(turned[i][a], turned[j][b])
                weights[i, a, j, b] = weights[j, b, i, a] = value * np.sqrt(pairs)
    flat = weights.reshape(count * choices, count * choices)
    vectors = np.linalg.eigh(flat)[1][:, -choices:].reshape(count, choices, -1)
    chosen = [int(np.argmax(each @ vectors[0, 0])) for each in vectors]
    chosen[0] = 0
    for _ in range(50):
        before = list(chosen)
        for i in range(1, count):
            gain = [sum(weights[i, a, j, chosen[j]] for j in range(count)) for a in range(choices)]
            chosen[i] = int(np.argmax(gain))
        if chosen == before:
            break
    return chosen
