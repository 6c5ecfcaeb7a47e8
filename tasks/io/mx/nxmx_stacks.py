"""
Where the images of an NXmx file or a DECTRIS master stand.

They are in one dataset, in a virtual one that maps other files, or in ``data_000001``... behind
external links. A virtual dataset is read from its sources: that tells which of its images are not
there (HDF5 would give zeros), and is quicker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from h5py import h5s
from numpy.typing import NDArray

from tasks.errors import DataError, StillBeingWritten
from tasks.io.hdf5 import Tree, resolve
from tasks.io.values import plain

NUMBERED = re.compile(r"data_\d{6}")
SMALLEST = 8


@dataclass(frozen=True)
class Piece:
    """
    Some images in a row.

    Attributes
    ----------
    first
        Image coordinate of its first image.
    planned
        How many there shall be.
    dataset
        Where they stand, (images, rows, columns); None if its file is not there (yet).
    begin
        Where in it the first image stands.
    """

    first: int
    planned: int
    dataset: h5py.Dataset | None
    begin: int = 0

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """Which of its images are there, (planned,)."""
        there = np.zeros(self.planned, np.bool_)
        if self.dataset is not None:
            written = _written(self.dataset)[self.begin : self.begin + self.planned]
            there[: len(written)] = written
        return there


@dataclass(frozen=True)
class Stacks:
    """The images of an entry, as they are there at a moment."""

    tree: Tree
    pieces: tuple[Piece, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planned images, rows and columns; 0 rows if none of the files is there."""
        planned = max((each.first + each.planned for each in self.pieces), default=0)
        rows, columns = self._any.shape[1:] if self._any is not None else (0, 0)
        return planned, int(rows), int(columns)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored counts."""
        return np.dtype(np.uint32) if self._any is None else self._any.dtype

    @property
    def step(self) -> int:
        """How many images are packed together."""
        chunks = [each.dataset.chunks for each in self.pieces if each.dataset is not None]
        return max((each[0] for each in chunks if each), default=1)

    @property
    def present(self) -> int:
        """How many images are there."""
        return sum(int(each.there.sum()) for each in self.pieces)

    @property
    def _any(self) -> h5py.Dataset | None:
        return next((each.dataset for each in self.pieces if each.dataset is not None), None)

    def are_there(self, images: int) -> NDArray[np.bool_]:
        """Tell which of so many planned images are there, (images,)."""
        there = np.zeros(max(images, self.shape[0]), np.bool_)
        for each in self.pieces:
            there[each.first : each.first + each.planned] |= each.there
        return there[:images]

    def read_into(self, stack: NDArray[Any], first: int) -> None:
        """
        Read images from a coordinate on into a stack; those that are not there are left alone.

        Raises
        ------
        DataError
            The bytes cannot be read or decompressed.
        """
        for each in self.pieces:
            begin = max(first, each.first)
            if each.dataset is None:
                continue
            stored = min(each.planned, each.dataset.shape[0] - each.begin)
            end = min(first + len(stack), each.first + stored)
            if begin >= end:
                continue
            source = slice(each.begin + begin - each.first, each.begin + end - each.first)
            try:
                each.dataset.read_direct(stack, np.s_[source], np.s_[begin - first : end - first])
            except (OSError, RuntimeError, KeyError) as error:
                place = f"{each.dataset.name}, images {begin} to {end - 1}"
                raise self.tree.damaged(place, error) from error


def stacks_of(tree: Tree, entry: h5py.Group) -> Stacks:
    """Find the images of an entry; without any, the result has no pieces."""
    group = tree.find("data", entry)
    if isinstance(group, h5py.Group):
        signal = str(plain(group.attrs.get("signal", "data")))
        for name in dict.fromkeys((signal, "data")):
            if NUMBERED.fullmatch(name):  # some masters call the first file's images the signal
                continue
            whole = tree.dataset(name, group)
            if _is_stack(whole):
                return Stacks(tree, _pieces(tree, whole))
        numbered = _numbered(tree, group)
        if numbered:
            return Stacks(tree, numbered)
    for path in ("instrument/detector/data", "measurement/data"):
        whole = tree.dataset(path, entry)
        if _is_stack(whole):
            return Stacks(tree, _pieces(tree, whole))
    return Stacks(tree, ())


def _written(dataset: h5py.Dataset) -> NDArray[np.bool_]:
    """
    Tell which images of a dataset were written, (images,).

    Writers may make room for all images before they come: what was not packed yet is not there.
    """
    chunks = dataset.chunks
    written = np.ones(dataset.shape[0], np.bool_)
    if not chunks or dataset.is_virtual:
        return written
    all_of_them = [-(-size // chunk) for size, chunk in zip(dataset.shape, chunks, strict=True)]
    if dataset.id.get_num_chunks() >= np.prod(all_of_them):
        return written
    written[:] = False

    def note(chunk: Any) -> None:
        begin = chunk.chunk_offset[0]
        written[begin : begin + chunks[0]] = True

    dataset.id.chunk_iter(note)
    return written


def _is_stack(dataset: h5py.Dataset | None) -> bool:
    return (
        dataset is not None
        and dataset.ndim == 3
        and dataset.dtype.kind in "iuf"
        and min(dataset.shape[1:]) >= SMALLEST
    )


def _pieces(tree: Tree, dataset: h5py.Dataset | None) -> tuple[Piece, ...]:
    if dataset is None:
        return ()
    if not dataset.is_virtual:
        return (Piece(0, int(dataset.shape[0]), dataset),)
    found: list[Piece] = []
    for source in dataset.virtual_sources():
        low, high = source.vspace.get_select_bounds()
        covers = low[1:] == (0, 0) and tuple(each + 1 for each in high[1:]) == dataset.shape[1:]
        if not covers or "%" in source.file_name:
            tree.sources(dataset)  # tiles of an image, or a pattern: HDF5 puts them together
            return (Piece(0, int(dataset.shape[0]), dataset),)
        is_whole = source.src_space.get_select_type() == h5s.SEL_ALL
        begin = 0 if is_whole else int(source.src_space.get_select_bounds()[0][0])
        target = _target(tree, dataset, source.file_name, source.dset_name)
        found.append(Piece(int(low[0]), int(high[0] - low[0] + 1), target, begin))
    return tuple(sorted(found, key=lambda piece: piece.first))


def _target(tree: Tree, dataset: h5py.Dataset, file: str, inner: str) -> h5py.Dataset | None:
    try:
        if file == ".":
            return tree.dataset(inner)
        return tree.target(dataset, file, inner)
    except StillBeingWritten:
        tree.missing.add(resolve(tree.path, file))
        return None


def _numbered(tree: Tree, group: h5py.Group) -> tuple[Piece, ...]:
    """Return the pieces ``data_000001``..., those of files that are not there with the others."""
    names = sorted(name for name in group if NUMBERED.fullmatch(name))
    datasets = [_link(tree, group, name) for name in names]
    return tuple(_in_a_row(datasets))


def _link(tree: Tree, group: h5py.Group, name: str) -> h5py.Dataset | None:
    try:
        found = tree.dataset(name, group)
    except StillBeingWritten:
        link = group.get(name, getlink=True)
        tree.missing.add(resolve(tree.path, link.filename))
        return None
    if found is not None and not _is_stack(found):
        raise DataError(
            f"{tree.path}: {found.name} has the shape {found.shape}, where (images, rows, columns) "
            f"belong: check how it was written."
        )
    return found


def _in_a_row(datasets: Sequence[h5py.Dataset | None]) -> Iterable[Piece]:
    """Lay pieces one after the other; where one lacks, all but the last are taken as equally long.

    One that is there may still be growing, so the longest tells how long they become.
    """
    lengths = [0 if each is None else int(each.shape[0]) for each in datasets]
    if None in datasets:
        lengths = [max(lengths)] * (len(lengths) - 1) + [lengths[-1] or max(lengths)]
    first = 0
    for dataset, planned in zip(datasets, lengths, strict=True):
        if dataset is not None and "image_nr_low" in dataset.attrs:
            first = max(int(plain(dataset.attrs["image_nr_low"])) - 1, 0)
        yield Piece(first, planned, dataset)
        first += planned
