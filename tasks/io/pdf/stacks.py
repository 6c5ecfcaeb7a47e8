"""Where the images and the facts of a NeXus entry stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.hdf5 import Tree
from tasks.io.pdf.describe import HC
from tasks.io.pdf.header import ANGSTROM
from tasks.io.pdf.words import CALIBRANTS, KINDS, kind_in
from tasks.io.values import energy, first_length, moment, plain, scalar, text, unit, whole

ENTRY_CLASSES = {"NXentry", "NXsubentry"}
SMALLEST = 16
"""Stacks of fewer pixels a side are no images of a detector."""
NUMBERED = re.compile(r"data_\d+")
MASKS = ("pixel_mask", "detectorSpecific/pixel_mask", "pixel_mask_applied_mask")
CUTOFFS = (
    "saturation_value",
    "count_cutoff",
    "detectorSpecific/countrate_correction_count_cutoff",
    "detectorSpecific/count_cutoff",
)
COUNTS = ("num_frames", "number_of_frames", "nimages")
MONITORS = ("mon", "monitor", "i0", "ic0", "I0", "incident", "bpm")
TYPES = {
    "can": "container",
    "calibration sample": "calibrant",
    "none": "empty",
    "empty": "empty",
    "background": "empty",
    "sample environment": "empty",
}
IMAGE_KEYS = {0: "sample", 1: "flat", 2: "dark"}


@dataclass(frozen=True)
class Parts:
    """
    What an entry holds.

    Attributes
    ----------
    stacks
        The images, one dataset after the other: (frames, rows, columns) or (rows, columns).
    detector
        The group that describes the detector, if there is one.
    keys
        What each frame is by ``image_key``; empty if nothing says.
    """

    tree: Tree
    entry: h5py.Group
    stacks: tuple[h5py.Dataset, ...]
    detector: h5py.Group | None
    keys: NDArray[np.int64]

    @property
    def where(self) -> str:
        """The file and entry, for what is told about it."""
        name = str(self.entry.name).strip("/")
        return f"{self.tree.path} (entry '{name}')" if name else str(self.tree.path)

    @property
    def stored(self) -> int:
        """Frames that are there."""
        return sum(each.shape[0] if each.ndim == 3 else 1 for each in self.stacks)

    @property
    def frame(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.stacks[0].shape[-2:] if self.stacks else (0, 0)
        return int(rows), int(columns)

    @property
    def expected(self) -> int | None:
        """Frames that are announced."""
        if self.detector is None:
            return None
        specific = "detectorSpecific"
        images = whole(self.tree, (f"{specific}/nimages",), self.detector)
        if images is not None:
            return images * (whole(self.tree, (f"{specific}/ntrigger",), self.detector) or 1)
        return whole(self.tree, COUNTS, self.detector)


def entry_names(tree: Tree) -> list[str]:
    """Return the top-level entries of a file."""
    groups = [name for name in tree.root if isinstance(tree.find(name), h5py.Group)]
    entries = [name for name in groups if nx_class(tree.find(name)) in ENTRY_CLASSES]
    return entries or [name for name in groups if name == "entry"]


def nx_class(node: object) -> str:
    """Return the NeXus class of a group."""
    return str(plain(node.attrs.get("NX_class", ""))) if isinstance(node, h5py.Group) else ""


def parts_of(tree: Tree, inner_path: str) -> Parts | None:
    """Find the images of an entry; None if it has none, and no link to any that is missing."""
    entry = tree.find(inner_path)
    if not isinstance(entry, h5py.Group):
        return None
    detector = _detector(tree, entry)
    stacks = _numbered(tree, entry) or _single(tree, entry, detector)
    if not stacks and not tree.missing:
        return None
    for dataset in stacks:
        tree.sources(dataset)
    keys = tree.dataset("image_key", detector) if detector is not None else None
    values = np.empty(0) if keys is None else tree.values(keys).reshape(-1)
    return Parts(tree, entry, stacks, detector, values.astype(np.int64))


def _detector(tree: Tree, entry: h5py.Group) -> h5py.Group | None:
    """Return the detector with the most pixels, or the only one."""
    instrument = tree.find("instrument", entry)
    if not isinstance(instrument, h5py.Group):
        return None
    found: list[tuple[int, h5py.Group]] = []
    for name in instrument:
        group = tree.find(name, instrument)
        if isinstance(group, h5py.Group) and nx_class(group) == "NXdetector":
            data = tree.dataset("data", group)
            found.append((0 if data is None or data.ndim < 2 else data.size, group))
    named = tree.find("detector", instrument)
    if not found and isinstance(named, h5py.Group):
        return named
    return max(found, key=lambda each: each[0])[1] if found else None


def _numbered(tree: Tree, entry: h5py.Group) -> tuple[h5py.Dataset, ...]:
    """Return the datasets ``data/data_000001``... of a DECTRIS master file."""
    group = tree.find("data", entry)
    if not isinstance(group, h5py.Group):
        return ()
    names = sorted(name for name in group if NUMBERED.fullmatch(name))
    found = (tree.dataset(name, group) for name in names)
    return tuple(each for each in found if each is not None)


def _single(tree: Tree, entry: h5py.Group, detector: h5py.Group | None) -> tuple[h5py.Dataset, ...]:
    for dataset in _candidates(tree, entry, detector):
        if dataset is not None and _is_stack(dataset):
            return (dataset,)
    return ()


def _candidates(
    tree: Tree, entry: h5py.Group, detector: h5py.Group | None
) -> Iterator[h5py.Dataset | None]:
    if detector is not None:
        yield tree.dataset("data", detector)
    yield tree.dataset("data/data", entry)
    for name in entry:
        group = tree.find(name, entry)
        if nx_class(group) == "NXdata" and isinstance(group, h5py.Group):
            yield tree.dataset(str(plain(group.attrs.get("signal", "data"))), group)
    measured = tree.find("measurement", entry)
    if isinstance(measured, h5py.Group):
        yield from (tree.dataset(name, measured) for name in measured)


def _is_stack(dataset: h5py.Dataset) -> bool:
    return (
        dataset.ndim in (2, 3)
        and dataset.dtype.kind in "iufb"
        and min(dataset.shape[-2:]) >= SMALLEST
    )


def check(parts: Parts) -> None:
    """
    Check that the images are there and fit together.

    Raises
    ------
    DataError
        Files that it links to are missing, it has no frames, or they have several sizes.
    """
    if parts.tree.missing:
        names = ", ".join(sorted(str(path) for path in parts.tree.missing))
        raise DataError(
            f"{parts.where} links to files that are not there: {names}. Copy them beside it."
        )
    if not parts.stacks or not parts.stored:
        raise DataError(f"{parts.where} holds no frames: repeat the scan.")
    for dataset in parts.stacks:
        if not _is_stack(dataset) or dataset.shape[-2:] != parts.stacks[0].shape[-2:]:
            raise DataError(
                f"{parts.where} has frames of the shape {dataset.shape} in '{dataset.name}', where "
                f"(frames, {parts.frame[0]}, {parts.frame[1]}) belong: check how it was written."
            )


def told_by_entry(parts: Parts) -> dict[str, Any]:
    """Return those fields of `tasks.io.powder.Facts` that an entry tells."""
    tree, entry, detector = parts.tree, parts.entry, parts.detector
    kev = energy(
        tree,
        (
            "instrument/beam/incident_energy",
            "sample/beam/incident_energy",
            "instrument/monochromator/energy",
            "instrument/source/energy_photon",
            "instrument/detector/detectorSpecific/photon_energy",
        ),
        entry,
    )
    exposure = scalar(tree, ("count_time", "frame_time", "exposure_time"), detector)
    told: dict[str, Any] = {
        "wavelength": _wavelength(parts) or (HC / kev if kev else None),
        "exposure": _positive(exposure),
        "transmission": _positive(scalar(tree, ("sample/transmission",), entry)),
        "density": _positive(scalar(tree, ("sample/density",), entry)),
        "temperature": _positive(scalar(tree, ("sample/temperature",), entry)),
        "composition": text(tree, ("sample/chemical_formula",), entry),
        "container": text(tree, ("container/description", "sample/container"), entry),
        "sample": text(tree, ("sample/name",), entry),
        "title": text(tree, ("title",), entry),
        "started_at": moment(text(tree, ("start_time",), entry)),
    }
    return {name: value for name, value in (told | _kind(parts)).items() if value}


def _positive(value: object) -> float | None:
    is_number = isinstance(value, int | float) and np.isfinite(value) and value > 0
    return float(value) if is_number and isinstance(value, int | float) else None


def _wavelength(parts: Parts) -> float | None:
    for path in (
        "instrument/beam/incident_wavelength",
        "sample/beam/incident_wavelength",
        "instrument/monochromator/wavelength",
    ):
        dataset = parts.tree.dataset(path, parts.entry)
        value = plain(parts.tree.values(dataset)) if dataset is not None else None
        if dataset is not None and isinstance(value, int | float) and value > 0:
            factor = ANGSTROM.get(unit(dataset).lower(), 1e10 if value < 1e-6 else 1.0)
            return float(value) * factor
    return None


def _kind(parts: Parts) -> dict[str, Any]:
    """Return the kind and calibrant by image_key, the sample's type and its name."""
    keys = set(parts.keys.tolist()) & set(IMAGE_KEYS)
    if keys and 0 not in keys:
        return {"kind": IMAGE_KEYS[min(keys)]}
    word = (text(parts.tree, ("sample/type",), parts.entry) or "").lower()
    kind = word if word in KINDS else TYPES.get(word, "")
    if kind != "calibrant":
        return {"kind": kind}
    names = f"{text(parts.tree, ('sample/name', 'sample/chemical_formula'), parts.entry)} standard"
    calibrant = kind_in(names)[1]
    return {"kind": kind, "calibrant": calibrant if calibrant in CALIBRANTS else ""}


