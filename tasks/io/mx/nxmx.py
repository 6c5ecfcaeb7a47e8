"""NXmx files and DECTRIS' masters: sweeps of images in HDF5."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import TECHNIQUE, Facts, Geometry, Images, ScanReference
from tasks.io.entry import Entry
from tasks.io.hdf5 import Tree, claims_hdf5, damage_told
from tasks.io.mx.describe import described
from tasks.io.mx.layout import gaps_of
from tasks.io.mx.nxmx_facts import facts_of, planned_images, saturation_of, stated_mask
from tasks.io.mx.nxmx_geometry import NxmxGeometry
from tasks.io.mx.nxmx_stacks import Stacks, stacks_of
from tasks.io.pdf.stacks import entry_names, nx_class
from tasks.io.values import text, whole


@dataclass(frozen=True)
class Sweep:
    """One entry with images."""

    tree: Tree
    name: str
    entry: h5py.Group
    detector: h5py.Group
    stacks: Stacks

    @property
    def images(self) -> int:
        """How many images are planned, as the file tells it."""
        return planned_images(self.tree, self.detector) or max(
            self.stacks.shape[0], self._angles, 1
        )

    @property
    def _angles(self) -> int:
        """How many angles are told; 0 where that tells nothing."""
        group = self.tree.find("sample/transformations", self.entry)
        if not isinstance(group, h5py.Group):
            return 0
        datasets = [self.tree.dataset(name, group) for name in group]
        return max((int(each.size) for each in datasets if each is not None), default=0)

    def geometry(self) -> NxmxGeometry:
        """Return what places beam, detector and goniometer."""
        return NxmxGeometry(self.tree, self.entry, self.detector, self.stacks.shape[1:])


@dataclass(frozen=True)
class NxmxReader:
    """Reader of NXmx files and DECTRIS' masters, of one or several entries."""

    name: str = "nxmx"
    technique: str = TECHNIQUE
    layout: str = "an NXentry of the definition NXmx, or a DECTRIS master"

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        if not claims_hdf5(path):
            return []
        with damage_told(path), Tree(path) as tree:
            names = entry_names(tree)
        found = (_entry(path, name, self.name) for name in names)
        return [entry for entry in found if entry is not None]

    def open(self, reference: ScanReference) -> Images:
        """Open one entry read-only; without an inner path, the first with images."""
        tree = Tree(Path(reference.path))
        try:
            with damage_told(tree.path):
                return NxmxImages(reference, _chosen(tree, reference))
        except BaseException:
            tree.close()
            raise


def _sweep(tree: Tree, name: str) -> Sweep | None:
    entry = tree.find(name)
    if not isinstance(entry, h5py.Group):
        return None
    detector = _detector(tree, entry)
    stacks = stacks_of(tree, entry)
    if detector is None or not (stacks.pieces or tree.missing):
        return None
    return Sweep(tree, name, entry, detector, stacks)


def _detector(tree: Tree, entry: h5py.Group) -> h5py.Group | None:
    named = tree.find("instrument/detector", entry)
    if isinstance(named, h5py.Group):
        return named
    instrument = tree.find("instrument", entry)
    if not isinstance(instrument, h5py.Group):
        return None
    for name in instrument:
        group = tree.find(name, instrument)
        if isinstance(group, h5py.Group) and nx_class(group) == "NXdetector":
            return group
    return None


def _chosen(tree: Tree, reference: ScanReference) -> Sweep:
    inner = reference.inner_path.strip("/")
    for name in [inner] if inner else entry_names(tree):
        sweep = _sweep(tree, name)
        if sweep is not None:
            return sweep
    raise DataError(
        f"{reference.path} has no images in its entry '{inner}': check the path inside the file."
    )


def _entry(path: Path, name: str, format_name: str) -> Entry | None:
    # a tree of its own, so that an entry knows its own links only
    with damage_told(path), Tree(path) as tree:
        sweep = _sweep(tree, name)
        if sweep is None:
            return None
        images, present = sweep.images, sweep.stacks.present
        rows, columns = sweep.stacks.shape[1:]
        placing: NxmxGeometry | None = None
        metadata: dict[str, Any] = {}
        problem = None
        try:
            placing = sweep.geometry()
            facts = facts_of(sweep.tree, sweep.entry, sweep.detector, placing.sample)
            metadata = described(facts, placing.place(images))
        except DataError as error:
            facts = facts_of(sweep.tree, sweep.entry, sweep.detector, [])
            problem = None if tree.missing else str(error)
        told = ("entry_identifier_uuid", "scan_uid")
        is_ended = text(tree, ("end_time",), sweep.entry) is not None
        is_announced = planned_images(tree, sweep.detector) is not None
        return Entry(
            inner_path=name,
            format=format_name,
            present_frames=present,
            uid=text(tree, told, sweep.entry),
            started_at=facts.started_at,
            expected_frames=images,
            detector=f"{rows} x {columns}" if rows else "",
            missing=tuple(sorted(tree.missing)),
            linked=tuple(sorted(tree.linked)),
            being_written=tree.being_written,
            needs_quiet=not (is_ended or is_announced),
            problem=problem,
            metadata=metadata | {"images": present, "planned_images": images},
        )


