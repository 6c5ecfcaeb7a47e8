"""
PSI QEXAFS files (``.qex``): a text header to ``_Header_End_``, then one endless stream of records.

A record is the encoder (4-byte float, degrees of the Bragg angle), the time since the record before
(2-byte unsigned, ticks of the clock) and each channel (4-byte float), little-endian, without gaps,
unless ``DataLineFormat`` says otherwise. Header lines are ``# name: value``. The acquisition writes
``FileHeaderSize_byte``, ``AdcNumberChannelsStored``, ``DataLineFormat``, ``DataLineLabels``,
``AdcClock_Hz`` and ``StartOfMeasurement`` (the names that ProQEXAFS looks for: A. H. Clark,
J. Imbao, R. Frahm, M. Nachtegaal, J. Synchrotron Rad. 27 (2020) 551,
doi:10.1107/S1600577519017053). Channels that have but numbers are, as there, the three ion chambers
and the fluorescence detector.

How an angle becomes an energy the acquisition does not write: ``d_spacing`` (Angstrom) or
``crystal`` (such as Si(111)) must stand in the header or in a file ``qex.cfg`` beside it, which may
give whatever else a header lacks: ``channels``, ``encoder_scale`` (degrees per count),
``encoder_offset`` (degrees), ``element``, ``edge``, ``reference_element``, ``sample``, ``title``,
``start_time``, ``dark_i0``, ``gain_i0`` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.scan import ScanReference
from tasks.io.spectra import F, Facts, Spectra
from tasks.io.values import moment
from tasks.io.xas.channels import Channels, ChannelSpectra, Read, described
from tasks.io.xas.elements import edge, symbol
from tasks.io.xas.energy import crystal_spacing, from_angle
from tasks.io.xas.header import number_in, time_in
from tasks.io.xas.labelled import only_mode, refusal
from tasks.io.xas.labels import Assigned, assign

END = b"_Header_End_"
LARGEST_HEADER = 64 * 1024
SUFFIX = ".qex"
SETTINGS = "qex.cfg"
"""Beside the files: what their headers lack."""
LINE = re.compile(r"[#\s]*([A-Za-z][\w .-]*?)\s*[:=]\s*(.+)")
DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}),?\s+(\d{1,2}:\d{2}:\d{2})")
CHANNELS = ("i0", "i1", "i2")
NUMBERED = re.compile(r"(?:ch|channel|adc|ai|input)?[\W_]*\d+", re.IGNORECASE)
ORDER = ("i0", "itrans", "irefer", "ifluor")
"""What channels are that have but numbers."""
BESIDE = 2
"""Columns before the channels: encoder and time."""
TYPES = {
    **{f"{kind}{8 * size}": f"<{kind[0]}{size}" for kind in ("int", "uint") for size in (1, 2, 4)},
    "float32": "<f4",
    "float64": "<f8",
}


@dataclass(frozen=True)
class _Stream:
    """A file's header fields, what had to be assumed, and where its records are."""

    path: Path
    fields: Mapping[str, str]
    warnings: tuple[str, ...]
    begin: int
    labels: tuple[str, ...]
    record: np.dtype[Any]
    records: int
    left_over: int

    def read(self, name: str, points: slice) -> NDArray[Any]:
        """Read some values of each record."""
        start, stop, step = points.indices(self.records)
        try:
            mapped = np.memmap(self.path, self.record, "r", self.begin, (self.records,))
            return np.array(mapped[name][start : max(start, stop) : step])
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path} cannot be read ({error}): it was cut short.") from error


@dataclass(frozen=True)
class QexReader:
    """Reader of QEXAFS streams of PSI."""

    name: str = "qex"
    technique: str = "xas"
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        stream = _stream(path)
        if stream is None:
            return []
        channels, facts = _channels(stream)
        return [
            Entry(
                inner_path="",
                format=self.name,
                present_frames=stream.records,
                started_at=facts.started_at,
                needs_quiet=True,
                metadata=described(facts, channels),
            )
        ]

    def open(self, reference: ScanReference) -> Spectra:
        """Open the stream."""
        stream = _stream(Path(reference.path))
        if stream is None:
            raise DataError(f"{reference.path} has no '_Header_End_': it is no QEXAFS file of PSI.")
        channels, facts = _channels(stream)
        warnings = stream.warnings
        if stream.left_over:
            warnings += (f"{stream.path} ends within a record; the last one is left out.",)
        return ChannelSpectra(
            reference,
            facts,
            channels,
            warnings,
            is_stream=True,
            metadata=described(facts, channels),
        )