def monitor_of(parts: Parts) -> NDArray[np.float64] | None:
    """Return the incident beam per stored frame; None if nothing tells it for each, or for all."""
    for dataset in _monitors(parts):
        if dataset is None or dataset.dtype.kind not in "iuf" or not dataset.size:
            continue
        values = parts.tree.values(dataset).reshape(-1).astype(np.float64)
        if len(values) in (1, parts.stored) and (np.isfinite(values) & (values > 0)).all():
            return np.broadcast_to(values, parts.stored).copy()
    return None


def _monitors(parts: Parts) -> Iterator[h5py.Dataset | None]:
    for name in parts.entry:
        group = parts.tree.find(name, parts.entry)
        if isinstance(group, h5py.Group) and nx_class(group) == "NXmonitor":
            yield parts.tree.dataset("data", group) or parts.tree.dataset("integral", group)
    for name in MONITORS:
        yield parts.tree.dataset(f"measurement/{name}", parts.entry)


def valid_of(parts: Parts) -> tuple[NDArray[np.bool_] | None, tuple[str, ...]]:
    """Return the pixels that the detector's mask leaves, and what is wrong with the mask."""
    for name in MASKS if parts.detector is not None else ():
        dataset = parts.tree.dataset(name, parts.detector)
        if dataset is None or dataset.ndim < 2:
            continue
        mask = parts.tree.values(dataset)
        mask = mask[0] if mask.ndim == 3 else mask
        if mask.shape != parts.frame:
            return None, (
                f"{parts.where}: its pixel_mask has {' x '.join(map(str, mask.shape))} pixels, the "
                f"frames {parts.frame[0]} x {parts.frame[1]}; the mask is not used.",
            )
        return mask == 0, ()
    return None, ()


def pixel_of(parts: Parts) -> list[float] | None:
    """Return height and width of a pixel in m."""
    sizes = [
        first_length(parts.tree, (name,), parts.detector)
        for name in ("y_pixel_size", "x_pixel_size")
    ]
    return None if None in sizes else [float(size) for size in sizes if size is not None]


def saturation_of(parts: Parts) -> float | None:
    """Return the counts from which a pixel is saturated."""
    if parts.detector is None:
        return None
    return _positive(scalar(parts.tree, CUTOFFS, parts.detector))
