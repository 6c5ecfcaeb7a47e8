"""Refinement of crystal, detector, beam and scan axis against the centroids of spots.

Residuals in x, y and image, each weighted by its variance, are minimised over the parameters of
`tasks.mx.refine_parameters` by a robust Gauss-Newton method; between the rounds, weights follow the
residuals and outliers are left out. Waterman et al., Acta Cryst. D72, 558 (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F, Geometry
from tasks.mx.centroid import centroids, lorentz_zeta
from tasks.mx.crystal import Crystal
from tasks.mx.geometry import pixels_to_rays
from tasks.mx.refine_parameters import Parameters, choose, strains_of, symmetrised
from tasks.mx.reflections import Ints, Spots

Mask = NDArray[np.bool_]

FLOOR = np.array([0.1, 0.1, 0.2])  # pixels and images, how well a centroid can be known
_BEST = 0.3  # of the stated errors, below which residuals are luck
_GRAZING = 0.05  # zeta below which the crossing is too uncertain
_OUTLIER = 4.0  # standard deviations, of the bulk
_ROUNDS, _STEPS = 4, 12
_MOST = 6000  # spots of a sweep, which is enough for its few parameters
_FEWEST = 9


@dataclass(frozen=True)
class Refined:
    """
    What came out of one sweep.

    Attributes
    ----------
    geometry, crystal
        Refined ones.
    rmsd
        Root mean square of observed minus calculated, of those used: x, y in pixels, images, (3,).
    sigmas
        Standard deviations by name: a, b, c (Angstrom), alpha, beta, gamma, orientation (degrees);
        shift fast, shift slow, distance (mm); tilts, turn, beam, axis (degrees), as far as free.
    used
        Which spots took part or would have: indexed, and no outliers, (n,).
    calculated
        Where each indexed spot was expected, (n, 3); NaN for the others.
    said
        Sentences on what was free and what was left out.
    """

    geometry: Geometry
    crystal: Crystal
    rmsd: F
    sigmas: dict[str, float]
    used: Mask
    calculated: F
    said: tuple[str, ...] = ()


def refine(
    spots: Spots,
    hkl: Ints,
    geometry: Geometry,
    crystal: Crystal,
    *,
    along: bool = False,
    most: int = _MOST,
) -> Refined:
    """
    Refine one sweep.

    Parameters
    ----------
    spots
        Observed ones, n.
    hkl
        Their indices, (n, 3); (0, 0, 0) is not indexed.
    geometry, crystal
        Starting values. The crystal's space group constrains its cell.
    along
        Also let orientation and cell change along the sweep (`Crystal.a_matrices`).
    most
        How many spots, at most, decide on the parameters that hold for the whole sweep.

    Raises
    ------
    DataError
        There are too few spots, or the sweep does not turn.
    """
    return refine_together([spots], [hkl], [geometry], [crystal], along=along, most=most)[0]


def refine_together(
    spots: Sequence[Spots],
    hkl: Sequence[Ints],
    geometries: Sequence[Geometry],
    crystals: Sequence[Crystal],
    *,
    share_crystal: bool = True,
    share_orientation: bool = True,
    share_detector: bool = True,
    along: bool = False,
    most: int = _MOST,
    rounds: int = _ROUNDS,
) -> tuple[Refined, ...]:
    """
    Refine several sweeps of one crystal together.

    Parameters
    ----------
    share_crystal
        One crystal for all: the first one of those given.
    share_orientation
        Its orientation is the same, too; else only its cell: goniometers reach an angle within
        some tenths of a degree.
    share_detector
        Beam, scan axis and detector move alike in all sweeps whose detectors stand alike.
    rounds
        How often weights and outliers are looked at again.

    Returns
    -------
    tuple of Refined
        One per sweep. See `refine` for the other parameters and errors.
    """
    from tasks.mx.refine_along import refine_along

    starts = [symmetrised(each) for each in crystals]
    if share_crystal and share_orientation:
        starts = [starts[0]] * len(starts)
    sharing = (share_crystal, share_orientation, share_detector)
    problem = _Problem.of(spots, hkl, geometries, starts, *sharing, most)
    values, covariance, used = problem.solve(rounds)
    found = problem.results(values, covariance, used)
    if along:
        found = tuple(
            refine_along(part, each, indices)
            for part, each, indices in zip(spots, found, hkl, strict=True)
        )
    return found


@dataclass(frozen=True)
class _Problem:
    """Sweeps, and which number of the vector of unknowns each of their parameters has."""

    spots: list[Spots]
    hkl: list[Ints]
    geometries: list[Geometry]
    crystals: list[Crystal]
    parameters: Parameters
    numbers: list[Ints]
    expected: F
    candidates: list[Mask]
    said: tuple[str, ...]
    most: int

    @classmethod
    def of(
        cls,
        spots: Sequence[Spots],
        hkl: Sequence[Ints],
        geometries: Sequence[Geometry],
        crystals: Sequence[Crystal],
        share_crystal: bool,
        share_orientation: bool,
        share_detector: bool,
        most: int,
    ) -> _Problem:
        for geometry in geometries:
            if geometry.rotation.width_deg == 0:
                raise DataError("A still cannot be refined as a sweep: its images do not turn.")
        candidates = [
            (indices != 0).any(axis=1)
            & (np.abs(lorentz_zeta(at, pixels_to_rays(at, part.xyz[:, :2]))) > _GRAZING)
            for indices, at, part in zip(hkl, geometries, spots, strict=True)
        ]
        count = sum(int(each.sum()) for each in candidates)
        if count < _FEWEST:
            raise DataError(
                f"Only {count} indexed spots, too few to refine a crystal: {_FEWEST} are needed. "
                "Record more images, or expose longer."
            )
        turned = sum(abs(each.rotation.width_deg) * each.rotation.images for each in geometries)
        groups = {_placing(each) for each in geometries}
        free = count // (len(groups) if share_detector else len(spots))
        parameters, why = choose(geometries[0], strains_of(crystals[0]), free, turned)
        keys = [
            _keys(parameters, number, at, share_crystal, share_orientation, share_detector)
            for number, at in enumerate(geometries)
        ]
        order = {key: number for number, key in enumerate(dict.fromkeys(chain(*keys)))}
        numbers = [np.array([order[key] for key in own], dtype=np.int32) for own in keys]
        expected = np.zeros(len(order))
        for own in numbers:
            expected[own] = parameters.expected
        weighted = [cut_ones(part, at) for part, at in zip(spots, geometries, strict=True)]
        return cls(
            weighted,
            list(hkl),
            list(geometries),
            list(crystals),
            parameters,
            numbers,
            expected,
            candidates,
            (why,),
            most,
        )

    def solve(self, rounds: int) -> tuple[F, F, list[Mask]]:
        """Return the parameters, their covariance, and which spots took part or would have."""
        values = np.zeros(len(self.expected))
        covariance = np.eye(len(values))
        used = self.candidates
        for _ in range(rounds):
            residuals = [self.residuals(sweep, values) for sweep in range(len(self.spots))]
            scales = robust_scales(self.spots, residuals, used)
            used = [
                candidate & inliers(part, residual, scales)
                for candidate, part, residual in zip(
                    self.candidates, self.spots, residuals, strict=True
                )
            ]
            if sum(int(each.sum()) for each in used) < _FEWEST:
                raise DataError(
                    "The spots do not follow the indexed lattice: nearly all of them are outliers. "
                    "Look at the beam centre, the distance and the direction of the rotation."
                )
            values, covariance = self.minimise(values, scales, used)
        return values, covariance, used

    def residuals(self, sweep: int, values: F, rows: NDArray[np.intp] | None = None) -> F:
        """Return calculated minus observed of some spots of a sweep, (n, 3)."""
        xyz, hkl = self.spots[sweep].xyz, self.hkl[sweep]
        if rows is not None:
            xyz, hkl = xyz[rows], hkl[rows]
        geometry, a_matrix = self.state(sweep, values)
        return centroids(geometry, a_matrix, hkl, xyz[:, 2]) - xyz

    def state(self, sweep: int, values: F) -> tuple[Geometry, F]:
        """Return geometry and A of a sweep."""
        own = values[self.numbers[sweep]]
        geometry = self.parameters.geometry(own, self.geometries[sweep])
        return geometry, self.parameters.crystal(own, self.crystals[sweep].a_matrix)

    def minimise(self, values: F, scales: F, used: list[Mask]) -> tuple[F, F]:
        """Carry out robust Gauss-Newton steps from some values; returns values and covariance."""
        chosen = [_spread(each, self.most) for each in used]
        prior = 1 / self.expected**2
        best = self._cost(values, scales, chosen)
        normal = np.eye(len(values))
        damping = 0.0
        for _ in range(_STEPS):
            normal, gradient = self._normal_equations(values, scales, chosen)
            normal = normal + np.diag(prior)
            damped = normal + np.diag(damping * np.diag(normal) + 1e-12)
            step = np.linalg.solve(damped, gradient + prior * values)
            cost = self._cost(values - step, scales, chosen)
            if not cost < best:
                damping = max(10 * damping, 1e-3)
                if damping > 1e4:
                    break
                continue
            gained, best, values = best - cost, cost, values - step
            damping /= 10
            if gained < 1e-5 * best:
                break
        scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
        covariance = np.linalg.pinv(normal * np.outer(scale, scale), rcond=1e-12, hermitian=True)
        return values, covariance * np.outer(scale, scale)

    def _cost(self, values: F, scales: F, chosen: list[NDArray[np.intp]]) -> float:
        total = 0.5 * float(np.sum((values / self.expected) ** 2))
        for sweep, rows in enumerate(chosen):
            off = self.residuals(sweep, values, rows) / self._sigma(sweep, rows, scales)
            total += float(np.sum(np.where(np.isfinite(off), np.sqrt(1 + off**2 / 4) - 1, 1e3))) * 4
        return total

    def _sigma(self, sweep: int, rows: NDArray[np.intp], scales: F) -> F:
        return scales * np.sqrt(self.spots[sweep].variance[rows] + FLOOR**2)

    def _normal_equations(
        self, values: F, scales: F, chosen: list[NDArray[np.intp]]
    ) -> tuple[F, F]:
        normal, gradient = np.zeros((len(values), len(values))), np.zeros(len(values))
        for sweep, rows in enumerate(chosen):
            own = self.numbers[sweep]
            sigma = self._sigma(sweep, rows, scales)
            xyz, hkl = self.spots[sweep].xyz[rows], self.hkl[sweep][rows]
            at, a_matrix = self.state(sweep, values)
            start = centroids(at, a_matrix, hkl, xyz[:, 2]) - xyz
            columns: list[F] = []
            for place, step in enumerate(self.parameters.steps):
                moved = values[own]
                moved[place] += step
                if place < self.parameters.inner:  # the crystal's, so the geometry stays
                    changed = self.parameters.crystal(moved, self.crystals[sweep].a_matrix)
                    off = centroids(at, changed, hkl, xyz[:, 2]) - xyz
                else:
                    other = self.parameters.geometry(moved, self.geometries[sweep])
                    off = centroids(other, a_matrix, hkl, xyz[:, 2]) - xyz
                columns.append(((off - start) / step / sigma).ravel())
            jacobian = np.column_stack(columns)
            off = (start / sigma).ravel()
            weight = 1 / np.sqrt(1 + off**2 / 4)
            normal[np.ix_(own, own)] += jacobian.T @ (weight[:, None] * jacobian)
            gradient[own] += jacobian.T @ (weight * off)
        return normal, gradient

    def results(self, values: F, covariance: F, used: list[Mask]) -> tuple[Refined, ...]:
        """Put the parameters into each sweep's geometry and crystal."""
        found: list[Refined] = []
        for sweep, own in enumerate(self.numbers):
            geometry = self.parameters.geometry(values[own], self.geometries[sweep])
            start = self.crystals[sweep]
            crystal = replace(
                start,
                a_matrix=self.parameters.crystal(values[own], start.a_matrix),
                a_matrices=None,
            )
            off = self.residuals(sweep, values)
            indexed = (self.hkl[sweep] != 0).any(axis=1)[:, None]
            rejected = int((self.candidates[sweep] & ~used[sweep]).sum())
            kept = off[used[sweep]]
            found.append(
                Refined(
                    geometry,
                    crystal,
                    np.sqrt(np.mean(kept**2, axis=0)) if len(kept) else np.full(3, np.nan),
                    _sigmas(self.parameters, start, values[own], covariance[np.ix_(own, own)]),
                    used[sweep],
                    np.where(indexed, off + self.spots[sweep].xyz, np.nan),
                    (
                        *self.said,
                        f"{rejected} of {int(self.candidates[sweep].sum())} are outliers.",
                    ),
                )
            )
        return tuple(found)


