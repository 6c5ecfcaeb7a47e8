"""The search for the lattice of a sweep: candidates are refined, judged and written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F, Geometry
from tasks.mx.basis_vectors import basis_vectors
from tasks.mx.beam_search import FARTHEST, search_shifts, shifted
from tasks.mx.candidates import Candidate, combine, combine_known, known_axes, multiples
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import reciprocal_points
from tasks.mx.lattice_score import Score, assign, score
from tasks.mx.matrices import inverse
from tasks.mx.reduction import Cell, buerger, described, direct_of, matching
from tasks.mx.refine import Refined, refine_together
from tasks.mx.reflections import Ints, Spots
from tasks.mx.search_spots import crowded, for_search

_MOST = 1200  # spots to search with
_FEWEST = 12
_FRACTION = 0.25  # of the spots, that a lattice must explain
_SURE, _SURE_PER_SPOT = 0.45, 5.0  # fraction, and gain per spot of it, beyond doubt
_GAIN, _GAIN_PER_SPOT = 25.0, 0.2
_RMSD = 4.0  # pixels
_POLISHED = 800  # spots that refine the geometry on the way
_ALIKE = 0.05  # strain between a found and a known cell


class NotIndexed(DataError):  # noqa: N818 - it names an outcome, as the field calls it
    """No lattice explains the spots; the sentence tells what was tried and what to look at."""


@dataclass(frozen=True)
class Solution:
    """A lattice that explains the spots, refined with the geometry of each sweep."""

    refined: tuple[Refined, ...]
    hkl: list[Ints]
    score: Score
    known: bool
    why: str
    count: int

    @property
    def sure(self) -> bool:
        """Whether the lattice is beyond doubt, so that no other one needs to be tried."""
        fraction = self.score.fraction
        return fraction >= _SURE and self.score.gain >= _SURE_PER_SPOT * fraction * self.count

    def better(self, other: Solution) -> bool:
        """Tell whether it explains the spots clearly better than one that was tried before."""
        if self.known != other.known:
            return self.known
        return self.score.gain > other.score.gain + 0.02 * abs(other.score.gain) + 5


@dataclass(frozen=True)
class Search:
    """The spots to search with, and a diary."""

    spots: list[Spots]
    geometries: list[Geometry]
    rows: list[NDArray[np.intp]]
    cell: Cell | None
    known: F | None
    space_group: str
    tried: list[str]

    @classmethod
    def of(
        cls,
        spots: Sequence[Spots],
        geometries: Sequence[Geometry],
        cell: Cell | None,
        space_group: str,
    ) -> Search:
        """
        Choose the spots to search with.

        Raises
        ------
        NotIndexed
            They are too few.
        """
        count = sum(len(each) for each in spots)
        if count < _FEWEST:
            raise NotIndexed(
                f"Only {count} spots were found, {_FEWEST} are needed to index. Look at the "
                "images: is the crystal in the beam, is it a crystal, was the exposure long enough?"
            )
        rows = [
            for_search(part, reciprocal_points(at, part.xyz), _MOST // len(spots))
            for part, at in zip(spots, geometries, strict=True)
        ]
        known = None if cell is None else known_axes(cell, space_group)
        return cls(list(spots), list(geometries), rows, cell, known, space_group, [])

    def points(self, geometries: Sequence[Geometry]) -> F:
        """Return the points to search with, (n, 3), in 1/Angstrom."""
        return np.concatenate(
            [
                reciprocal_points(at, part.xyz[rows])
                for part, at, rows in zip(self.spots, geometries, self.rows, strict=True)
            ]
        )

    def search_beam(
        self, geometries: Sequence[Geometry], longest: float, best: Solution | None
    ) -> Solution | None:
        """Try the beam centres that the periods of the spots suggest; return the best so far."""
        xyz = [part.xyz[rows] for part, rows in zip(self.spots, self.rows, strict=True)]
        if sum(len(each) for each in xyz) < _FEWEST:
            return best
        for shift in search_shifts(xyz, geometries, longest):
            moved = [shifted(each, shift.fast, shift.slow) for each in geometries]
            words = f"with the detector moved by {shift.fast:+.2f} and {shift.slow:+.2f} mm"
            other = self.attempt(moved, longest, words)
            if other is not None and (best is None or other.better(best)):
                best = other
            if best is not None and best.sure:
                break
        return best

    def attempt(
        self, geometries: Sequence[Geometry], longest: float, words: str
    ) -> Solution | None:
        """Search and refine a lattice with some geometry; None if none is good enough."""
        points = self.points(geometries)
        words = f"{words}, axes up to {longest:.0f} A"
        if len(points) < _FEWEST:
            self.tried.append(f"{words}: only {len(points)} spots are on no ring")
            return None
        best: Solution | None = None
        for candidate in self.candidates(points, longest):
            found = self.polish(geometries, candidate)
            if found is not None and (best is None or found.better(best)):
                best = found
            if best is not None and best.sure:
                break
        if best is None:
            self.tried.append(f"{words}: no lattice")
        else:
            self.tried.append(
                f"{words}: {best.score.fraction:.0%} of the spots by a cell of "
                f"{described(best.refined[0].crystal.cell)}"
            )
        return best

    def candidates(self, points: F, longest: float) -> list[Candidate]:
        """Return the lattices that are worth refining."""
        vectors = basis_vectors(points, longest)
        reach = max(24.0 / longest, 3 * float(np.percentile(np.linalg.norm(points, axis=1), 5)))
        found: list[Candidate] = []
        if self.known is not None:
            found = combine_known(points, vectors, reach, self.known)[:2]
        for a_matrix, how in combine(points, vectors, reach)[:2]:
            chosen, better, _ = multiples(points, a_matrix, how)
            found.append((chosen, better))
        return found

    def polish(self, geometries: Sequence[Geometry], candidate: Candidate) -> Solution | None:
        """Refine a lattice and the geometry, index again; None if it does not hold."""
        a_matrix, how = candidate
        now: list[Geometry] = list(geometries)
        refined: tuple[Refined, ...] = ()
        hkl: list[Ints] = []
        why = ""
        for _ in range(3):
            if not _holds(how, len(self.points(now))):
                return None
            hkl = [
                indices_of(reciprocal_points(at, part.xyz), a_matrix)
                for part, at in zip(self.spots, now, strict=True)
            ]
            try:
                refined = refine_together(
                    self.spots, hkl, now, [Crystal(a_matrix)] * len(now), most=_POLISHED, rounds=2
                )
            except DataError:
                return None
            a_matrix, now = refined[0].crystal.a_matrix, [each.geometry for each in refined]
            points = self.points(now)
            a_matrix, how, why = multiples(points, a_matrix, score(points, a_matrix))
        hkl = [
            indices_of(reciprocal_points(at, part.xyz), a_matrix)
            for part, at in zip(self.spots, now, strict=True)
        ]
        refined = tuple(replace(each, crystal=Crystal(a_matrix)) for each in refined)
        if (
            not _holds(how, len(self.points(now)))
            or max(each.rmsd[:2].max() for each in refined) > _RMSD
        ):
            return None
        known = self.known is not None and (matching(inverse(a_matrix), self.known)[1] < _ALIKE)
        return Solution(refined, hkl, how, known, why, len(self.points(now)))

    def named(self, best: Solution) -> tuple[Crystal, tuple[str, ...]]:
        """Return the crystal in the known cell's axes, or in reduced ones."""
        a_matrix = best.refined[0].crystal.a_matrix
        said = (best.why,) if best.why else ()
        if self.known is None or self.cell is None:
            return Crystal(inverse(buerger(inverse(a_matrix))[0])), said
        direct = inverse(a_matrix)
        matrix, strain = matching(direct, self.known)
        if strain >= _ALIKE:
            reduced, _ = buerger(direct)
            words = (
                f"The spots follow a cell of {described(reduced)}, which is not the known one of "
                f"{described(self.cell)}: is it the right sample?"
            )
            return Crystal(inverse(reduced)), (*said, words)
        to_primitive = self.known @ inverse(direct_of(self.cell))
        named = inverse(to_primitive) @ matrix @ direct
        words = f"The axes are those of the known cell, which differs by {strain:.2%}."
        return Crystal(inverse(named), self.space_group or "P 1"), (*said, words)

    def why_not(self) -> str:
        """Return the sentence for spots that no lattice explains."""
        count = sum(len(each) for each in self.spots)
        ringed = sum(
            int(crowded(reciprocal_points(at, part.xyz)).sum())
            for part, at in zip(self.spots, self.geometries, strict=True)
        )
        sentences = [f"Not indexed: no lattice explains the {count} spots."]
        if ringed > 0.3 * count:
            sentences.append(
                f"{ringed / count:.0%} of them lie on rings: ice, or a powder and no crystal."
            )
        sentences += [f"Tried {words}." for words in self.tried]
        sentences.append(f"The beam centre was searched within {FARTHEST:.0f} mm.")
        sentences.append(
            "Look at the images (several crystals, ice, split spots), at the distance, the "
            "wavelength and the direction of the rotation, and give the cell if it is known."
        )
        return " ".join(sentences)


def indices_of(points: F, a_matrix: F) -> Ints:
    """Return the indices of points, (n, 3); (0, 0, 0) where they are not near a lattice point."""
    hkl, near = assign(points, a_matrix)
    return np.where(near[:, None], hkl, 0).astype(np.int32)


def _holds(how: Score, count: int) -> bool:
    return how.fraction >= _FRACTION and how.gain >= _GAIN + _GAIN_PER_SPOT * count
