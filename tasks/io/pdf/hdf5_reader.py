"""
Stacks of images in HDF5: DECTRIS master files, NeXus entries with a detector, masks.

Frames may stand in one dataset, virtual or not, or in numbered ones behind external links. A file
with one two-dimensional dataset at its top, whose name says what it is, is one image of that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.hdf5 import Tree, claims_hdf5, damage_told
from tasks.io.pdf.describe import described, entry_kind, needs_of
from tasks.io.pdf.header import told_by
from tasks.io.pdf.image_frames import check_finite
from tasks.io.pdf.sidecar import sidecar_of
from tasks.io.pdf.stacks import (
    Parts,
    check,
    entry_names,
    monitor_of,
    parts_of,
    pixel_of,
    saturation_of,
    told_by_entry,
    valid_of,
)
from tasks.io.pdf.words import kind_in
from tasks.io.powder import TECHNIQUE, Facts, Frames, ScanReference
from tasks.io.values import first_length, scalar, text

HINTS = {
    "detector_distance_m": ("distance", "detector_distance"),
    "beam_center_x": ("beam_center_x",),
    "beam_center_y": ("beam_center_y",),
    "detector_name": ("description",),
}


@dataclass(frozen=True)
class PowderHdf5Reader:
    """Reader of stacks of detector images in HDF5 files, of one or several entries."""

    name: str = "powder_hdf5"
    technique: str = TECHNIQUE
    layout: str = "an NXentry with images of a detector"

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        return self.entries_beyond(path, {})

    def entries_beyond(self, path: Path, known: Mapping[str, Entry]) -> list[Entry]:
        """Look at a file that has grown; see `tasks.io.scan.GrowingReader`."""
        if not claims_hdf5(path):
            return []
        with damage_told(path), Tree(path) as tree:
            names = _names(tree)
        looked = (known.get(name) or _entry(path, name, self.name) for name in names)
        return [entry for entry in looked if entry is not None]

    def open(self, reference: ScanReference) -> Frames:
        """Open one entry read-only; without an inner path, the first with images."""
        tree = Tree(Path(reference.path))
        try:
            with damage_told(tree.path):
                return Hdf5Frames(reference, _chosen(tree, reference))
        except BaseException:
            tree.close()
            raise


def _names(tree: Tree) -> list[str]:
    """Return the entries; a file without any, but with an image at its top, is one itself."""
    names = entry_names(tree)
    return names or ([""] if _top_image(tree) is not None else [])


def _top_image(tree: Tree) -> h5py.Dataset | None:
    found = [node for name in tree.root if isinstance(node := tree.find(name), h5py.Dataset)]
    images = [each for each in found if each.ndim == 2 and each.dtype.kind in "iufb"]
    return images[0] if len(images) == 1 else None


def _parts(tree: Tree, inner_path: str) -> Parts | None:
    if inner_path:
        return parts_of(tree, inner_path)
    image = _top_image(tree)
    if image is None:
        return None
    return Parts(tree, tree.root, (image,), None, np.empty(0, np.int64))


def _chosen(tree: Tree, reference: ScanReference) -> Parts:
    inner = reference.inner_path.strip("/")
    for name in [inner] if inner else _names(tree):
        parts = _parts(tree, name)
        if parts is not None:
            check(parts)
            return parts
    raise DataError(
        f"{reference.path} has no images in its entry '{inner}': check the path inside the file."
    )


def _entry(path: Path, inner_path: str, format_name: str) -> Entry | None:
    # a tree of its own, so that an entry knows its own links only
    with damage_told(path), Tree(path) as tree:
        parts = _parts(tree, inner_path)
        if parts is None:
            return None
        sidecar = sidecar_of(path)
        facts = facts_of(parts, sidecar)
        kind, kinds = entry_kind(facts)
        ended = text(tree, ("end_time",), parts.entry) is not None
        return Entry(
            inner_path=inner_path,
            format=format_name,
            present_frames=parts.stored,
            uid=_uid(parts, sidecar),
            started_at=facts.started_at,
            expected_frames=parts.expected,
            kind=kind,
            calibration_kinds=kinds,
            needs=needs_of(facts, sidecar),
            detector=f"{parts.frame[0]} x {parts.frame[1]}" if parts.stacks else "",
            missing=tuple(sorted(tree.missing)),
            linked=tuple(sorted(tree.linked)),
            being_written=tree.being_written,
            needs_quiet=parts.expected is None and not ended,
            problem=_problem(parts),
            metadata=metadata_of(parts, facts, sidecar) | {"frames": parts.stored},
        )


def _problem(parts: Parts) -> str | None:
    if parts.tree.missing:
        return None  # they may still come
    try:
        check(parts)
    except DataError as error:
        return str(error)
    return None


def _uid(parts: Parts, sidecar: Mapping[str, Any]) -> str | None:
    told = text(parts.tree, ("entry_identifier_uuid", "scan_uid"), parts.entry)
    return told or (str(sidecar["uid"]) if sidecar.get("uid") else None)


def facts_of(parts: Parts, sidecar: Mapping[str, Any]) -> Facts:
    """Put together what a sidecar, the entry and the file's name tell; the first counts."""
    kind, calibrant = kind_in(parts.tree.path.stem)
    named: dict[str, Any] = {"kind": kind, "calibrant": calibrant}
    if not str(parts.entry.name).strip("/") and kind == "sample" and parts.stacks:
        named["kind"] = kind_in(str(parts.stacks[0].name).strip("/"))[0]
    return Facts(**(named | told_by_entry(parts) | told_by(sidecar)))


