"""Screw axes and glide planes from the reflections that they forbid.

Space groups of one Laue group and lattice differ by which reflections are absent. Every reflection
that some candidate forbids is asked how likely its intensity is if it is absent (nothing but its
error and what neighbours spill) and if it is present (Wilson's distribution); the product over them
weighs the candidates (P. R. Evans, Acta Cryst. D67, 282 (2011), weighs axes alike, by Fourier
coefficients; these are given as well). Where such reflections were not measured nothing is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.ice import on_ring
from tasks.mx.normalise import normalise
from tasks.mx.reflections import Ints, Observations
from tasks.mx.symmetry import keys, laue_rotations, merge_equivalents, positions, space_group

SURE = 0.8
_LISTED = 8  # space groups, at most, that a sentence names
_SPILL = 0.02  # part of a neighbour's intensity that may count for a reflection
_STRAY = 0.03  # part of the absent reflections that show something for another reason
_WEAK = ((1.0, 0.95), (0.1, 0.04), (0.02, 0.01))  # mean of a class that is only nearly absent
_FOLDS = (2, 3, 4, 6)


@dataclass(frozen=True)
class Axis:
    """
    Reflections along an axis of symmetry.

    Attributes
    ----------
    name
        ``a``, ``b`` or ``c``.
    index, intensity, sigma
        E² of each order that was measured, (n,).
    fourier
        Coefficient of I/sigma at 1/2, 1/3, 1/4 and 1/6 over that at 0: 1 for a screw axis that
        leaves only every second (third, fourth, sixth) order.
    screws
        Probability of each number of orders between two present ones, 1 for none.
    """

    name: str
    index: Ints
    intensity: F
    sigma: F
    fourier: dict[int, float]
    screws: dict[int, float]


@dataclass(frozen=True)
class Candidate:
    """
    Space groups that forbid the same reflections, so that intensities cannot tell them apart.

    Attributes
    ----------
    space_groups
        Enantiomorphs and the like, such as ``P 41 21 2`` and ``P 43 21 2``.
    probability
        Of them together.
    forbidden
        Measured reflections that should be absent.
    strongest
        The largest intensity over sigma among those; NaN where there is none.
    """

    space_groups: tuple[str, ...]
    probability: float
    forbidden: int
    strongest: float


@dataclass(frozen=True)
class ScrewResult:
    """
    What the absent reflections say of the space group.

    Attributes
    ----------
    candidates
        The most probable ones first.
    axes
        What was seen along the axes.
    ice
        Reflections that were left out because they lie on rings of ice.
    """

    candidates: tuple[Candidate, ...]
    axes: tuple[Axis, ...]
    ice: int

    @property
    def space_groups(self) -> tuple[str, ...]:
        """The best candidate's."""
        return self.candidates[0].space_groups

    @property
    def confidence(self) -> float:
        """Probability of the best candidate."""
        return self.candidates[0].probability

    @property
    def undetermined(self) -> bool:
        """Whether the reflections leave several candidates possible."""
        return self.confidence < SURE

    @property
    def possible(self) -> tuple[str, ...]:
        """Space groups that the data leave open."""
        if not self.undetermined:
            return self.space_groups
        open_ones = [each for each in self.candidates if each.probability > 0.02]
        return tuple(name for each in open_ones for name in each.space_groups)

    @property
    def sentence(self) -> str:
        """For the user."""
        names = " or ".join(self.space_groups)
        if not self.undetermined:
            same = " (intensities cannot tell these apart)" if len(self.space_groups) > 1 else ""
            return f"The space group is {names}{same}, probability {self.confidence:.2f}."
        bare = [each.name for each in self.axes if len(each.index) < 3]
        why = (
            f"too few reflections were measured along {', '.join(bare)}"
            if bare
            else "the reflections along the axes are neither clearly there nor clearly absent"
        )
        return (
            f"The space group is undetermined between {_listed(self.possible)}: {why}. "
            "Turn the crystal further, or let the structure's solution decide."
        )


def _listed(names: tuple[str, ...]) -> str:
    if len(names) <= _LISTED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} others"