def _placing(geometry: Geometry) -> str:
    """Return what is alike for detectors that stand at the same place."""
    plate = geometry.detector
    return str(np.round([*plate.origin, *(10 * plate.fast), *(10 * plate.slow)], 0).tolist())


def _keys(
    parameters: Parameters,
    sweep: int,
    geometry: Geometry,
    share_crystal: bool,
    share_orientation: bool,
    share_detector: bool,
) -> list[tuple[str, str]]:
    """Return a key for each parameter of a sweep: equal keys of two sweeps are one unknown."""
    keys: list[tuple[str, str]] = []
    for place, name in enumerate(parameters.names):
        if place < 3:
            owner = "all" if share_crystal and share_orientation else str(sweep)
        elif place < parameters.inner:
            owner = "all" if share_crystal else str(sweep)
        else:
            owner = _placing(geometry) if share_detector else str(sweep)
        keys.append((name, owner))
    return keys


def cut_ones(spots: Spots, geometry: Geometry) -> Spots:
    """Return the spots with a larger variance in z where the sweep's begin or end cuts them."""
    first, last = spots.images[:, 0], spots.images[:, 1]
    cut = (first <= 0) | (last >= geometry.rotation.images - 1)
    variance = spots.variance.copy()
    variance[:, 2] += np.where(cut, (last - first + 1.0) ** 2 / 12, 0.0)
    return replace(spots, variance=variance)


