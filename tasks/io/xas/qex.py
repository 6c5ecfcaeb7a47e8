"""
PSI QEXAFS files (``.qex``): a text header to ``_Header_End_``, then one endless stream of records.

A record is the encoder (4-byte float, degrees of the Bragg angle), the time (2-byte unsigned) and
each channel (4-byte float), little-endian, without gaps, unless ``DataLineFormat`` says otherwise.
Header lines are ``name: value``. The acquisition writes ``FileHeaderSize_byte``, ``DataLineFormat``
and ``DataLineLabels`` (Clark et al., J. Synchrotron Rad. 27 (2020) 551); besides, ``channels`` may
name the channels, ``d_spacing`` (Angstrom) or ``crystal`` (such as Si(111)) must tell how an angle
becomes an energy, and ``encoder_scale`` (degrees per count), ``encoder_offset`` (degrees),
``element``, ``edge``, ``sample``, ``title``, ``start_time``, ``dark_i0``, ``gain_i0`` and so on are
understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from tasks.io.xas.header import number_in
from tasks.io.xas.labelled import only_mode, refusal
from tasks.io.xas.labels import Assigned, assign

END = b"_Header_End_"
LARGEST_HEADER = 64 * 1024
SUFFIX = ".qex"
LINE = re.compile(r"[#\s]*([A-Za-z][\w .-]*?)\s*[:=]\s*(.+)")
CHANNELS = ("i0", "i1", "i2")
TYPES = {"float32": "<f4", "float64": "<f8", "uint16": "<u2", "uint32": "<u4", "int16": "<i2"}


@dataclass(frozen=True)
class _Stream:
    """A file's header fields, and where its records are."""

    path: Path
    fields: Mapping[str, str]
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
        warnings: tuple[str, ...] = ()
        if stream.left_over:
            warnings = (f"{stream.path} ends within a record; the last one is left out.",)
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
    fields = _fields(begin[:at].decode("utf-8", "replace"))
    labels = _words(fields.get("channels")) or _words(fields.get("datalinelabels"))[2:]
    if not labels:
        raise DataError(
            f"{path} has neither 'DataLineLabels' nor 'channels' in its header, which name the "
            f"detectors in the order of the records: it cannot be told what they hold."
        )
    start, record = _begin(fields, begin, at), _record(path, fields, labels)
    records, left_over = divmod(size - start, record.itemsize)
    if records <= 0:
        raise DataError(f"{path} holds no records below its header: repeat the scan.")
    return _Stream(path, fields, start, labels, record, records, left_over)


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,;]+", text or "") if word)


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
            f"angles cannot become energies."
        )
    channels = Channels(
        shape=(1, stream.records),
        energy=_energy(stream, spacing),
        single={name: _read(stream, at) for name, at in found.single.items() if name in CHANNELS},
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
        d_spacing=spacing,
        title=fields.get("title", ""),
        sample=fields.get("sample", ""),
        started_at=moment(fields.get("start_time")),
    )


READER = QexReader()
