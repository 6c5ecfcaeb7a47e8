"""
NXtomo files: entries of class NXentry or NXsubentry whose ``definition`` is ``NXtomo``.

Projections, flats and darks stand in one stack, told apart by ``instrument/detector/image_key``
(0 projection, 1 flat, 2 dark, 3 invalid), with one ``sample/rotation_angle`` for every frame.
Standard: https://manual.nexusformat.org/classes/applications/NXtomo.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.frames import Frames, match_frames, positions
from tasks.io.hdf5 import Tree, claims_hdf5, damage_told
from tasks.io.scan import Scan, ScanReference
from tasks.io.stack import Stack, StackScan, calibration, check_stack
from tasks.io.values import (
    angles,
    energy,
    first_length,
    moment,
    plain,
    scalar,
    text,
    whole,
    without_none,
)

PROJECTION, FLAT, DARK, INVALID = 0, 1, 2, 3
ENTRY_CLASSES = {"NXentry", "NXsubentry"}
MAX_DEPTH = 3
DETECTOR = "instrument/detector"
DATA = (f"{DETECTOR}/data", "data/data")
KEYS = (f"{DETECTOR}/image_key", "data/image_key", f"{DETECTOR}/image_key_control")
ANGLES = ("sample/rotation_angle", "data/rotation_angle")
NUMBERS = (f"{DETECTOR}/frame_number", f"{DETECTOR}/sequence_number")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
COUNTS = (f"{DETECTOR}/num_frames", f"{DETECTOR}/number_of_frames", "num_frames")


@dataclass(frozen=True)
class NXtomoReader:
    """Reader of NXtomo files, of one or several entries."""

    name: str = "nxtomo"
    technique: str = "ct"
    layout: str = "an entry with definition 'NXtomo'"

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        return self.entries_beyond(path, {})

    def entries_beyond(self, path: Path, known: Mapping[str, Entry]) -> list[Entry]:
        """Look at a file that has grown; see `tasks.io.scan.GrowingReader`."""
        if not claims_hdf5(path):
            return []
        with damage_told(path), Tree(path) as tree:
            inner_paths = list(_below(tree, "", MAX_DEPTH, known))
            if not inner_paths and tree.missing:
                return [Entry("", self.name, 0, missing=tuple(sorted(tree.missing)))]
        return [known.get(inner) or _probe(path, inner, self.name) for inner in inner_paths]

    def open(self, reference: ScanReference) -> Scan:
        """Open one entry read-only; without an inner path, the only one of the file."""
        tree = Tree(Path(reference.path))
        try:
            with damage_told(tree.path):
                return _scan(tree, reference)
        except BaseException:
            tree.close()
            raise


def _below(tree: Tree, path: str, depth: int, known: Collection[str] = ()) -> Iterator[str]:
    """Yield the paths of the NXtomo entries below a group; those that are known need no look."""
    group = tree.find(path)
    if not isinstance(group, h5py.Group):
        return
    for name in group:
        inner = f"{path}/{name}".strip("/")
        if inner in known:
            yield inner
            continue
        child = tree.find(inner) if _may_be_entry(group, name) else None
        if not isinstance(child, h5py.Group) or _class(child) not in ENTRY_CLASSES:
            continue
        if text(tree, ("definition",), child) == "NXtomo":
            yield inner
        elif depth > 1:
            yield from _below(tree, inner, depth - 1, known)


def _may_be_entry(group: h5py.Group, name: str) -> bool:
    """Whether it is worth following: data links beside the entries may be dangling or damaged."""
    link = group.get(name, getlink=True)
    return not isinstance(link, h5py.SoftLink) and name not in ("data", "instrument", "sample")


def _class(group: h5py.Group) -> str:
    return str(plain(group.attrs.get("NX_class", "")))


@dataclass(frozen=True)
class _Parts:
    """What an entry holds; ``keys``, ``numbers`` have one value for each stored frame.

    ``is_firm`` tells whether the announced number stands by itself, not in keys that grow with
    the frames.
    """

    tree: Tree
    group: h5py.Group
    where: str
    data: h5py.Dataset | None
    angles: NDArray[np.float64]
    planned_keys: NDArray[np.int64]
    numbers: NDArray[np.int64] | None
    announced: int | None
    is_firm: bool

    @property
    def stored(self) -> int:
        return 0 if self.data is None else len(self.data)

    @property
    def keys(self) -> NDArray[np.int64]:
        if len(self.planned_keys) == self.stored or self.numbers is None:
            return self.planned_keys[: self.stored]
        return self.planned_keys[self.numbers]

    @property
    def is_raw(self) -> bool:
        return bool(np.any(self.planned_keys == PROJECTION))

    def holds(self, key: int) -> bool:
        """Whether frames of a kind are there, or will be when the links' targets come."""
        keys = self.planned_keys if self.data is None else self.keys
        return bool(np.any(keys == key))


