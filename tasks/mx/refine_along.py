"""Orientation and cell that change smoothly along a sweep.

Each of the crystal's parameters is a cubic B-spline in the image coordinate; the knots stand a few
degrees apart and differences of neighbours are held small, so that gaps without spots are bridged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.centroid import centroids
from tasks.mx.matrices import from_scipy
from tasks.mx.refine_parameters import small_rotations, strains_of
from tasks.mx.reflections import Ints, Spots

if TYPE_CHECKING:
    from tasks.mx.refine import Refined

_SPACING_DEG = 12.0
_PER_INTERVAL = 60  # spots that an interval between knots should have
_SMOOTH = np.radians(0.05)  # expected change from knot to knot, of orientation (rad)
_STRAIN = 5e-4  # and of strain
_STEPS, _STEP = 4, 1e-5


def refine_along(spots: Spots, start: Refined, hkl: Ints) -> Refined:
    """
    Refine orientation and cell along one sweep.

    Parameters
    ----------
    spots
        Observed ones, n.
    start
        Refined as a whole.
    hkl
        Indices, (n, 3).

    Returns
    -------
    Refined
        With `Crystal.a_matrices`; as it was, with a sentence, if there are too few spots.
    """
    from tasks.mx.refine_problem import FLOOR, cut_ones, inliers, robust_scales

    rotation = start.geometry.rotation
    spots = cut_ones(spots, start.geometry)
    rows = np.flatnonzero(start.used)
    turned = abs(rotation.width_deg) * rotation.images
    intervals = int(min(turned / _SPACING_DEG, len(rows) / _PER_INTERVAL))
    if intervals < 2:
        said = (*start.said, "Too few spots or degrees to follow the crystal along the sweep.")
        return replace(start, said=said)
    model = _Model.of(start, intervals, FLOOR)
    part, indices = spots.take(rows), hkl[rows]
    basis = model.basis(part.xyz[:, 2])
    values = np.zeros((basis.shape[1], model.size))
    for _ in range(_STEPS):
        off = model.residuals(basis @ values, part, indices)
        scales = robust_scales([part], [off], [np.ones(len(part), dtype=bool)])
        values = values - model.step(basis, values, part, indices, scales)
    ends = model.basis(np.arange(rotation.images + 1.0)) @ values
    crystal = replace(start.crystal, a_matrices=model.a_matrices(ends))
    everywhere = model.residuals(model.basis(spots.xyz[:, 2]) @ values, spots, hkl)
    indexed = (hkl != 0).any(axis=1)
    scales = robust_scales([spots], [everywhere], [start.used])
    used = indexed & inliers(spots, everywhere, scales)
    return replace(
        start,
        crystal=crystal,
        used=used,
        rmsd=np.sqrt(np.mean(everywhere[used] ** 2, axis=0)),
        calculated=np.where(indexed[:, None], everywhere + spots.xyz, np.nan),
        said=(*start.said, f"Orientation and cell follow the sweep with {intervals} intervals."),
    )


@dataclass(frozen=True)
class _Model:
    start: Refined
    strains: F
    knots: F
    floor: F

    @classmethod
    def of(cls, start: Refined, intervals: int, floor: F) -> _Model:
        images = float(start.geometry.rotation.images)
        inner = np.linspace(0.0, images, intervals + 1)
        knots = np.concatenate([[0.0] * 3, inner, [images] * 3])
        return cls(start, strains_of(start.crystal), knots, floor)

    @property
    def size(self) -> int:
        return 3 + len(self.strains)

    def basis(self, z: F) -> F:
        """Return the splines' values, (n, splines)."""
        spline = from_scipy("interpolate").BSpline

        inside = np.clip(z, self.knots[0], self.knots[-1])
        return np.asarray(spline.design_matrix(inside, self.knots, 3).toarray())

    def a_matrices(self, values: F) -> F:
        """Return A for the parameters at some points of the sweep, (n, 3, 3)."""
        turns = small_rotations(values[:, :3])
        strains = np.tensordot(values[:, 3:], self.strains, axes=1)
        return turns @ (np.eye(3) + strains) @ self.start.crystal.a_matrix

    def residuals(self, values: F, spots: Spots, hkl: Ints) -> F:
        """Return calculated minus observed, (n, 3), with parameters for each spot."""
        near = spots.xyz[:, 2]
        return centroids(self.start.geometry, self.a_matrices(values), hkl, near) - spots.xyz

    def step(self, basis: F, values: F, spots: Spots, hkl: Ints, scales: F) -> F:
        """Return the Gauss-Newton step, (splines, parameters), to be subtracted."""
        local = basis @ values
        off = self.residuals(local, spots, hkl)
        sigma = scales * np.sqrt(spots.variance + self.floor**2)
        columns: list[F] = []
        for number in range(self.size):
            moved = local.copy()
            moved[:, number] += _STEP
            columns.append((self.residuals(moved, spots, hkl) - off) / _STEP / sigma)
        slopes = np.array(columns)  # (parameters, n, 3)
        weight = 1 / np.sqrt(1 + (off / sigma) ** 2 / 4)
        count, splines = self.size, basis.shape[1]
        normal = np.zeros((splines, count, splines, count))
        for one in range(count):
            for other in range(one, count):
                product = (weight * slopes[one] * slopes[other]).sum(axis=1)
                block = basis.T @ (product[:, None] * basis)
                normal[:, one, :, other] = block
                normal[:, other, :, one] = block.T
        gradient = basis.T @ np.einsum("nd,pnd,nd->np", weight, slopes, off / sigma)
        smooth = np.diff(np.eye(splines), axis=0)
        rough = smooth.T @ smooth
        for number in range(count):
            expected = _SMOOTH if number < 3 else _STRAIN
            normal[:, number, :, number] += rough / expected**2
            gradient[:, number] += rough @ values[:, number] / expected**2
        matrix = normal.reshape(splines * count, -1)
        matrix = matrix + np.diag(1e-9 * np.diag(matrix))
        solved = np.asarray(np.linalg.solve(matrix, gradient.ravel()), dtype=np.float64)
        return solved.reshape(splines, count)
