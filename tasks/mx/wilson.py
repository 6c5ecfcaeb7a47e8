"""Wilson's B and the absolute scale (A. J. C. Wilson, Nature 150, 152 (1942)).

The mean intensity at a resolution is k S exp(-B / 2d²), S the sum of squared form factors of all
atoms in the cell. Of a protein, S needs no more than the number of residues, and that follows from
the cell where it is not known: half of a crystal is solvent (B. W. Matthews, J. Mol. Biol. 33, 491
(1968); mean of the PDB 2.4 Å³/Da, K. A. Kantardjieff & B. Rupp, Protein Sci. 12, 1865 (2003)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.expected_intensity import spacings
from tasks.mx.reflections import Ints
from tasks.mx.symmetry import space_group

RESIDUE = {"C": 4.94, "N": 1.36, "O": 1.48, "S": 0.04, "H": 7.8}
"""Atoms of a mean residue of proteins."""
RESIDUE_MASS = 110.0
"""In Da."""
MATTHEWS = 2.4
"""Mean volume of crystals per mass of protein, in cubic Angstrom per Da."""


@dataclass(frozen=True)
class Matthews:
    """
    How much protein a cell may hold.

    Attributes
    ----------
    residues
        In the asymmetric unit.
    copies
        Chains in the asymmetric unit; 0 where their length is not known.
    volume_per_mass
        Vm, in cubic Angstrom per Da.
    solvent
        Part of the volume.
    """

    residues: int
    copies: int
    volume_per_mass: float
    solvent: float


@dataclass(frozen=True)
class Wilson:
    """
    Result of Wilson's plot.

    Attributes
    ----------
    b, b_sigma
        In square Angstrom.
    scale, scale_sigma
        What intensities are multiplied with to be in square electrons.
    s2, log_ratio
        The plot: 1/d² in square 1/Angstrom and ln of mean intensity over S, (bins,).
    used
        Bins that the line was fitted to, (bins,).
    matthews
        What the cell holds.
    """

    b: float
    b_sigma: float
    scale: float
    scale_sigma: float
    s2: F
    log_ratio: F
    used: NDArray[np.bool_]
    matthews: Matthews


def matthews(cell: tuple[float, ...], symbol: str, residues_per_chain: int = 0) -> Matthews:
    """
    Estimate how much protein is in the asymmetric unit.

    Parameters
    ----------
    cell, symbol
        Of the crystal.
    residues_per_chain
        Where known: the number of copies comes nearest to the mean of all crystals.
    """
    import gemmi

    operators = len(list(space_group(symbol).operations()))
    unit = gemmi.UnitCell(*cell).volume / operators
    wanted = unit / MATTHEWS / RESIDUE_MASS
    copies = max(1, round(wanted / residues_per_chain)) if residues_per_chain else 0
    residues = max(1, copies * residues_per_chain or round(wanted))
    per_mass = unit / (residues * RESIDUE_MASS)
    return Matthews(residues, copies, per_mass, 1 - 1.23 / per_mass)


def wilson(
    hkl: Ints,
    intensity: F,
    cell: tuple[float, ...],
    symbol: str,
    *,
    residues_per_chain: int = 0,
    atoms: Mapping[str, float] | None = None,
    d_max: float | None = None,
) -> Wilson:
    """
    Fit Wilson's line.

    Parameters
    ----------
    hkl, intensity
        Merged, absent ones left out, (n, 3), (n,).
    cell, symbol
        Of the crystal.
    residues_per_chain
        Of the protein, 0 if unknown.
    atoms
        In the cell, of a small molecule: number by element; no protein is assumed then.
    d_max
        Where the fit begins, in Angstrom; 4 for proteins, whose plot is bent before, or further
        out where the data end too early.

    Raises
    ------
    DataError
        If there are too few shells with a positive mean.
    """
    operations = space_group(symbol).operations()
    indices = np.ascontiguousarray(hkl, dtype=np.int32)
    epsilon = np.asarray(operations.epsilon_factor_array(indices), dtype=np.float64)
    held = matthews(cell, symbol, residues_per_chain)
    number = held.residues * len(list(operations))
    cell_atoms = atoms or {name: count * number for name, count in RESIDUE.items()}
    s2 = 1 / spacings(hkl, cell) ** 2
    order = np.argsort(s2)
    shells = np.array_split(order, int(np.clip(len(hkl) // 100, 5, 40)))
    centre = np.array([s2[rows].mean() for rows in shells])
    mean = np.array([(intensity[rows] / epsilon[rows]).mean() for rows in shells])
    counts = np.array([len(rows) for rows in shells])
    begin = d_max if d_max is not None else _begin(float(1 / np.sqrt(s2.max())), atoms is None)
    used = (mean > 0) & (centre > 1 / begin**2)
    if used.sum() < 3:
        raise DataError(
            f"Wilson's plot has {int(used.sum())} shells of positive mean intensity between "
            f"{begin:.1f} Å and {1 / np.sqrt(s2.max()):.1f} Å, 3 are needed: the data are too weak "
            "or end too early."
        )
    ratio = np.log(np.maximum(mean, 1e-12) / _scattering(cell_atoms, centre))
    (offset, slope), covariance = _line(centre[used], ratio[used], counts[used])
    scale = float(np.exp(-offset))
    return Wilson(
        b=-2 * slope,
        b_sigma=2 * float(np.sqrt(covariance[1, 1])),
        scale=scale,
        scale_sigma=scale * float(np.sqrt(covariance[0, 0])),
        s2=centre,
        log_ratio=ratio,
        used=used,
        matthews=held,
    )


def _begin(d_min: float, protein: bool) -> float:
    """Where the line begins: with 4 Angstrom, earlier if less than a third would be left."""
    if not protein:
        return float("inf")
    return 4.0 if d_min < 3.2 else 1.35 * d_min


def _scattering(atoms: Mapping[str, float], s2: F) -> F:
    """Sum of squared form factors, (n,)."""
    import gemmi

    found = np.zeros(len(s2))
    for name, number in atoms.items():
        table = gemmi.Element(name).it92
        found += number * np.array([table.calculate_sf(float(each) / 4) for each in s2]) ** 2
    return found


def _line(x: F, y: F, counts: F) -> tuple[tuple[float, float], F]:
    """Straight line; errors from what is left, which the bends of a protein's plot rule."""
    weights = counts.astype(np.float64)
    columns = np.column_stack([np.ones(len(x)), x])
    normal = columns.T @ (columns * weights[:, None])
    found = np.linalg.solve(normal, columns.T @ (weights * y))
    left = y - columns @ found
    spread = max(float(weights @ left**2) / max(len(x) - 2, 1), 1.0)
    covariance = np.asarray(np.linalg.inv(normal) * spread, dtype=np.float64)
    return (float(found[0]), float(found[1])), covariance