def screw_axes(
    observations: Observations, laue: str, *, small_molecule: bool = False
) -> ScrewResult:
    """
    Weigh the space groups of a Laue group.

    Parameters
    ----------
    observations
        In the conventional setting of the Laue group, scaled or not.
    laue
        Its representative as `laue_group` names it, such as ``P 2 2 2``.
    small_molecule
        Also consider groups with mirrors, glide planes and inversion, which proteins cannot have.

    Raises
    ------
    DataError
        If hardly any observation is usable.
    """
    found = normalise(observations, least_signal=0.5)
    proper = laue_rotations(laue)
    unique, e2, sigma, _ = merge_equivalents(found.hkl, found.e2, found.sigma, proper)
    d = _resolution_of(unique, found.hkl, found.d, proper)
    operations = space_group(laue).operations()
    present = ~np.asarray(operations.systematic_absences(unique))
    iced = on_ring(d)
    groups = _same_absences(laue, small_molecule)
    absent = np.array([_absent(members[0], unique) for members in groups])
    tested = present & absent.any(axis=0) & ~iced
    epsilon = np.asarray(operations.epsilon_factor_array(unique))[tested]
    centric = _centric(laue, unique)[tested]
    spill = _SPILL * _neighbours(unique, e2, unique[tested])
    there, gone = _log_likelihoods(e2[tested], sigma[tested], spill, epsilon, centric)
    weights = _weigh(absent[:, tested], there, gone)
    ratio = e2 / sigma
    candidates = [
        _candidate(members, float(weight), ratio[tested & rows])
        for members, weight, rows in zip(groups, weights, absent, strict=True)
    ]
    candidates.sort(key=lambda each: (-each.probability, -each.forbidden))
    axes = _axes(laue, unique[present & ~iced], e2[present & ~iced], sigma[present & ~iced])
    axes = tuple(_with_screws(axis, groups, weights) for axis in axes)
    return ScrewResult(tuple(candidates), axes, int(np.sum(present & absent.any(axis=0) & iced)))


def _candidate(members: list[str], weight: float, ratio: F) -> Candidate:
    strongest = float(ratio.max()) if len(ratio) else float("nan")
    return Candidate(tuple(members), weight, len(ratio), strongest)


def _resolution_of(unique: Ints, hkl: Ints, d: F, proper: Ints) -> F:
    """Resolution of merged indices from that of the observations."""
    merged = merge_equivalents(hkl, d, np.ones(len(d)), proper)
    return merged[1][positions(unique, keys(merged[0]))]


def _same_absences(laue: str, small_molecule: bool) -> list[list[str]]:
    """List space groups of a Laue group in this setting, those with equal absences together."""
    import gemmi

    wanted = {each.tobytes() for each in laue_rotations(laue)}
    lattice = space_group(laue)
    grid = np.stack(np.meshgrid(*[np.arange(-6, 13)] * 3, indexing="ij"), -1)
    box = grid.reshape(-1, 3).astype(np.int32)
    found: dict[bytes, dict[int, str]] = {}
    for each in gemmi.spacegroup_table():
        if not small_molecule and not each.is_sohncke():
            continue
        if each.hm[0] != lattice.hm[0] or each.laue_str() != lattice.laue_str():
            continue
        if each.hm[0] == "R" and each.ext != lattice.ext:
            continue
        if {one.tobytes() for one in laue_rotations(each.xhm())} == wanted:
            names = found.setdefault(_absent(each.xhm(), box).tobytes(), {})
            names.setdefault(each.number, str(each.xhm()))
    return [list(names.values()) for names in found.values()]


def _absent(symbol: str, hkl: Ints) -> NDArray[np.bool_]:
    return np.asarray(space_group(symbol).operations().systematic_absences(hkl))


def _centric(laue: str, hkl: Ints) -> NDArray[np.bool_]:
    return np.asarray(space_group(laue).operations().centric_flag_array(hkl))


def _neighbours(unique: Ints, e2: F, hkl: Ints) -> F:
    """Mean E² of the measured neighbours of indices, (n,); 1 where there is none."""
    table = keys(unique)
    total, count = np.zeros(len(hkl)), np.zeros(len(hkl))
    for step in np.vstack([np.eye(3, dtype=np.int32), -np.eye(3, dtype=np.int32)]):
        at = positions(hkl + step, table)
        known = at >= 0
        total[known] += np.maximum(e2[at[known]], 0)
        count[known] += 1
    return np.where(count > 0, total / np.maximum(count, 1), 1.0)


