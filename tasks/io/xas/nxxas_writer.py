"""
The one place where NXxas files are written, so that it can follow the definition.

The structure is that of the new definition as pynxxas writes it: ``definition``, ``mode``,
``element``, ``edge``, ``energy``, ``intensity`` and ``intensity_errors`` in the entry, with a
default plot; everything else stands in groups of named arrays beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.io.spectra import Mode

Attributes = Mapping[str, str | int | float]


@dataclass(frozen=True)
class Blocks:
    """An array that is written block after block, along its first axis, as it is made."""

    shape: tuple[int, ...]
    blocks: Iterable[NDArray[Any]]
    dtype: str = "f8"


Values = NDArray[Any] | Blocks | float | int | str


@dataclass(frozen=True)
class Named:
    """Values with their unit and what else is to be said of them."""

    values: Values
    units: str = ""
    attributes: Attributes = field(default_factory=dict[str, str | int | float])


@dataclass(frozen=True)
class Group:
    """
    A group of arrays.

    Attributes
    ----------
    arrays
        By name, such as ``norm``, ``chi`` or ``fractions``.
    signal, axes
        What is plotted against what, if it is an NXdata group; an axis '.' has no array.
    nx_class
        NXdata, NXcollection, NXprocess, NXparameters...
    """

    arrays: Mapping[str, Named]
    signal: str = ""
    axes: Sequence[str] = ()
    nx_class: str = "NXdata"
    title: str = ""


@dataclass(frozen=True)
class NXxasEntry:
    """
    One spectrum, or a series on one energy grid.

    Attributes
    ----------
    energy
        In eV, (points,).
    intensity, intensity_errors
        Absorption and its standard uncertainty (1 sigma), (points,) or (spectra, points).
    intensity_name
        What the intensity is, for people.
    groups
        Further results, by the name of their group.
    """

    element: str
    edge: str
    mode: Mode
    energy: NDArray[np.float64]
    intensity: NDArray[np.float64] | Blocks
    intensity_errors: NDArray[np.float64] | Blocks | None = None
    intensity_name: str = "Normalised absorption"
    title: str = ""
    sample: str = ""
    started_at: datetime | None = None
    groups: Mapping[str, Group] = field(default_factory=dict[str, Group])


def write_nxxas(path: Path, entries: Mapping[str, NXxasEntry]) -> None:
    """
    Write a file of entries; the first is its default.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    entries
        By name.
    """
    with h5py.File(path, "x") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = next(iter(entries))
        for name, entry in entries.items():
            _write_entry(_group(file, name, "NXentry"), entry)


def _group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nx_class
    return group


def _write_entry(group: h5py.Group, entry: NXxasEntry) -> None:
    group["definition"] = "NXxas"
    group["mode"] = entry.mode
    _group(group, "element", "NXelement")["symbol"] = entry.element
    _group(group, "edge", "NXedge")["name"] = entry.edge
    for name, text in (("title", entry.title), ("start_time", _iso(entry.started_at))):
        if text:
            group[name] = text
    if entry.sample:
        _group(group, "sample", "NXsample")["name"] = entry.sample
    _write(group, "energy", Named(entry.energy, "eV", {"long_name": "Energy (eV)"}))
    _write(group, "intensity", Named(entry.intensity, "", {"long_name": entry.intensity_name}))
    if entry.intensity_errors is not None:
        _write(group, "intensity_errors", Named(entry.intensity_errors))
    _write_plot(group, len(entry.intensity.shape))
    for name, extra in entry.groups.items():
        _write_group(_group(group, name, extra.nx_class), extra)


def _iso(time: datetime | None) -> str:
    return time.isoformat() if time else ""


def _write_plot(group: h5py.Group, dimensions: int) -> None:
    """Link the default plot to the arrays of the entry."""
    plot = _group(group, "plot", "NXdata")
    for name in ("energy", "intensity", "intensity_errors"):
        if name in group:
            plot[name] = h5py.SoftLink(f"{group.name}/{name}")
    plot.attrs["signal"] = "intensity"
    plot.attrs["axes"] = ["energy"] if dimensions == 1 else [".", "energy"]
    group.attrs["default"] = "plot"


def _write_group(group: h5py.Group, extra: Group) -> None:
    for name, named in extra.arrays.items():
        _write(group, name, named)
    if extra.signal:
        group.attrs["signal"] = extra.signal
    if extra.axes:
        group.attrs["axes"] = list(extra.axes)
    if extra.title:
        group["title"] = extra.title


def _write(group: h5py.Group, name: str, named: Named) -> None:
    if isinstance(named.values, Blocks):
        dataset = group.create_dataset(name, named.values.shape, named.values.dtype)
        _fill(dataset, named.values)
    else:
        group[name] = named.values
        dataset = group[name]
    if named.units:
        dataset.attrs["units"] = named.units
    dataset.attrs.update(named.attributes)


def _fill(dataset: h5py.Dataset, values: Blocks) -> None:
    row = 0
    for block in values.blocks:
        dataset[row : row + len(block)] = block
        row += len(block)
    if row != values.shape[0]:
        raise ValueError(f"{dataset.name} got {row} rows where {values.shape[0]} were announced")
