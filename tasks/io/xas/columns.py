"""
Column text of many beamlines: what the columns are is told by their labels.

Known are the layouts of Photon Factory and SPring-8 (``9809``), of SPEC and of the SSRL collector,
and any other text whose labels stand in a line above the table, or in a numbered list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tasks.io.spectra import Facts
from tasks.io.xas.header import e0_in, gains_in, spacing_in, time_in
from tasks.io.xas.labelled import Labelled, refusal
from tasks.io.xas.labels import CHANNEL_ORDER, assign
from tasks.io.xas.layouts import numbered_list, photon_factory, spec_scans, ssrl
from tasks.io.xas.table_reader import TableReader
from tasks.io.xas.text import COMMENT, Table, find_table, lines_of, number
from tasks.io.xas.xdi import VERSION

ANNOUNCED = re.compile(r"\b(\d+)\s+points\b")
GAIN_EXPONENTS = re.compile(r"Gains\s*=\s*([-\d. ]+)")
NEAREST = 12
"""Labels stand at most so many lines above the table."""


def tables(path: Path) -> list[Labelled]:
    """
    Read a text with a table; an empty list if it is XDI, no text, or holds no table.

    Raises
    ------
    DataError
        The columns cannot be told, or a row is broken.
    """
    lines = lines_of(path)
    if not lines or VERSION.match(lines[0]) or path.suffix.lower() in (".xdi", ".prj"):
        return []
    for layout in (photon_factory, ssrl, spec_scans):
        if found := layout(path, lines):
            return found
    table = find_table(path, lines)
    return [] if table is None else [_labelled(path, lines[: table.begin], table)]


def _labelled(path: Path, header: list[str], table: Table) -> Labelled:
    columns = table.values.shape[1]
    candidates = list(_label_lines(header, columns))
    if not candidates:
        raise refusal(str(path), ())
    labels = next((each for each in candidates if assign(each).is_enough), candidates[0])
    announced = next((int(found[1]) for line in header if (found := ANNOUNCED.search(line))), None)
    return Labelled(
        where=str(path),
        values=table.values,
        labels=labels,
        facts=Facts(d_spacing=spacing_in(header), started_at=time_in(header), e0=e0_in(header)),
        warnings=table.warnings,
        announced=announced,
        gain=gains_in(header) | _exponents(header, labels),
    )


def _label_lines(header: list[str], columns: int) -> Iterator[tuple[str, ...]]:
    """Yield what may be the labels of the columns, the likeliest first."""
    listed = numbered_list(header)
    if len(listed) == columns:
        yield listed
    for line in reversed([line for line in header if line.strip()][-NEAREST:]):
        for split in _splits(line):
            if len(split) == columns and all(number(each) is None for each in split):
                yield tuple(split)
                break


def _splits(line: str) -> Iterator[list[str]]:
    """Split a header line in all the ways in which labels are set apart."""
    plain = line.strip().lstrip(COMMENT).strip()
    if '"' in plain:
        yield re.findall(r'"([^"]*)"', plain)
    for separator in (r"\t+", r"\s*[,;]\s*", r"\s{2,}", r"\s+"):
        yield [word for word in re.split(separator, plain) if word]


def _exponents(header: list[str], labels: tuple[str, ...]) -> dict[str, float]:
    """
    Return the gains that MRCAT files give as powers of ten, in the order of the detectors.

    Their offsets are not read: the counts have them subtracted already.
    """
    found = next((found for line in header if (found := GAIN_EXPONENTS.search(line))), None)
    if found is None:
        return {}
    powers = [float(word) for word in found[1].split()]
    known = assign(labels)
    first = 1 + (known.energy or 0)
    places = {name: known.single[name] - first for name in CHANNEL_ORDER if name in known.single}
    return {name: 10.0 ** powers[at] for name, at in places.items() if 0 <= at < len(powers)}


READER = TableReader("columns", tables)