def robust_scales(spots: Sequence[Spots], residuals: Sequence[F], used: Sequence[Mask]) -> F:
    """Return by what the sigmas of x, y and z are multiplied to match the residuals, (3,)."""
    parts = [
        np.abs(off[use]) / np.sqrt(part.variance[use] + FLOOR**2)
        for part, off, use in zip(spots, residuals, used, strict=True)
    ]
    return np.maximum(1.4826 * np.nanmedian(np.concatenate(parts), axis=0), _BEST)


def inliers(spots: Spots, residuals: F, scales: F) -> Mask:
    """Tell which spots lie where they are expected, (n,)."""
    sigma = scales * np.sqrt(spots.variance + FLOOR**2)
    return np.asarray((np.abs(residuals) < _OUTLIER * sigma).all(axis=1))


def _spread(used: Mask, most: int) -> NDArray[np.intp]:
    """Return the numbers of at most so many spots, spread evenly."""
    rows = np.flatnonzero(used)
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def _sigmas(parameters: Parameters, start: Crystal, values: F, covariance: F) -> dict[str, float]:
    """Return the standard deviations of the cell and of what else was free."""
    steps = np.diag(parameters.steps)
    centre = np.array(Crystal(parameters.crystal(values, start.a_matrix)).cell)
    slopes = np.array(
        [
            (np.array(Crystal(parameters.crystal(values + step, start.a_matrix)).cell) - centre)
            / step.sum()
            for step in steps
        ]
    )
    deviations = np.sqrt(np.maximum(np.einsum("ki,kl,li->i", slopes, covariance, slopes), 0.0))
    names = ("a", "b", "c", "alpha", "beta", "gamma")
    sigmas = {name: float(value) for name, value in zip(names, deviations, strict=True)}
    own = np.sqrt(np.diag(covariance))
    sigmas["orientation"] = float(np.degrees(np.linalg.norm(own[:3])))
    for name, value in zip(parameters.names, own, strict=True):
        if name.startswith(("tilt", "turn", "beam", "axis")):
            sigmas[name] = float(np.degrees(value))
        elif name.startswith(("shift", "distance")):
            sigmas[name] = float(value)
    return sigmas
