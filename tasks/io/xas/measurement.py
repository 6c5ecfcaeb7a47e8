"""
HDF5 entries with a group ``measurement`` of an energy axis and detectors beside each other.

Two formats have it: ESRF BLISS files, with a scan in each ``/N.1`` (``N.2`` holds slow counters,
https://bliss.gitlab-pages.esrf.fr), and files of quick scans of any other names, whose channels are
(sweeps, points) or one long stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.hdf5 import Tree, claims_hdf5, damage_told
from tasks.io.scan import ScanReference
from tasks.io.spectra import F, Facts, Mode, Spectra
from tasks.io.values import moment, plain, text, unit
from tasks.io.xas.channels import (
    LOOKED,
    Channels,
    ChannelSpectra,
    Read,
    described,
    turns,
    without_gaps,
)
from tasks.io.xas.elements import edge, symbol
from tasks.io.xas.energy import from_angle, scale_to_ev
from tasks.io.xas.labelled import at_an_edge, only_mode, refusal
from tasks.io.xas.measured_parts import (
    MEASUREMENT,
    SAMPLED,
    TIMES,
    Parts,
    lives,
    parts_of,
    read,
    without_dead,
)
from tasks.io.xas.stored import stored

BLISS_SCAN = re.compile(r"(\d+)\.1")
SLOW = re.compile(r"\d+\.\d+")
CUT_SHORT = 0.01
"""It is told if channels lack a larger share of the energy's points."""
MODES: dict[str, Mode] = {"transmission": "transmission", "fluorescence": "fluorescence"}
CHANNELS = ("i0", "i1", "i2")


@dataclass(frozen=True)
class MeasurementReader:
    """Reader of entries with measurement groups whose names fit."""

    name: str
    layout: str
    fits: Callable[[str], bool]
    technique: str = "xas"

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        return self.entries_beyond(path, {})

    def entries_beyond(self, path: Path, known: Mapping[str, Entry]) -> list[Entry]:
        """Look at a file that has grown; see `tasks.io.scan.GrowingReader`."""
        if not claims_hdf5(path):
            return []
        with damage_told(path), Tree(path) as tree:
            names = sorted((name for name in tree.root if self.fits(name)), key=_by_number)
            looked = (
                known.get(name) or _entry(tree, name, self.name, is_last=name == names[-1])
                for name in names
            )
            return [entry for entry in looked if entry is not None]

    def open(self, reference: ScanReference) -> Spectra:
        """Open one entry read-only; without an inner path, the first of the file."""
        tree = Tree(Path(reference.path))
        try:
            with damage_told(tree.path):
                return _spectra(tree, reference, self)
        except BaseException:
            tree.close()
            raise


def _by_number(name: str) -> tuple[float, str]:
    found = re.match(r"\d+", name)
    return (float(found[0]) if found else np.inf), name


def _entry(tree: Tree, inner: str, format_name: str, *, is_last: bool) -> Entry | None:
    parts = parts_of(tree, inner)
    if parts is None:
        return None
    problem: str | None = None
    facts, metadata = _facts(parts), dict[str, Any]()
    try:
        if 0 in parts.shape:
            raise DataError(f"{parts.where} holds no points yet: repeat the scan.")
        channels = _channels(without_dead(parts))
        facts = replace(facts, mode=facts.mode or only_mode(channels))
        metadata = described(facts, channels)
    except DataError as error:
        problem = str(error)
    sweeps, points = parts.shape
    frames = sweeps if parts.axis.ndim == 2 or sweeps > 1 else points
    announced = _announced(parts)
    # a scan that was cut off has no end either, but another one after it
    is_bliss = format_name == BLISS.name
    ended = text(tree, ("end_time",), parts.entry) is not None or (is_bliss and not is_last)
    is_open = is_bliss and not ended and facts.started_at is not None
    return Entry(
        inner_path=inner,
        format=format_name,
        present_frames=frames,
        uid=text(tree, ("scan_uid", "entry_identifier_uuid"), parts.entry),
        started_at=facts.started_at,
        expected_frames=announced or (frames if ended else None),
        being_written=tree.being_written or is_open,
        needs_quiet=not (announced or ended),
        problem=None if is_open else problem,
        metadata=metadata,
    )


def _announced(parts: Parts) -> int | None:
    value = parts.attribute("sweeps") or parts.attribute("points")
    return int(value) if isinstance(value, int | float) and value >= 1 else None


def _facts(parts: Parts) -> Facts:
    tree, entry = parts.tree, parts.entry

    def said(*paths: str) -> str | None:
        attribute = parts.attribute(paths[0].split("/")[0])
        return text(tree, paths, entry) or (str(attribute) if attribute else None)

    spacing, e0 = parts.attribute("d_spacing"), parts.attribute("edge_energy")
    return Facts(
        element=symbol(said("element/symbol", "element")),
        edge=edge(said("edge/name", "edge")),
        mode=MODES.get((said("mode") or "").lower()),
        reference_element=symbol(said("reference_element")),
        d_spacing=float(spacing) if isinstance(spacing, int | float) else None,
        title=said("title") or "",
        sample=said("sample/name", "sample_name") or "",
        started_at=moment(said("start_time")),
        e0=float(e0) if isinstance(e0, int | float) else None,
    )


