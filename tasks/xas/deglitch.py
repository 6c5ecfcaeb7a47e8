"""
Glitches: one to three points that do not belong to the spectrum.

The monochromator's crystal and single wrong readings make them. As in S. M. Wallace, M. A. Alsina,
J.-F. Gaillard, J. Synchrotron Rad. 28 (2021), doi:10.1107/S1600577521003611, a point is judged by
its distance from what its neighbours predict, in units of the noise about it. Here the prediction
is the cubic through two points on either side of the gap that the suspects leave, and the distance
has to exceed the steps between the neighbours too: on an edge or a white line those are large, so
that nothing which the neighbours take part in can be a glitch. About the edge the demand is three
times as high, and only single points are looked at. Where the incident intensity has a glitch at
the same energy, half of the noise threshold is enough.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.io.spectra import F
from tasks.xas.noise import high_differences

_WIDEST = 3  # points
_XANES = (-30.0, 60.0)  # eV from the edge
_GUARD, _GUARD_XANES = 1.0, 3.0  # steps between neighbours that a glitch must exceed
_RUN = 32  # points over which the noise is taken
_MEDIAN = 0.6744897501960817  # median of |x| for white noise of 1
_FINEST = 1e-6  # of the range of a spectrum: noise is never taken to be less
_NOTHING = 1e-300  # instead of 0, which has no product with infinity
_BLOCK = 128  # spectra at a time, so that temporary arrays stay in the cache


@dataclass(frozen=True)
class Deglitched:
    """
    Spectra without their glitches.

    Attributes
    ----------
    mu
        (spectra, points); straight lines in place of glitches.
    glitches
        Which points those are, (spectra, points).
    """

    mu: F
    glitches: np.ndarray[Any, np.dtype[np.bool_]]


def deglitch(
    energy: F, mu: F, e0: float, i0: F | None = None, threshold: float = 6.0
) -> Deglitched:
    """
    Find glitches and draw straight lines over them.

    Parameters
    ----------
    energy
        eV, (points,), increasing; the points as they were measured.
    mu
        (spectra, points).
    e0
        Edge energy, eV.
    i0
        Incident intensity, (spectra, points), if known.
    threshold
        In units of the noise; 0 changes nothing.
    """
    if not threshold:
        return Deglitched(mu, np.zeros(mu.shape, np.bool_))
    hint = np.zeros(mu.shape, np.int8)
    if i0 is not None:
        positive = np.where(i0 > 0, i0, np.nan)
        hint = find_glitches(energy, np.log(positive), hint, float("inf"), threshold)
    found = find_glitches(energy, mu, hint, e0, threshold).astype(bool)
    cleaned = mu.copy()
    for row in np.flatnonzero(found.any(axis=1)):
        bad = found[row]
        cleaned[row, bad] = np.interp(energy[bad], energy[~bad], mu[row, ~bad])
    return Deglitched(cleaned, found)


@algorithm("xas.find_glitches", version="1", rtol=0.0)
def find_glitches(energy: Array, mu: Array, hint: Array, e0: float, threshold: float) -> Array:
    """
    Mark glitches of up to three points.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        (spectra, points); NaN is no glitch.
    hint
        1 where something else says there may be a glitch, (spectra, points), int8.
    e0
        Edge energy, eV.
    threshold
        In units of the noise.

    Returns
    -------
    Array
        (spectra, points), int8: 1 for a glitch.
    """
    xp = namespace(mu)
    grid = to_host(energy)
    if len(grid) < 2 * _RUN:
        return xp.zeros(mu.shape, dtype=xp.int8)
    eased = 1 - 0.5 * xp.astype(_widen(xp, hint), mu.dtype)
    least = threshold * _local_noise(xp, energy, mu) * eased
    near_edge = (grid > e0 + _XANES[0]) & (grid < e0 + _XANES[1])
    found = xp.zeros(mu.shape, dtype=xp.bool)
    for width in range(1, _WIDEST + 1):
        guard = np.where(near_edge, _GUARD_XANES if width == 1 else np.inf, _GUARD)
        found = found | _runs(xp, grid, mu, least, xp.asarray(guard), width)
    return xp.astype(found, xp.int8)


@find_glitches.implementation("numpy", priority=20)
def _(energy: Host, mu: Host, hint: Host, e0: float, threshold: float) -> Host:
    """Few spectra at a time."""
    reference = find_glitches.implementations["reference"].function
    blocks = [slice(first, first + _BLOCK) for first in range(0, len(mu), _BLOCK)]
    return np.concatenate([reference(energy, mu[b], hint[b], e0, threshold) for b in blocks])


@find_glitches.case
def single_and_double_glitches() -> Inputs:
    """Make noise on an edge with glitches of one and two points."""
    rng = np.random.default_rng(8)
    energy = np.arange(7000.0, 7300, 1)
    mu = np.arctan((energy - 7112) / 2) + 0.001 * rng.normal(size=(3, 300))
    mu[0, 200] += 0.1
    mu[1, 220:222] -= 0.05
    hint = np.zeros(mu.shape, np.int8)
    return (energy, mu, hint, 7112.0, 8.0), {}


def _local_noise(xp: Any, energy: Array, mu: Array) -> Array:
    """Noise of a point about each point, from the run that it is in and those beside."""
    points: int = mu.shape[1]
    sizes = xp.abs(high_differences(energy, mu, 4))
    sizes = xp.where(xp.isfinite(sizes), sizes, xp.inf)
    runs = (points - 4) // _RUN
    ordered = xp.sort(xp.reshape(sizes[:, : runs * _RUN], (-1, runs, _RUN)), axis=2)
    medians = ordered[:, :, _RUN // 2] / _MEDIAN
    padded = xp.concat([medians[:, :1], medians, medians[:, -1:]], axis=1)
    level = (padded[:, :-2] + medians + padded[:, 2:]) / 3
    place = xp.asarray(np.minimum(np.arange(points) // _RUN, runs - 1))
    known = xp.where(xp.isfinite(mu), mu, 0.0)
    span = xp.max(known, axis=1, keepdims=True) - xp.min(known, axis=1, keepdims=True)
    return xp.maximum(xp.take(level, place, axis=1), _FINEST * span)


def _runs(xp: Any, grid: Host, mu: Array, least: Array, guard: Array, width: int) -> Array:
    """Mark runs of `width` points that all lie to one side of what four neighbours predict."""
    points, around = mu.shape[1], 3
    inner = points - 2 * around - width + 1  # places for the first point of a run
    at = [mu[:, shift : shift + inner] for shift in range(2 * around + width)]
    steps = [xp.abs(at[n + 1] - at[n]) for n in (0, 1, around + width, around + width + 1)]
    steps.append(xp.abs(at[around + width] - at[around - 1]))
    largest = xp.maximum(steps[0], xp.full_like(steps[0], _NOTHING))
    for step in steps[1:]:
        largest = xp.maximum(largest, step)
    sides = (around - 2, around - 1, around + width, around + width + 1)
    above = below = xp.ones(at[0].shape, dtype=xp.bool)
    for n in range(width):
        weights = _lagrange(grid, inner, sides, around + n)
        gain = xp.asarray(np.sqrt(1 + np.sum(weights**2, axis=0)))
        here = slice(around + n, around + n + inner)
        limit = xp.maximum(least[:, here] * gain, guard[here] * largest)
        off: Any = at[around + n]
        for side, weight in zip(sides, weights, strict=True):
            off = off - at[side] * xp.asarray(weight)
        above, below = above & (off > limit), below & (off < -limit)
    hit = above | below
    marks = blank = xp.zeros((mu.shape[0], points), dtype=xp.bool)
    for n in range(width):
        before, after = around + n, points - inner - around - n
        marks = marks | xp.concat([blank[:, :before], hit, blank[:, :after]], axis=1)
    return marks


def _lagrange(grid: Host, inner: int, sides: tuple[int, ...], target: int) -> Host:
    """Weights (sides, inner) of points that predict another one, by the polynomial through them."""
    x = np.stack([grid[side : side + inner] for side in sides])
    wanted = grid[target : target + inner]
    weights = np.ones_like(x)
    for n in range(len(sides)):
        for m in range(len(sides)):
            if m != n:
                weights[n] *= (wanted - x[m]) / (x[n] - x[m])
    return weights


def _widen(xp: Any, hint: Array) -> Array:
    """Let a hint count for the neighbours too."""
    none = xp.zeros_like(hint[:, :1])
    left, right = xp.concat([hint[:, 1:], none], axis=1), xp.concat([none, hint[:, :-1]], axis=1)
    return xp.maximum(hint, xp.maximum(left, right))
