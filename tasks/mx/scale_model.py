"""
How much stronger or weaker each reflection was recorded than it would have been elsewhere.

The inverse scale ``g`` of an observation is ``exp(a p)``: a row ``a`` for the observation, and
parameters ``p`` that are

- ln k along the rotation, a cubic B-spline: beam, illuminated volume;
- B along the rotation, a cubic B-spline, as ``exp(B / 2 d²)``: radiation damage; it falls;
- absorption, if there are data for it: real spherical harmonics of the directions of the incident
  and the diffracted beam in the crystal's frame, their mean.

Physical parametrisation: Evans, Acta Cryst. D62, 72 (2006); Beilsten-Edmands et al., Acta Cryst.
D76, 385 (2020); there the absorption surface multiplies, here its logarithm is expanded, so that no
scale can be negative. Neighbouring spline coefficients are held to a straight line by priors
(P-splines, Eilers & Marx, Statist. Sci. 11, 89 (1996)), so that stretches without data, such as a
closed shutter, are bridged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Rotation
from tasks.mx.absorption import harmonics, terms
from tasks.mx.crystal import Crystal
from tasks.mx.equivalents import Bools
from tasks.mx.reflections import Ints, Observations

SCALE_SPACING, DECAY_SPACING = 10.0, 20.0
"""Degrees between spline nodes where there are enough data."""
PER_PARAMETER = 40
"""Observations that a spline coefficient needs."""
ABSORPTION_TURNS, ABSORPTION_PER_TERM = {2: 15.0, 4: 120.0}, 100
"""Degrees that a sweep must cover for a surface of a degree, and observations per harmonic."""
_SCALE_BEND, _DECAY_BEND = 0.05, 0.25
"""Prior: 1 sigma of the second difference of coefficients, of ln k and of B in Å²."""
_ABSORPTION_SIZE = 0.05
"""Prior: 1 sigma of a harmonic's coefficient, about 5 % of transmission."""
_LOOSE_SCALE, _LOOSE_DECAY = 10.0, 100.0
"""Prior: 1 sigma of a coefficient itself, so that what the data cannot tell has a value."""


@dataclass(frozen=True)
class SweepModel:
    """
    Where one sweep's parameters are.

    Attributes
    ----------
    begin, end
        Image coordinates that the splines span.
    scale_intervals, decay_intervals
        Of the splines; they have 3 coefficients more. 0 for no decay.
    absorption
        Highest degree of its harmonics; 0 for none.
    first
        Number of the first of its parameters.
    """

    begin: float
    end: float
    scale_intervals: int
    decay_intervals: int
    absorption: int
    first: int

    @property
    def scales(self) -> int:
        """How many coefficients the scale has."""
        return self.scale_intervals + 3

    @property
    def decays(self) -> int:
        """How many coefficients the decay has."""
        return self.decay_intervals + 3 if self.decay_intervals else 0

    @property
    def parameters(self) -> int:
        """How many parameters the sweep has."""
        return self.scales + self.decays + terms(self.absorption)


@dataclass(frozen=True)
class ScaleModel:
    """
    The parameters of all sweeps.

    Attributes
    ----------
    sweeps
        One for each sweep, by its number.
    values
        (parameters,).
    """

    sweeps: dict[int, SweepModel]
    values: F

    def scale(self, sweep: int, z: F) -> F:
        """Return k at image coordinates, (n,)."""
        part = self.sweeps[sweep]
        where, weights = _spline(z, part.begin, part.end, part.scale_intervals)
        found: F = np.exp((self.values[part.first + where] * weights).sum(axis=1))
        return found

    def decay(self, sweep: int, z: F) -> F:
        """Return B at image coordinates, (n,), in Å²; it falls where the crystal decays."""
        part = self.sweeps[sweep]
        if not part.decay_intervals:
            return np.zeros(len(z))
        where, weights = _spline(z, part.begin, part.end, part.decay_intervals)
        found: F = (self.values[part.first + part.scales + where] * weights).sum(axis=1)
        return found

    def absorption(self, sweep: int) -> F:
        """Return the coefficients of a sweep's absorption surface, degree 1 first."""
        part = self.sweeps[sweep]
        first = part.first + part.scales + part.decays
        return self.values[first : part.first + part.parameters].copy()


@dataclass(frozen=True)
class Design:
    """
    The rows ``a``, each with its few columns that are not zero.

    Attributes
    ----------
    columns, values
        (n, width); columns that are not used have the value 0.
    """

    columns: Ints
    values: NDArray[np.float32]

    def inverse_scale(self, parameters: F) -> F:
        """Return g, (n,)."""
        from tasks.mx.scale_kernels import row_products

        found = np.empty(len(self.columns))
        row_products(self.columns, self.values, parameters, found)
        return np.exp(found)


