"""
Bring the observations of all sweeps and crystals to one scale.

Hamilton, Rollett & Sparks, Acta Cryst. 18, 129 (1965): the sum of ``w (I - g <I>)²`` over all
observations is made least, ``<I>`` being the weighted mean of the equivalents at the current
scales. The means are eliminated from the normal equations, so that each step is a full Gauss-Newton
step in scales and means together. The first step fits ln I, which is linear: scales may differ by
orders of magnitude at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import F, Rotation
from tasks.mx.crystal import Crystal
from tasks.mx.equivalents import Bools, Equivalents, equivalents
from tasks.mx.error_model import ErrorModel, counting_slopes, fit_error_model
from tasks.mx.groups import Groups, groups_of, normal_equations
from tasks.mx.outliers import THRESHOLD, fraction, keep
from tasks.mx.reflections import Flag, Observations
from tasks.mx.scale_model import Design, ScaleModel, design, gauge, prior, scale_model

Cell = tuple[float, float, float, float, float, float]
LEFT_OUT = Flag.OVERLOADED | Flag.INCOMPLETE | Flag.NO_BACKGROUND
"""Flags of observations that are not used."""
_ROUNDS, _STEPS = 3, 4
_CONVERGED, _LONGEST = 1e-3, 1.5
"""Largest change of ln g at which steps end, and of one that is taken whole."""
_STRONG, _TOLD, _HUBER = 5.0, 2.0, 3.0
"""Mean I/sigma of the first step's groups; of a mean that tells of scales; deviate from which on
weights fall."""
_PER_PARAMETER, _FEWEST = 2000, 300_000
"""Observations that scales are fitted to where there are more: so many per parameter, at least."""
_FEW_SHARED = 20


@dataclass(frozen=True)
class Scaled:
    """
    Observations on one scale.

    Attributes
    ----------
    observations
        As they came in, n of them.
    scale
        Inverse scale g: what the intensity was divided by, (n,).
    intensity, sigma
        Scaled, with the error model's sigma, (n,).
    usable, kept
        Not left out beforehand, and no outlier either, (n,).
    symmetry
        Which are equivalents of each other.
    cell, space_group
        Of all of them.
    anomalous
        Friedel pairs were kept apart in scaling.
    model, errors
        What was fitted.
    warnings
        Sentences for the user.
    """

    observations: Observations
    scale: F
    intensity: F
    sigma: F
    usable: Bools
    kept: Bools
    symmetry: Equivalents
    cell: Cell
    space_group: str
    anomalous: bool
    model: ScaleModel
    errors: ErrorModel
    warnings: tuple[str, ...] = ()

    @property
    def rejected(self) -> float:
        """Which part of the usable observations was left out as outliers."""
        return fraction(self.usable, self.kept)


@dataclass(frozen=True)
class _Problem:
    """
    What all steps share: observations, how they are grouped, their rows, priors.

    `together` has Friedel mates in one group, where `groups` has them apart.
    """

    seen: Observations
    groups: Groups
    rows: Design
    usable: Bools
    prior: F
    together: Groups | None

    def mean(self, g: F, variance: F, kept: Bools) -> F:
        """Return the weighted mean of each observation's group, (n,); NaN where none is kept."""
        weight = np.where(kept, 1 / variance, 0.0)
        top = self.groups.sum(weight * g * np.where(kept, self.seen.intensity, 0.0))
        below = self.groups.sum(weight * g**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (top / below)[self.groups.of]

    def mean_variance(self, g: F, variance: F, kept: Bools) -> F:
        """Return the variance of each observation's group mean, (n,)."""
        with np.errstate(divide="ignore"):
            return (1 / self.groups.sum(np.where(kept, g**2 / variance, 0.0)))[self.groups.of]


@dataclass(frozen=True)
class _State:
    """What the steps change."""

    values: F
    errors: ErrorModel
    kept: Bools
    g: F
    mean: F
    variance: F


def scale(
    observations: Observations,
    crystals: Sequence[Crystal],
    rotations: Sequence[Rotation] = (),
    *,
    space_group: str = "",
    anomalous: bool = False,
    absorption: int | None = None,
    threshold: float = THRESHOLD,
) -> Scaled:
    """
    Scale observations against their symmetry equivalents.

    Parameters
    ----------
    observations
        Of one or several sweeps, consistently indexed.
    crystals
        One for each sweep by number, or one for all.
    rotations
        Of each sweep by number; without them an image is taken to turn by 0.1 degrees.
    space_group
        Hermann-Mauguin symbol; the first crystal's if empty.
    anomalous
        Keep Friedel pairs apart.
    absorption
        Highest degree of the absorption surfaces; None: as the data allow, 0 for none.
    threshold
        Deviate of an outlier.

    Raises
    ------
    DataError
        There is nothing to scale, or no such space group.
    """
    usable = _usable(observations)
    if not usable.any():
        raise DataError(
            f"none of the {len(observations)} observations can be scaled: all are overloaded, cut "
            "by the detector's edge or without a sigma; look at the integration"
        )
    symbol = space_group or crystals[0].space_group
    symmetry = equivalents(observations.hkl, symbol)
    groups = groups_of(symmetry.groups(anomalous), (2 if anomalous else 1) * len(symmetry.hkl))
    model = scale_model(observations, rotations, absorption=absorption, crystals=crystals)
    rows = design(model, observations, crystals)
    together = groups_of(symmetry.of, len(symmetry.hkl)) if anomalous else None
    problem = _Problem(observations, groups, rows, usable, prior(model), together)
    state = _start(problem, model.values)
    for _ in range(_ROUNDS):
        state = _refit(problem, _judge(problem, state, threshold))
    model = gauge(replace(model, values=state.values), observations, state.kept)
    state = _judge(problem, _at(problem, state, model.values), threshold)
    return Scaled(
        observations=observations,
        scale=state.g,
        intensity=observations.intensity / state.g,
        sigma=np.sqrt(state.variance) / state.g,
        usable=usable,
        kept=state.kept,
        symmetry=symmetry,
        cell=_cell(crystals),
        space_group=symbol,
        anomalous=anomalous,
        model=model,
        errors=state.errors,
        warnings=tuple(_unconnected(observations, groups, state.kept)),
    )


def _usable(seen: Observations) -> Bools:
    known = np.isfinite(seen.intensity) & np.isfinite(seen.sigma) & np.isfinite(seen.d)
    return known & (seen.sigma > 0) & ((seen.flags & int(LEFT_OUT)) == 0)


def _start(problem: _Problem, values: F) -> _State:
    """
    Fit ln I in strong groups, with weights as if 10 % were systematic.

    Strong groups, not strong observations: those would be the ones that are high by chance.
    """
    seen, groups = problem.seen, problem.groups
    ratio = np.where(problem.usable, seen.intensity / seen.sigma, 0.0)
    mean_ratio = groups.sum(ratio) / np.maximum(groups.sum(problem.usable), 1)
    strong = problem.usable & (seen.intensity > 0) & (mean_ratio > _STRONG)[groups.of]
    relative = np.divide(seen.sigma, seen.intensity, out=np.ones(len(seen)), where=strong)
    weights = np.where(strong, 1 / (relative**2 + 0.01), 0.0)
    logarithm = np.log(np.where(strong, seen.intensity, 1.0))
    total = groups.sum(weights)
    mean = np.divide(
        groups.sum(weights * logarithm), total, out=np.zeros(len(total)), where=total > 0
    )
    gradient = weights * (logarithm - mean[groups.of])
    values = values + _solve(problem, weights, gradient, values)
    errors = ErrorModel(b=0.05)
    g = problem.rows.inverse_scale(values)
    variance = errors.variance(seen, np.maximum(np.nan_to_num(seen.intensity), 0))
    variance = np.where(problem.usable, variance, 1.0)
    mean = problem.mean(g, variance, problem.usable)
    return _at(problem, _State(values, errors, problem.usable, g, mean, variance), values)


def _at(problem: _Problem, state: _State, values: F) -> _State:
    """Work out scales and means at other parameters; the variances follow the means."""
    seen, g = problem.seen, problem.rows.inverse_scale(values)
    mean, variance = problem.mean(g, state.variance, state.kept), state.variance
    for _ in range(2):
        expected = np.nan_to_num(g * mean)
        variance = state.errors.variance(seen, expected)
        variance = np.where(problem.usable, variance, 1.0)
        mean = problem.mean(g, variance, state.kept)
    return replace(state, values=values, g=g, mean=mean, variance=variance)


def _judge(problem: _Problem, state: _State, threshold: float) -> _State:
    """Look for outliers and fit the error model to the rest."""
    seen, groups = problem.seen, problem.groups
    kept = keep(
        groups,
        seen.intensity,
        state.g,
        state.variance,
        problem.usable,
        threshold,
        problem.together,
    )
    slopes = counting_slopes(groups, seen, state.g * state.mean, kept)
    start = replace(state.errors, slopes=slopes)
    errors = fit_error_model(groups, seen, state.g, state.mean, kept, start)
    return _at(problem, replace(state, errors=errors, kept=kept), state.values)


def _refit(problem: _Problem, state: _State) -> _State:
    """
    Take Gauss-Newton steps.

    The square of a mean is larger than that of the true intensity by the mean's variance. This is
    taken off: steps in weak data would be far too short.
    """
    fitted = state.kept & _sample(problem, state)
    for _ in range(_STEPS):
        noise = problem.mean_variance(state.g, state.variance, state.kept)
        told = fitted & (state.mean > _TOLD * np.sqrt(noise))
        expected = np.where(told, state.g * state.mean, 0.0)
        left = np.where(told, problem.seen.intensity - expected, 0.0)
        deviate = np.abs(left) / np.sqrt(state.variance)
        weights = np.minimum(1, _HUBER / np.maximum(deviate, 1e-9)) / state.variance
        square = np.where(told, expected**2 - state.g**2 * noise, 0.0)
        step = _solve(problem, weights * square, weights * expected * left, state.values)
        longest = float(np.abs(np.log(problem.rows.inverse_scale(step)[fitted])).max())
        state = _at(problem, state, state.values + step * min(1, _LONGEST / max(longest, 1e-9)))
        if longest < _CONVERGED:
            break
    return state


def _sample(problem: _Problem, state: _State) -> Bools:
    """Choose whole groups at random where there are more observations than scales need."""
    wanted = max(_FEWEST, _PER_PARAMETER * len(state.values))
    share = min(1.0, wanted / max(int(state.kept.sum()), 1))
    chosen = np.random.default_rng(0).random(len(problem.groups)) < share
    return chosen[problem.groups.of]


def _solve(problem: _Problem, weights: F, gradient: F, values: F) -> F:
    matrix, right = normal_equations(
        problem.groups, problem.rows.columns, problem.rows.values, weights, gradient, len(values)
    )
    import scipy.linalg  # pyright: ignore[reportMissingTypeStubs]

    algebra: Any = scipy.linalg
    found: F = algebra.solve(matrix + problem.prior, right - problem.prior @ values, assume_a="pos")
    return found


def _cell(crystals: Sequence[Crystal]) -> Cell:
    a, b, c, alpha, beta, gamma = np.mean([each.cell for each in crystals], axis=0).tolist()
    return a, b, c, alpha, beta, gamma


def _unconnected(seen: Observations, groups: Groups, kept: Bools) -> list[str]:
    """Warn of sweeps whose scale relative to the others nothing tells."""
    found: list[str] = []
    numbers: list[int] = np.unique(seen.sweep).tolist()
    for number in numbers if len(numbers) > 1 else []:
        own: Bools = kept & (seen.sweep == number)
        rest: Bools = kept & ~own
        both = (groups.sum(own) > 0) & (groups.sum(rest) > 0)
        if both.sum() < _FEW_SHARED:
            found.append(
                f"sweep {number + 1} shares {int(both.sum())} unique reflections with the others: "
                "its scale relative to them is a guess"
            )
    return found