def _first(tree: Tree, paths: tuple[str, ...], group: h5py.Group) -> h5py.Dataset | None:
    found = (tree.dataset(path, group) for path in paths)
    return next((dataset for dataset in found if dataset is not None), None)


def _parts(tree: Tree, inner_path: str) -> _Parts:
    group = tree.find(inner_path)
    if not isinstance(group, h5py.Group):
        raise DataError(f"{tree.path} has no entry '{inner_path}': check the path inside the file.")
    data = _first(tree, DATA, group)
    if data is not None:
        tree.sources(data)
    count = whole(tree, COUNTS, group)
    keys, theta, numbers = (_first(tree, paths, group) for paths in (KEYS, ANGLES, NUMBERS))
    turned = np.empty(0) if theta is None else angles(tree, theta)
    stored = 0 if data is None or not data.ndim else len(data)
    planned = (
        np.full(max(stored, len(turned)), PROJECTION)
        if keys is None
        else tree.values(keys).reshape(-1).astype(np.int64)
    )
    return _Parts(
        tree=tree,
        group=group,
        where=f"{tree.path} (entry '{inner_path}')",
        data=data,
        angles=turned,
        planned_keys=planned,
        numbers=_counted_from_0(tree, numbers, stored, len(planned)),
        announced=max(count or 0, len(planned), len(turned)) or None,
        is_firm=count is not None or (keys is not None and None not in keys.maxshape),
    )


def _counted_from_0(
    tree: Tree, numbers: h5py.Dataset | None, stored: int, planned: int
) -> NDArray[np.int64] | None:
    """Return the stored frames' numbers, or None if the file gives none that fit."""
    if numbers is None or numbers.dtype.kind not in "iu" or numbers.size != stored or not stored:
        return None
    values = tree.values(numbers).reshape(-1).astype(np.int64)
    values -= int(values.max() >= planned > values.min() - 1 >= 0)
    return values if values.min() >= 0 and values.max() < planned else None


def _problem(parts: _Parts) -> str | None:
    tree, data = parts.tree, parts.data
    if tree.missing:
        return None
    if data is None or len(data.shape) == 0 or len(data) == 0:
        return f"{parts.where} holds no frames in '{DATA[0]}': repeat the scan."
    try:
        check_stack(tree, data)
    except DataError as error:
        return str(error)
    if len(parts.planned_keys) < parts.stored:
        return (
            f"{parts.where} has {parts.stored} frames but only {len(parts.planned_keys)} values "
            f"in 'image_key', which tells projections from flats: check the acquisition's settings."
        )
    if parts.is_raw and not len(parts.angles):
        return (
            f"{parts.where} gives no angles: '{ANGLES[0]}' is missing or empty. "
            f"Write the rotation angle of each frame there, in degrees."
        )
    return None


def _probe(path: Path, inner_path: str, format_name: str) -> Entry:
    with (
        damage_told(path),
        Tree(path) as tree,
    ):  # a tree of its own, so that an entry knows its own links only
        parts = _parts(tree, inner_path)
        held = {kind for kind, key in (("flat", FLAT), ("dark", DARK)) if parts.holds(key)}
        lacking = tuple(sorted({"dark", "flat"} - held))
        return Entry(
            inner_path=inner_path,
            format=format_name,
            present_frames=parts.stored,
            uid=_uid(parts),
            started_at=moment(text(tree, ("start_time",), parts.group)),
            expected_frames=parts.announced,
            kind="raw" if parts.is_raw else "calibration",
            calibration_kinds=() if parts.is_raw else tuple(sorted(held)),
            needs=lacking if parts.is_raw else (),
            detector="" if parts.data is None else " x ".join(map(str, parts.data.shape[1:])),
            missing=tuple(sorted(tree.missing)),
            linked=tuple(sorted(tree.linked)),
            being_written=tree.being_written,
            needs_quiet=not parts.is_firm,
            problem=_problem(parts),
            metadata=_metadata(parts),
        )


