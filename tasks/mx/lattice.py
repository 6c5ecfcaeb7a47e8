"""All Bravais lattices that a crystal's cell may belong to, refined and ranked.

Two-fold rotations of the reduced cell, within a tolerance, generate the candidates: Le Page, J.
Appl. Cryst. 15, 255 (1982). Each is refined with the cell that it demands; the highest symmetry
whose residuals are hardly larger than those of the triclinic cell stands first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F, Geometry
from tasks.mx.crystal import Crystal
from tasks.mx.matrices import cholesky, inverse, svd
from tasks.mx.reduction import buerger, primitive, unimodular
from tasks.mx.refine import Refined, refine_together
from tasks.mx.reflections import Ints, Spots
from tasks.mx.settings import Setting, conventional

_TOLERANCE_DEG = 3.0
_WORSE = 1.5  # times the triclinic residual, that a symmetry may cost
_NEARLY = np.array([0.05, 0.05, 0.2])  # pixels and images, that never matter
_FAR = 4.0  # times the triclinic residual: a spot that is not explained
_LOST, _LOST_SPOTS = 0.1, 3  # share of the spots, and how many never matter, that it may cost
_MOST = 1500  # spots to refine each with


@dataclass(frozen=True)
class Lattice:
    """
    A Bravais lattice that the cell fits.

    Attributes
    ----------
    bravais
        Such as ``oP`` or ``mC``.
    crystal
        In conventional axes with the cell as the symmetry demands it. Its space group has the
        rotations of the lattice: those of the crystal may be fewer.
    change_of_basis
        Indices of the crystal as it was given become these: ``h_new = matrix @ h_old``, (3, 3).
    misfit_deg
        Le Page's angle: the largest one between an axis of symmetry and its lattice plane's normal.
    rmsd
        Of x, y in pixels and images, refined so, (3,); NaN without spots.
    ratio
        Of its weighted residual to that of the triclinic lattice; NaN without spots.
    accepted
        The spots do not speak against it.
    rotations
        Of the lattice, in the reduced axes of the crystal as it was given, (m, 3, 3).
    crystals
        Of each sweep that it was refined with: one cell, orientations as they were found.
    """

    bravais: str
    crystal: Crystal
    change_of_basis: F
    misfit_deg: float
    rmsd: F
    ratio: float
    accepted: bool
    rotations: F
    crystals: tuple[Crystal, ...] = ()


def lattices(
    crystal: Crystal | Sequence[Crystal],
    spots: Sequence[Spots] = (),
    hkl: Sequence[Ints] = (),
    geometries: Sequence[Geometry] = (),
    *,
    tolerance_deg: float = _TOLERANCE_DEG,
) -> tuple[Lattice, ...]:
    """
    Find the Bravais lattices of a crystal.

    Parameters
    ----------
    crystal
        As it was indexed, refined without constraints; or one per sweep, with one cell.
    spots, hkl, geometries
        Of each sweep of this crystal: to refine each lattice with. Without them, the misfit of the
        cell decides.
    tolerance_deg
        Largest misfit.

    Returns
    -------
    tuple of Lattice
        The accepted ones first, the highest symmetry first; ``aP`` is always among them.
    """
    crystals = [crystal] * len(spots) if isinstance(crystal, Crystal) else list(crystal)
    first = crystal if isinstance(crystal, Crystal) else crystals[0]
    start = primitive(first.space_group)
    reduced, matrix = buerger(start @ first.direct)
    to_reduced = matrix @ start
    found: list[tuple[float, F, F, Setting, F]] = []
    for misfit, rotations in _symmetries(reduced, tolerance_deg):
        ideal = _ideal(reduced, rotations)
        setting = _setting(ideal, rotations)
        change = setting.matrix
        found.append((misfit, change @ to_reduced, change @ ideal, setting, rotations))
    ready = [
        Lattice(
            setting.bravais,
            Crystal(inverse(axes), setting.space_group),
            change,
            misfit,
            np.full(3, np.nan),
            np.nan,
            misfit < tolerance_deg / 3,
            rotations,
        )
        for misfit, change, axes, setting, rotations in found
    ]
    if spots:
        ready = _refined(ready, spots, hkl, geometries, crystals)
    return tuple(sorted(ready, key=_rank))


def _rank(lattice: Lattice) -> tuple[bool, int, float, float]:
    order = "amothc".index(lattice.bravais[0])
    worse = 0.0 if np.isnan(lattice.ratio) else lattice.ratio
    return not lattice.accepted, -order, worse, lattice.misfit_deg


def _symmetries(reduced: F, tolerance_deg: float) -> list[tuple[float, F]]:
    """Return the groups of rotations that reduced axes nearly have, and their misfits."""
    folds: list[tuple[float, F]] = []
    for rotation in unimodular():
        if np.trace(rotation) == -1 and np.array_equal(rotation @ rotation, np.eye(3)):
            misfit = _le_page(reduced, rotation)
            if misfit <= tolerance_deg:
                folds.append((misfit, rotation))
    groups: dict[frozenset[bytes], tuple[float, F]] = {}
    fresh = [(0.0, np.eye(3)[None])]
    while fresh:  # each group, and one more two-fold rotation
        grown: list[tuple[float, F]] = []
        for misfit, group in fresh:
            key = frozenset(each.astype(np.int8).tobytes() for each in group)
            if key in groups and groups[key][0] <= misfit:
                continue
            groups[key] = (misfit, group)
            for other, rotation in folds:
                if rotation.astype(np.int8).tobytes() not in key:
                    larger = _closure([*list(group), rotation])
                    if larger is not None:
                        grown.append((max(misfit, other), larger))
        fresh = grown
    # 32 as a part of 622 or 432, and 222 as a part of 422, are lattices of their own only if the
    # group is a holohedry: 1, 2, 222, 422, 32 (rhombohedral), 622, 432
    return [each for each in groups.values() if _is_holohedry(reduced, each[1])]


def _setting(direct: F, rotations: F) -> Setting:
    """Return the conventional axes for rotations in direct axes, ``x' = W x``."""
    on_indices = np.rint(inverse(rotations).transpose(0, 2, 1)).astype(np.int32)
    return conventional(Crystal(inverse(direct)), on_indices)


