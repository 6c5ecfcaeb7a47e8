"""
Results of a series, some at a time: read once, their foils and their absorption onto one grid.

A file is opened once. What is needed later goes to a scratch file for each block of results, which
is read many times faster than the results themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.algorithm import Engine, Record
from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.io.xas.reduced import Reduced, ReducedFacts, read_reduced
from tasks.resources import Resources
from tasks.xas.rebin import rebin
from tasks.xas.survey import foil_grid

_SPECTRUM, _FOIL = ("energy", "mu", "sigma"), ("foil_energy", "foil_mu")
_GRID = ("energy", "density")


@dataclass(frozen=True)
class Place:
    """Where a spectrum was put: a scratch file, and its number in it."""

    block: str
    number: int


@dataclass(frozen=True)
class ReadOrder:
    """Files of results to be read, the number of the first, and the scratch file for them."""

    first: int
    paths: tuple[str, ...]
    block: str


@dataclass(frozen=True)
class Read:
    """What files say, each its facts or why it cannot be read; and the number of the first."""

    first: int
    block: str
    facts: Sequence[ReducedFacts | str]


@dataclass(frozen=True)
class FoilOrder:
    """
    Results whose reference foils are wanted.

    Attributes
    ----------
    first
        Number of the first of them.
    places
        Where their spectra were put.
    offsets
        What was added to their energies when they were reduced, eV.
    foil_energy
        Edge energy of the foil, eV.
    """

    first: int
    places: tuple[Place, ...]
    offsets: tuple[float, ...]
    foil_energy: float


@dataclass(frozen=True)
class Foils:
    """Foils as recorded on `foil_grid`, (results, points), and the algorithms that ran."""

    first: int
    foil: F
    records: list[Record]


@dataclass(frozen=True)
class RowsOrder:
    """
    Results to be brought onto one grid.

    Attributes
    ----------
    first
        Row of the first of them.
    places
        Where their spectra were put.
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
    places: tuple[Place, ...]
    edge_steps: tuple[float, ...]
    shifts: tuple[float, ...]
    grid: str
    mu: str
    sigma: str


def read_block(order: ReadOrder, cores: int) -> Read:
    """Read results into a scratch file; one that cannot be read is told, and stops no other."""
    del cores  # one file after the other: the disk is what is waited for
    found = [_read(path) for path in order.paths]
    _put(order.block, [each if isinstance(each, Reduced) else None for each in found])
    facts = [each.facts if isinstance(each, Reduced) else each for each in found]
    return Read(order.first, order.block, facts)


def foils_of(order: FoilOrder, cores: int) -> Foils:
    """Bring the foils of results onto one grid, with the energies as they were recorded."""
    grid = foil_grid(order.foil_energy)
    engine = Engine(replace(Resources.detect(), cores=cores))
    with engine.active():
        energy, mu = _padded(_taken(order.places, _FOIL))
        foil = rebin(energy - np.array(order.offsets)[:, None], mu, grid).mu
    return Foils(order.first, foil, engine.records)


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
        energy, *spectra = _padded(_taken(order.places, _SPECTRUM))
        energy = energy + np.array(order.shifts)[:, None]
        for file, values in zip((order.mu, order.sigma), spectra, strict=True):
            rows = rebin(energy, values / np.array(order.edge_steps)[:, None], grid).mu
            place: Any = np.load(file, mmap_mode="r+")
            place[order.first : order.first + len(rows)] = rows
            place.flush()
    return engine.records


def grid_at(place: Place) -> tuple[F, F]:
    """Return the energies of a spectrum in eV, and points measured for each, (points,)."""
    energy, density = next(_taken((place,), _GRID))
    return energy, density


def _read(path: str) -> Reduced | str:
    try:
        return read_reduced(Path(path))
    except DataError as error:
        return str(error)


def _put(block: str, spectra: Sequence[Reduced | None]) -> None:
    """Put the arrays of spectra end to end, with where each ends."""
    together: dict[str, F] = {}
    for name in {*_SPECTRUM, *_FOIL, *_GRID}:
        parts = [np.empty(0) if each is None else getattr(each, name) for each in spectra]
        together[name] = np.concatenate(parts)
        together[f"{name}_ends"] = np.cumsum([len(part) for part in parts])
    np.savez(block, **together)  # pyright: ignore[reportArgumentType]


def _taken(places: Sequence[Place], names: Sequence[str]) -> Iterator[tuple[F, ...]]:
    """Take arrays of spectra out of their scratch files again."""
    block, arrays = "", dict[str, Any]()
    for place in places:
        if place.block != block:
            block, arrays = place.block, dict(np.load(place.block))
        yield tuple(_part(arrays, name, place.number) for name in names)


def _padded(spectra: Iterator[tuple[F, ...]]) -> F:
    """Fill arrays of different length up with NaN: (kinds, spectra, most points)."""
    found = list(spectra)
    longest = max(len(each) for arrays in found for each in arrays)
    padded = np.full((len(found[0]), len(found), longest), np.nan)
    for row, arrays in enumerate(found):
        for kind, values in enumerate(arrays):
            padded[kind, row, : len(values)] = values
    return padded


def _part(arrays: Mapping[str, Any], name: str, number: int) -> F:
    ends = arrays[f"{name}_ends"]
    return arrays[name][ends[number - 1] if number else 0 : ends[number]]
