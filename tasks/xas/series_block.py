"""Results of a series, some at a time: what they say, and their absorption onto one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.algorithm import Engine, Record
from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.io.xas.reduced import ReducedFacts, read_absorption, read_facts, read_foil
from tasks.resources import Resources
from tasks.xas.rebin import rebin
from tasks.xas.survey import foil_grid


@dataclass(frozen=True)
class LookOrder:
    """Files of results to look at, and the number of the first in the series."""

    first: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """What files say, each its facts or why it cannot be read; and the number of the first."""

    first: int
    facts: Sequence[ReducedFacts | str]


@dataclass(frozen=True)
class RowsOrder:
    """
    Files of results to be brought onto one grid.

    Attributes
    ----------
    first
        Row of the first of them.
    paths
        Where they stand.
    edge_steps
        Their absorption is divided by these, so that scans of any thickness and detector compare.
    shifts
        eV added to their energies.
    grid
        File of the grid in eV, (points,).
    mu, sigma
        Files of (series, points), of which the rows are filled in.
    """

    first: int
    paths: tuple[str, ...]
    edge_steps: tuple[float, ...]
    shifts: tuple[float, ...]
    grid: str
    mu: str
    sigma: str


@dataclass(frozen=True)
class FoilOrder:
    """
    Files of results whose reference foils are wanted.

    Attributes
    ----------
    first
        Number of the first of them.
    paths
        Where they stand.
    offsets
        What was added to their energies when they were reduced, eV.
    foil_energy
        Edge energy of the foil, eV.
    """

    first: int
    paths: tuple[str, ...]
    offsets: tuple[float, ...]
    foil_energy: float


@dataclass(frozen=True)
class Foils:
    """Foils as recorded on `foil_grid`, (results, points), and the algorithms that ran."""

    first: int
    foil: F
    records: list[Record]


def look(order: LookOrder, cores: int) -> Look:
    """Read what files say; one that cannot be read is told, and stops no other."""
    del cores  # one file after the other: the disk is what is waited for
    return Look(order.first, [_facts(path) for path in order.paths])


def read_foils(order: FoilOrder, cores: int) -> Foils:
    """Read the foils of results, with the energies as they were recorded."""
    grid = foil_grid(order.foil_energy)
    engine = Engine(replace(Resources.detect(), cores=cores))
    with engine.active():
        rows: list[F] = []
        for path, offset in zip(order.paths, order.offsets, strict=True):
            energy, mu = read_foil(Path(path))
            rows.append(rebin(energy - offset, mu[None], grid).mu[0])
    return Foils(order.first, np.stack(rows), engine.records)


def fill_rows(order: RowsOrder, cores: int) -> list[Record]:
    """Bring absorption and its uncertainty onto the grid; done twice it does no harm.

    Returns
    -------
    list of Record
        The algorithms that ran.
    """
    engine = Engine(replace(Resources.detect(), cores=cores))
    grid = np.load(order.grid)
    with engine.active():
        rows = [
            _row(path, step, shift, grid)
            for path, step, shift in zip(order.paths, order.edge_steps, order.shifts, strict=True)
        ]
    for file, values in zip((order.mu, order.sigma), np.stack(rows, axis=1), strict=True):
        place: Any = np.load(file, mmap_mode="r+")
        place[order.first : order.first + len(values)] = values
        place.flush()
    return engine.records


def _facts(path: str) -> ReducedFacts | str:
    try:
        return read_facts(Path(path))
    except DataError as error:
        return str(error)


def _row(path: str, step: float, shift: float, grid: F) -> F:
    """Absorption and its uncertainty over the edge step, (2, points)."""
    energy, mu, sigma = read_absorption(Path(path))
    return rebin(energy + shift, np.stack([mu, sigma]) / step, grid).mu
