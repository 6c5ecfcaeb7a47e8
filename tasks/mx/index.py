"""Indexing: from spots to a crystal, with or without a known cell.

Periods of the spots in reciprocal space are combined to lattices; the one that explains the spots
best is refined together with the geometry. Where that fails, or the sweep is too narrow to be sure,
the beam centre is searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import beam_centre, reciprocal_points
from tasks.mx.lattice_score import Score
from tasks.mx.lattice_search import NotIndexed, Search, Solution, indices_of
from tasks.mx.reduction import Cell
from tasks.mx.refine import refine_together
from tasks.mx.reflections import Ints, Spots
from tasks.mx.search_spots import longest_axis

_NARROW_DEG = 12.0  # a sweep in which a wrong beam centre can pass for a right one
_REFINED = 2500  # spots that refine the geometry in the end


@dataclass(frozen=True)
class Indexed:
    """
    What indexing found for one sweep.

    Attributes
    ----------
    crystal
        In the known cell's axes, else in reduced ones (``P 1``).
    hkl
        Of each spot, (n, 3); (0, 0, 0) where it is not indexed.
    indexed
        Which ones follow the lattice, (n,).
    geometry
        As it was refined on the way.
    rmsd
        Of x, y in pixels and images, (3,).
    score
        How well the lattice explains the spots that it was searched with.
    tried
        Sentences: what was tried and what was found.
    """

    crystal: Crystal
    hkl: Ints
    indexed: NDArray[np.bool_]
    geometry: Geometry
    rmsd: F
    score: Score
    tried: tuple[str, ...]

    @property
    def fraction(self) -> float:
        """Share of all spots that are indexed."""
        return float(self.indexed.mean()) if len(self.indexed) else 0.0


def index(
    spots: Spots,
    geometry: Geometry,
    *,
    cell: Cell | None = None,
    space_group: str = "",
    max_cell: float | None = None,
) -> Indexed:
    """
    Index the spots of one sweep.

    Parameters
    ----------
    spots
        Strong ones, from at least a few images.
    geometry
        As the file tells it; its beam centre may be wrong by some millimetres.
    cell, space_group
        Of the sample, if known: the axes are then named as they are there.
    max_cell
        Longest axis to look for, in Angstrom; estimated from the spots if None.

    Raises
    ------
    NotIndexed
        No lattice explains the spots.
    """
    return index_together(
        [spots], [geometry], cell=cell, space_group=space_group, max_cell=max_cell
    )[0]


def index_together(
    spots: Sequence[Spots],
    geometries: Sequence[Geometry],
    *,
    cell: Cell | None = None,
    space_group: str = "",
    max_cell: float | None = None,
) -> tuple[Indexed, ...]:
    """
    Index several sweeps of one crystal, which stayed on its goniometer, with one lattice.

    Returns
    -------
    tuple of Indexed
        One per sweep; their crystals have one cell and nearly one orientation. See `index` for
        the parameters and errors.
    """
    work = Search.of(spots, geometries, cell, space_group)
    everything = np.concatenate(
        [reciprocal_points(at, part.xyz) for part, at in zip(spots, geometries, strict=True)]
    )
    lengths = _lengths(everything, max_cell, cell)
    as_given = "with the beam centre as it is given"
    best: Solution | None = None
    for longest in lengths[:2]:
        best = best or work.attempt(geometries, longest, as_given)
    narrow = _is_narrow(geometries)
    for longest in lengths[:2]:
        if best is not None and best.sure and not narrow:
            break
        best = work.search_beam(geometries, longest, best)
        narrow = False  # searched once
    for longest in lengths[2:]:
        best = best or work.attempt(geometries, longest, as_given)
    if best is None:
        raise NotIndexed(work.why_not())
    return _finish(work, best)


def _finish(work: Search, best: Solution) -> tuple[Indexed, ...]:
    """Name the axes, refine with the symmetry, index all spots."""
    crystal, said = work.named(best)
    geometries = [each.geometry for each in best.refined]
    crystals = [crystal] * len(geometries)
    found = best.refined
    hkl = best.hkl
    for _ in range(2):
        hkl = [
            indices_of(reciprocal_points(at, part.xyz), each.a_matrix)
            for part, at, each in zip(work.spots, geometries, crystals, strict=True)
        ]
        found = refine_together(
            work.spots, hkl, geometries, crystals, most=_REFINED, share_orientation=False
        )
        crystals, geometries = (
            [each.crystal for each in found],
            [each.geometry for each in found],
        )
    results: list[Indexed] = []
    for part, indices, each, before in zip(work.spots, hkl, found, work.geometries, strict=True):
        results.append(
            Indexed(
                each.crystal,
                np.where(each.used[:, None], indices, 0).astype(np.int32),
                each.used,
                each.geometry,
                each.rmsd,
                best.score,
                (
                    *(f"Tried {words}." for words in work.tried),
                    *said,
                    f"{int(each.used.sum())} of {len(part)} spots are indexed.",
                    _moved(before, each.geometry),
                ),
            )
        )
    return tuple(results)


def _is_narrow(geometries: Sequence[Geometry]) -> bool:
    """Tell whether the sweeps see so little that a wrong beam centre may pass for a right one."""
    widths = [abs(each.rotation.width_deg) * each.rotation.images for each in geometries]
    settings = {tuple(np.round(each.goniometer.angles_deg, 3)) for each in geometries}
    return max(widths) < _NARROW_DEG and len(settings) == 1


def _lengths(points: F, max_cell: float | None, cell: Cell | None) -> list[float]:
    """Return the longest axes to look for, in the order in which they are tried."""
    if max_cell is not None:
        return [float(max_cell)]
    if cell is not None:
        return [1.2 * max(cell[:3])]
    estimate = longest_axis(points)
    return [estimate, 2 * estimate, max(0.5 * estimate, 12.0), 4 * estimate]


def _moved(before: Geometry, after: Geometry) -> str:
    """Say how the beam centre and the distance changed."""
    old, new = np.array(beam_centre(before)), np.array(beam_centre(after))
    pixel = np.array(before.detector.pixel)
    shift = (new - old) * pixel
    return (
        f"The beam centre is at {new[0]:.1f}, {new[1]:.1f} pixels, {np.hypot(*shift):.2f} mm from "
        f"where it was given; the distance is {after.detector.distance:.2f} mm "
        f"({after.detector.distance - before.detector.distance:+.2f})."
    )
