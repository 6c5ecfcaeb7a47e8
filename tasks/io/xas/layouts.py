"""Layouts of text files that say in another way than by one line what their columns are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F, Facts, Mode
from tasks.io.xas.energy import from_angle
from tasks.io.xas.header import number_in, spacing_in, time_in
from tasks.io.xas.labelled import Labelled
from tasks.io.xas.labels import assign
from tasks.io.xas.text import Table, find_table

SPEC_SCAN = re.compile(r"#S\s+(\d+)\s*(.*)")
LISTED = re.compile(r"(\d+)\)\s+(.+?)(?=\s+\d+\)\s|\s*$)")
BEGINS_LISTED = re.compile(r"\W*\d+\)\s")
PF_MODES = {1: "i0", 2: "itrans", 3: "ifluor"}
PF_TIME = re.compile(r"(\d\d)\.(\d\d)\.(\d\d)\s+(\d\d):(\d\d)")
PARTED_DEGREES = 0.001


def numbered_list(header: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of a list such as ``1) Mono Energy   11) I0``, in its numbers' order."""
    listed = [line for line in header if BEGINS_LISTED.match(line)]
    found = {int(each[0]): each[1].strip() for line in listed for each in LISTED.findall(line)}
    count = len(found)
    return (
        tuple(found[each] for each in sorted(found))
        if sorted(found) == [*range(1, count + 1)]
        else ()
    )


def ssrl(path: Path, lines: list[str]) -> list[Labelled]:
    """
    Read a file of the SSRL EXAFS Data Collector: labels one below the other under ``Data:``.

    The offsets of its header are subtracted already.
    """
    if not lines[0].lstrip().startswith("SSRL"):
        return []
    begin = next((at for at, line in enumerate(lines) if line.strip() == "Data:"), None)
    if begin is None:
        return []
    end = next((at for at in range(begin + 1, len(lines)) if not lines[at].strip()), len(lines))
    labels = tuple(line.strip() for line in lines[begin + 1 : end])
    table = _table_below(path, lines, end)
    _check_count(path, labels, table)
    points = next((line for line in lines[:begin] if line.startswith("PTS:")), "")
    announced = number_in(points)
    facts = Facts(
        d_spacing=spacing_in(lines[:begin]),
        started_at=time_in(lines[:begin]),
        title=next((line.strip() for line in lines[7:8]), ""),
    )
    return [
        Labelled(
            where=str(path),
            values=table.values,
            labels=labels,
            facts=facts,
            warnings=table.warnings,
            announced=int(announced) if announced else None,
        )
    ]


def _table_below(path: Path, lines: list[str], first: int) -> Table:
    table = find_table(path, lines, first=first)
    if table is None:
        raise DataError(f"{path} holds no table of numbers below its header: repeat the scan.")
    return table


def _check_count(path: Path, labels: Sequence[str], table: Table) -> None:
    columns = table.values.shape[1]
    if len(labels) != columns:
        raise DataError(
            f"{path} has {columns} columns but labels for {len(labels)} "
            f"({', '.join(labels)}): check what the acquisition writes."
        )


def spec_scans(path: Path, lines: list[str]) -> list[Labelled]:
    """Read the energy scans of a SPEC file, one dataset each; other scans are passed over."""
    begins = [at for at, line in enumerate(lines) if SPEC_SCAN.match(line)]
    spans = zip(begins, [*begins[1:], len(lines)], strict=False)
    scans = (_spec_scan(path, lines[begin:end], begin) for begin, end in spans)
    return [scan for scan in scans if scan is not None]


def _spec_scan(path: Path, lines: list[str], begin: int) -> Labelled | None:
    labels = next((line[2:].strip() for line in lines if line.startswith("#L")), "")
    names = tuple(re.split(r"\s{2,}|\t", labels))
    scan = SPEC_SCAN.match(lines[0])
    if scan is None or not assign(names).is_enough:
        return None
    table = find_table(path, [""] * begin + lines)  # so that lines keep their numbers
    if table is None:
        return None
    _check_count(path, names, table)
    dates = [line for line in lines if line.startswith("#D")]
    return Labelled(
        where=f"{path} (scan {scan[1]})",
        values=table.values,
        labels=names,
        facts=Facts(started_at=time_in(dates), title=scan[2].strip()),
        warnings=table.warnings,
        inner_path=scan[1],
    )


def photon_factory(path: Path, lines: list[str]) -> list[Labelled]:
    """
    Read a file of the layout 9809: angles of the monochromator, and counts by detector mode.

    Its offsets are dark counts per second, so the channels become rates. The calculated angle,
    to which the monochromator was driven, is taken rather than the observed one, whose encoder
    may drift; a warning says by how much they part.
    """
    if not lines[0].lstrip().startswith("9809"):
        return []
    mode_line = next((at for at, line in enumerate(lines) if line.split()[:1] == ["Mode"]), None)
    if mode_line is None:
        raise DataError(f"{path} has no line 'Mode' that says what its columns are.")
    table = _table_below(path, lines, mode_line + 2)
    modes = [int(float(word)) for word in lines[mode_line].split()[1:]]
    offsets = [float(word) for word in lines[mode_line + 1].split()[1:]]
    labels = ("Angle(c)", "Angle(o)", "time/s", *_counter_names(modes[2:]))
    _check_count(path, labels, table)
    header = lines[:mode_line]
    spacing = spacing_in(header)
    announced = next(
        (found for line in header if (found := re.search(r"Points=\s*(\d+)", line))), None
    )
    return [
        Labelled(
            where=str(path),
            values=table.values,
            labels=labels,
            facts=_pf_facts(header, spacing, modes),
            warnings=(*table.warnings, *_parted(path, table.values, spacing)),
            announced=int(announced[1]) if announced else None,
            dark=dict(zip(map(_channel, labels[3:]), offsets[2:], strict=False)),
            dark_is_per_second=True,
        )
    ]


def _counter_names(modes: Sequence[int]) -> Iterator[str]:
    """Name the counters by their modes; those of fluorescence have numbers where several are."""
    for at, mode in enumerate(modes):
        name = PF_MODES.get(mode, f"counter{at + 1}")
        yield f"{name}_{at}" if mode == 3 and modes.count(3) > 1 else name


def _channel(label: str) -> str:
    return {"itrans": "i1"}.get(label, label)


def _pf_facts(header: list[str], spacing: float | None, modes: Sequence[int]) -> Facts:
    mode: Mode | None = None
    if 3 not in modes or 2 not in modes:
        mode = "fluorescence" if 3 in modes else "transmission"
    found = next((found for line in header if (found := PF_TIME.search(line))), None)
    started = None
    if found is not None:
        year, month, day, hour, minute = map(int, found.groups())
        started = datetime(2000 + year, month, day, hour, minute, tzinfo=UTC)
    return Facts(mode=mode, d_spacing=spacing, title=header[2].strip(), started_at=started)


def _parted(path: Path, values: F, spacing: float | None) -> list[str]:
    apart = np.abs(values[:, 1] - values[:, 0])
    if spacing is None or apart.max() < PARTED_DEGREES:
        return []
    worst = int(np.argmax(apart))
    energies = from_angle(values[worst, :2], spacing)
    return [
        f"{path}: the observed angle departs from the calculated one by up to "
        f"{apart[worst]:.4f} degree ({abs(energies[1] - energies[0]):.1f} eV); the calculated one "
        f"is taken. Check the energies against a foil."
    ]
