"""A block of sweeps from the disk onto the common grid, on a worker."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.algorithm import Engine, Record
from tasks.io.spectra import F
from tasks.resources import Resources
from tasks.xas.absorption import Absorption
from tasks.xas.blocks import Block, read_absorption
from tasks.xas.deglitch import deglitch
from tasks.xas.noise import point_noise
from tasks.xas.rebin import rebin

_FEWEST = 12  # points of a sweep for glitches and noise to be looked for


@dataclass(frozen=True)
class SweepOrder:
    """
    What a worker needs to bring sweeps onto the grid: references and numbers, never arrays.

    Attributes
    ----------
    block
        Which sweeps.
    e0
        Nominal edge energy, eV.
    deglitch
        Whether single bad points are taken out.
    shift, grid
        Files (.npy) of what is to be added to each sweep's energies, eV, (all sweeps,), and of the
        grid, (points,).
    absorption, intensity
        Files (.npy) to fill: absorption and incident intensity, (all sweeps, points).
    """

    block: Block
    e0: float
    deglitch: bool
    shift: str
    grid: str
    absorption: str
    intensity: str


@dataclass(frozen=True)
class SweepResult:
    """
    What a worker brings back.

    Attributes
    ----------
    first
        Number of the first of the sweeps.
    noise
        Of a point about and after the edge, as measured, (sweeps,).
    missing
        Points without a value, (sweeps,).
    glitches
        Points that were taken out, (sweeps,).
    density
        Points measured for each of the grid, (grid points,).
    records
        The algorithms that ran.
    """

    first: int
    noise: F
    missing: F
    glitches: F
    density: F
    records: list[Record]


def reduce_sweeps(order: SweepOrder, cores: int) -> SweepResult:
    """
    Carry out an order; done twice it does no harm.

    Parameters
    ----------
    order
        Which sweeps, and how.
    cores
        How many threads the algorithms may use.
    """
    engine = Engine(replace(Resources.detect(), cores=cores))
    with engine.active():
        seen = in_order(read_absorption(order.block))
        rows = slice(order.block.first, order.block.last)
        shift = np.load(order.shift, mmap_mode="r")[rows]
        mu, glitches, noise = _clean(seen, order)
        grid = np.load(order.grid)
        energy = seen.energy + shift[:, None]
        _fill(order.absorption, rows, rebin(energy, mu, grid).mu)
        if seen.i0 is not None:
            _fill(order.intensity, rows, rebin(energy, seen.i0, grid).mu)
    missing = np.asarray(seen.missing, np.float64)
    density = _density(energy, grid)
    return SweepResult(order.block.first, noise, missing, glitches, density, engine.records)


def in_order(seen: Absorption) -> Absorption:
    """Put the points of each sweep in rising order of energy, those without energy last."""
    order = np.argsort(seen.energy, axis=1, kind="stable")

    def sort(values: F) -> F:
        return np.take_along_axis(values, order, axis=1)

    return replace(
        seen,
        energy=sort(seen.energy),
        mu=sort(seen.mu),
        reference=None if seen.reference is None else sort(seen.reference),
        i0=None if seen.i0 is None else sort(seen.i0),
    )


def _clean(seen: Absorption, order: SweepOrder) -> tuple[F, F, F]:
    """Take out glitches and measure the noise, point by point as they were measured."""
    used = _used(seen.energy)
    if used.sum() < _FEWEST:
        nothing = np.zeros(len(seen.mu))
        return seen.mu, nothing, nothing + np.nan
    energy = np.nanmedian(seen.energy[:, used], axis=0)
    mu, glitches = seen.mu, np.zeros(len(seen.mu))
    if order.deglitch:
        i0 = None if seen.i0 is None else seen.i0[:, used]
        found = deglitch(energy, mu[:, used], order.e0, i0)
        mu = mu.copy()
        mu[:, used] = np.where(found.glitches, np.nan, mu[:, used])
        glitches = found.glitches.sum(axis=1).astype(np.float64)
    noise = point_noise(energy, mu[:, used], order.e0)
    return mu, glitches, np.fmax(noise.xanes, noise.exafs)


def _density(energy: F, grid: F) -> F:
    """Count the points of a usual sweep for each of the grid."""
    used = _used(energy)
    if used.sum() < _FEWEST:
        return np.ones(len(grid))
    middle = np.nanmedian(energy[:, used], axis=0)
    return np.gradient(grid) / np.interp(grid, middle, np.gradient(middle))


def _used(energy: F) -> NDArray[np.bool_]:
    """Points that most sweeps have, and whose energies rise from one to the next."""
    there = np.isfinite(energy).mean(axis=0) > 0.5
    used = np.zeros(energy.shape[1], np.bool_)
    middle = np.nanmedian(energy[:, there], axis=0)
    used[np.flatnonzero(there)] = np.diff(middle, prepend=-np.inf) > 1e-6
    return used


def _fill(file: str, rows: slice, values: NDArray[Any]) -> None:
    place: Any = np.load(file, mmap_mode="r+")
    place[rows] = values
    place.flush()
