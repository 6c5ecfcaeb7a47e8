"""One intensity per unique reflection, and one for each of its Friedel mates."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.equivalents import Bools, equivalents
from tasks.mx.reflections import Ints
from tasks.mx.scale import Cell, Scaled


@dataclass(frozen=True)
class Merged:
    """
    Merged intensities, n of them; NaN where one was not measured.

    Attributes
    ----------
    hkl
        In CCP4's asymmetric unit, sorted, (n, 3).
    d
        Resolution, (n,), in Angstrom.
    intensity, sigma, count
        Weighted mean of all observations, from the error model, and how many they are, (n,).
    scatter
        Sigma of the mean from how its observations scatter, (n,); NaN for a single one.
    plus, plus_sigma, plus_count, minus, minus_sigma, minus_count
        The same of the two Friedel mates; a centric reflection has both alike, (n,).
    centric
        (n,).
    cell, space_group
        Of the crystal.
    """

    hkl: Ints
    d: F
    intensity: F
    sigma: F
    count: Ints
    scatter: F
    plus: F
    plus_sigma: F
    plus_count: Ints
    minus: F
    minus_sigma: F
    minus_count: Ints
    centric: Bools
    cell: Cell
    space_group: str

    def __len__(self) -> int:
        """Return how many reflections there are."""
        return len(self.hkl)

    @property
    def anomalous(self) -> F:
        """I(+) - I(-), (n,); NaN for centric ones and where one was not measured."""
        return np.where(self.centric, np.nan, self.plus - self.minus)

    @property
    def anomalous_sigma(self) -> F:
        """Sigma of I(+) - I(-), (n,)."""
        both: F = np.hypot(self.plus_sigma, self.minus_sigma)
        return np.where(self.centric, np.nan, both)

    def take(self, rows: NDArray[Any]) -> Merged:
        """Return some reflections: a mask, or numbers."""
        columns = [each.name for each in fields(self) if each.name not in ("cell", "space_group")]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


def merge(scaled: Scaled, space_group: str = "", *, d_min: float = 0.0) -> Merged:
    """
    Merge what scaling kept.

    Parameters
    ----------
    scaled
        Scaled observations.
    space_group
        To merge in, of the same Laue group; that of the scaling if empty. Absent reflections are
        left out.
    d_min
        Resolution in Angstrom below which nothing is merged.
    """
    symbol = space_group or scaled.space_group
    same = symbol == scaled.space_group
    symmetry = scaled.symmetry if same else equivalents(scaled.observations.hkl, symbol)
    used = scaled.kept & (scaled.observations.d >= d_min) & ~symmetry.absent[symmetry.of]
    of, plus = symmetry.of[used], symmetry.plus[used]
    intensity, sigma = scaled.intensity[used], scaled.sigma[used]
    count = len(symmetry.hkl)
    mean, mean_sigma, number = _weighted(of, intensity, sigma, count)
    up = _weighted(of[plus], intensity[plus], sigma[plus], count)
    down = _weighted(of[~plus], intensity[~plus], sigma[~plus], count)
    down = tuple(np.where(symmetry.centric, one, two) for one, two in zip(up, down, strict=True))
    first = np.zeros(count)
    first[symmetry.of] = scaled.observations.d
    merged = Merged(
        hkl=symmetry.hkl,
        d=first,
        intensity=mean,
        sigma=mean_sigma,
        count=number,
        scatter=_scatter(of, intensity, sigma, mean, number),
        plus=up[0],
        plus_sigma=up[1],
        plus_count=up[2],
        minus=down[0],
        minus_sigma=down[1],
        minus_count=down[2].astype(np.int32),
        centric=symmetry.centric,
        cell=scaled.cell,
        space_group=symbol,
    )
    return merged.take(number > 0)


def _weighted(of: Ints, intensity: F, sigma: F, count: int) -> tuple[F, F, Ints]:
    weight = 1 / sigma**2
    total = np.bincount(of, weight, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(of, weight * intensity, count) / total
        spread = np.where(total > 0, 1 / np.sqrt(total), np.nan)
    return mean, spread, np.bincount(of, minlength=count).astype(np.int32)


def _scatter(of: Ints, intensity: F, sigma: F, mean: F, number: Ints) -> F:
    weight = 1 / sigma**2
    left = np.bincount(of, weight * (intensity - mean[of]) ** 2, len(mean))
    total = np.bincount(of, weight, len(mean))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(left / (number - 1) / total)