def metadata_of(parts: Parts, facts: Facts, sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts, and what the file says about where the detector stood."""
    hints = {name: scalar(parts.tree, paths, parts.detector) for name, paths in HINTS.items()}
    proposal = text(parts.tree, ("experiment_identifier", "proposal_identifier"), parts.entry)
    told = {name: sidecar.get(name) for name in ("geometry", "visit", "scan")}
    known = hints | detector_of(parts) if parts.detector is not None else {}
    return described(facts, proposal=proposal or sidecar.get("proposal"), **known, **told)


def detector_of(parts: Parts) -> dict[str, Any]:
    """Return pixel size and sensor, as far as the file tells them."""
    thickness = first_length(parts.tree, ("sensor_thickness",), parts.detector)
    return {
        "pixel_size_m": pixel_of(parts),
        "sensor_material": text(parts.tree, ("sensor_material",), parts.detector),
        "sensor_thickness_mm": None if thickness is None else 1e3 * thickness,
    }


class Hdf5Frames:
    """
    A `tasks.io.powder.Frames` of stacks in HDF5.

    Where ``image_key`` marks some frames of a scan as flats, darks or invalid, they are left out.
    """

    def __init__(self, reference: ScanReference, parts: Parts) -> None:
        self.reference = reference
        self._parts = parts
        sidecar = sidecar_of(parts.tree.path)
        self.facts = facts_of(parts, sidecar)
        self.metadata = metadata_of(parts, self.facts, sidecar)
        self.saturation = saturation_of(parts)
        self.valid: NDArray[np.bool_] | None
        self.valid, self.warnings = valid_of(parts)
        self._places = np.arange(parts.stored)
        self._leave_out()
        monitor = monitor_of(parts)
        self.monitor = None if monitor is None else monitor[self._places]
        planned = parts.expected or 0
        self.lost_frames = tuple(range(parts.stored, planned))
        if self.lost_frames:
            self.warnings += (f"{parts.where} has {parts.stored} of {planned} announced frames.",)
        if self.valid is None and self.dtype.kind == "f":
            self.valid = np.isfinite(self._one(int(self._places[0])))

    def _leave_out(self) -> None:
        keys = self._parts.keys[: self._parts.stored]
        if self.facts.kind != "sample" or len(keys) != self._parts.stored or not keys.any():
            return
        self._places = np.flatnonzero(keys == 0)
        others = len(keys) - len(self._places)
        self.warnings += (
            f"{self._parts.where}: {others} frames that image_key marks as flat, dark or invalid "
            f"are left out; give darks and flats as files of their own.",
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""
        return len(self._places), *self._parts.frame

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored images."""
        return self._parts.stacks[0].dtype

    def read(self, frames: slice = slice(None)) -> NDArray[Any]:
        """Read some frames; see `tasks.io.powder.Frames`."""
        wanted = self._places[frames]
        stack = np.empty((len(wanted), *self._parts.frame), self.dtype)
        for place, number in zip(stack, wanted, strict=True):
            place[...] = self._one(int(number))
            check_finite(f"{self._parts.where}, frame {number},", place, self.valid)
        return stack

    def _one(self, number: int) -> NDArray[Any]:
        for dataset in self._parts.stacks:
            count = dataset.shape[0] if dataset.ndim == 3 else 1
            if number < count:
                selection = (number,) if dataset.ndim == 3 else ()
                return self._parts.tree.values(dataset, *selection)
            number -= count
        raise IndexError(number)

    def close(self) -> None:
        """Close the files."""
        self._parts.tree.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


READER = PowderHdf5Reader()
