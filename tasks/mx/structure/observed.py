"""Merged data, and normalised intensities of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F

Ints = NDArray[np.int32]
Cell = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Observed:
    """
    Merged intensities, n of them.

    Attributes
    ----------
    hkl
        Indices, (n, 3).
    intensity, sigma
        (n,); the squares of amplitudes if the file has nothing else.
    free
        True for reflections that no refinement may see, (n,); None if the file has no flags.
    cell
        Angstrom and degrees.
    space_group
        Hermann-Mauguin symbol, as the file has it.
    """

    hkl: Ints
    intensity: F
    sigma: F
    free: NDArray[np.bool_] | None
    cell: Cell
    space_group: str

    @property
    def resolution(self) -> F:
        """Return d of each reflection, (n,), in Angstrom."""
        return 1 / np.linalg.norm(self.hkl @ fractional_matrix(self.cell), axis=1)

    def reindexed(self, triplet: str) -> Observed:
        """Describe the same data with other axes, ``k,h,-l`` for example."""
        import gemmi

        turn = np.array(gemmi.Op(triplet).rot) / gemmi.Op.DEN  # h' = h turn, as in gemmi
        return replace(self, hkl=np.rint(self.hkl @ turn).astype(np.int32))


@dataclass(frozen=True)
class Normalised:
    """
    Normalised intensities: their mean is 1 at any resolution.

    Attributes
    ----------
    hkl
        (n, 3).
    e_squared
        (n,).
    centric
        (n,).
    shell
        Number of the resolution shell, (n,).
    cell
        Angstrom and degrees.
    d_min
        In Angstrom.
    """

    hkl: Ints
    e_squared: F
    centric: NDArray[np.bool_]
    shell: NDArray[np.intp]
    cell: Cell
    d_min: float

    def take(self, rows: NDArray[Any]) -> Normalised:
        """Return some reflections."""
        return replace(
            self,
            hkl=self.hkl[rows],
            e_squared=self.e_squared[rows],
            centric=self.centric[rows],
            shell=self.shell[rows],
        )


def fractional_matrix(cell: Cell) -> F:
    """Return what takes orthogonal to fractional coordinates, (3, 3): s = h times it."""
    import gemmi

    return np.array(gemmi.UnitCell(*cell).frac.mat.tolist())


def read_merged(path: Path) -> Observed:
    """
    Read merged data from an MTZ file.

    Raises
    ------
    DataError
        It cannot be read, or has neither merged intensities nor amplitudes, or no space group.
    """
    import gemmi

    try:
        mtz: Any = gemmi.read_mtz_file(str(path))
    except (RuntimeError, OSError) as error:
        raise DataError(f"{path} cannot be read as MTZ: {error}.") from error
    value, sigma = _pair(mtz, "J"), _pair(mtz, "F")
    chosen = value or sigma
    if chosen is None or mtz.spacegroup is None:
        raise DataError(
            f"{path} holds no merged intensities or amplitudes with their sigma, or no space group."
        )
    columns = np.array(mtz.array, dtype=np.float64)
    measured, error = columns[:, chosen[0]], columns[:, chosen[1]]
    if value is None:
        measured, error = measured**2, 2 * np.abs(measured) * error
    seen = np.isfinite(measured) & np.isfinite(error) & (error > 0)
    flags = _free_flags(mtz, columns)
    cell = mtz.cell
    return Observed(
        hkl=columns[seen, :3].astype(np.int32),
        intensity=measured[seen],
        sigma=error[seen],
        free=None if flags is None else flags[seen],
        cell=(cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma),
        space_group=mtz.spacegroup.xhm(),
    )


def normalise(
    observed: Observed, d_min: float, d_max: float = 15.0, at_most: int = 6000
) -> Normalised:
    """
    Divide intensities by their mean at their resolution.

    Parameters
    ----------
    observed
        Merged data.
    d_min, d_max
        In Angstrom.
    at_most
        Reflections; where there are more, those of the finest resolution are left out.
    """
    import gemmi

    group = gemmi.SpaceGroup(observed.space_group).operations()
    d = observed.resolution
    if np.count_nonzero((d >= d_min) & (d <= d_max)) > at_most:
        d_min = float(np.sort(d[d <= d_max])[-at_most])
    rows = np.flatnonzero((d >= d_min) & (d <= d_max))
    hkl = observed.hkl[rows]
    epsilon = np.array(group.epsilon_factor_without_centering_array(hkl), dtype=np.float64)
    centric = np.array(group.centric_flag_array(hkl), dtype=bool)
    intensity = observed.intensity[rows] / epsilon
    stol = 1 / d[rows] ** 2
    shell = shells_of(stol, max(5, min(20, len(rows) // 150)))
    e_squared = np.maximum(intensity / smooth_mean(stol, intensity, shell), 0.0)
    return Normalised(hkl, e_squared, centric, shell, observed.cell, d_min)


def shells_of(stol: F, count: int) -> NDArray[np.intp]:
    """Return shells with equally many reflections, by 1/d squared, (n,)."""
    shell = np.empty(len(stol), dtype=np.intp)
    shell[np.argsort(stol)] = np.arange(len(stol)) * count // max(len(stol), 1)
    return shell


def smooth_mean(stol: F, values: F, shell: NDArray[np.intp]) -> F:
    """Return the mean of values at each 1/d squared, (n,), between the means of the shells."""
    count = np.bincount(shell)
    mean = np.bincount(shell, values) / count
    centre = np.bincount(shell, stol) / count
    floor = 1e-3 * float(np.max(mean))
    return np.interp(stol, centre, np.maximum(mean, floor))


def _pair(mtz: Any, kind: str) -> tuple[int, int] | None:
    """Find a value and the sigma that follows it; anomalous pairs have kinds of their own."""
    columns = list(mtz.columns)
    for first, second in pairwise(columns):
        if first.type == kind and second.type == "Q":
            return first.idx, second.idx
    return None


def _free_flags(mtz: Any, columns: F) -> NDArray[np.bool_] | None:
    """
    Tell which reflections are free.

    CCP4 numbers some twenty sets from 0 and leaves out set 0; where there are two, the small one
    is free.
    """
    found = [each.idx for each in mtz.columns if each.type == "I" and "free" in each.label.lower()]
    if not found:
        return None
    flags = columns[:, found[0]]
    values, counts = np.unique(flags[np.isfinite(flags)], return_counts=True)
    if len(values) < 2:
        return None
    chosen = values[int(np.argmin(counts))] if len(values) == 2 else values[0]
    return flags == chosen
