"""One-dimensional patterns in column text: ``.xye``, ``.xy``, ``.chi``, ``.dat``, ``.iq``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.pdf.describe import described
from tasks.io.pdf.words import kind_in
from tasks.io.powder import TECHNIQUE, Facts, Pattern, ScanReference, Unit
from tasks.io.xas.text import find_table, lines_of

SUFFIXES = {".xye", ".xy", ".chi", ".dat", ".iq", ".txt", ".csv"}
INVERSE_NM = re.compile(r"\bq[\s_(\[,]*(1/nm|nm\^?-1|nm\$?\^?\{?-1|nm⁻¹)", re.IGNORECASE)
Q_AXIS = re.compile(r"(?<![A-Za-z])q(?![A-Za-z])", re.IGNORECASE)
TWO_THETA = re.compile(
    r"2[\s_-]?(theta|th\b|θ)|two[\s_-]?theta|\btth\b|2th_(deg|rad)", re.IGNORECASE
)


@dataclass(frozen=True)
class PatternReader:
    """Reader of patterns in column text."""

    name: str = "powder_pattern"
    technique: str = TECHNIQUE
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        if not path.is_file() or path.suffix.lower() not in SUFFIXES:
            return []
        pattern = read_pattern(path)
        kind = pattern.facts.kind
        return [
            Entry(
                inner_path="",
                format=self.name,
                present_frames=1,
                kind="raw" if kind == "sample" else "calibration",
                calibration_kinds=() if kind == "sample" else (kind,),
                detector="pattern",
                needs_quiet=True,
                metadata=described(pattern.facts, axis_unit=pattern.unit, points=pattern.x.size),
            )
        ]

    def open(self, reference: ScanReference) -> Pattern:
        """Read the pattern."""
        return read_pattern(Path(reference.path))


def read_pattern(path: Path) -> Pattern:
    """
    Read a pattern: axis, intensity and, in a third column, its standard uncertainty.

    Raises
    ------
    DataError
        It is empty, has no table, a word among the numbers, or an axis that does not rise.
    """
    lines = lines_of(path)
    table = find_table(path, lines)
    if table is None:
        raise DataError(f"{path} holds no table of numbers with two columns or more.")
    values = table.values
    header = lines[: table.begin]
    if (np.diff(values[:, 0]) <= 0).any():
        raise DataError(f"{path}: the axis in its first column does not rise throughout.")
    kind, calibrant = kind_in(path.stem)
    return Pattern(
        x=values[:, 0],
        intensity=values[:, 1],
        sigma=values[:, 2] if values.shape[1] > 2 else None,
        unit=unit_in(header),
        facts=Facts(kind=kind, calibrant=calibrant),
        warnings=table.warnings,
    )


def unit_in(header: list[str]) -> Unit | None:
    """Tell the unit of the axis by the words of a header, the nearest line to the table first."""
    for line in reversed(header):
        if TWO_THETA.search(line):
            return "tth_rad" if "rad" in line.lower() else "tth_deg"
        if INVERSE_NM.search(line):
            return "q_1/nm"
        if Q_AXIS.search(line):
            return "q_1/angstrom"
    return None


READER = PatternReader()
