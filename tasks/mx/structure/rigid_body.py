"""Refinement of whole molecules: three angles and three coordinates each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.structure.likelihood import calculated, correlation
from tasks.mx.structure.observed import Normalised
from tasks.mx.structure.placement import Molecule, Placement, scored, structure_factors
from tasks.mx.structure.rotation import rotation_vectors
from tasks.mx.structure.transform import Transform

_ANGLE, _LENGTH = 1.5, 0.7  # degrees and Angstrom: size of the first simplex


def refine_rigid_body(
    data: Normalised, transform: Transform, placement: Placement, rounds: int = 1
) -> Placement:
    """
    Turn and move each molecule for the best correlation with the data.

    Nelder and Mead's simplex on one molecule after the other, the others at rest (Computer J. 7,
    308 (1965)).

    Parameters
    ----------
    data, transform
        Normalised intensities, and the molecule's transform.
    placement
        Where the molecules are.
    rounds
        How often each molecule has its turn.
    """
    for _ in range(rounds):
        for number in range(len(placement.molecules)):
            placement = _refine_one(data, transform, placement, number)
    return scored(data, transform, placement)


def _refine_one(
    data: Normalised, transform: Transform, placement: Placement, number: int
) -> Placement:
    import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]

    minimise: Any = cast(Any, scipy.optimize).minimize
    molecules = list(placement.molecules)
    start = molecules.pop(number)
    group = placement.space_group
    known = structure_factors(data, transform, group, molecules)

    def misfit(steps: F) -> float:
        moving = structure_factors(data, transform, group, [_shifted(start, steps)])
        return -correlation(data.e_squared, calculated(data, known + moving))

    size = np.array([np.radians(_ANGLE)] * 3 + [_LENGTH] * 3)
    simplex = np.vstack([np.zeros(6), np.diag(size)])
    options = {"initial_simplex": simplex, "maxfev": 250, "xatol": 1e-3, "fatol": 1e-5}
    found: Any = minimise(misfit, np.zeros(6), method="Nelder-Mead", options=options)
    molecules.insert(number, _shifted(start, found.x))
    return replace(placement, molecules=tuple(molecules))


def _shifted(molecule: Molecule, steps: F) -> Molecule:
    """Turn by a rotation vector (first three) and move (last three)."""
    turn = rotation_vectors(steps[None, :3])[0]
    return Molecule(turn @ molecule.rotation, molecule.place + steps[3:])