def _log_likelihoods(
    e2: F, sigma: F, spill: F, epsilon: NDArray[Any], centric: NDArray[np.bool_]
) -> tuple[F, F]:
    """
    Log density of each intensity if it is present and if it is absent.

    Returns
    -------
    present : numpy.ndarray
        For each mean of `_WEAK`, (means, n).
    absent : numpy.ndarray
        If neighbours spill nothing, and if they do, (2, n).
    """
    wide = np.hypot(sigma, 0.01)
    present = np.array(
        [np.log(wilson_density(e2, wide, mean * epsilon, centric)) for mean, _ in _WEAK]
    )
    spread = np.array([wide, np.hypot(wide, spill)])
    normal = np.exp(-0.5 * (e2 / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
    stray = wilson_density(e2, spread[1], 0.3 * epsilon, centric)
    return present, np.log((1 - _STRAY) * normal + _STRAY * stray)


def wilson_density(value: F, sigma: F, mean: F, centric: NDArray[np.bool_]) -> F:
    """
    Density of a measured intensity whose true one follows Wilson's distribution.

    Parameters
    ----------
    value, sigma
        Measured, (n,).
    mean
        Of the true intensities, (n,).
    centric
        (n,).

    Returns
    -------
    numpy.ndarray
        (n,), never 0.
    """
    nodes, weights = np.polynomial.legendre.leggauss(96)
    low = np.sqrt(np.maximum(value - 7 * sigma, 0))
    high = np.sqrt(np.maximum(value, 0) + 7 * sigma)
    half = (high - low) / 2
    f = low[:, None] + half[:, None] * (nodes + 1)
    j = f**2
    error = np.exp(-0.5 * ((value[:, None] - j) / sigma[:, None]) ** 2)
    error /= sigma[:, None] * np.sqrt(2 * np.pi)
    size = mean[:, None]
    acentric_prior = 2 * f * np.exp(-j / size) / size
    centric_prior = 2 * np.exp(-j / (2 * size)) / np.sqrt(2 * np.pi * size)
    prior = np.where(centric[:, None], centric_prior, acentric_prior)
    return np.maximum((error * prior) @ weights * half, 1e-30)


def _weigh(absent: NDArray[np.bool_], present: F, gone: F) -> F:
    """
    Probability of each candidate, (candidates,).

    Reflections that the same candidates forbid stand or fall together: where they are present,
    their common mean may be small, as it is with pseudo-translations.
    """
    _, which = np.unique(absent, axis=1, return_inverse=True)
    which = np.ravel(which)
    share = np.log([weight for _, weight in _WEAK])
    total = np.zeros(len(absent))
    for number in range(int(which.max()) + 1 if len(which) else 0):
        rows = which == number
        there = float(np.logaddexp.reduce(share + present[:, rows].sum(axis=1)))
        nothing = float(np.logaddexp.reduce(gone[:, rows].sum(axis=1))) - np.log(2)
        total += np.where(absent[:, rows][:, 0], nothing, there)
    weights = np.exp(total - total.max())
    return weights / weights.sum()


def _axes(laue: str, hkl: Ints, e2: F, sigma: F) -> tuple[Axis, ...]:
    """Collect what was measured along the axes of symmetry that are axes of the cell."""
    found: list[Axis] = []
    seen: set[bytes] = set()
    proper = laue_rotations(laue)
    for number, name in ((2, "c"), (1, "b"), (0, "a")):
        unit = np.eye(3, dtype=np.int32)[number]
        turned = {(sign * each @ unit).tobytes() for each in proper for sign in (1, -1)}
        if not _is_axis(proper, unit) or turned & seen:
            continue
        seen |= turned
        on = np.zeros(len(hkl), dtype=bool)
        for each in proper:
            on |= np.all(np.delete(hkl @ each.T, number, axis=1) == 0, axis=1)
        index = np.abs(hkl[on]).max(axis=1)
        order = np.argsort(index)
        ratio = (e2[on] / sigma[on])[order]
        fourier = {fold: _coefficient(index[order], ratio, fold) for fold in _FOLDS}
        found.append(Axis(name, index[order], e2[on][order], sigma[on][order], fourier, {}))
    return tuple(reversed(found))


def _is_axis(proper: Ints, unit: Ints) -> bool:
    return sum(bool(np.array_equal(each @ unit, unit)) for each in proper) > 1


def _coefficient(index: Ints, ratio: F, fold: int) -> float:
    total = float(np.sum(np.abs(ratio)))
    waves = float(np.sum(ratio * np.cos(2 * np.pi * index / fold)))
    return waves / total if total > 0 else float("nan")


def _with_screws(axis: Axis, groups: list[list[str]], weights: F) -> Axis:
    """Add the probabilities of the axis's screws, summed over the candidates."""
    number = "abc".index(axis.name)
    orders = np.zeros((12, 3), dtype=np.int32)
    orders[:, number] = np.arange(1, 13)
    screws: dict[int, float] = {}
    for members, weight in zip(groups, weights, strict=True):
        there = orders[~_absent(members[0], orders), number]
        step = int(there.min()) if len(there) else 12
        screws[step] = screws.get(step, 0.0) + float(weight)
    return replace(axis, screws=dict(sorted(screws.items())))
