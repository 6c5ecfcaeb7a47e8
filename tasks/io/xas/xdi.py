"""
XDI 1.0, the XAS Data Interchange format: one scan in a text file with a header of fields.

Specification: https://github.com/XraySpectroscopy/XAS-Data-Interchange (Ravel & Newville,
J. Phys. Conf. Ser. 712 (2016) 012148, doi:10.1088/1742-6596/712/1/012148).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import Facts
from tasks.io.values import moment
from tasks.io.xas.elements import edge, first_symbol, symbol
from tasks.io.xas.energy import crystal_spacing
from tasks.io.xas.header import CHANNELS, gain_of, number_in
from tasks.io.xas.labelled import Labelled
from tasks.io.xas.labels import assign
from tasks.io.xas.table_reader import TableReader
from tasks.io.xas.text import Table, find_table, lines_of, number, tokens

VERSION = re.compile(r"#\s*XDI/\d")
FIELD = re.compile(r"#\s*([A-Za-z_]\w*)\.([\w-]+)\s*:\s*(.*)")
END_OF_FIELDS = re.compile(r"#\s*/{3,}")
END_OF_HEADER = re.compile(r"#\s*-{3,}\s*$")


@dataclass
class _Header:
    """Fields by their small-lettered names, what stands above the table, and what is amiss."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    label_line: str = ""
    comments: list[str] = field(default_factory=list[str])
    has_end: bool = False
    strange_lines: list[int] = field(default_factory=list[int])

    def first(self, *names: str) -> str | None:
        """Return the first of several fields that is there and not blank."""
        return next((self.fields[name] for name in names if self.fields.get(name)), None)


def tables(path: Path) -> list[Labelled]:
    """Read an XDI file; an empty list if it is none and does not claim to be one by its name."""
    lines = lines_of(path)
    if not lines or not VERSION.match(lines[0]):
        if lines and path.suffix.lower() == ".xdi":
            raise DataError(
                f"{path} is called XDI but does not begin with '# XDI/' and a version. "
                f"Put that line at its top, or give it another name."
            )
        return []
    begin = next((number for number, line in enumerate(lines) if _is_row(line)), len(lines))
    table = find_table(path, lines, first=begin)
    if table is None or not np.isfinite(table.values).all() or table.rows < _rows(lines[begin:]):
        _refuse_bad_rows(path, lines, begin)
    if table is None:
        raise DataError(f"{path} holds no table of numbers below its header: repeat the scan.")
    header = _header(lines[:begin])
    if "outer.name" in header.fields:
        raise DataError(
            f"{path} holds a map over '{header.fields['outer.name']}' rather than one spectrum: "
            f"write each spectrum into a file of its own."
        )
    return [_labelled(path, header, table)]


def _is_row(line: str) -> bool:
    words = tokens(line)
    return bool(words) and number(words[0]) is not None


def _rows(lines: list[str]) -> int:
    return sum(not line.startswith("#") and not line.isspace() and bool(line) for line in lines)


def _refuse_bad_rows(path: Path, lines: list[str], begin: int) -> None:
    """Refuse a table with anything but numbers in it, which XDI does not allow."""
    for index, line in enumerate(lines[begin:], begin + 1):
        if not line.strip() or line.startswith("#"):
            continue
        for word in tokens(line):
            value = number(word)
            if value is None or not np.isfinite(value):
                raise DataError(
                    f"{path}: line {index} has '{word}' where a number belongs. "
                    f"Mend or remove the line."
                )


def _header(lines: list[str]) -> _Header:
    header = _Header()
    in_comments = False
    for index, line in enumerate(lines[1:], 2):
        found = FIELD.match(line)
        if END_OF_HEADER.match(line):
            header.has_end = True
        elif END_OF_FIELDS.match(line):
            in_comments = True
        elif found and not in_comments:
            value = found[3].split("||")[0].strip()
            header.fields[f"{found[1]}.{found[2]}".lower()] = value
        elif not line.startswith("#") and line.strip():
            header.strange_lines.append(index)
        elif in_comments and not header.has_end:
            header.comments.append(line.lstrip("# ").strip())
    header.label_line = next((line for line in reversed(lines) if line.strip("# \t")), "")
    return header