def _channels(parts: Parts) -> Channels:
    """Make channels of the datasets; those that always say the same were not connected."""
    found, facts = parts.found, _facts(parts)
    energy = _energy(parts, facts.d_spacing)
    first = energy(slice(0, 1), slice(0, SAMPLED))
    low, high = float(np.nanmin(first)), float(np.nanmax(first))
    counters = [
        each for each in at_an_edge(found.fluorescence, low, high) if lives(parts, each.column)
    ]
    has_rates = all(None not in (each.input_rate, each.output_rate) for each in counters)
    single = {
        name: column
        for name, column in found.single.items()
        if name not in CHANNELS or lives(parts, column)
    }
    channels = Channels(
        shape=parts.shape,
        energy=energy,
        single={name: read(parts, column) for name, column in single.items()} | _stated_time(parts),
        fluorescence=[read(parts, each.column) for each in counters],
        input_rate=[read(parts, each.input_rate or 0) for each in counters] if has_rates else [],
        output_rate=[read(parts, each.output_rate or 0) for each in counters] if has_rates else [],
        mu={name: read(parts, column) for name, column in found.mu.items()},
        times=_times(parts),
        dark=_numbers(parts, "dark"),
        gain=_numbers(parts, "gain"),
    )
    if not channels.mu and not ("i0" in single and ({"i1", "i2"} & set(single) or counters)):
        raise refusal(f"{parts.where}, whose detectors always say the same", parts.names)
    return channels


def _energy(parts: Parts, spacing: float | None) -> Read:
    axis = parts.axis
    raw = stored(parts.tree, axis, parts.shape)
    if parts.found.energy is not None:
        sample = raw(slice(0, 1), slice(0, SAMPLED))
        factor = scale_to_ev(sample, unit(axis), f"{parts.where} at '{axis.name}'")
        return stored(parts.tree, axis, parts.shape, factor)
    if spacing is None:
        raise DataError(
            f"{parts.where} gives the monochromator's angle but not the d-spacing of its crystal, "
            f"so there are no energies: write it as the attribute 'd_spacing', in Angstrom."
        )
    return lambda sweeps, points: from_angle(raw(sweeps, points), spacing)


def _stated_time(parts: Parts) -> dict[str, Read]:
    """Return the count time that an attribute gives for all points, if no channel does."""
    value = parts.attribute("count_time")
    if "count_time" in parts.found.single or not isinstance(value, int | float) or value <= 0:
        return {}
    constant = np.broadcast_to(np.float64(value), parts.shape)
    return {"count_time": lambda sweeps, points: constant[sweeps, points].copy()}


def _times(parts: Parts) -> F | None:
    """Return when each sweep began, in seconds since the first."""
    times = parts.tree.dataset(TIMES, parts.group)
    sweeps = parts.shape[0]
    if times is None or times.ndim != 1 or sweeps < 2 or len(times) < sweeps:
        return None
    values = parts.tree.values(times, slice(0, sweeps)).astype(np.float64)
    return values - values[0]


def _numbers(parts: Parts, name: str) -> dict[str, float]:
    """Return a number that the channels have as an attribute, by channel."""
    columns = {each: parts.found.single[each] for each in CHANNELS if each in parts.found.single}
    values = {each: plain(parts.datasets[at].attrs.get(name)) for each, at in columns.items()}
    return {each: float(value) for each, value in values.items() if isinstance(value, int | float)}


def _spectra(tree: Tree, reference: ScanReference, reader: MeasurementReader) -> ChannelSpectra:
    inner = reference.inner_path.strip("/") or _first(tree, reader.fits)
    parts = parts_of(tree, inner)
    if parts is None:
        raise DataError(
            f"{tree.path} has no entry '{inner}' with energies and detectors in its group "
            f"'{MEASUREMENT}': check the path inside the file."
        )
    if 0 in parts.shape:
        raise DataError(f"{parts.where} holds no points yet: repeat the scan.")
    parts = without_dead(parts)
    channels, warnings = _channels(parts), _cut_short(parts)
    is_stream = _is_stream(channels)
    if parts.shape[0] == 1 and not is_stream:
        channels, gaps = without_gaps(channels, parts.where)
        warnings = (*warnings, *gaps)
    facts = _facts(parts)
    facts = replace(facts, mode=facts.mode or only_mode(channels))
    return ChannelSpectra(
        reference, facts, channels, warnings, is_stream, tree.close, described(facts, channels)
    )


def _cut_short(parts: Parts) -> tuple[str, ...]:
    """Tell if some channel ends before the energy does."""
    measured, points = parts.axis.shape[-1], parts.shape[1]
    if points >= (1 - CUT_SHORT) * measured:
        return ()
    return (
        f"{parts.where}: of {measured} energies only {points} have a reading in each of the "
        f"channels; the rest is left out.",
    )


def _first(tree: Tree, fits: Callable[[str], bool]) -> str:
    names = sorted(filter(fits, tree.root), key=_by_number)
    return next((name for name in names if parts_of(tree, name) is not None), "")


def _is_stream(channels: Channels) -> bool:
    """Whether the one sweep goes there and back, as the stream of a quick scan does."""
    sweeps, points = channels.shape
    return sweeps == 1 and turns(channels.energy(slice(None), slice(0, min(points, LOOKED)))[0]) > 1


def _is_quick(name: str) -> bool:
    return SLOW.fullmatch(name) is None


BLISS = MeasurementReader(
    "bliss",
    "scans '/N.1/measurement' with an energy (BLISS)",
    lambda name: BLISS_SCAN.fullmatch(name) is not None,
)
QUICK = MeasurementReader("quick", "a group 'measurement' with 'energy' and 'i0'", _is_quick)