def scale_model(
    observations: Observations,
    rotations: Sequence[Rotation] = (),
    *,
    absorption: int | None = None,
    crystals: Sequence[Crystal] = (),
) -> ScaleModel:
    """
    Choose the parameters by the amount of data; all scales are 1.

    Parameters
    ----------
    observations
        What is to be scaled.
    rotations
        Of each sweep, by number; without them an image is taken to turn by 0.1 degrees.
    absorption
        Highest degree of the absorption surfaces; None: as the data allow, 0 for none.
    crystals
        One for each sweep or one for all; without them there is no absorption.
    """
    sweeps: dict[int, SweepModel] = {}
    first = 0
    numbers: list[int] = np.unique(observations.sweep).tolist()
    for number in numbers:
        z = observations.xyz[observations.sweep == number, 2]
        step = abs(float(rotations[number].width_deg)) if number < len(rotations) else 0.1
        begin, end = float(np.floor(z.min())), float(max(np.ceil(z.max()), z.min() + 1))
        turn, affordable = (end - begin) * step, len(z) // PER_PARAMETER
        degree = _degree(len(z), turn) if absorption is None else absorption
        sweeps[number] = SweepModel(
            begin,
            end,
            scale_intervals=_intervals(turn, SCALE_SPACING, affordable),
            decay_intervals=_intervals(turn, DECAY_SPACING, affordable) if affordable > 4 else 0,
            absorption=degree if crystals else 0,
            first=first,
        )
        first += sweeps[number].parameters
    return ScaleModel(sweeps, np.zeros(first))


def design(
    model: ScaleModel, observations: Observations, crystals: Sequence[Crystal] = ()
) -> Design:
    """Work out the rows of all observations; the crystals as in `scale_model`."""
    width = 4 + max(
        (4 if each.decay_intervals else 0) + terms(each.absorption)
        for each in model.sweeps.values()
    )
    columns = np.zeros((len(observations), width), dtype=np.int32)
    values = np.zeros((len(observations), width), dtype=np.float32)
    for number, part in model.sweeps.items():
        rows = np.flatnonzero(observations.sweep == number)
        crystal = crystals[min(number, len(crystals) - 1)] if crystals else None
        found = _rows(part, observations.take(rows), crystal)
        columns[rows[:, None], np.arange(found[0].shape[1])] = found[0]
        values[rows[:, None], np.arange(found[1].shape[1])] = found[1]
    return Design(columns, values)


def gauge(model: ScaleModel, observations: Observations, kept: Bools) -> ScaleModel:
    """Fix what equivalents cannot tell: over what is kept, the means of ln k and of B are 0."""
    values = model.values.copy()
    used = {number: observations.sweep[kept] == number for number in model.sweeps}
    z = observations.xyz[kept, 2]
    total = max(int(kept.sum()), 1)
    scale = sum(float(np.log(model.scale(each, z[used[each]])).sum()) for each in used) / total
    decay = sum(float(model.decay(each, z[used[each]]).sum()) for each in used) / total
    decays = all(each.decay_intervals for each in model.sweeps.values())
    for part in model.sweeps.values():
        values[part.first : part.first + part.scales] -= scale
        if decays:
            first = part.first + part.scales
            values[first : first + part.decays] -= decay
    return replace(model, values=values)


def prior(model: ScaleModel) -> F:
    """Return the priors' contribution to the normal matrix, (parameters, parameters)."""
    matrix = np.zeros((len(model.values), len(model.values)))
    for part in model.sweeps.values():
        _hold(matrix, part.first, part.scales, _SCALE_BEND, _LOOSE_SCALE)
        _hold(matrix, part.first + part.scales, part.decays, _DECAY_BEND, _LOOSE_DECAY)
        rest = np.arange(part.first + part.scales + part.decays, part.first + part.parameters)
        matrix[rest, rest] = _ABSORPTION_SIZE**-2
    return matrix


def _hold(matrix: F, first: int, count: int, bend: float, size: float) -> None:
    own = np.arange(first, first + count)
    matrix[own, own] += size**-2
    bends = np.diff(np.eye(count), n=2, axis=0) / bend
    matrix[np.ix_(own, own)] += bends.T @ bends


def _rows(part: SweepModel, seen: Observations, crystal: Crystal | None) -> tuple[Ints, F]:
    z = seen.xyz[:, 2]
    where, weights = _spline(z, part.begin, part.end, part.scale_intervals)
    columns, values = [part.first + where], [weights]
    if part.decay_intervals:
        where, weights = _spline(z, part.begin, part.end, part.decay_intervals)
        columns.append(part.first + part.scales + where)
        values.append(weights / (2 * seen.d[:, None] ** 2))
    if part.absorption and crystal is not None:
        incident = seen.s1 - crystal.points(seen.hkl, z)
        both: F = harmonics(seen.s1, part.absorption) + harmonics(incident, part.absorption)
        first = part.first + part.scales + part.decays
        columns.append(first + np.tile(np.arange(terms(part.absorption)), (len(z), 1)))
        values.append(both / 2)
    return np.concatenate(columns, axis=1).astype(np.int32), np.concatenate(values, axis=1)


def _spline(z: F, begin: float, end: float, intervals: int) -> tuple[NDArray[Any], F]:
    """Return the four coefficients of a uniform cubic B-spline at z, and their weights, (n, 4)."""
    place = np.clip((z - begin) / (end - begin), 0, 1) * intervals
    low = np.minimum(place.astype(np.int64), intervals - 1)
    t = place - low
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    return low[:, None] + np.arange(4), weights / 6


def _intervals(turn: float, spacing: float, affordable: int) -> int:
    return int(np.clip(round(turn / spacing), 1, max(affordable, 4) - 3))


def _degree(count: int, turn: float) -> int:
    able = [
        degree
        for degree, least in ABSORPTION_TURNS.items()
        if turn >= least and count >= ABSORPTION_PER_TERM * terms(degree)
    ]
    return max(able, default=0)
