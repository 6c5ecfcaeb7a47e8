"""
DXchange files: ``/exchange/data`` (angle, row, column), ``data_white``, ``data_dark``, ``theta``.

Format: De Carlo et al., J. Synchrotron Rad. 21 (2014) 1224, doi:10.1107/S160057751401604X.
Beyond it, the number of each stored projection is read from ``/exchange/frame_ids`` or, as the
EPICS areaDetector writes it, ``/defaults/NDArrayUniqueId``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.frames import match_frames, positions
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
    to_radians,
    whole,
    without_none,
)

ACQUISITION = "process/acquisition"
MEASUREMENT = "measurement"
DETECTOR = "measurement/instrument/detector"
OBJECTIVE = "measurement/instrument/detection_system/objective"
NUM_ANGLES = (f"{ACQUISITION}/rotation/num_angles", f"{ACQUISITION}/num_angles")
ANNOUNCEMENTS = ("num_frames", "expected_frames")
FRAME_IDS = ("exchange/frame_ids", "exchange/frame_number", "defaults/NDArrayUniqueId")
UIDS = (
    "measurement/scan_uid",
    "measurement/uid",
    "measurement/sample/scan_uid",
    f"{ACQUISITION}/scan_uid",
    "scan_uid",
)
ROTATION_START = (f"{ACQUISITION}/rotation/start", f"{ACQUISITION}/rotation/rotation_start")
ROTATION_STEP = (f"{ACQUISITION}/rotation/step", f"{ACQUISITION}/rotation/rotation_step")
STARTS = (f"{ACQUISITION}/start_date", "measurement/start_time", "file_creation_datetime")


@dataclass(frozen=True)
class DXchangeReader:
    """Reader of DXchange files."""

    name: str = "dxchange"
    technique: str = "ct"
    layout: str = "'/exchange/data' (DXchange)"

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        if not claims_hdf5(path):
            return []
        with damage_told(path), Tree(path) as tree:
            return [_entry(tree, self.name)] if _belongs(tree) else []

    def open(self, reference: ScanReference) -> Scan:
        """Open the scan read-only."""
        tree = Tree(Path(reference.path))
        try:
            with damage_told(tree.path):
                return _scan(tree, reference)
        except BaseException:
            tree.close()
            raise


def _belongs(tree: Tree) -> bool:
    exchange = tree.find("exchange")
    return isinstance(exchange, h5py.Group) and any(
        name in list(exchange) for name in ("data", "data_white", "data_dark")
    )


@dataclass(frozen=True)
class _Parts:
    """The stacks of a DXchange file, those that are there."""

    data: h5py.Dataset | None
    white: h5py.Dataset | None
    dark: h5py.Dataset | None
    is_raw: bool

    @property
    def present(self) -> list[h5py.Dataset]:
        return [part for part in (self.data, self.white, self.dark) if part is not None]

    @property
    def lacking(self) -> tuple[str, ...]:
        stacks = {"dark": self.dark, "flat": self.white}
        return tuple(kind for kind, part in stacks.items() if part is None or len(part) == 0)


def _parts(tree: Tree) -> _Parts:
    data = tree.dataset("exchange/data")
    white = tree.dataset("exchange/data_white")
    dark = tree.dataset("exchange/data_dark")
    exchange = tree.find("exchange")
    # a link whose target is still to come counts too
    is_raw = isinstance(exchange, h5py.Group) and "data" in list(exchange)
    parts = _Parts(data, white, dark, is_raw)
    for part in parts.present:
        tree.sources(part)
    return parts


def _entry(tree: Tree, format_name: str) -> Entry:
    parts = _parts(tree)
    first = parts.present[0] if parts.present else None
    kinds = {"flat", "dark"} - set(parts.lacking)
    counted = (parts.data,) if parts.is_raw else parts.present
    return Entry(
        inner_path="",
        format=format_name,
        present_frames=sum(len(part) for part in counted if part is not None and part.ndim),
        uid=_uid(tree),
        started_at=moment(text(tree, STARTS)),
        expected_frames=_announced(tree, parts.data) if parts.is_raw else None,
        kind="raw" if parts.is_raw else "calibration",
        calibration_kinds=() if parts.is_raw else tuple(sorted(kinds)),
        needs=parts.lacking if parts.is_raw else (),
        detector=" x ".join(map(str, first.shape[1:])) if first is not None else "",
        missing=tuple(sorted(tree.missing)),
        linked=tuple(sorted(tree.linked)),
        being_written=tree.being_written,
        needs_quiet=parts.is_raw and not _is_firm(tree, parts.data),
        problem=_problem(tree, parts),
        metadata=_metadata(tree),
    )


def _problem(tree: Tree, parts: _Parts) -> str | None:
    try:
        for part in parts.present:
            check_stack(tree, part, like=parts.data)
        if parts.is_raw and not tree.missing:
            if parts.data is None or len(parts.data) == 0:
                return f"{tree.path} holds no projections in '/exchange/data': repeat the scan."
            _planned_angles(tree)
    except DataError as error:
        return str(error)
    return None


def _announced(tree: Tree, data: h5py.Dataset | None) -> int | None:
    stated = [] if data is None else [plain(data.attrs.get(name)) for name in ANNOUNCEMENTS]
    theta = tree.dataset("exchange/theta")
    counts = [int(count) for count in stated if isinstance(count, int | float)]
    counts += [whole(tree, NUM_ANGLES) or 0, 0 if theta is None else theta.size]
    return max(counts) or None


def _is_firm(tree: Tree, data: h5py.Dataset | None) -> bool:
    """Whether the announced number stands by itself, not in angles that grow with the frames."""
    theta = tree.dataset("exchange/theta")
    stated = data is not None and any(name in data.attrs for name in ANNOUNCEMENTS)
    fixed = theta is not None and None not in theta.maxshape
    return stated or fixed or whole(tree, NUM_ANGLES) is not None


def _planned_angles(tree: Tree) -> NDArray[np.float64]:
    theta = tree.dataset("exchange/theta")
    if theta is not None and theta.size:
        return angles(tree, theta)
    start, step = (scalar(tree, paths) for paths in (ROTATION_START, ROTATION_STEP))
    count = whole(tree, NUM_ANGLES)
    if count and isinstance(start, int | float) and isinstance(step, int | float):
        return to_radians(start + step * np.arange(count, dtype=np.float64), "degrees", "")
    raise DataError(
        f"{tree.path} gives no angles: '/exchange/theta' is missing or empty. "
        f"Write the rotation angle of each projection there, in degrees."
    )


def _uid(tree: Tree) -> str | None:
    stated = plain(tree.root.attrs.get("scan_uid"))
    return str(stated) if stated else text(tree, UIDS)


def _pixel_size(tree: Tree) -> float | None:
    effective = first_length(tree, (f"{OBJECTIVE}/resolution",))
    if effective is not None:
        return effective
    names = ("actual_pixel_size_x", "pixel_size", "pixel_size_x", "x_pixel_size")
    physical = first_length(tree, (f"{DETECTOR}/{name}" for name in names))
    magnification = scalar(tree, (f"{OBJECTIVE}/magnification",))
    if physical is None or not isinstance(magnification, int | float) or magnification <= 0:
        return physical
    return physical / magnification


def _metadata(tree: Tree) -> dict[str, Any]:
    started = moment(text(tree, STARTS))
    return without_none(
        title=text(tree, ("exchange/title", "measurement/sample/description")),
        sample=text(tree, ("measurement/sample/name", "measurement/sample/sample_name")),
        proposal=text(tree, (f"{MEASUREMENT}/sample/experiment/proposal",)),
        instrument=text(tree, (f"{MEASUREMENT}/instrument/name",)),
        energy_keV=energy(tree, (f"{MEASUREMENT}/instrument/monochromator/energy",)),
        exposure_time_s=scalar(tree, (f"{DETECTOR}/exposure_time",)),
        pixel_size_m=_pixel_size(tree),
        started_at=started.isoformat() if started else None,
    )


def _scan(tree: Tree, reference: ScanReference) -> StackScan:
    parts = _parts(tree)
    problem = _problem(tree, parts)
    if tree.missing:
        raise DataError(f"{tree.path} links to files that are not there: {_names(tree.missing)}.")
    if problem:
        raise DataError(problem)
    if parts.data is None:
        white, dark = _all(tree, parts.white), _all(tree, parts.dark)
        return calibration(reference, tree, white, dark, _metadata(tree))
    planned = _planned_angles(tree)
    stored = len(parts.data)
    frames = match_frames(
        str(tree.path), stored, planned, _frame_ids(tree, stored), _announced(tree, parts.data)
    )
    return StackScan(
        reference=reference,
        tree=tree,
        data=Stack(tree, parts.data, frames.indices),
        white=_all(tree, parts.white),
        dark=_all(tree, parts.dark),
        angles=frames.angles,
        positions=positions(frames),
        flat_positions=_flat_positions(tree, parts.white, planned),
        expected_projections=frames.expected,
        lost_frames=frames.lost,
        angles_matched=frames.matched,
        pixel_size=_pixel_size(tree),
        metadata=_metadata(tree),
    )


def _names(paths: set[Path]) -> str:
    return ", ".join(sorted(str(path) for path in paths))


def _all(tree: Tree, dataset: h5py.Dataset | None) -> Stack:
    return Stack(tree, dataset, np.arange(0 if dataset is None else len(dataset)))


def _frame_ids(tree: Tree, stored: int) -> NDArray[np.integer] | None:
    for path in FRAME_IDS:
        dataset = tree.dataset(path)
        if dataset is not None and dataset.dtype.kind in "iu" and dataset.size == stored:
            return tree.values(dataset).reshape(-1)
    return None


def _flat_positions(
    tree: Tree, white: h5py.Dataset | None, planned: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Tell when the flats were taken, from their angles, else from the acquisition's mode.

    Without either they count as taken before the scan.
    """
    count = 0 if white is None else len(white)
    theta = tree.dataset("exchange/theta_white")
    if theta is not None and theta.size == count and np.ptp(planned) > 0:
        relative = (angles(tree, theta) - planned[0]) / (planned[-1] - planned[0])
        return np.clip(relative, 0.0, 1.0)
    mode = (text(tree, (f"{ACQUISITION}/flat_fields/flat_field_mode",)) or "start").lower()
    before = {"both": (count + 1) // 2, "end": 0}.get(mode, count)
    return (np.arange(count) >= before).astype(np.float64)


READER = DXchangeReader()
