"""What intensity to expect at each index: smooth with resolution, ellipsoidal with direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.reflections import Ints
from tasks.mx.symmetry import laue_rotations, space_group

_CYCLES = 25
_FEW = 50  # reflections, which tell a level and a fall with resolution, but no direction
Cell = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Expected:
    """
    Expected intensities.

    Attributes
    ----------
    mean
        Of intensities at each index, its symmetry's enhancement (epsilon) included, (n,).
    epsilon, centric
        (n,).
    b
        How B differs from its mean along the principal axes, (3,), in square Angstrom, rising.
    b_sigma
        Their standard error, of the largest difference.
    axes
        Principal axes (rows), in the Cartesian frame with x along a and z along c*, (3, 3).
    """

    mean: F
    epsilon: F
    centric: NDArray[np.bool_]
    b: F
    b_sigma: float
    axes: F

    @property
    def anisotropy(self) -> float:
        """Difference of B between the worst and the best direction, in square Angstrom."""
        return float(self.b[-1] - self.b[0])

    @property
    def warning(self) -> str:
        """For the user; empty where diffraction is about the same in all directions."""
        if self.anisotropy < 10 or self.anisotropy < 5 * self.b_sigma:
            return ""
        return (
            f"Diffraction is anisotropic: B differs by {self.anisotropy:.0f} Å² between directions "
            f"({self.b[0]:+.0f}, {self.b[1]:+.0f}, {self.b[2]:+.0f}). The resolution along the "
            "weakest direction is worse than the merged statistics say."
        )


def fractionalising(cell: tuple[float, ...]) -> F:
    """Return the matrix whose rows are a*, b*, c*, (3, 3), in 1/Angstrom: s = h @ rows."""
    import gemmi

    return np.array(gemmi.UnitCell(*cell).frac.mat.tolist(), dtype=np.float64)


def spacings(hkl: NDArray[Any], cell: tuple[float, ...]) -> F:
    """Return d of indices, (n,), in Angstrom."""
    with np.errstate(divide="ignore"):
        return 1 / np.linalg.norm(np.asarray(hkl) @ fractionalising(cell), axis=1)


def expected_intensity(
    hkl: Ints, intensity: F, sigma: F, cell: tuple[float, ...], symbol: str
) -> Expected:
    """
    Fit the mean intensity: its logarithm is a polynomial of 1/d² and an ellipsoid.

    A quasi-likelihood of the gamma family, so that weak and negative intensities count as they
    should and strong ones do not rule. Fewer than 50 reflections tell of no ellipsoid.

    Parameters
    ----------
    hkl, intensity, sigma
        Merged, absent ones left out, (n, 3), (n,), (n,).
    cell, symbol
        The space group's symbol; the ellipsoid has the symmetry of its Laue group.

    Raises
    ------
    DataError
        If there is no signal.
    """
    if not len(hkl) or float(np.mean(intensity)) <= 0:
        raise DataError(
            f"The expected intensity cannot be fitted: {len(hkl)} merged reflections with a mean "
            f"intensity of {float(np.mean(intensity)) if len(hkl) else 0.0:.3g}. Look at the "
            "images and the integration: there is no signal."
        )
    operations = space_group(symbol).operations()
    indices = np.ascontiguousarray(hkl, dtype=np.int32)
    epsilon = np.asarray(operations.epsilon_factor_without_centering_array(indices), float)
    centric = np.asarray(operations.centric_flag_array(indices), dtype=np.bool_)
    columns, ellipsoid = _design(hkl, cell, symbol)
    if len(hkl) < _FEW:
        columns = columns[:, : 2 if len(hkl) > _FEW // 5 else 1]
    found, covariance = _fit(columns, intensity / epsilon, sigma / epsilon, centric)
    level = np.exp(np.clip(columns @ found, -60, 60))
    if len(hkl) < _FEW:
        return Expected(level * epsilon, epsilon, centric, np.zeros(3), np.inf, np.eye(3))
    b, axes, b_sigma = _principal(found[-6:], covariance[-6:, -6:], ellipsoid)
    return Expected(level * epsilon, epsilon, centric, b, b_sigma, axes)


def _design(hkl: Ints, cell: tuple[float, ...], symbol: str) -> tuple[F, F]:
    """Columns of the fit, (n, terms + 6); what each of the last six is as a form, (6, 3, 3)."""
    rows = fractionalising(cell)
    s = hkl @ rows
    s2 = np.sum(s**2, axis=1)
    terms = int(np.clip(len(hkl) // 100, 3, 9))
    span = (s2 - s2.min()) / max(float(np.ptp(s2)), 1e-12) * 2 - 1
    radial = np.cos(np.arange(terms) * np.arccos(np.clip(span, -1, 1))[:, None])
    inverse = np.linalg.inv(rows)
    turns = np.array([inverse @ each.T @ rows for each in laue_rotations(symbol)])
    forms = np.zeros((6, 3, 3))
    for number, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))):
        form = np.zeros((3, 3))
        form[i, j] += 0.5
        form[j, i] += 0.5
        mean = np.mean(turns @ form @ turns.transpose(0, 2, 1), axis=0)
        forms[number] = mean - np.eye(3) * np.trace(mean) / 3
    across = np.einsum("ni,kij,nj->nk", s, forms, s)
    return np.column_stack([radial, across]), forms


def _fit(columns: F, intensity: F, sigma: F, centric: NDArray[np.bool_]) -> tuple[F, F]:
    size = np.maximum(np.abs(columns).max(axis=0), 1e-12)
    scaled = columns / size
    found = np.zeros(columns.shape[1])
    found[0] = np.log(max(float(np.mean(intensity)), 1e-12))
    spread = np.where(centric, 2.0, 1.0)
    inverse = np.eye(len(found))
    for _ in range(_CYCLES):
        mean = np.exp(np.clip(scaled @ found, -60, 60))
        weight = mean**2 / (spread * mean**2 + sigma**2)
        left = scaled * weight[:, None]
        inverse = _inverse(left.T @ scaled)
        step: F = inverse @ (left.T @ ((intensity - mean) / mean))
        step = step * min(1.0, 2.0 / max(float(np.abs(scaled @ step).max()), 1e-12))
        found = found + step
        if np.abs(scaled @ step).max() < 1e-6:
            break
    return found / size, inverse / np.outer(size, size)


def _inverse(matrix: F) -> F:
    """Return the inverse, directions that nothing determines left out."""
    found: Any = np.linalg.pinv(matrix, rcond=1e-9, hermitian=True)
    return found


def _principal(ellipsoid: F, covariance: F, forms: F) -> tuple[F, F, float]:
    """B along the principal axes less its mean: ln I falls as s B s / 2."""
    tensor = -2 * np.einsum("k,kij->ij", ellipsoid, forms)
    values, vectors = np.linalg.eigh(tensor)
    along = -2 * np.einsum("kij,ia,ja->ak", forms, vectors, vectors)
    difference = along[-1] - along[0]
    return values, vectors.T, float(np.sqrt(max(difference @ covariance @ difference, 0.0)))
