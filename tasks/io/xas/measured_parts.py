"""
Which datasets of a group ``measurement`` are what: by name, by shape, and whether they live.

Beside tables of (sweeps, points) a line is shared by all sweeps if it has a value for each point;
one that has a value for each sweep is no channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from tasks.io.hdf5 import Tree
from tasks.io.spectra import F
from tasks.io.values import plain
from tasks.io.xas.channels import TOLERATED, Read
from tasks.io.xas.labelled import is_live
from tasks.io.xas.labels import Assigned, assign
from tasks.io.xas.stored import common_shape, stored

MEASUREMENT = "measurement"
TIMES = "times"
"""When each sweep began."""
SHORTEST = 0.5
"""A channel of one sweep that has fewer of the energy's points is another kind of counter."""
SAMPLED = 20_000


@dataclass(frozen=True)
class Parts:
    """The datasets of one entry that are needed, by what they are."""

    tree: Tree
    entry: h5py.Group
    group: h5py.Group
    names: tuple[str, ...]
    found: Assigned
    datasets: dict[int, h5py.Dataset]
    shape: tuple[int, int]

    @property
    def where(self) -> str:
        """The file and the entry, for what is told about it."""
        return f"{self.tree.path} (entry '{str(self.entry.name).strip('/')}')"

    @property
    def axis(self) -> h5py.Dataset:
        """The energy, or the angle that it is made of."""
        energy, angle = self.found.energy, self.found.angle
        return self.datasets[energy if energy is not None else angle or 0]

    def attribute(self, name: str) -> Any:
        """Return an attribute of the measurement group or the entry as plain Python."""
        return plain(self.group.attrs.get(name, self.entry.attrs.get(name)))


def parts_of(tree: Tree, inner: str) -> Parts | None:
    """Find the energy and the detectors of an entry; None if it has none."""
    entry = tree.find(inner)
    group = tree.find(f"{inner}/{MEASUREMENT}")
    if not isinstance(entry, h5py.Group) or not isinstance(group, h5py.Group):
        return None
    return _assigned(tree, entry, group, [name for name in group if name != TIMES])


def _assigned(
    tree: Tree, entry: h5py.Group, group: h5py.Group, names: Sequence[str]
) -> Parts | None:
    """Tell datasets by their names, without those that are no channels beside the energy."""
    while True:
        found = assign(names)
        if not found.is_enough:
            return None
        used = _used(found)
        datasets = {column: tree.dataset(names[column], group) for column in used}
        unfit = {names[column] for column in _unfit(datasets, used[0])}
        if not unfit:
            there = {column: each for column, each in datasets.items() if each is not None}
            axis, *others = (there[column] for column in used)
            shape = common_shape(axis, others)
            return Parts(tree, entry, group, tuple(names), found, there, shape)
        names = [name for name in names if name not in unfit]


def without_dead(parts: Parts) -> Parts:
    """
    Take other detectors for those that were not connected, if there are any.

    A reference with gaps goes as well: counts tell the same, and gaps in them harm nothing else.
    """
    while dead := {parts.names[column] for column in _dead(parts)}:
        names = [name for name in parts.names if name not in dead]
        alive = _assigned(parts.tree, parts.entry, parts.group, names)
        if alive is None:
            break
        parts = alive
    return parts


def _dead(parts: Parts) -> Iterator[int]:
    for each in parts.found.fluorescence:
        if not lives(parts, each.column):
            yield each.column
    for name, column in parts.found.mu.items():
        seen = _seen(parts, column)
        gaps = 1 - np.isfinite(seen).mean()
        if not is_live(seen) or (name == "reference" and gaps > TOLERATED):
            yield column


def _used(found: Assigned) -> list[int]:
    """Return the columns that are needed, the energy first."""
    axis = found.energy if found.energy is not None else found.angle
    rates = ((each.column, each.input_rate, each.output_rate) for each in found.fluorescence)
    columns = (
        axis,
        *found.single.values(),
        *found.mu.values(),
        *(at for each in rates for at in each),
    )
    return list(dict.fromkeys(column for column in columns if column is not None))


def _unfit(datasets: Mapping[int, h5py.Dataset | None], axis: int) -> set[int]:
    """Return the datasets that are no channels beside an energy axis; the axis if nothing fits."""
    energy = datasets[axis]
    if energy is None or not _is_table(energy):
        return {axis}
    points = energy.shape[-1]
    tables = [each for each in datasets.values() if each is not None and each.ndim == 2]
    sweeps = {each.shape[0] for each in tables if each.shape[1] == points}

    def fits(dataset: h5py.Dataset | None) -> bool:
        if dataset is None or not _is_table(dataset):
            return False
        if dataset.ndim == 2:
            return dataset.shape[1] == points
        if sweeps:  # then a line of as many values as there are sweeps is one value for each
            return len(dataset) == points and points not in sweeps
        return len(dataset) >= SHORTEST * points

    others = {column for column in datasets if column != axis}
    unfit = {column for column in others if not fits(datasets[column])}
    return {axis} if others and unfit == others else unfit


def _is_table(dataset: h5py.Dataset) -> bool:
    return dataset.dtype.kind in "iuf" and dataset.ndim in (1, 2)


def read(parts: Parts, column: int) -> Read:
    """Make a channel of a column."""
    return stored(parts.tree, parts.datasets[column], parts.shape)


def lives(parts: Parts, column: int) -> bool:
    """Whether a channel was connected, by its beginning."""
    return is_live(_seen(parts, column))


def _seen(parts: Parts, column: int) -> F:
    """Return the beginning of a channel, (points,), from which is told what the rest is like."""
    return read(parts, column)(slice(0, 1), slice(0, SAMPLED))[0]
