"""The Laue group, from how well intensities agree that a symmetry would make equal.

Every rotation that the lattice allows is scored by the correlation of E² between reflections that
it relates; the scores give a probability to each subgroup (P. R. Evans, Acta Cryst. D62, 72 (2006)
and D67, 282 (2011)). The lattice alone proves nothing, and neither do three reflections: where the
pairs do not decide, the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal
from tasks.mx.metric import lattice_rotations, orders, reduced
from tasks.mx.normalise import normalise
from tasks.mx.reflections import Ints, Observations
from tasks.mx.settings import conventional
from tasks.mx.symmetry import classes, keys, merge_equivalents, positions, representatives

FEWEST_PAIRS = 5
SURE = 0.8
_WIDTH = 0.1  # what systematic errors make of a correlation, beside its sampling
_CAP = 16.0  # E² beyond it counts as this: one wild spot is no correlation


@dataclass(frozen=True)
class Operator:
    """
    A rotation and what speaks for it.

    Attributes
    ----------
    rotation
        On the indices of the reduced cell, (3, 3).
    order
        2, 3, 4 or 6.
    axis
        Direction in the observed crystal's direct axes, such as ``[0 0 1]``.
    pairs
        How many pairs of reflections it relates.
    correlation
        Of E² between them; NaN where there are too few.
    z
        The correlation over its standard deviation for unrelated reflections.
    probability
        That it is a symmetry, alone; 0.5 where the data say nothing.
    """

    rotation: Ints
    order: int
    axis: str
    pairs: int
    correlation: float
    z: float
    probability: float


@dataclass(frozen=True)
class Group:
    """
    A Laue group that the lattice allows.

    Attributes
    ----------
    space_group
        Its representative without screw axes, such as ``P 4 2 2``.
    change_of_basis
        Takes observed indices to its conventional axes, (3, 3).
    cell
        There.
    operators
        Which of `LaueResult.operators` belong to it.
    probability
        Among all groups.
    """

    space_group: str
    change_of_basis: F
    cell: tuple[float, ...]
    operators: tuple[int, ...]
    probability: float


@dataclass(frozen=True)
class LaueResult:
    """
    What the intensities say of the Laue group.

    Attributes
    ----------
    operators
        Every rotation of the lattice, best first.
    groups
        Every subgroup, the most probable one first.
    expected
        Correlation that a true symmetry would show, from the errors.
    d_min
        Resolution that was used, in Angstrom.
    """

    operators: tuple[Operator, ...]
    groups: tuple[Group, ...]
    expected: float
    d_min: float

    @property
    def best(self) -> Group:
        """The most probable group, also where it is not sure."""
        return self.groups[0]

    @property
    def confidence(self) -> float:
        """Probability of the best group."""
        return self.groups[0].probability

    @property
    def undetermined(self) -> bool:
        """Whether the data leave several groups possible."""
        return self.confidence < SURE

    @property
    def space_group(self) -> str:
        """Representative of the best group."""
        return self.groups[0].space_group

    @property
    def change_of_basis(self) -> F:
        """Takes observed indices to the best group's conventional axes, (3, 3)."""
        return self.groups[0].change_of_basis

    @property
    def sentence(self) -> str:
        """For the user."""
        if not self.undetermined:
            return (
                f"The Laue group is that of {self.space_group} "
                f"(probability {self.confidence:.2f}, data to {self.d_min:.2f} Å)."
            )
        left = ", ".join(
            f"{each.space_group} ({each.probability:.2f})"
            for each in self.groups
            if each.probability > 0.05
        )
        few = [each.pairs for each in self.operators if each.pairs < FEWEST_PAIRS]
        why = (
            f"{len(few)} of the lattice's {len(self.operators)} axes relate fewer than "
            f"{FEWEST_PAIRS} pairs of measured reflections"
            if few
            else "the correlations of related reflections are neither high nor low"
        )
        return (
            f"The Laue group is undetermined between {left}: {why}. Measure more of the sweep, or "
            "name the space group."
        )