class NxmxImages:
    """A `tasks.io.diffraction.Images` of stacks in HDF5, as they are there when it is opened."""

    def __init__(self, reference: ScanReference, sweep: Sweep) -> None:
        self.reference = reference
        self._sweep, self._stacks = sweep, sweep.stacks
        tree = sweep.tree
        if not self._stacks.present:
            names = ", ".join(str(path) for path in sorted(tree.missing)) or "none"
            raise DataError(
                f"{tree.path} has no images yet (files that are not there: {names}): wait for "
                f"them, or copy them beside it."
            )
        placing = sweep.geometry()
        self.geometry: Geometry = placing.place(sweep.images)
        self.facts: Facts = facts_of(tree, sweep.entry, sweep.detector, placing.sample)
        self.metadata: dict[str, Any] = described(self.facts, self.geometry)
        self.saturation = saturation_of(tree, sweep.detector)
        self._none_from = _none_from(tree, sweep.detector, self._stacks.dtype)
        self._there = self._stacks.are_there(sweep.images)
        self.lost_images = tuple(np.flatnonzero(~self._there).tolist())
        mask, problem = stated_mask(tree, sweep.detector, self._stacks.shape[1:])
        self.warnings: tuple[str, ...] = (*placing.warnings, *problem)
        gaps = gaps_of(self._stacks.shape[1:])
        if mask is None:
            first = int(np.flatnonzero(self._there)[0])
            mask = self.read(slice(first, first + 1))[0] < 0
        self.mask: NDArray[np.bool_] = mask | gaps

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of images planned, rows and columns."""
        return self.geometry.rotation.images, *self._stacks.shape[1:]

    def read(self, images: slice = slice(None)) -> NDArray[np.int32]:
        """Read some images; see `tasks.io.diffraction.Images`."""
        numbers = range(self.geometry.rotation.images)[images]
        counts = np.full((len(numbers), *self.shape[1:]), -1, np.int32)
        if numbers.step != 1:
            for place, number in enumerate(numbers):
                self._read_into(counts[place : place + 1], number)
            return counts
        at = numbers.start
        while at < numbers.stop:  # a chunk at a time, so that each is unpacked once
            end = min(at - at % self._stacks.step + self._stacks.step, numbers.stop)
            self._read_into(counts[at - numbers.start : end - numbers.start], at)
            at = end
        return counts

    def _read_into(self, counts: NDArray[np.int32], first: int) -> None:
        there = self._there[first : first + len(counts)]
        if not there.any():
            return
        kind = self._stacks.dtype
        is_alike = kind.kind in "iu" and kind.itemsize == 4
        stored = counts.view(kind) if is_alike else np.empty(counts.shape, kind)
        self._stacks.read_into(stored, first)
        counts_of(stored, self._none_from, counts)
        counts[~there] = -1

    def close(self) -> None:
        """Close the files."""
        self._sweep.tree.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _none_from(tree: Tree, detector: h5py.Group, dtype: np.dtype[Any]) -> int:
    """
    Return from which stored value on a pixel is none.

    The largest value of the counter and the one below it (-1 and -2 as the detector counts) are.
    """
    bits = whole(tree, ("bit_depth_image",), detector) or 8 * dtype.itemsize
    return 2 ** min(bits, 8 * dtype.itemsize) - (1 if bits <= 8 else 2)


def counts_of(stored: NDArray[Any], none_from: int, counts: NDArray[np.int32]) -> None:
    """
    Turn stored values into counts: -1 where a pixel is none, from a value on or below 0.

    Parameters
    ----------
    stored
        As they stand in the file, of any shape; may be another view of ``counts``.
    none_from
        See `_none_from`.
    counts
        Is filled, of the same shape.
    """
    largest = np.iinfo(np.int32).max
    if stored.dtype.kind == "f":
        stored = np.rint(np.nan_to_num(stored, nan=-1.0))
        counts[...] = np.clip(stored, -1, largest)
    elif stored.dtype.itemsize > 4:
        counts[...] = np.where(stored >= none_from, -1, np.clip(stored, -1, largest))
    else:  # the largest values of 32 bits, -1 and -2, are negative then
        counts[...] = stored.view(np.int32) if stored.dtype == np.uint32 else stored
    if stored.dtype.kind != "u" or stored.dtype.itemsize == 4:
        np.maximum(counts, -1, out=counts)
    if none_from <= largest:
        np.putmask(counts, counts >= none_from, -1)


READER = NxmxReader()
