"""
NXxas: NeXus entries of absorption spectra, in the two definitions that bear this name.

The released one has raw beams (``instrument/incoming_beam/data``, ``absorbed_beam/data``) over
``instrument/monochromator/energy``; the new one has ``energy``, ``intensity``, ``mode``,
``element`` and ``edge`` in the entry itself, and detectors beside it. They are told apart by what
is there. Where an entry holds several subentries (one for each way in which a scan was measured)
they are one dataset. Definition: https://manual.nexusformat.org/classes/applications/NXxas.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.hdf5 import Tree, claims_hdf5, damage_told
from tasks.io.scan import ScanReference
from tasks.io.spectra import F, Facts, Mode, Spectra
from tasks.io.values import moment, plain, scalar, text, unit
from tasks.io.xas.channels import Channels, ChannelSpectra, Read, described, without_gaps
from tasks.io.xas.elements import edge, first_symbol, symbol
from tasks.io.xas.energy import scale_to_ev
from tasks.io.xas.header import number_in
from tasks.io.xas.labelled import only_mode
from tasks.io.xas.stored import common_shape, stored

DEFINITION = "NXxas"
PROCESSED = "NXxasproc"
ENTRY_CLASSES = {"NXentry", "NXsubentry"}
ENERGIES = ("energy", "instrument/monochromator/energy", "data/energy", "plot/energy")
RAW = {
    "i0": ("instrument/i0/data", "instrument/incoming_beam/data"),
    "i1": ("instrument/itrans/data", "instrument/i1/data"),
    "i2": ("instrument/irefer/data", "instrument/i2/data"),
}
FLUORESCENCE = ("instrument/ifluor/data", "instrument/fluorescence/data")
ABSORBED = "instrument/absorbed_beam/data"
MODES: dict[str, Mode] = {
    "transmission": "transmission",
    "fluorescence": "fluorescence",
    "fluorescence yield": "fluorescence",
    "total fluorescence yield": "fluorescence",
    "partial fluorescence yield": "fluorescence",
    "herfd": "fluorescence",
}
REFERENCE = ("reference", "iref", "irefer", "standard")


@dataclass(frozen=True)
class NXxasReader:
    """Reader of NXxas files, of one or several entries."""

    name: str = "nxxas"
    layout: str = "an entry with definition 'NXxas'"
    technique: str = "xas"

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        if not claims_hdf5(path):
            return []
        with damage_told(path), Tree(path) as tree:
            return [_entry(tree, name, self.name) for name in _names(tree)]

    def open(self, reference: ScanReference) -> Spectra:
        """Open one entry read-only; without an inner path, the first of the file."""
        tree = Tree(Path(reference.path))
        try:
            with damage_told(tree.path):
                return _spectra(tree, reference)
        except BaseException:
            tree.close()
            raise


def _names(tree: Tree) -> list[str]:
    return [name for name in tree.root if _parts(tree, name)]


@dataclass(frozen=True)
class _Part:
    """One entry or subentry of the definition."""

    tree: Tree
    group: h5py.Group

    @property
    def where(self) -> str:
        return f"{self.tree.path} (entry '{str(self.group.name).strip('/')}')"

    def dataset(self, *paths: str) -> h5py.Dataset | None:
        """Return the first of several datasets that is there."""
        found = (self.tree.dataset(path, self.group) for path in paths)
        return next((each for each in found if each is not None and each.ndim), None)

    def said(self, *paths: str) -> str | None:
        """Return the first of several texts; the word None says nothing."""
        value = text(self.tree, paths, self.group)
        return None if value in (None, "None") else value

    @property
    def is_new(self) -> bool:
        """Whether it has the structure of the new definition."""
        return self.dataset("intensity", "plot/intensity") is not None

    @property
    def mode(self) -> Mode | None:
        """How it was measured, as far as it says so."""
        return MODES.get((self.said("mode", "data/mode", "plot/mode") or "").lower())

    @property
    def is_reference(self) -> bool:
        """Whether it is the reference foil rather than the sample, by its name or title."""
        names = (str(self.group.name).rsplit("/", 1)[-1], self.said("plot/title", "title") or "")
        return any(name.strip().lower() in REFERENCE for name in names)


def _parts(tree: Tree, name: str) -> list[_Part]:
    """Return the parts of a top-level group: itself, or its subentries."""
    return list(_walk(tree, tree.find(name), 2))


def _walk(tree: Tree, group: object, depth: int) -> Iterator[_Part]:
    if not isinstance(group, h5py.Group) or _class(group) not in ENTRY_CLASSES:
        return
    definition = text(tree, ("definition",), group) or ""
    if definition.startswith(DEFINITION) and definition != PROCESSED:
        yield _Part(tree, group)
    elif depth > 1:
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.HardLink):
                yield from _walk(tree, tree.find(name, group), depth - 1)


def _class(group: h5py.Group) -> str:
    return str(plain(group.attrs.get("NX_class", "")))


def _entry(tree: Tree, name: str, format_name: str) -> Entry:
    parts = _parts(tree, name)
    facts, problem, points = _facts(tree, parts), None, 0
    metadata: dict[str, object] = {}
    try:
        channels = _channels(parts)
        points = channels.shape[0] if channels.shape[0] > 1 else channels.shape[1]
        facts = replace(facts, mode=_mode(parts, channels))
        metadata = described(facts, channels)
    except DataError as error:
        problem = str(error)
    return Entry(
        inner_path=name,
        format=format_name,
        present_frames=points,
        uid=text(tree, ("entry_identifier_uuid", "scan_uid"), parts[0].group),
        started_at=facts.started_at,
        missing=tuple(sorted(tree.missing)),
        linked=tuple(sorted(tree.linked)),
        being_written=tree.being_written,
        needs_quiet=True,
        problem=problem,
        metadata=metadata,
    )


def _facts(tree: Tree, parts: Sequence[_Part]) -> Facts:
    """Return what the parts say; of the reference only its element."""
    references = [part for part in parts if part.is_reference]
    first = next((part for part in parts if not part.is_reference), parts[0])
    entry = _Part(tree, _top(tree, first.group))
    spacing = scalar(tree, ("instrument/monochromator/crystal/d_spacing",), first.group)
    foil = first.said("reference") or next(map(_element, references), None)
    return Facts(
        element=_element(first),
        edge=edge(first.said("edge/name", "edge/label", "edge")),
        reference_element=first_symbol(foil),
        d_spacing=number_in(None if spacing is None else str(spacing)),
        title=first.said("title") or entry.said("title") or "",
        sample=first.said("sample/name") or entry.said("sample/name") or "",
        started_at=moment(first.said("start_time", "scan/start_time") or entry.said("start_time")),
        e0=number_in(first.said("scan/edge_energy", "edge/energy")),
    )


def _top(tree: Tree, group: h5py.Group) -> h5py.Group:
    """Return the top-level group that an entry or subentry stands in."""
    found = tree.find(str(group.name).strip("/").split("/")[0])
    return found if isinstance(found, h5py.Group) else group


def _element(part: _Part) -> str | None:
    return symbol(part.said("element/symbol", "element/name", "element"))


def _channels(parts: Sequence[_Part]) -> Channels:
    """Make channels of the parts, which share one energy axis."""
    axis = parts[0].dataset(*ENERGIES)
    if axis is None:
        raise DataError(
            f"{parts[0].where} gives no energies: '{ENERGIES[0]}' and '{ENERGIES[1]}' are missing. "
            f"Write the energy of each point there, in eV."
        )
    mu, raw, counters = _found(parts)
    signals = [*(each for group in mu.values() for each in group), *raw.values(), *counters]
    if not mu and not ("i0" in raw and ("i1" in raw or counters)):
        raise DataError(
            f"{parts[0].where} holds no absorption: neither 'intensity' nor detectors before and "
            f"after the sample are there. Check what wrote it."
        )
    tree = parts[0].tree
    shape = common_shape(axis, signals)
    if 0 in shape:
        raise DataError(f"{parts[0].where} holds no points yet: repeat the scan.")
    sample = tree.values(axis, slice(0, shape[1])) if axis.ndim == 1 else tree.values(axis, 0)
    group_unit = str(plain(axis.parent.attrs.get("units", "")))
    factor = scale_to_ev(
        sample.astype(np.float64), unit(axis) or group_unit, f"{parts[0].where} at '{axis.name}'"
    )
    return Channels(
        shape=shape,
        energy=stored(tree, axis, shape, factor),
        single={name: stored(tree, each, shape) for name, each in raw.items()},
        fluorescence=[stored(tree, each, shape) for each in counters],
        mu={
            name: _mean([stored(tree, each, shape) for each in group]) for name, group in mu.items()
        },
    )


def _found(
    parts: Sequence[_Part],
) -> tuple[dict[str, list[h5py.Dataset]], dict[str, h5py.Dataset], list[h5py.Dataset]]:
    """Return absorption (of each kind one or several), single detectors and fluorescence."""
    mu: dict[str, list[h5py.Dataset]] = {}
    raw: dict[str, h5py.Dataset] = {}
    counters: list[h5py.Dataset] = []
    for part in parts:
        intensity = part.dataset("intensity", "plot/intensity")
        if intensity is not None:
            kind = "reference" if part.is_reference else part.mode or "transmission"
            mu.setdefault(kind, []).append(intensity)
        for name, paths in RAW.items():
            if (found := part.dataset(*paths)) is not None:
                raw.setdefault(name, found)
        counted = part.dataset(*FLUORESCENCE)
        absorbed = part.dataset(ABSORBED)
        if absorbed is not None and part.mode == "fluorescence":
            counted = counted or absorbed
        elif absorbed is not None:
            raw.setdefault("i1", absorbed)
        if counted is not None:
            counters.append(counted)
    return mu, raw, counters


def _mean(reads: Sequence[Read]) -> Read:
    """Make one channel of several detectors' absorption: their mean, as far as they have values."""
    if len(reads) == 1:
        return reads[0]

    def read(sweeps: slice, points: slice) -> F:
        stack = np.stack([each(sweeps, points) for each in reads])
        known = np.isfinite(stack)
        count: F = known.sum(axis=0, dtype=np.float64)
        count[count == 0] = np.nan
        return np.where(known, stack, 0.0).sum(axis=0) / count

    return read


def _mode(parts: Sequence[_Part], channels: Channels) -> Mode | None:
    said: set[Mode | None] = {part.mode for part in parts if not part.is_reference}
    one = said.pop() if len(said) == 1 else None
    return one or only_mode(channels)


def _spectra(tree: Tree, reference: ScanReference) -> ChannelSpectra:
    inner = reference.inner_path.strip("/") or next(iter(_names(tree)), "")
    parts = _parts(tree, inner) if inner else []
    if not parts:
        raise DataError(
            f"{tree.path} has no entry '{inner}' of the definition NXxas: "
            f"check the path inside the file."
        )
    channels, warnings = _channels(parts), tuple[str, ...]()
    if channels.shape[0] == 1:
        channels, warnings = without_gaps(channels, parts[0].where)
    facts = replace(_facts(tree, parts), mode=_mode(parts, channels))
    return ChannelSpectra(
        reference, facts, channels, warnings, closes=tree.close, metadata=described(facts, channels)
    )


READER = NXxasReader()