def laue_group(
    observations: Observations, crystal: Crystal, *, tolerance_deg: float = 2.0
) -> LaueResult:
    """
    Score the lattice's rotations and their groups.

    Parameters
    ----------
    observations
        Indexed as `crystal` says.
    crystal
        Its cell; the letter of its space group says how it is centred, the rest is not used.
    tolerance_deg
        How far the cell may be from the symmetry; see `lattice_rotations`.

    Raises
    ------
    DataError
        If hardly any observation is usable.
    """
    small, to_small = reduced(crystal)
    group = lattice_rotations(small, tolerance_deg)
    found = normalise(observations)
    hkl = np.rint(found.hkl @ to_small.T).astype(np.int32)
    identity = np.eye(3, dtype=np.int32)[None]
    unique, e2, sigma, _ = merge_equivalents(hkl, found.e2, found.sigma, identity)
    e2 = np.minimum(e2, _CAP)
    expected = _expected(hkl, found.e2, found.sigma, e2, sigma)
    elements = _elements(group)
    names = _axis_names(elements, to_small)
    scored = [
        _score(each, name, unique, e2, expected) for each, name in zip(elements, names, strict=True)
    ]
    scored.sort(key=lambda each: (-each.probability, -each.order))
    groups = _groups(scored, group, small, to_small)
    return LaueResult(tuple(scored), groups, expected, found.d_min)


def unscored(crystal: Crystal, *, tolerance_deg: float = 2.0) -> LaueResult:
    """
    Return what the lattice alone allows: all groups are as likely, the highest one comes first.

    For data too few to be scored; see `laue_group` for the parameters.
    """
    small, to_small = reduced(crystal)
    group = lattice_rotations(small, tolerance_deg)
    elements = _elements(group)
    names = _axis_names(elements, to_small)
    scored = [
        Operator(each, int(orders(each[None])[0]), name, 0, float("nan"), 0.0, 0.5)
        for each, name in zip(elements, names, strict=True)
    ]
    return LaueResult(tuple(scored), _groups(scored, group, small, to_small), 1.0, float("nan"))


def _elements(group: Ints) -> list[Ints]:
    """Rotations other than the identity, one of each pair of inverses."""
    seen: set[bytes] = set()
    kept: list[Ints] = []
    for each in list(group[orders(group) > 1]):
        inverse = np.linalg.matrix_power(each, int(orders(each[None])[0]) - 1).astype(np.int32)
        if inverse.tobytes() not in seen:
            seen.add(each.tobytes())
            kept.append(each)
    return kept


def _axis_names(elements: list[Ints], to_small: F) -> list[str]:
    """Axes as directions of the observed crystal's cell."""
    names: list[str] = []
    for each in elements:
        direct = np.rint(np.linalg.inv(each).T).astype(int)
        total = np.sum([np.linalg.matrix_power(direct, k) for k in range(12)], axis=0)
        column = total[:, int(np.argmax(np.abs(total).sum(axis=0)))]
        there = to_small.T @ column
        there = there / np.abs(there[np.abs(there) > 1e-6]).min()
        whole = np.rint(there * 6).astype(int)
        whole //= int(np.gcd.reduce(whole))
        sign = int(np.sign(whole[np.flatnonzero(whole)[0]]))
        names.append("[" + " ".join(str(int(sign * number)) for number in whole) + "]")
    return names


def _expected(hkl: Ints, all_e2: F, all_sigma: F, e2: F, sigma: F) -> float:
    """
    Correlation between reflections that are equal but for their errors.

    From the sigmas, and from what was measured more than once where that happened often enough.
    """
    spread = float(np.var(e2))
    noise = float(np.mean(np.minimum(sigma, _CAP) ** 2))
    by_sigma = float(np.clip(1 - noise / max(spread, 1e-9), 0.1, 1.0))
    first, second = _repeats(hkl, np.minimum(all_e2, _CAP))
    if len(first) < 50:
        return min(by_sigma, 0.95)
    return float(np.clip(np.corrcoef(first, second)[0, 1], 0.1, 0.98))


def _repeats(hkl: Ints, e2: F) -> tuple[F, F]:
    """Two observations of each reflection that was measured more than once."""
    _, which = classes(hkl, np.eye(3, dtype=np.int32)[None])
    order = np.argsort(which, kind="stable")
    same = which[order][1:] == which[order][:-1]
    return e2[order[:-1][same]], e2[order[1:][same]]


