"""
Stills: the spots of one image, indexed with a known cell.

The orientation comes from `orientation_search`; it is refined so that predicted positions fall on
the spots and the reflections lie near the Ewald sphere. A still does not record where a reflection
is centred: its point of the lattice is turned onto the sphere by the smallest angle psi, which
stands for mosaicity and spread of wavelength: N. K. Sauter et al., Acta Cryst. D70, 3299 (2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import (
    rays_to_pixels,
    reciprocal_points,
    rotation_matrix,
    to_laboratory,
)
from tasks.mx.index import NotIndexed
from tasks.mx.orientation_search import misfit, orientations, reciprocal_of
from tasks.mx.reduction import Cell, direct_of
from tasks.mx.reflections import Ints, Spots

_FEWEST = 8  # spots
_NEAR = 0.25  # of the fractional indices to whole ones
_LUCK = -16.0  # logarithm of the chance that random spots do as well in one orientation
_FRACTION = 0.4  # of the spots that must be indexed
_SURE = 0.8  # of the spots: then no other orientation is tried
_TRIED = 12  # orientations that are refined
_CYCLES, _TURNS_FIRST = 8, 3
_STRAY = 0.003  # by which the cell may differ from the known one, 1 sigma
_RMSD = 1.5  # pixels: more is another lattice
_FARTHEST = 3.0  # robust sigmas
_FREE_CELL = 40  # indexed spots that let the cell be refined too
_PSI_DEG = 0.1  # how far from the sphere reflections are expected: weighs psi against pixels


@dataclass(frozen=True)
class Still:
    """
    One image indexed.

    Attributes
    ----------
    crystal
        As it lies at zero angles of the goniometer.
    hkl
        Of each spot, (n, 3); (0, 0, 0) where it is not indexed.
    indexed
        Which ones follow the lattice, (n,).
    rmsd
        Between predicted and observed spots, fast and slow in pixels.
    psi_deg
        Root mean square of the angles by which reflections are off the Ewald sphere.
    """

    crystal: Crystal
    hkl: Ints
    indexed: NDArray[np.bool_]
    rmsd: tuple[float, float]
    psi_deg: float


def index_still(spots: Spots, geometry: Geometry, cell: Cell, space_group: str = "P 1") -> Still:
    """
    Index the spots of one image.

    Parameters
    ----------
    spots
        Of one image.
    geometry
        Refined before: the beam centre within some pixels.
    cell, space_group
        Of the crystal; primitive or not.

    Raises
    ------
    NotIndexed
        Too few spots, or no orientation that explains them.
    """
    if len(spots) < _FEWEST:
        raise NotIndexed(
            f"Not indexed: {len(spots)} spots on the image, and {_FEWEST} are needed. Look at its "
            "spot count in the grid or the strip chart: the crystal may be beside the beam."
        )
    points = reciprocal_points(geometry, spots.xyz)
    direct = direct_of(cell)
    ranked = sorted(_ranked(points, direct), key=lambda each: each[0])[:_TRIED]
    best: Still | None = None
    for _, turn in ranked:
        found = refined(spots, geometry, reciprocal_of(direct @ turn.T), space_group)
        if found is not None and (best is None or found.indexed.sum() > best.indexed.sum()):
            best = found
        if best is not None and best.indexed.mean() > _SURE:
            break
    if best is None or best.indexed.mean() < _FRACTION or max(best.rmsd) > _RMSD:
        most = 0 if best is None else int(best.indexed.sum())
        lengths = ", ".join(f"{each:g}" for each in cell)
        raise NotIndexed(
            f"Not indexed: of {len(spots)} spots at most {most} follow the cell {lengths} in "
            f"{len(ranked)} orientations. Several crystals in the beam, another cell or a wrong "
            "beam centre do that: look at the image with the predicted spots of a sweep."
        )
    return best


def _ranked(points: F, direct: F) -> list[tuple[float, F]]:
    """Rate orientations by the logarithm of the chance that random spots do as well."""
    found: list[tuple[float, F]] = []
    for rotation in orientations(points, direct):
        _, off = misfit(points, direct @ rotation.T)
        hits = int((np.abs(off).max(axis=1) < _NEAR).sum())
        chance = _log_chance(len(points), hits, (2 * _NEAR) ** 3)
        if chance < _LUCK and not _known(
            rotation, [each[1] for each in found if each[0] <= chance]
        ):
            found.append((chance, rotation))
    return found


def _known(rotation: F, others: list[F]) -> bool:
    """Tell whether a rotation is within a degree of others."""
    return any(np.trace(rotation @ each.T) > 1 + 2 * np.cos(np.radians(1.0)) for each in others)


def _log_chance(count: int, hits: int, part: float) -> float:
    """Return the logarithm of the chance of so many hits or more: Chernoff's bound."""
    share = hits / count
    if share <= part:
        return 0.0
    rest = (1 - share) * np.log((1 - share) / (1 - part)) if share < 1 else 0.0
    return float(-count * (share * np.log(share / part) + rest))