def _is_holohedry(reduced: F, rotations: F) -> bool:
    """Tell whether no lattice with these rotations must have more of them."""
    count = len(rotations)
    if count not in (1, 2, 4, 6, 8, 12, 24):
        return False
    if count == 6:  # trigonal: primitive in hexagonal axes is the hexagonal lattice
        return _setting(_ideal(reduced, rotations), rotations).bravais == "hR"
    if count == 12:  # 23 is none, 622 is
        return any(round(float(np.trace(each))) == 2 for each in rotations)
    return True


def _le_page(direct: F, rotation: F) -> float:
    """Return the angle between a two-fold axis and the normal of the plane across it, degrees."""
    values, vectors = np.linalg.eig(rotation)
    axis = np.real(vectors[:, np.argmax(np.real(values))])
    values, vectors = np.linalg.eig(rotation.T)
    plane = np.real(vectors[:, np.argmax(np.real(values))])
    along, normal = axis @ direct, plane @ inverse(direct).T
    sine = np.linalg.norm(np.cross(along, normal))
    return float(np.degrees(np.arctan2(sine, abs(along @ normal))))


def _closure(generators: list[F]) -> F | None:
    """Return the group that rotations generate; None if there is no finite one."""
    found = {np.eye(3, dtype=np.int64).tobytes(): np.eye(3, dtype=np.int64)}
    fresh: list[NDArray[np.int64]] = list(found.values())
    steps = [each.astype(np.int64) for each in generators]
    while fresh:
        products = [one @ step for one in fresh for step in steps]
        fresh = []
        for each in products:
            if each.tobytes() not in found:
                found[each.tobytes()] = each
                fresh.append(each)
        if len(found) > 24:
            return None
    return np.array(list(found.values()), dtype=np.float64)


def _ideal(direct: F, rotations: F) -> F:
    """Return the axes, changed as little as needed to have the symmetry, rows."""
    metric = direct @ direct.T
    mean = np.mean([each.T @ metric @ each for each in rotations], axis=0)
    lower = cholesky(mean)
    left, _, right = svd(inverse(lower) @ direct)
    return lower @ left @ right


def _refined(
    found: list[Lattice],
    spots: Sequence[Spots],
    hkl: Sequence[Ints],
    geometries: Sequence[Geometry],
    crystals: Sequence[Crystal],
) -> list[Lattice]:
    """Refine each lattice against the same spots and compare it with the triclinic one."""
    triclinic = next(each for each in found if each.bravais == "aP")
    free = _refine(triclinic, spots, hkl, geometries, crystals)
    used = [each.used for each in free]
    kept = [
        np.where(use[:, None], indices, 0).astype(np.int32)
        for use, indices in zip(used, hkl, strict=True)
    ]
    yardstick = _rms(free)
    ready: list[Lattice] = []
    for lattice in found:
        try:
            refined = _refine(lattice, spots, kept, geometries, crystals)
        except DataError:  # nearly all spots are outliers: it is not this lattice
            ready.append(replace(lattice, accepted=False, ratio=np.inf))
            continue
        rmsd = _rms(refined)
        ratio = float(np.sqrt(np.mean((rmsd / yardstick) ** 2)))
        lost = sum(
            int(_astray(each, part, use, yardstick).sum())
            for each, part, use in zip(refined, spots, used, strict=True)
        )
        few = lost < max(_LOST * sum(int(each.sum()) for each in used), _LOST_SPOTS)
        fits = few and bool((rmsd <= _WORSE * yardstick + _NEARLY).all())
        ready.append(
            replace(
                lattice,
                crystal=refined[0].crystal,
                crystals=tuple(each.crystal for each in refined),
                rmsd=rmsd,
                ratio=ratio,
                accepted=fits,
            )
        )
    return ready


def _refine(
    lattice: Lattice,
    spots: Sequence[Spots],
    hkl: Sequence[Ints],
    geometries: Sequence[Geometry],
    crystals: Sequence[Crystal],
) -> tuple[Refined, ...]:
    changed = [np.round(indices @ lattice.change_of_basis.T).astype(np.int32) for indices in hkl]
    named = [
        each.change_basis(lattice.change_of_basis, lattice.crystal.space_group) for each in crystals
    ]
    return refine_together(
        spots, changed, geometries, named, most=_MOST, rounds=2, share_orientation=False
    )


def _astray(refined: Refined, spots: Spots, used: NDArray[np.bool_], rmsd: F) -> NDArray[np.bool_]:
    """Tell which spots that the triclinic lattice explains this one does not, (n,)."""
    off = np.abs(refined.calculated - spots.xyz)
    return used & ~(off < _FAR * (rmsd + _NEARLY)).all(axis=1)


def _rms(refined: Sequence[Refined]) -> F:
    refined = [each for each in refined if each.used.any()]
    weights = np.array([each.used.sum() for each in refined], dtype=np.float64)
    squares = np.array([each.rmsd**2 for each in refined])
    return np.sqrt(np.average(squares, axis=0, weights=weights))
