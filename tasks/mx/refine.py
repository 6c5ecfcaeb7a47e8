"""Refinement of crystal, detector, beam and scan axis against the centroids of spots.

Residuals in x, y and image, each weighted by its variance, are minimised over the parameters of
`tasks.mx.refine_parameters` by a robust Gauss-Newton method; between the rounds, weights follow the
residuals and outliers are left out. Waterman et al., Acta Cryst. D72, 558 (2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.io.diffraction import F, Geometry
from tasks.mx.crystal import Crystal
from tasks.mx.refine_parameters import Parameters, symmetrised
from tasks.mx.refine_problem import Mask, Problem
from tasks.mx.reflections import Ints, Spots

_ROUNDS = 4
_MOST = 6000  # spots of a sweep, which is enough for its few parameters


@dataclass(frozen=True)
class Refined:
    """
    What came out of one sweep.

    Attributes
    ----------
    geometry, crystal
        Refined ones.
    rmsd
        Root mean square of observed minus calculated, of those used: x, y in pixels, images, (3,).
    sigmas
        Standard deviations by name: a, b, c (Angstrom), alpha, beta, gamma, orientation (degrees);
        shift fast, shift slow, distance (mm); tilts, turn, beam, axis (degrees), as far as free.
    used
        Which spots took part or would have: indexed, and no outliers, (n,).
    calculated
        Where each indexed spot was expected, (n, 3); NaN for the others.
    said
        Sentences on what was free and what was left out.
    """

    geometry: Geometry
    crystal: Crystal
    rmsd: F
    sigmas: dict[str, float]
    used: Mask
    calculated: F
    said: tuple[str, ...] = ()


def refine(
    spots: Spots,
    hkl: Ints,
    geometry: Geometry,
    crystal: Crystal,
    *,
    along: bool = False,
    most: int = _MOST,
) -> Refined:
    """
    Refine one sweep.

    Parameters
    ----------
    spots
        Observed ones, n.
    hkl
        Their indices, (n, 3); (0, 0, 0) is not indexed.
    geometry, crystal
        Starting values. The crystal's space group constrains its cell.
    along
        Also let orientation and cell change along the sweep (`Crystal.a_matrices`).
    most
        How many spots, at most, decide on the parameters that hold for the whole sweep.

    Raises
    ------
    DataError
        There are too few spots, or the sweep does not turn.
    """
    return refine_together([spots], [hkl], [geometry], [crystal], along=along, most=most)[0]


def refine_together(
    spots: Sequence[Spots],
    hkl: Sequence[Ints],
    geometries: Sequence[Geometry],
    crystals: Sequence[Crystal],
    *,
    share_crystal: bool = True,
    share_orientation: bool = True,
    share_detector: bool = True,
    along: bool = False,
    most: int = _MOST,
    rounds: int = _ROUNDS,
) -> tuple[Refined, ...]:
    """
    Refine several sweeps of one crystal together.

    Parameters
    ----------
    share_crystal
        One crystal for all: the first one of those given.
    share_orientation
        Its orientation is the same, too; else only its cell: goniometers reach an angle within
        some tenths of a degree.
    share_detector
        Beam, scan axis and detector move alike in all sweeps whose detectors stand alike.
    rounds
        How often weights and outliers are looked at again.

    Returns
    -------
    tuple of Refined
        One per sweep. See `refine` for the other parameters and errors.
    """
    from tasks.mx.refine_along import refine_along

    starts = [symmetrised(each) for each in crystals]
    if share_crystal and share_orientation:
        starts = [starts[0]] * len(starts)
    sharing = (share_crystal, share_orientation, share_detector)
    problem = Problem.of(spots, hkl, geometries, starts, *sharing, most)
    values, covariance, used = problem.solve(rounds)
    found = _results(problem, values, covariance, used)
    if along:
        found = tuple(
            refine_along(part, each, indices)
            for part, each, indices in zip(spots, found, hkl, strict=True)
        )
    return found


def _results(problem: Problem, values: F, covariance: F, used: list[Mask]) -> tuple[Refined, ...]:
    """Put the parameters into each sweep's geometry and crystal."""
    found: list[Refined] = []
    for sweep, own in enumerate(problem.numbers):
        geometry = problem.parameters.geometry(values[own], problem.geometries[sweep])
        start = problem.crystals[sweep]
        crystal = replace(
            start,
            a_matrix=problem.parameters.crystal(values[own], start.a_matrix),
            a_matrices=None,
        )
        off = problem.residuals(sweep, values)
        indexed = (problem.hkl[sweep] != 0).any(axis=1)[:, None]
        rejected = int((problem.candidates[sweep] & ~used[sweep]).sum())
        kept = off[used[sweep]]
        found.append(
            Refined(
                geometry,
                crystal,
                np.sqrt(np.mean(kept**2, axis=0)) if len(kept) else np.full(3, np.nan),
                _sigmas(problem.parameters, start, values[own], covariance[np.ix_(own, own)]),
                used[sweep],
                np.where(indexed, off + problem.spots[sweep].xyz, np.nan),
                (
                    *problem.said,
                    f"{rejected} of {int(problem.candidates[sweep].sum())} are outliers.",
                ),
            )
        )
    return tuple(found)


def _sigmas(parameters: Parameters, start: Crystal, values: F, covariance: F) -> dict[str, float]:
    """Return the standard deviations of the cell and of what else was free."""
    steps = np.diag(parameters.steps)
    centre = np.array(Crystal(parameters.crystal(values, start.a_matrix)).cell)
    slopes = np.array(
        [
            (np.array(Crystal(parameters.crystal(values + step, start.a_matrix)).cell) - centre)
            / step.sum()
            for step in steps
        ]
    )
    deviations = np.sqrt(np.maximum(np.einsum("ki,kl,li->i", slopes, covariance, slopes), 0.0))
    names = ("a", "b", "c", "alpha", "beta", "gamma")
    sigmas = {name: float(value) for name, value in zip(names, deviations, strict=True)}
    own = np.sqrt(np.diag(covariance))
    sigmas["orientation"] = float(np.degrees(np.linalg.norm(own[:3])))
    for name, value in zip(parameters.names, own, strict=True):
        if name.startswith(("tilt", "turn", "beam", "axis")):
            sigmas[name] = float(np.degrees(value))
        elif name.startswith(("shift", "distance")):
            sigmas[name] = float(value)
    return sigmas
