"""
How well symmetry equivalents agree, by resolution.

Rmeas: Diederichs & Karplus, Nat. Struct. Biol. 4, 269 (1997); Rpim: Weiss, J. Appl. Cryst. 34, 130
(2001); CC1/2, CC* and the significance: Karplus & Diederichs, Science 336, 1030 (2012); CC1/2
without random halves (sigma-tau): Assmann, Brehm & Diederichs, J. Appl. Cryst. 49, 1021 (2016). The
same formula, on I(+) - I(-), gives CCanom. The anomalous slope is that of a normal probability plot
of (I(+) - I(-)) / sigma: Howell & Smith, J. Appl. Cryst. 25, 81 (1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.equivalents import Bools, Equivalents, all_unique, equivalents, space_group_of
from tasks.mx.reflections import Ints
from tasks.mx.scale import Cell, Scaled

SIGNIFICANCE = 0.001
"""Probability of a correlation this high by chance, at which it counts as significant."""
_CENTRAL = 0.9
"""Expected deviates within which the anomalous slope is fitted."""


@dataclass(frozen=True)
class Shell:
    """
    A range of resolution; NaN where there is too little to tell.

    Attributes
    ----------
    d_max, d_min
        In Angstrom.
    observations, unique, possible
        Counts; `possible` of those that are not absent.
    completeness, multiplicity
        ``unique / possible``, ``observations / unique``.
    intensity
        Mean of the merged intensities.
    i_over_sigma
        Mean of merged I/sigma.
    r_merge, r_meas, r_pim
        Friedel mates taken as equivalents.
    cc_half, cc_star
        Friedel mates taken as equivalents.
    cc_half_critical
        What `cc_half` must exceed to be significant.
    cc_anom, cc_anom_critical
        The same for I(+) - I(-).
    anomalous_slope
        1 if there is no anomalous signal and sigmas are right.
    anomalous_completeness, anomalous_multiplicity
        Acentric reflections with both mates, of those possible; observations per mate.
    """

    d_max: float
    d_min: float
    observations: int
    unique: int
    possible: int
    completeness: float
    multiplicity: float
    intensity: float
    i_over_sigma: float
    r_merge: float
    r_meas: float
    r_pim: float
    cc_half: float
    cc_half_critical: float
    cc_star: float
    cc_anom: float
    cc_anom_critical: float
    anomalous_slope: float
    anomalous_completeness: float
    anomalous_multiplicity: float

    @property
    def significant(self) -> bool:
        """Whether CC1/2 is more than chance."""
        return bool(self.cc_half > self.cc_half_critical)


@dataclass(frozen=True)
class Statistics:
    """
    Table 1's numbers.

    Attributes
    ----------
    overall
        All data.
    shells
        Of equal volume in reciprocal space, from low to high resolution.
    """

    overall: Shell
    shells: tuple[Shell, ...]

    def column(self, name: str) -> F:
        """Return one number of all shells, (shells,)."""
        return np.array([getattr(each, name) for each in self.shells], dtype=np.float64)


def statistics(
    scaled: Scaled, space_group: str = "", *, d_min: float = 0.0, shells: int = 20
) -> Statistics:
    """
    Calculate the statistics of what scaling kept.

    Parameters
    ----------
    scaled
        Scaled observations.
    space_group
        Of the same Laue group; that of the scaling if empty.
    d_min
        Resolution in Angstrom at which the data are cut; 0: where they end.
    shells
        How many.
    """
    symbol = space_group or scaled.space_group
    kept = scaled.kept
    return statistics_of(
        scaled.observations.hkl[kept],
        scaled.intensity[kept],
        scaled.sigma[kept],
        scaled.cell,
        symbol,
        d_min=d_min,
        shells=shells,
    )


def statistics_of(
    hkl: Ints,
    intensity: F,
    sigma: F,
    cell: Cell,
    space_group: str,
    *,
    d_min: float = 0.0,
    d_max: float = 0.0,
    shells: int = 20,
) -> Statistics:
    """
    Calculate the statistics of unmerged intensities on one scale.

    Parameters
    ----------
    hkl
        As observed or in the asymmetric unit, (n, 3); the latter knows no Friedel mates apart.
    intensity, sigma
        (n,).
    cell, space_group
        Of the crystal.
    d_min, d_max
        Limits in Angstrom; 0: where the data end.
    shells
        How many.

    Raises
    ------
    DataError
        No observation lies within the limits.
    """
    symmetry = equivalents(hkl, space_group)
    d = spacing(symmetry.hkl, cell)
    seen = (~symmetry.absent & (d >= d_min) & (d <= (d_max or np.inf)))[symmetry.of]
    if not seen.any():
        raise DataError(f"no observation lies between {d_max} and {d_min} Å: nothing can be merged")
    of, plus = symmetry.of[seen], symmetry.plus[seen]
    limits = (d_max or float(d[of].max()), d_min or float(d[of].min()))
    edges = _edges(limits[0], limits[1], shells)
    unique = _Unique.of(symmetry, d, of, plus, intensity[seen], sigma[seen])
    possible = all_unique(cell, space_group, limits[1] * (1 - 1e-9), limits[0] * (1 + 1e-9))
    group = space_group_of(space_group).operations()
    acentric = ~np.asarray(group.centric_flag_array(possible), dtype=np.bool_)
    where = _shell(edges, spacing(possible, cell))
    inside = _shell(edges, d)
    found = [
        _summary(unique, inside == each, where == each, acentric, edges[each], edges[each + 1])
        for each in range(shells)
    ]
    everything = np.ones(len(d), dtype=np.bool_), np.ones(len(possible), dtype=np.bool_)
    overall = _summary(unique, *everything, acentric, edges[0], edges[-1])
    return Statistics(overall, tuple(found))


def spacing(hkl: Ints, cell: Cell) -> F:
    """Return d of indices, (n,), in Angstrom."""
    import gemmi

    with np.errstate(divide="ignore"):
        return 1 / np.sqrt(np.asarray(gemmi.UnitCell(*cell).calculate_1_d2_array(hkl)))


@dataclass(frozen=True)
class _Half:
    """Sums over observations for each unique reflection, (u,) each."""

    count: F
    mean: F
    sigma: F
    scatter: F
    """Variance of the mean from the scatter; NaN for a single observation."""

    @classmethod
    def of(cls, of: Ints, intensity: F, sigma: F, count: int) -> _Half:
        weight = 1 / sigma**2
        number = np.bincount(of, minlength=count).astype(np.float64)
        total = np.bincount(of, weight, count)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(of, weight * intensity, count) / total
            left = np.bincount(of, weight * (intensity - mean[of]) ** 2, count)
            scatter = np.where(number > 1, left / total / (number - 1), np.nan)
            return cls(number, mean, 1 / np.sqrt(total), scatter)


@dataclass(frozen=True)
class _Unique:
    """What the statistics are made of, for each unique reflection, (u,) each."""

    all: _Half
    plus: _Half
    minus: _Half
    total: F
    absolute: F
    centric: Bools

    @classmethod
    def of(
        cls, symmetry: Equivalents, d: F, of: Ints, plus: Bools, intensity: F, sigma: F
    ) -> _Unique:
        count = len(d)
        both = _Half.of(of, intensity, sigma, count)
        return cls(
            both,
            _Half.of(of[plus], intensity[plus], sigma[plus], count),
            _Half.of(of[~plus], intensity[~plus], sigma[~plus], count),
            np.bincount(of, intensity, count).astype(np.float64),
            np.bincount(of, np.abs(intensity - both.mean[of]), count).astype(np.float64),
            symmetry.centric,
        )


def _summary(
    unique: _Unique, rows: Bools, possible: Bools, acentric: Bools, d_max: float, d_min: float
) -> Shell:
    count = unique.all.count
    seen = rows & (count > 0)
    several = seen & (count > 1)
    n, total, absolute = count[several], unique.total[several].sum(), unique.absolute[several]
    cc, critical = sigma_tau(unique.all.mean[several], unique.all.scatter[several])
    pairs = seen & ~unique.centric & (unique.plus.count > 0) & (unique.minus.count > 0)
    difference, spread = _anomalous(unique, pairs)
    scatter = (unique.plus.scatter + unique.minus.scatter)[pairs]
    known = np.isfinite(scatter)
    cc_anom, anom_critical = sigma_tau(difference[known], scatter[known])
    mates = (unique.plus.count + unique.minus.count)[pairs].sum() / 2
    return Shell(
        d_max=float(d_max),
        d_min=float(d_min),
        observations=int(count[seen].sum()),
        unique=int(seen.sum()),
        possible=int(possible.sum()),
        completeness=_ratio(seen.sum(), possible.sum()),
        multiplicity=_ratio(count[seen].sum(), seen.sum()),
        intensity=_ratio(unique.all.mean[seen].sum(), seen.sum()),
        i_over_sigma=_ratio((unique.all.mean / unique.all.sigma)[seen].sum(), seen.sum()),
        r_merge=_ratio(absolute.sum(), total),
        r_meas=_ratio((absolute * np.sqrt(n / (n - 1))).sum(), total),
        r_pim=_ratio((absolute * np.sqrt(1 / (n - 1))).sum(), total),
        cc_half=cc,
        cc_half_critical=critical,
        cc_star=float(np.sqrt(2 * cc / (1 + cc))) if cc > 0 else float("nan"),
        cc_anom=cc_anom,
        cc_anom_critical=anom_critical,
        anomalous_slope=_slope(difference / spread),
        anomalous_completeness=_ratio(pairs.sum(), (possible & acentric).sum()),
        anomalous_multiplicity=_ratio(mates, pairs.sum()),
    )


def _anomalous(unique: _Unique, pairs: Bools) -> tuple[F, F]:
    spread = np.hypot(unique.plus.sigma, unique.minus.sigma)[pairs]
    return (unique.plus.mean - unique.minus.mean)[pairs], spread


def sigma_tau(means: F, variances: F) -> tuple[float, float]:
    """
    Return CC1/2 without random halves, and what it must exceed to be significant.

    Parameters
    ----------
    means
        Merged intensities, (n,).
    variances
        Of each mean, from the scatter of its observations, (n,).
    """
    if len(means) < 3:
        return float("nan"), float("nan")
    signal, noise = float(np.var(means, ddof=1)), float(np.mean(variances))
    return (signal - noise) / (signal + noise), critical_correlation(len(means))


def critical_correlation(count: int, probability: float = SIGNIFICANCE) -> float:
    """Return the correlation of so many pairs that chance exceeds with a probability (t test)."""
    import scipy.special  # pyright: ignore[reportMissingTypeStubs]

    special: Any = scipy.special
    if count < 3:
        return float("nan")
    t = float(special.stdtrit(count - 2, 1 - probability))
    return t / float(np.sqrt(count - 2 + t**2))


def _slope(deviates: F) -> float:
    import scipy.special  # pyright: ignore[reportMissingTypeStubs]

    special: Any = scipy.special
    ranked = np.sort(deviates[np.isfinite(deviates)])
    expected: F = np.asarray(special.ndtri((np.arange(len(ranked)) + 0.5) / max(len(ranked), 1)))
    central = np.abs(expected) < _CENTRAL
    if central.sum() < 10:
        return float("nan")
    return float(np.polyfit(expected[central], ranked[central], 1)[0])


def _edges(d_max: float, d_min: float, shells: int) -> F:
    found: F = np.linspace(d_max**-3, d_min**-3, shells + 1) ** (-1 / 3)
    return found


def _shell(edges: F, d: F) -> NDArray[np.int64]:
    """Return the shell of each d, counted from low resolution; the ends belong to it."""
    cubes = edges[1:-1] ** -3
    return np.searchsorted(cubes, d**-3, side="right")


def _ratio(above: Any, below: Any) -> float:
    return float(above) / float(below) if below else float("nan")
