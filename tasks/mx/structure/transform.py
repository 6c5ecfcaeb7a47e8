"""
The transform of a molecule by itself, sampled finely enough to be interpolated.

The molecule stands in a box several times its size, which samples its transform as often along each
axis (A. D. Booth's method of the optical transform on a computer; see J. Navaza, Acta Cryst. A50,
157 (1994), for its use here). What linear interpolation takes away from the outer parts of the
molecule is put back beforehand by dividing its density by the interpolation's own transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F

_BOX = 3.2  # times the diameter of the molecule
_LARGEST = 320  # steps along an edge of the sampled transform
_RATE = 1.5  # of the density's grid, over the coarsest that holds the resolution


@dataclass(frozen=True)
class Transform:
    """
    The transform of a molecule whose centroid is the origin.

    Attributes
    ----------
    values
        Complex, (n, n, n), zero frequency at n // 2; the mean square is 1 at any resolution.
    power
        Squared moduli of the values.
    edge
        Of the box in Angstrom: the values are 1/edge apart.
    centroid
        Of the molecule as it was given, (3,), in Angstrom.
    positions
        Of its atoms from the centroid, (atoms, 3), in Angstrom.
    trace
        Of its C-alpha atoms (P of nucleic acids), (residues, 3), likewise.
    """

    values: NDArray[np.complex64]
    power: NDArray[np.float32]
    edge: float
    centroid: F
    positions: F
    trace: F

    @property
    def radius(self) -> float:
        """Root mean square distance from the centroid, in Angstrom."""
        squares: F = np.square(self.positions)
        return float(np.sqrt(squares.sum(axis=1).mean()))


def transform_of(model: Any, d_min: float) -> Transform:
    """
    Sample the transform of a gemmi model.

    Parameters
    ----------
    model
        ``gemmi.Model``.
    d_min
        To this resolution, in Angstrom.
    """
    import gemmi

    placed = model.clone()
    positions: F = np.array([each.atom.pos.tolist() for each in placed.all()], dtype=np.float64)
    centroid = positions.mean(axis=0)
    placed.transform_pos_and_adp(gemmi.Transform(gemmi.Mat33(), gemmi.Vec3(*-centroid)))
    away = positions - centroid
    edge = max(_BOX * 2 * float(np.linalg.norm(away, axis=1).max()), 2 * d_min)
    density = _density(placed, edge, d_min)
    steps = int(np.ceil(edge / d_min)) + 2
    values = _normalised(_spectrum(density, steps), edge, d_min)
    power = np.abs(values) ** 2
    return Transform(values, power, edge, centroid, away, trace_of(placed))


def finest(model: Any) -> float:
    """Return the finest resolution in Angstrom to which a model's transform still fits memory."""
    positions: F = np.array([each.atom.pos.tolist() for each in model.all()], dtype=np.float64)
    radius = float(np.linalg.norm(positions - positions.mean(axis=0), axis=1).max())
    return 2 * _BOX * radius * 2 / _LARGEST


def trace_of(model: Any) -> F:
    """Return one atom of each residue of a polymer, (residues, 3): C-alpha or P."""
    found = [
        each.atom.pos.tolist()
        for each in model.all()
        if each.atom.name in ("CA", "P") and each.atom.element.name in ("C", "P")
    ]
    return np.array(found, dtype=np.float64).reshape(-1, 3)


def _density(model: Any, edge: float, d_min: float) -> NDArray[np.float32]:
    import gemmi

    calculator = gemmi.DensityCalculatorX()
    calculator.d_min, calculator.rate = d_min, _RATE
    calculator.grid.set_unit_cell(gemmi.UnitCell(edge, edge, edge, 90, 90, 90))
    calculator.grid.spacegroup = gemmi.SpaceGroup("P 1")
    calculator.set_refmac_compatible_blur(model)
    calculator.put_model_density_on_grid(model)
    return np.array(calculator.grid.array, dtype=np.float32)


def _spectrum(density: NDArray[np.float32], steps: int) -> NDArray[np.complex64]:
    """Transform, exp(+2 pi i s x), and cut out the middle: (2 steps + 1,) along each axis."""
    for axis in range(3):
        n = density.shape[axis]
        fall = (np.sinc(np.fft.fftfreq(n)) ** 2).astype(np.float32)
        density = density / np.expand_dims(fall, tuple(i for i in range(3) if i != axis))
    values: Any = np.conj(np.fft.fftn(density))
    for axis in range(3):
        values = np.take(values, np.arange(-steps, steps + 1), axis=axis)
    return np.ascontiguousarray(values, dtype=np.complex64)


def _normalised(values: NDArray[np.complex64], edge: float, d_min: float) -> NDArray[np.complex64]:
    """Divide by the root mean square at each resolution."""
    half = values.shape[0] // 2
    squares = (cast(F, np.arange(-half, half + 1)) / edge) ** 2
    s: F = (squares[:, None, None] + squares[:, None] + squares) ** 0.5
    width = 1 / (24 * d_min)
    shell = (s / width).astype(np.intp)
    count = np.maximum(np.bincount(shell.ravel()), 1)
    mean = np.bincount(shell.ravel(), np.abs(values.ravel()) ** 2) / count
    centre = np.bincount(shell.ravel(), s.ravel()) / count
    return (values / np.sqrt(np.interp(s, centre, mean))).astype(np.complex64)
