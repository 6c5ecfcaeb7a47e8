"""What can be refined of a geometry and a crystal, and what is known of it beforehand.

Every parameter is a small change from the starting values: A = R(orientation) (1 + strain) A0,
where the strain is a symmetric matrix that the lattice's rotations leave as it is; the detector
moves along, and turns about, its own axes through the beam centre. Changes that the data cannot
tell apart (a turn of everything together) are held by the expected errors of instruments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from tasks.io.diffraction import Detector, F, Geometry, Goniometer
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import beam_centre, rotation_matrix
from tasks.mx.matrices import cholesky, inverse, svd

_TILT = 0.01  # rad, how far a detector may be tilted unnoticed
_DIRECTION = 0.0005  # rad, of the beam and the scan axis
_SHIFT = 1.0  # mm
_DISTANCE = 0.01  # relative
_CONSTRAINED = 4  # parameters of a cell that symmetry constrains: monoclinic or higher
_STEP = 1e-5  # of numerical derivatives, in rad, strain, and relative to the distance


@dataclass(frozen=True)
class Parameters:
    """
    The free parameters of one crystal on one or several sweeps.

    Attributes
    ----------
    names
        Such as ``orientation 1``, ``strain 1``, ``shift fast``, ``distance``, ``tilt fast``,
        ``turn``, ``beam 1``, ``axis 1``.
    strains
        Basis of the strains, (k, 3, 3).
    expected
        Standard deviation of each one before refinement; infinite if nothing is known.
    steps
        Of the numerical derivatives.
    """

    names: tuple[str, ...]
    strains: F
    expected: F
    steps: F

    @property
    def inner(self) -> int:
        """How many are the crystal's; they come first."""
        return 3 + len(self.strains)

    def crystal(self, values: F, a_matrix: F) -> F:
        """Return A with the crystal's parameters applied, (3, 3)."""
        turned = small_rotation(values[:3])
        strain = np.tensordot(values[3 : self.inner], self.strains, axes=1)
        return turned @ (np.eye(3) + strain) @ a_matrix

    def geometry(self, values: F, geometry: Geometry) -> Geometry:
        """Return a geometry with the parameters applied that are not the crystal's."""
        at = dict(zip(self.names, values, strict=True))
        beam = geometry.beam.direction
        first, second = _across(beam)
        moved = beam + at.get("beam 1", 0.0) * first + at.get("beam 2", 0.0) * second
        changed = replace(
            geometry,
            detector=_move(geometry, at),
            goniometer=_tilt_axis(
                geometry.goniometer, at.get("axis 1", 0.0), at.get("axis 2", 0.0)
            ),
        )
        return changed.with_beam(direction=moved / np.linalg.norm(moved))


def choose(geometry: Geometry, strains: F, spots: int, turned_deg: float) -> tuple[Parameters, str]:
    """
    Choose what is free by how many spots there are, and how far the sweeps turned in all.

    A narrow wedge sees one layer of reciprocal space: there, a distance cannot be told from a cell
    that no symmetry constrains, nor a tilt from a turn of the crystal.

    Returns
    -------
    parameters : Parameters
    why : str
        A sentence.
    """
    names = [f"orientation {number}" for number in (1, 2, 3)]
    names += [f"strain {number + 1}" for number in range(len(strains))]
    free_cell = len(strains) > _CONSTRAINED
    levels = (
        (12, 0.0, ("shift fast", "shift slow"), "the detector's shift"),
        (
            60 if free_cell else 15,
            4.0 if free_cell else 0.0,
            ("distance", "beam 1", "beam 2"),
            "its distance and the beam",
        ),
        (
            150,
            10.0,
            ("tilt fast", "tilt slow", "turn", "axis 1", "axis 2"),
            "its tilts and the axis",
        ),
    )
    fixed: list[str] = []
    for needed, degrees, more, words in levels:
        if spots >= needed and turned_deg >= degrees:
            names += more
        else:
            fixed.append(words)
    why = f"{len(names)} parameters are refined against {spots} spots in {turned_deg:.1f} degrees"
    if fixed:
        why += f"; too few for {' and for '.join(fixed)}: as they were"
    if "distance" not in names:
        why += (
            ". A distance that is wrong makes a cell as wrong: its lengths are uncertain by about "
            f"{_DISTANCE:.0%}, whatever their standard deviations"
        )
    distance = abs(geometry.detector.distance)
    expected = np.array([_expected(name, distance) for name in names])
    steps = np.array([_STEP * (distance if _is_length(name) else 1.0) for name in names])
    return Parameters(tuple(names), strains, expected, steps), why + "."


