"""
One-dimensional patterns in column text: ``.xye``, ``.xy``, ``.chi``, ``.dat``, ``.iq``.

The columns are the axis, the intensity and, where there is one, its standard uncertainty. What the
axis is, is told by the header or not at all; numbers are never taken as a hint.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.pdf.columns import Columns, columns_of
from tasks.io.pdf.describe import described, entry_kind
from tasks.io.pdf.header import MONITOR, positive, told_by
from tasks.io.pdf.sidecar import sidecar_of
from tasks.io.pdf.words import kind_in
from tasks.io.powder import TECHNIQUE, F, Facts, Pattern, ScanReference

SUFFIXES = {".xye", ".xy", ".chi", ".iq"}
ANY_TEXT = {".dat", ".txt", ".csv", ".asc"}
"""Suffixes of all kinds of text: without a table they are no patterns rather than broken ones."""
DETECTOR = "pattern"
TOLERATED = 0.01
"""Share of the points that may have no intensity."""


@dataclass(frozen=True)
class PatternReader:
    """Reader of patterns in column text."""

    name: str = "powder_pattern"
    technique: str = TECHNIQUE
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        suffix = path.suffix.lower()
        if not path.is_file() or suffix not in SUFFIXES | ANY_TEXT:
            return []
        columns = columns_of(path)
        if columns is None:
            if suffix in ANY_TEXT:
                return []
            raise _no_table(path)
        pattern = _pattern(path, columns)
        kind, kinds = entry_kind(pattern.facts)
        uid = sidecar_of(path).get("uid")
        metadata = described(pattern.facts, axis_unit=pattern.unit, points=pattern.x.size)
        return [
            Entry(
                inner_path="",
                format=self.name,
                present_frames=1,
                uid=str(uid) if uid else None,
                started_at=pattern.facts.started_at,
                kind=kind,
                calibration_kinds=kinds,
                detector=DETECTOR,
                needs_quiet=True,
                metadata=metadata,
            )
        ]

    def open(self, reference: ScanReference) -> Pattern:
        """Read the pattern."""
        return read_pattern(Path(reference.path))


def read_pattern(path: Path) -> Pattern:
    """
    Read a pattern.

    Raises
    ------
    DataError
        It is not there, empty or no text, has no table, a word among the numbers, an axis that
        does not rise or is neither Q nor 2 theta, or too many points without a number.
    """
    columns = columns_of(path)
    if columns is None:
        raise _no_table(path)
    return _pattern(path, columns)


def _no_table(path: Path) -> DataError:
    if not path.is_file():
        return DataError(f"{path} is not there: it was removed, renamed or never written.")
    return DataError(
        f"{path} holds no table of numbers with two columns and three rows or more: check that it "
        f"is a pattern."
    )


def _pattern(path: Path, columns: Columns) -> Pattern:
    if columns.axis not in ("", "q", "tth"):
        raise DataError(
            f"{path} is a table over '{columns.axis}', which is neither Q nor 2theta: it is no "
            f"pattern. Give I(Q) or I(2theta)."
        )
    x, intensity, sigma = columns.values
    warnings = list(columns.warnings)
    x, intensity, sigma = _finite(path, x, intensity, sigma, warnings)
    x, intensity, sigma = _rising(path, x, intensity, sigma, warnings)
    if sigma is not None and (sigma < 0).any():
        warnings.append(f"{path}: its uncertainties are negative in places; they are not used.")
        sigma = None
    sidecar = sidecar_of(path)
    kind, calibrant = kind_in(path.stem)
    named: dict[str, Any] = {"kind": kind, "calibrant": calibrant}
    return Pattern(
        x=x,
        intensity=intensity,
        sigma=sigma,
        unit=columns.unit,
        monitor=positive(sidecar, MONITOR) or positive(columns.header, MONITOR),
        facts=Facts(**(named | told_by(columns.header) | told_by(sidecar))),
        warnings=tuple(warnings),
    )


def _finite(
    path: Path, x: F, intensity: F, sigma: F | None, warnings: list[str]
) -> tuple[F, F, F | None]:
    """Leave out points without a number, if they are few."""
    good = np.isfinite(x) & np.isfinite(intensity)
    bad = int(np.count_nonzero(~good))
    if not bad:
        return x, intensity, sigma
    places = f"{path}: {bad} of its {x.size} points hold no number (NaN or infinite), the first in "
    places += f"row {int(np.argmin(good)) + 1} of the table"
    if bad > TOLERATED * x.size:
        raise DataError(f"{places}. Integrate the images again, or mend the file.")
    warnings.append(f"{places}; they are left out.")
    return x[good], intensity[good], None if sigma is None else sigma[good]


def _rising(
    path: Path, x: F, intensity: F, sigma: F | None, warnings: list[str]
) -> tuple[F, F, F | None]:
    """Check that the axis rises; points that share a value, since it was rounded, are averaged."""
    steps = np.diff(x)
    if (steps < 0).any():
        row = int(np.argmax(steps < 0)) + 2
        what = "falls" if (steps < 0).all() else f"falls in row {row} of the table ({x[row - 1]:g})"
        raise DataError(
            f"{path}: its axis {what}, where it must rise from row to row: sort the file, or "
            f"split it where two patterns follow one another."
        )
    if not (steps == 0).any():
        return x, intensity, sigma
    values, starts, counts = np.unique(x, return_index=True, return_counts=True)
    if len(values) < 3:
        raise DataError(f"{path}: its axis has {len(values)} different values: it is no pattern.")
    warnings.append(
        f"{path}: {x.size} points have only {len(values)} different axis values, since the axis "
        f"was written with too few digits; points of one value are averaged."
    )
    intensity = np.add.reduceat(intensity, starts) / counts
    if sigma is not None:
        sigma = np.sqrt(np.add.reduceat(sigma**2, starts)) / counts
    return values, intensity, sigma


READER = PatternReader()