def _uid(parts: _Parts) -> str | None:
    """Return the scan's uid; ``entry_identifier`` is one only if it is a UUID (often a number)."""
    stated = text(parts.tree, ("entry_identifier_uuid", "scan_uid"), parts.group)
    identifier = text(parts.tree, ("entry_identifier",), parts.group) or ""
    attribute = plain(parts.group.attrs.get("scan_uid"))
    return stated or attribute or (identifier if UUID.fullmatch(identifier) else None)


def _pixel_size(parts: _Parts) -> float | None:
    """Return the size in the sample: stated as such, else the detector's over the magnification."""
    tree, group = parts.tree, parts.group
    paths = ("instrument/detector/x_magnified_pixel_size", "sample/x_pixel_size")
    effective = first_length(tree, paths, group)
    size = first_length(tree, (f"{DETECTOR}/x_pixel_size",), group)
    magnification = scalar(tree, (f"{DETECTOR}/magnification",), group)
    # with x_real_pixel_size beside it (old ESRF files), x_pixel_size is the effective one already
    is_physical = tree.dataset(f"{DETECTOR}/x_real_pixel_size", group) is None
    if effective is not None or size is None:
        return effective
    if is_physical and isinstance(magnification, int | float) and magnification > 0:
        return size / magnification
    return size


def _metadata(parts: _Parts) -> dict[str, Any]:
    tree, group = parts.tree, parts.group
    started = moment(text(tree, ("start_time",), group))
    beam = ("instrument/beam/incident_energy", "beam/incident_energy")
    monochromator = ("instrument/monochromator/energy", "sample/beam/incident_energy")
    return without_none(
        title=text(tree, ("title",), group),
        sample=text(tree, ("sample/name",), group),
        proposal=text(tree, ("experiment_identifier", "proposal_identifier"), group),
        instrument=text(tree, ("instrument/name",), group),
        energy_keV=energy(tree, (*beam, *monochromator), group),
        exposure_time_s=scalar(tree, (f"{DETECTOR}/count_time",), group),
        pixel_size_m=_pixel_size(parts),
        started_at=started.isoformat() if started else None,
    )


def _scan(tree: Tree, reference: ScanReference) -> StackScan:
    inner = reference.inner_path.strip("/") or next(_below(tree, "", MAX_DEPTH), "")
    parts = _parts(tree, inner)
    if tree.missing:
        names = ", ".join(sorted(str(path) for path in tree.missing))
        raise DataError(f"{parts.where} links to files that are not there: {names}.")
    problem = _problem(parts)
    if problem:
        raise DataError(problem)
    flats = np.flatnonzero(parts.keys == FLAT)
    white = Stack(tree, parts.data, flats)
    dark = Stack(tree, parts.data, np.flatnonzero(parts.keys == DARK))
    if not parts.is_raw:
        return calibration(reference, tree, white, dark, _metadata(parts))
    frames, indices = _projections(parts)
    return StackScan(
        reference=reference,
        tree=tree,
        data=Stack(tree, parts.data, indices),
        white=white,
        dark=dark,
        angles=frames.angles,
        positions=positions(frames),
        flat_positions=np.searchsorted(indices, flats) / max(len(indices), 1),
        expected_projections=frames.expected,
        lost_frames=frames.lost,
        angles_matched=frames.matched,
        pixel_size=_pixel_size(parts),
        metadata=_metadata(parts),
    )


def _projections(parts: _Parts) -> tuple[Frames, NDArray[np.intp]]:
    """
    Match projections with angles; return them with their places among the stored frames.

    An invalid frame among the projections counts as a lost projection.
    """
    planned_angles = parts.angles.copy()
    is_planned = _count_as_projections(parts.planned_keys)
    is_stored = _count_as_projections(parts.keys)
    stored = np.flatnonzero(is_stored)
    if len(planned_angles) == len(is_planned):
        planned_angles[parts.planned_keys == INVALID] = np.nan
        planned_angles = planned_angles[is_planned]
    elif len(planned_angles) == parts.stored:
        planned_angles[parts.keys == INVALID] = np.nan
        planned_angles = planned_angles[is_stored]
    ids = None
    if parts.numbers is not None and len(is_planned) > parts.stored:
        ids = (np.cumsum(is_planned) - 1)[parts.numbers[stored]]
    frames = match_frames(
        parts.where, len(stored), planned_angles, ids, int(np.count_nonzero(is_planned))
    )
    return frames, stored[frames.indices]


def _count_as_projections(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    projections = np.flatnonzero(keys == PROJECTION)
    counted = keys == PROJECTION
    if len(projections):
        among = slice(projections[0], projections[-1] + 1)
        counted[among] |= keys[among] == INVALID
    return counted


READER = NXtomoReader()