def _labelled(path: Path, header: _Header, table: Table) -> Labelled:
    columns = table.values.shape[1]
    labels, units, told = _labels(str(path), header, columns)
    spacing, assumed = _spacing(str(path), header, angle_only=assign(labels).energy is None)
    facts = _facts(header, spacing)
    return Labelled(
        where=str(path),
        values=table.values,
        labels=labels,
        units=units,
        facts=facts,
        warnings=(*table.warnings, *_amiss(str(path), header), *told, *assumed),
        gain=_gains(header),
        uid=header.first("scan.uid"),
    )


def _labels(
    where: str, header: _Header, columns: int
) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """Return labels and units from the fields ``Column.N``, else from the line above the table."""
    declared = {
        int(name.removeprefix("column.")): value
        for name, value in header.fields.items()
        if name.startswith("column.") and name.removeprefix("column.").isdigit()
    }
    above = header.label_line.lstrip("#").split()
    above = above if len(above) == columns else [""] * columns
    labels: list[str] = []
    units: list[str] = []
    for column in range(columns):
        words = declared.get(column + 1, above[column]).split(maxsplit=1)
        labels.append(words[0] if words else f"column {column + 1}")
        units.append(words[1].strip("() ") if len(words) > 1 else "")
    warnings: list[str] = []
    if sorted(declared) != list(range(1, columns + 1)):
        named = ", ".join(f"Column.{each}" for each in sorted(declared)) or "no Column.N"
        warnings.append(
            f"{where}: the header has {named} for {columns} columns; where one is not named, the "
            f"label above the table counts."
        )
    return tuple(labels), tuple(units), warnings


def _spacing(where: str, header: _Header, *, angle_only: bool) -> tuple[float | None, list[str]]:
    stated = number_in(header.first("mono.d_spacing", "mono.dspacing"))
    if stated is not None or not angle_only:
        return stated, []
    assumed = crystal_spacing(header.first("mono.name"))
    if assumed is None:
        return None, []
    return assumed, [
        f"{where}: the header gives no Mono.d_spacing; {assumed:.6f} Angstrom is assumed from "
        f"'{header.fields['mono.name']}'."
    ]


def _facts(header: _Header, spacing: float | None) -> Facts:
    reference = header.first("reference.name", "sample.reference", "scan.reference")
    return Facts(
        element=symbol(header.first("element.symbol", "scanparameters.element")),
        edge=edge(header.first("element.edge", "scanparameters.edge")),
        reference_element=first_symbol(header.first("element.reference") or reference),
        d_spacing=spacing,
        title=next((line for line in header.comments if line), ""),
        sample=header.first("sample.name") or "",
        started_at=moment(header.first("scan.start_time")),
        e0=number_in(header.first("scan.edge_energy", "scanparameters.e0")),
        formula=header.first("sample.formula", "sample.stoichiometry") or "",
        temperature=header.first("sample.temperature") or "",
    )


def _gains(header: _Header) -> dict[str, float]:
    """Return gains in V/A, where the header gives sensitivities as EPICS records do."""
    gains: dict[str, float] = {}
    for name, channel in CHANNELS.items():
        value = header.first(f"beamline.{name}_sensitivity_number")
        unit = header.first(f"beamline.{name}_sensitivity_unit")
        if value and unit and (gain := gain_of(value, unit)):
            gains[channel] = gain
    return gains


def _amiss(where: str, header: _Header) -> list[str]:
    """Say what in the header is not as it should be, though the scan can be read."""
    found: list[str] = []
    if header.strange_lines:
        lines = ", ".join(map(str, header.strange_lines))
        found.append(f"{where}: header lines {lines} do not begin with '#'; they are not read.")
    if not header.has_end:
        found.append(f"{where}: no line of dashes ends the header.")
    known = {"element.symbol": symbol, "element.edge": edge}
    for name, understood in known.items():
        short = name.split(".")[1]
        value = header.first(name, f"scanparameters.{'element' if short == 'symbol' else short}")
        if value is None:
            found.append(f"{where}: the header has no Element.{short}; the spectrum must tell.")
        elif understood(value) is None:
            found.append(f"{where}: '{value}' is no Element.{short}; the spectrum must tell.")
    return found


READER = TableReader("xdi", tables)