def small_rotation(vector: F) -> F:
    """Return the rotation about a vector by its length in radians, (3, 3)."""
    angle = float(np.linalg.norm(vector))
    return np.eye(3) if angle == 0 else rotation_matrix(vector, np.degrees(angle))


def small_rotations(vectors: F) -> F:
    """Return the rotations about vectors (n, 3) by their lengths in radians, (n, 3, 3)."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    cross = np.zeros((len(vectors), 3, 3))
    for one, two, three in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[:, three, two] = vectors[:, one]
        cross[:, two, three] = -vectors[:, one]
    return (
        np.eye(3)
        + np.sinc(angle / np.pi) * cross
        + (0.5 * np.sinc(angle / 2 / np.pi) ** 2 * cross @ cross)
    )


def rotations_of(space_group: str) -> F:
    """
    Return the rotations of a symmetry in fractional coordinates, (m, 3, 3); x' = W x.

    Raises
    ------
    ValueError
        There is no such space group.
    """
    import gemmi

    found: Any = gemmi.find_spacegroup_by_name(space_group)
    if found is None:
        raise ValueError(f"{space_group!r} is no space group")
    operations = found.operations()
    return np.array([operation.rot for operation in operations.sym_ops]) / gemmi.Op.DEN


def symmetrised(crystal: Crystal) -> Crystal:
    """Return the crystal with a cell as its symmetry demands, turned as little as possible."""
    rotations = rotations_of(crystal.space_group)
    metric = crystal.a_matrix.T @ crystal.a_matrix
    mean = np.mean([each @ metric @ each.T for each in rotations], axis=0)
    cell = cholesky(mean).T
    left, _, right = svd(crystal.a_matrix @ inverse(cell))
    return replace(crystal, a_matrix=left @ right @ cell)


def strains_of(crystal: Crystal) -> F:
    """Return the basis of the strains that keep the crystal's symmetry, (k, 3, 3)."""
    back = inverse(crystal.a_matrix)
    turns = [
        crystal.a_matrix @ inverse(each).T @ back for each in rotations_of(crystal.space_group)
    ]
    pairs = [(0, 0), (1, 1), (2, 2), *pairwise(range(3)), (0, 2)]
    images: list[F] = []
    for first, second in pairs:
        unit = np.zeros((3, 3))
        unit[first, second] = unit[second, first] = 1.0
        images.append(np.mean([turn @ unit @ turn.T for turn in turns], axis=0).ravel())
    _, sizes, rows = svd(np.array(images))
    return np.array(
        [row.reshape(3, 3) for row, size in zip(rows, sizes, strict=False) if size > 0.1]
    )


def _is_length(name: str) -> bool:
    return name.startswith(("shift", "distance"))


def _expected(name: str, distance: float) -> float:
    if name.startswith(("orientation", "strain")):
        return np.inf
    if name.startswith(("tilt", "turn")):
        return _TILT
    if name.startswith(("beam", "axis")):
        return _DIRECTION
    return _SHIFT if name.startswith("shift") else _DISTANCE * distance


def _across(direction: F) -> tuple[F, F]:
    """Return two unit vectors across a direction and each other."""
    other = np.eye(3)[int(np.argmin(np.abs(direction)))]
    first = np.asarray(np.cross(direction, other), dtype=np.float64)
    first = first / float(np.linalg.norm(first))
    second = np.asarray(np.cross(direction, first), dtype=np.float64)
    return first, second / float(np.linalg.norm(second))


def _move(geometry: Geometry, at: dict[str, float]) -> Detector:
    detector = geometry.detector
    x, y = beam_centre(geometry)
    if not np.isfinite(x + y):
        x, y = detector.shape[1] / 2, detector.shape[0] / 2
    pivot = (
        detector.origin
        + x * detector.pixel[0] * detector.fast
        + y * detector.pixel[1] * detector.slow
    )
    turn = small_rotation(
        at.get("tilt fast", 0.0) * detector.fast
        + at.get("tilt slow", 0.0) * detector.slow
        + at.get("turn", 0.0) * detector.normal
    )
    shift = (
        at.get("shift fast", 0.0) * detector.fast
        + at.get("shift slow", 0.0) * detector.slow
        + at.get("distance", 0.0) * detector.normal
    )
    return replace(
        detector,
        origin=pivot + turn @ (detector.origin - pivot) + shift,
        fast=turn @ detector.fast,
        slow=turn @ detector.slow,
    )


def _tilt_axis(goniometer: Goniometer, first: float, second: float) -> Goniometer:
    axes = goniometer.axes.copy()
    axis = axes[goniometer.scan_axis]
    one, other = _across(axis / np.linalg.norm(axis))
    tilted = axis + first * one + second * other
    axes[goniometer.scan_axis] = tilted / np.linalg.norm(tilted)
    return replace(goniometer, axes=axes)
