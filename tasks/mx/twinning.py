"""Twinning: several orientations of the crystal under one reflection.

Whether there is any shows in the statistics: the L-test compares neighbours, so that neither
anisotropy nor pseudo-translations disturb it (J. E. Padilla & T. O. Yeates, Acta Cryst. D59, 1124
(2003)). How much, for a law that the lattice allows, shows in reflections that the law relates: the
H-test (T. O. Yeates, Acta Cryst. A44, 142 (1988)) and how many intensities would turn negative on
untwinning (D. Britton, Acta Cryst. A28, 296 (1972)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal
from tasks.mx.expected_intensity import Expected, expected_intensity, fractionalising
from tasks.mx.metric import lattice_rotations
from tasks.mx.reflections import Ints
from tasks.mx.symmetry import keys, laue_rotations, positions, representatives

MEAN_L = {"untwinned": 0.5, "perfect twin": 0.375}
MEAN_L2 = {"untwinned": 1 / 3, "perfect twin": 0.2}
_SUSPECT = 0.45
_STRONG = 3.0
_FEWEST = 200


@dataclass(frozen=True)
class Law:
    """
    A twin law and how much of the crystal follows it.

    Attributes
    ----------
    matrix
        On indices, (3, 3).
    name
        Such as ``k, h, -l``.
    pairs
        Pairs of strong acentric reflections.
    h_mean
        Mean of |I1 - I2| / (I1 + I2).
    alpha_h, alpha_britton
        Twin fraction by both tests; both count a rotational pseudo-symmetry as well.
    """

    matrix: Ints
    name: str
    pairs: int
    h_mean: float
    alpha_h: float
    alpha_britton: float


@dataclass(frozen=True)
class Twinning:
    """
    Tests for twinning.

    Attributes
    ----------
    mean_l, mean_l2, mean_l_sigma
        Of the L-test: 0.5 and 0.333 untwinned, 0.375 and 0.2 perfectly twinned; NaN where there are
        too few strong reflections.
    second_moment
        <I²>/<I>² of acentric reflections: 2 untwinned, 1.5 perfectly twinned.
    laws
        That the lattice allows and the Laue group does not contain.
    """

    mean_l: float
    mean_l2: float
    mean_l_sigma: float
    second_moment: float
    laws: tuple[Law, ...]

    @property
    def suspected(self) -> bool:
        """Whether the L-test speaks for twinning."""
        return self.mean_l < _SUSPECT and self.mean_l < 0.5 - 3 * self.mean_l_sigma

    @property
    def warning(self) -> str:
        """For the user; empty where there is nothing to say."""
        if not self.suspected:
            return ""
        large = [each for each in self.laws if each.alpha_h > 0.05]
        which = "; ".join(f"{each.name}: about {each.alpha_h:.2f}" for each in large)
        what = (
            f" The lattice allows the laws {which} (fraction of the smaller part)."
            if large
            else " No law of the lattice is left: the Laue group may be too high by the twinning."
        )
        return (
            f"The crystal looks twinned: the L-test gives {self.mean_l:.3f} where 0.500 is "
            f"untwinned and 0.375 perfectly twinned.{what}"
        )


def twin_laws(cell: tuple[float, ...], symbol: str, tolerance_deg: float = 2.0) -> tuple[Ints, ...]:
    """Return rotations of the lattice that the Laue group lacks, one of each coset, (3, 3) each."""
    crystal = Crystal(fractionalising(cell).T, symbol)
    inside = laue_rotations(symbol)
    covered = {each.tobytes() for each in inside}
    laws: list[Ints] = []
    lattice = lattice_rotations(crystal, tolerance_deg)
    for each in sorted(lattice, key=lambda one: -int(np.trace(one @ one)) - int(one.sum() == 1)):
        if each.tobytes() in covered:
            continue
        laws.append(each)
        covered |= {(each @ one).astype(np.int32).tobytes() for one in inside}
        covered |= {(one @ each).astype(np.int32).tobytes() for one in inside}
    return tuple(laws)


def law_name(matrix: Ints) -> str:
    """Write a matrix on indices as what becomes of h, k, l."""
    terms: list[str] = []
    for row in matrix:
        term = "".join(
            f"{'+' if value > 0 else '-'}{'' if abs(value) == 1 else abs(int(value))}{index}"
            for value, index in zip(row, "hkl", strict=True)
            if value
        )
        terms.append(term.removeprefix("+"))
    return ", ".join(terms)


def twinning(
    hkl: Ints,
    intensity: F,
    sigma: F,
    cell: tuple[float, ...],
    symbol: str,
    expected: Expected | None = None,
) -> Twinning:
    """
    Run the tests.

    Parameters
    ----------
    hkl, intensity, sigma
        Merged, absent ones left out, (n, 3), (n,), (n,).
    cell, symbol
        Of the crystal.
    expected
        From `expected_intensity`; computed here by default.

    Raises
    ------
    DataError
        If there is no signal, see `expected_intensity`.
    """
    prior = expected or expected_intensity(hkl, intensity, sigma, cell, symbol)
    e2, error = intensity / prior.mean, sigma / prior.mean
    useful = _useful_shells(hkl, cell, intensity / sigma) & ~prior.centric
    l_values = _neighbour_differences(hkl[useful], e2[useful])
    enough = len(l_values) >= _FEWEST
    moment = float(np.mean(e2[useful] ** 2 - error[useful] ** 2)) if useful.any() else float("nan")
    level = float(np.mean(e2[useful])) if useful.any() else float("nan")
    return Twinning(
        mean_l=float(np.mean(np.abs(l_values))) if enough else float("nan"),
        mean_l2=float(np.mean(l_values**2)) if enough else float("nan"),
        mean_l_sigma=0.29 * float(np.sqrt(3 / len(l_values))) if enough else float("nan"),
        second_moment=moment / level**2,
        laws=tuple(
            _law(each, hkl, intensity, sigma, prior.centric, symbol)
            for each in twin_laws(cell, symbol)
        ),
    )


def _useful_shells(hkl: Ints, cell: tuple[float, ...], ratio: F) -> NDArray[np.bool_]:
    """Reflections of shells whose mean intensity over sigma is above 3."""
    s2 = np.sum((hkl @ fractionalising(cell)) ** 2, axis=1)
    useful = np.zeros(len(hkl), dtype=bool)
    for rows in np.array_split(np.argsort(s2), max(1, len(hkl) // 200)):
        useful[rows] = float(np.mean(ratio[rows])) > _STRONG
    return useful


def _neighbour_differences(hkl: Ints, e2: F) -> F:
    """L = (I1 - I2) / (I1 + I2) of neighbours two apart along one axis or more, (pairs,)."""
    table = keys(hkl)
    order = np.argsort(table)
    found: list[F] = []
    for step in ((2, 0, 0), (0, 2, 0), (0, 0, 2), (2, 2, 0), (2, 0, 2), (0, 2, 2)):
        at = positions(hkl + np.array(step), table[order])
        one, two = e2[at >= 0], e2[order[at[at >= 0]]]
        total = one + two
        good = total > 0
        found.append(np.clip((one - two)[good] / total[good], -1, 1))
    return np.concatenate(found)


def _law(
    matrix: Ints, hkl: Ints, intensity: F, sigma: F, centric: NDArray[np.bool_], symbol: str
) -> Law:
    proper = laue_rotations(symbol)
    asymmetric = representatives(hkl, proper)
    strong = (intensity > _STRONG * sigma) & ~centric
    table = keys(asymmetric)
    order = np.argsort(table)
    mate = positions(representatives(hkl @ matrix.T, proper), table[order])
    mate = np.where(mate >= 0, order[mate], -1)
    here = np.arange(len(hkl))
    pairs = (mate > here) & strong & strong[mate]
    one, two = intensity[pairs], intensity[mate[pairs]]
    count = len(one)
    if count < 50:
        nan = float("nan")
        return Law(matrix, law_name(matrix), count, nan, nan, nan)
    difference = np.abs(one - two) / (one + two)
    mean = float(np.mean(difference))
    alpha = float(np.clip(0.5 * (1 - 2 * mean), 0.0, 0.5))
    share = np.minimum(one, two) / (one + two)
    return Law(matrix, law_name(matrix), count, mean, alpha, _britton(share))


def _britton(share: F) -> float:
    """
    Twin fraction below which no intensity turns negative.

    The part of pairs that would turn negative grows linearly from there up to the one half.
    """
    steps: F = np.linspace(0.05, 0.495, 90)
    negative: F = (share[:, None] < steps).mean(axis=0)
    inside: NDArray[np.bool_] = (negative > 0.2) & (negative < 0.8)
    if inside.sum() < 2:
        return 0.5
    line: F = np.polyfit(steps[inside], negative[inside], 1)
    return float(np.clip(-line[1] / line[0], 0.0, 0.5))
