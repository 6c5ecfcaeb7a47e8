"""The least squares of a refinement: unknowns, residuals, weights and outliers.

Residuals in x, y and image, each weighted by its variance, are minimised by a robust Gauss-Newton
method; between the rounds, weights follow the residuals and outliers are left out.
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
from tasks.mx.refine_parameters import Parameters, choose, strains_of
from tasks.mx.reflections import Ints, Spots

Mask = NDArray[np.bool_]

FLOOR = np.array([0.1, 0.1, 0.2])  # pixels and images, how well a centroid can be known
_BEST = 0.3  # of the stated errors, below which residuals are luck
_GRAZING = 0.05  # zeta below which the crossing is too uncertain
_OUTLIER = 4.0  # standard deviations, of the bulk
_STEPS = 12
_FEWEST = 9


@dataclass(frozen=True)
class Problem:
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
    ) -> Problem:
        """
        Set up the unknowns.

        Raises
        ------
        DataError
            There are too few spots, or a sweep does not turn.
        """
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