def predicted_on_sphere(points: F, geometry: Geometry) -> tuple[F, F]:
    """
    Turn points of the laboratory's reciprocal space onto the Ewald sphere by the smallest angle.

    Parameters
    ----------
    points
        (n, 3), in 1/Angstrom.

    Returns
    -------
    rays, psi : numpy.ndarray
        Wave vectors s1, (n, 3), in 1/Angstrom, and the angles in radians, (n,), positive for
        points inside of the sphere.
    """
    beam = geometry.beam.direction
    square = np.einsum("ni,ni->n", points, points)
    along = points @ beam
    across = points - along[:, None] * beam
    wide = np.linalg.norm(across, axis=1)
    wanted = -0.5 * geometry.beam.wavelength * square
    outwards = across / np.maximum(wide, 1e-12)[:, None]
    height = np.sqrt(np.maximum(square - wanted**2, 0))
    on_sphere = wanted[:, None] * beam + height[:, None] * outwards
    psi = np.arctan2(-wanted, height) - np.arctan2(-along, wide)
    return geometry.beam.s0 + on_sphere, psi


def refined(spots: Spots, geometry: Geometry, oriented: F, space_group: str) -> Still | None:
    """
    Refine orientation, and the cell where there are spots enough; None if the lattice is lost.

    The residuals of positions and psi are weighted by what their scatter is; what lies outside of
    three sigmas is left out and taken up again as the model improves. The cell strays from the
    known one by a third of a per cent where the spots do not tell more.

    Parameters
    ----------
    oriented
        Reciprocal axes of the known cell as they lie, columns, (3, 3), in 1/Angstrom.
    """
    points = reciprocal_points(geometry, spots.xyz)
    strain = np.zeros(6)
    used = np.zeros(len(spots), dtype=np.bool_)
    hkl = np.zeros((len(spots), 3), dtype=np.int32)
    for cycle in range(_CYCLES):
        a_matrix = _strained(strain) @ oriented
        hkl, off = misfit(points, reciprocal_of(a_matrix))
        near = (np.abs(off).max(axis=1) < _NEAR) & hkl.any(axis=1)
        used = _inliers(_errors(spots, geometry, a_matrix, hkl), near)
        if used.sum() < _FEWEST:
            return None
        free = cycle >= _TURNS_FIRST and used.sum() >= _FREE_CELL
        some, indices = spots.take(used), hkl[used]
        oriented, strain = _improved(some, geometry, indices, oriented, strain, free)
    a_matrix = _strained(strain) @ oriented
    errors = _errors(spots, geometry, a_matrix, hkl)
    x, y, psi = np.sqrt((errors[used] ** 2).mean(axis=0))
    indices = np.where(used[:, None], hkl, 0).astype(np.int32)
    crystal = Crystal(a_matrix, space_group)
    return Still(crystal, indices, used, (float(x), float(y)), float(psi) * _PSI_DEG)


def _errors(spots: Spots, geometry: Geometry, a_matrix: F, hkl: Ints) -> F:
    """Return how far predicted spots are off, (n, 3): fast, slow in pixels and psi."""
    lattice = to_laboratory(geometry, hkl @ a_matrix.T, spots.xyz[:, 2])
    rays, psi = predicted_on_sphere(lattice, geometry)
    apart = np.nan_to_num(rays_to_pixels(geometry, rays) - spots.xyz[:, :2], nan=1e3)
    return np.column_stack([apart, np.degrees(psi) / _PSI_DEG])


def _inliers(errors: F, near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not near.any():
        return near
    scale = 1.4826 * np.median(np.abs(errors[near]), axis=0)
    limit = _FARTHEST * np.maximum(scale, [0.3, 0.3, 0.3])
    return near & (np.abs(errors) <= limit).all(axis=1)


def _improved(
    spots: Spots, geometry: Geometry, hkl: Ints, oriented: F, strain: F, free: bool
) -> tuple[F, F]:
    """Take one Gauss-Newton step in the orientation, and in the strain where it is free."""

    def model(values: F) -> F:
        turned = rotation_about(values[:3]) @ oriented
        errors = _errors(spots, geometry, _strained(strain + values[3:]) @ turned, hkl)
        known = (strain + values[3:]) / _STRAY
        return np.concatenate([(errors / scale).ravel(), known])

    scale = np.ones(3)
    now = model(np.zeros(9))[:-6].reshape(-1, 3)
    scale = np.maximum(1.4826 * np.median(np.abs(now), axis=0), 0.1)
    start, count = model(np.zeros(9)), 9 if free else 3
    steps = 1e-5 * np.eye(9)[:count]
    jacobian = np.column_stack([(model(step) - start) / 1e-5 for step in steps])
    move = np.zeros(9)
    move[:count] = np.linalg.lstsq(jacobian, -start, rcond=1e-9)[0]
    return rotation_about(move[:3]) @ oriented, strain + move[3:]


def _strained(strain: F) -> F:
    """Return the matrix that stretches by xx, yy, zz, yz, xz, xy, (6,)."""
    xx, yy, zz, yz, xz, xy = strain
    return np.eye(3) + np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def rotation_about(vector: F) -> F:
    """Return the rotation about a vector by its length in radians, (3, 3)."""
    angle = float(np.linalg.norm(vector))
    return np.eye(3) if angle == 0 else rotation_matrix(vector / angle, np.degrees(angle))
