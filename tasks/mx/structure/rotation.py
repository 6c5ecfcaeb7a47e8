"""
Which way the molecule lies: all orientations are tried against the observed intensities.

For each the intensities of the molecule and of its symmetry mates are added, as if their relative
places did not matter, and correlated with the observed ones: the overlap of the Pattersons without
the vectors between molecules (W. L. DeLano & A. T. Brunger, Acta Cryst. D51, 740 (1995)). The
orientations lie evenly over the group of rotations, on a spiral of quaternions (M. Alexa, CVPR
2022, 8287), and those that the crystal's rotations make equivalent are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.structure.observed import Normalised, fractional_matrix
from tasks.mx.structure.transform import Transform

_STEP = 0.33  # of the resolution over the molecule's radius of gyration
_COARSE = 700  # reflections that the first look takes
_SECOND = 0.02  # of the orientations are looked at again, with all reflections
_PHI, _PSI = np.sqrt(2.0), 1.533751168755204288118041


@dataclass(frozen=True)
class Orientation:
    """
    One way how the molecule may lie.

    Attributes
    ----------
    rotation
        Takes the centred model to the crystal's orthogonal axes, (3, 3).
    score
        Correlation of intensities.
    z
        How many sigmas of all orientations it stands above their mean.
    """

    rotation: F
    score: float
    z: float


def crystal_rotations(space_group: str, cell: Sequence[float]) -> F:
    """Return the rotations of a space group in orthogonal axes, (operations, 3, 3)."""
    import gemmi

    to_fractional = np.array(gemmi.UnitCell(*cell).frac.mat.tolist())
    operations = gemmi.SpaceGroup(space_group).operations().sym_ops
    turns = np.array([each.rot for each in operations]) / gemmi.Op.DEN
    return np.linalg.inv(to_fractional) @ turns @ to_fractional


def orientations(step_deg: float, rotations: F) -> F:
    """
    Return rotations about a step apart, one of each set of equivalent ones, (n, 3, 3).

    Parameters
    ----------
    step_deg
        In degrees.
    rotations
        The crystal's own, (m, 3, 3), the first the identity.
    """
    count = int(np.ceil(8 * np.pi**2 / np.radians(step_deg) ** 3))
    s = (np.arange(count) + 0.5) / count
    alpha, beta = (2 * np.pi * s * count / ratio for ratio in (_PHI, _PSI))
    r, big = np.sqrt(s), np.sqrt(1 - s)
    quaternions = np.column_stack(
        [r * np.sin(alpha), r * np.cos(alpha), big * np.sin(beta), big * np.cos(beta)]
    )
    every = _from_quaternions(quaternions)
    # The trace falls with the angle from the identity: keep the nearest of equivalent ones.
    traces = np.einsum("mij,nji->nm", rotations, every)
    return every[traces[:, 0] >= traces.max(axis=1) - 1e-9]


def search_rotation(
    data: Normalised, transform: Transform, space_group: str, keep: int = 60
) -> tuple[Orientation, ...]:
    """
    Find the orientations that agree best with the data.

    Parameters
    ----------
    data
        Normalised intensities.
    transform
        Of the molecule.
    space_group
        Any of the Laue group.
    keep
        How many are refined and returned, best first.
    """
    step = float(np.clip(np.degrees(_STEP * data.d_min / transform.radius), 2.5, 9.0))
    rotations = crystal_rotations(space_group, data.cell)
    tried = orientations(step, rotations)
    few = np.random.default_rng(0).permutation(len(data.hkl))[:_COARSE]
    first = score_rotations(data.take(np.sort(few)), transform, space_group, tried)
    tried = tried[np.argsort(-first)[: max(keep, int(_SECOND * len(tried)))]]
    scores = score_rotations(data, transform, space_group, tried)
    best = _distinct(tried, scores, rotations, 1.2 * step, keep)
    found = [_climb(data, transform, space_group, tried[each], step) for each in best]
    found.sort(key=lambda pair: -pair[1])
    # Any orientations tell what chance would give with all reflections.
    chance = score_rotations(data, transform, space_group, orientations(25.0, rotations))
    mean, sigma = float(chance.mean()), float(chance.std())
    order = _distinct(
        np.array([rotation for rotation, _ in found]),
        np.array([score for _, score in found]),
        rotations,
        step / 2,
        keep,
    )
    return tuple(
        Orientation(found[each][0], found[each][1], (found[each][1] - mean) / sigma)
        for each in order
    )


def score_rotations(data: Normalised, transform: Transform, space_group: str, rotations: F) -> F:
    """Return the correlation of intensities for each rotation (m, 3, 3), (m,)."""
    from tasks.mx.structure.search_kernels import rotation_scores

    centred = data.e_squared - data.e_squared.mean()
    centred /= np.linalg.norm(centred)
    scores = np.empty(len(rotations))
    points = reciprocal_points(data, space_group) * transform.edge
    rotation_scores(transform.power, points, np.ascontiguousarray(rotations), centred, scores)
    return scores


def reciprocal_points(data: Normalised, space_group: str) -> F:
    """Return where each operation takes each reflection, (operations, n, 3), in 1/Angstrom."""
    return turned_indices(data.hkl, space_group) @ fractional_matrix(data.cell)


def turned_indices(hkl: NDArray[Any], space_group: str) -> NDArray[np.int64]:
    """Return h R of each operation, (operations, n, 3)."""
    import gemmi

    operations = gemmi.SpaceGroup(space_group).operations().sym_ops
    turns = np.array([each.rot for each in operations]) // gemmi.Op.DEN
    return hkl.astype(np.int64) @ turns


def rotation_vectors(vectors: F) -> F:
    """Return rotations about vectors (n, 3) by their length in radians, (n, 3, 3)."""
    half = np.linalg.norm(vectors, axis=1, keepdims=True) / 2
    return _from_quaternions(np.hstack([vectors * np.sinc(half / np.pi) / 2, np.cos(half)]))


def _from_quaternions(quaternions: F) -> F:
    """Return the rotations of unit quaternions (n, 4), the real part last."""
    x, y, z, w = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _climb(
    data: Normalised, transform: Transform, space_group: str, start: F, step_deg: float
) -> tuple[F, float]:
    """Turn about each axis by ever smaller angles as long as the score grows."""
    best, score = start, -1.0
    axes = np.vstack([np.eye(3), -np.eye(3)])
    for angle in np.radians(step_deg) / np.array([2, 2, 4, 4, 8, 16]):
        turns = rotation_vectors(angle * axes)
        near = np.concatenate([best[None], turns @ best])
        scores = score_rotations(data, transform, space_group, near)
        best, score = near[int(scores.argmax())], float(scores.max())
    return best, score


def _distinct(tried: F, scores: F, rotations: F, apart_deg: float, keep: int) -> list[int]:
    """Return the best ones that are so far apart, whatever the crystal's rotations do."""
    chosen: list[int] = []
    limit = 1 + 2 * np.cos(np.radians(apart_deg))
    for each in np.argsort(-scores):
        turned = rotations @ tried[each]
        if chosen:
            traces = np.einsum("mij,nij->mn", turned, tried[chosen])
            if traces.max() > limit:
                continue
        chosen.append(int(each))
        if len(chosen) == keep:
            break
    return chosen