def _stream(path: Path) -> _Stream | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            begin = file.read(LARGEST_HEADER)
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    at = begin.find(END)
    if at < 0 and path.suffix.lower() != SUFFIX:
        return None
    if at < 0:
        raise DataError(
            f"{path} is called .qex but has no '_Header_End_' in its first {LARGEST_HEADER} bytes: "
            f"it is empty, cut short or of another kind."
        )
    fields, borrowed = _with_settings(path, _fields(_decoded(begin[:at])))
    labels, assumed = _labels(path, fields)
    start, record = _begin(fields, begin, at), _record(path, fields, labels)
    records, left_over = divmod(size - start, record.itemsize)
    if records <= 0:
        raise DataError(f"{path} holds no records below its header: repeat the scan.")
    warnings = (*borrowed, *assumed)
    return _Stream(path, fields, warnings, start, labels, record, records, left_over)


def _decoded(header: bytes) -> str:
    try:
        return header.decode("utf-8")
    except UnicodeDecodeError:
        return header.decode("cp1252", "replace")


def _with_settings(path: Path, header: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Add what the settings beside a file give and its header does not."""
    settings = path.with_name(SETTINGS)
    try:
        given = _fields(_decoded(settings.read_bytes()))
    except FileNotFoundError:
        return header, ()
    except OSError as error:
        raise DataError(f"{settings} cannot be read ({error.strerror}).") from error
    added = {name: value for name, value in given.items() if name not in header}
    if not added:
        return header, ()
    words = ", ".join(f"{name} {value}" for name, value in added.items())
    return header | added, (f"{path}: its header lacks what {settings} gives: {words}.",)


def _words(text: str | None) -> tuple[str, ...]:
    """Return the words of a list, between commas if there are any."""
    parts = re.split(r"[,;]" if re.search(r"[,;]", text or "") else r"\s", text or "")
    return tuple(part.strip() for part in parts if part.strip())


def _labels(path: Path, fields: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Return the names of the channels, and what was assumed.

    Raises
    ------
    DataError
        The header says nothing about them, or contradicts itself.
    """
    columns = _words(fields.get("datalineformat")) or _words(fields.get("datalinelabels"))
    stated = number_in(fields.get("adcnumberchannelsstored"))
    count = int(stated) if stated else max(0, len(columns) - BESIDE)
    named = _words(fields.get("channels")) or _words(fields.get("datalinelabels"))[-count or None :]
    if not named and not count:
        raise DataError(
            f"{path} has neither 'DataLineLabels' nor 'channels' in its header, which name the "
            f"detectors in the order of the records: it cannot be told what they hold."
        )
    if named and stated and len(named) != count:
        raise DataError(
            f"{path} says that it stores {count} channels but names {len(named)} "
            f"({', '.join(named)}): its header is damaged or unknown."
        )
    if named and not all(map(NUMBERED.fullmatch, named)):
        return named, ()
    numbered = named or tuple(str(number) for number in range(count))
    taken = (*ORDER[:count], *numbered[len(ORDER) :])
    return taken, (
        f"{path}: its channels have but numbers; they are taken for {', '.join(ORDER[:count])}, "
        f"in this order. Name them with 'channels' in {SETTINGS} beside it if they are others.",
    )


def _begin(fields: Mapping[str, str], begin: bytes, mark: int) -> int:
    """Return where the records begin: as the header says, else after the line of its mark."""
    after = mark + len(END)
    stated = fields.get("fileheadersize_byte", "")
    if stated.isdigit() and int(stated) >= after:
        return int(stated)
    newline = begin.find(b"\n", mark)
    return newline + 1 if 0 <= newline - after <= 1 else after


def _record(path: Path, fields: Mapping[str, str], labels: tuple[str, ...]) -> np.dtype[Any]:
    """Return what a record is made of."""
    stated = _words(fields.get("datalineformat")) or (
        "float32",
        "uint16",
        *["float32"] * len(labels),
    )
    names = ("encoder", "time", *(f"c{at}" for at in range(len(labels))))
    if len(stated) != len(names) or not set(stated) <= set(TYPES):
        raise DataError(
            f"{path} has records of {', '.join(stated)} but names {len(labels)} channels "
            f"({', '.join(labels)}) beside encoder and time: its header is damaged or unknown."
        )
    return np.dtype([(name, TYPES[kind]) for name, kind in zip(names, stated, strict=True)])


def _fields(header: str) -> dict[str, str]:
    found = (LINE.match(line) for line in header.splitlines())
    return {
        re.sub(r"\W+", "_", each[1].strip().lower()): each[2].strip()
        for each in found
        if each is not None
    }


def _channels(stream: _Stream) -> tuple[Channels, Facts]:
    fields = stream.fields
    found = assign(("energy", *stream.labels))
    if not found.is_enough:
        raise refusal(str(stream.path), stream.labels)
    spacing = number_in(fields.get("d_spacing")) or crystal_spacing(fields.get("crystal"))
    if spacing is None:
        raise DataError(
            f"{stream.path} has neither 'd_spacing' nor 'crystal' in its header: the encoder's "
            f"angles cannot become energies. Write a line such as 'crystal: Si(111)' into a file "
            f"{SETTINGS} beside it."
        )
    channels = Channels(
        shape=(1, stream.records),
        energy=_energy(stream, spacing),
        single={name: _read(stream, at) for name, at in found.single.items() if name in CHANNELS}
        | _count_time(stream),
        fluorescence=[_read(stream, each.column) for each in found.fluorescence],
        mu={name: _read(stream, at) for name, at in found.mu.items()},
        dark=_numbers(stream, found, "dark"),
        gain=_numbers(stream, found, "gain"),
    )
    return channels, replace(_facts(fields, spacing), mode=only_mode(channels))


def _energy(stream: _Stream, spacing: float) -> Read:
    scale = number_in(stream.fields.get("encoder_scale")) or 1.0
    offset = _number(stream.fields.get("encoder_offset"))

    def read(sweeps: slice, points: slice) -> F:
        encoder = stream.read("encoder", points).astype(np.float64)
        return from_angle(encoder * scale + offset, spacing)[None][sweeps]

    return read


def _read(stream: _Stream, column: int) -> Read:
    """Make a channel; the labels that it was told by begin with the energy."""
    return lambda sweeps, points: stream.read(f"c{column - 1}", points).astype(np.float64)[None][
        sweeps
    ]


def _count_time(stream: _Stream) -> dict[str, Read]:
    """Return how long each record was counted, if the header gives the clock."""
    clock = number_in(stream.fields.get("adcclock_hz"))
    if clock is None:
        return {}
    return {
        "count_time": lambda sweeps, points: (
            stream.read("time", points).astype(np.float64)[None][sweeps] / clock
        )
    }


def _number(text: str | None) -> float:
    found = re.match(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", (text or "").strip())
    return float(found[0]) if found else 0.0


def _numbers(stream: _Stream, found: Assigned, what: str) -> dict[str, float]:
    given = {name: stream.fields.get(f"{what}_{name}") for name in CHANNELS if name in found.single}
    return {name: _number(value) for name, value in given.items() if value}


def _facts(fields: Mapping[str, str], spacing: float) -> Facts:
    return Facts(
        element=symbol(fields.get("element")),
        edge=edge(fields.get("edge")),
        reference_element=symbol(fields.get("reference_element")),
        d_spacing=spacing,
        title=fields.get("title", ""),
        sample=fields.get("sample", ""),
        started_at=_time(fields.get("start_time") or fields.get("startofmeasurement")),
    )


def _time(text: str | None) -> datetime | None:
    """Return a time that begins with the year or, as in Switzerland, with the day."""
    if found := DAY_FIRST.search(text or ""):
        day, month, year, clock = found.groups()
        text = f"{year}-{int(month):02d}-{int(day):02d}T{clock:0>8}"
    return moment(text) or time_in([text or ""])


READER = QexReader()