def related(rotation: Ints, unique: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of different reflections that a rotation relates, each pair once."""
    identity = np.eye(3, dtype=np.int32)[None]
    table = keys(unique)
    mate = positions(representatives(unique @ rotation.T, identity), table)
    here = np.arange(len(unique))
    kept = (mate >= 0) & (mate != here)
    low, high = np.minimum(here, mate)[kept], np.maximum(here, mate)[kept]
    pairs = np.unique(np.column_stack([low, high]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def pair_correlation(first: F, second: F) -> float:
    """Return the correlation of pairs that have no order."""
    one, two = np.concatenate([first, second]), np.concatenate([second, first])
    spread = float(np.var(one))
    mean = float(np.mean(one))
    return float(np.mean((one - mean) * (two - mean))) / spread if spread > 0 else 0.0


def _score(rotation: Ints, axis: str, unique: Ints, e2: F, expected: float) -> Operator:
    first, second = related(rotation, unique)
    order = int(orders(rotation[None])[0])
    pairs = len(first)
    if pairs < FEWEST_PAIRS:
        return Operator(rotation, order, axis, pairs, float("nan"), 0.0, 0.5)
    correlation = pair_correlation(e2[first], e2[second])
    sampling = 1 / np.sqrt(pairs)
    yes, no = _likelihoods(correlation, float(sampling), expected)
    return Operator(
        rotation, order, axis, pairs, correlation, float(correlation / sampling), yes / (yes + no)
    )


def _likelihoods(correlation: float, sampling: float, expected: float) -> tuple[float, float]:
    """
    Probability density of a correlation if the symmetry is there, and if it is not.

    A Lorentzian within -1 to 1; without the symmetry its centre may lie anywhere from 0 up to what
    a symmetry would give, the less likely the higher, since there are pseudo-symmetries
    (Evans, 2011).
    """
    correlation = min(correlation, expected)
    centres = np.linspace(0.0, expected, 101)
    weights = np.sqrt(np.maximum(1 - (centres / expected) ** 2, 0.0))
    # a high correlation is known better than a low one: Fisher's (1 - r²) / sqrt(n)
    width = np.hypot(_WIDTH, np.maximum(1 - centres**2, 0.1) * sampling)
    density = _lorentzian(correlation, centres, width)
    return float(density[-1]), float(np.sum(weights * density) / weights.sum())


def _lorentzian(value: float, centre: F, width: F) -> F:
    """Density at a value, the tails cut at -1 and 1."""
    inside = np.arctan((1 - centre) / width) - np.arctan((-1 - centre) / width)
    return 1 / (width * inside * (1 + ((value - centre) / width) ** 2))


def subgroups(group: Ints) -> list[Ints]:
    """Return every subgroup of a group of rotations, each (n, 3, 3); two elements make each."""
    found: dict[frozenset[bytes], Ints] = {}
    for i, one in enumerate(group):
        for other in group[i:]:
            closed = _closure([one, other])
            found.setdefault(frozenset(each.tobytes() for each in closed), np.array(closed))
    return sorted(found.values(), key=len)


def _closure(generators: list[Ints]) -> list[Ints]:
    closed: dict[bytes, Ints] = {np.eye(3, dtype=np.int32).tobytes(): np.eye(3, dtype=np.int32)}
    front: list[Ints] = list(closed.values())
    while front:
        products = [(each @ one).astype(np.int32) for each in front for one in generators]
        front = []
        for each in products:
            if each.tobytes() not in closed:
                closed[each.tobytes()] = each
                front.append(each)
    return list(closed.values())


def _groups(scored: list[Operator], group: Ints, small: Crystal, to_small: F) -> tuple[Group, ...]:
    proper = subgroups(group)
    members = [_members(scored, each) for each in proper]
    yes = np.log(np.clip([each.probability for each in scored], 1e-9, 1 - 1e-9))
    no = np.log(np.clip([1 - each.probability for each in scored], 1e-9, 1 - 1e-9))
    total = np.array(
        [sum(yes[k] if k in inside else no[k] for k in range(len(scored))) for inside in members],
        dtype=np.float64,
    )
    share = np.exp(total - total.max())
    share /= share.sum()
    order = sorted(range(len(proper)), key=lambda k: (-float(share[k]), -len(proper[k])))
    return tuple(_group(proper[k], members[k], float(share[k]), small, to_small) for k in order)


def _members(scored: list[Operator], proper: Ints) -> tuple[int, ...]:
    inside = {each.tobytes() for each in proper}
    return tuple(k for k, each in enumerate(scored) if each.rotation.tobytes() in inside)


def _group(
    proper: Ints, members: tuple[int, ...], share: float, small: Crystal, to_small: F
) -> Group:
    setting = conventional(small, proper)
    cell = small.change_basis(setting.matrix).cell
    return Group(setting.space_group, setting.matrix @ to_small, cell, members, share)
