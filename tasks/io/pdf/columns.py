"""The columns of a pattern in text, and what its header says about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.io.pdf.header import pairs_in
from tasks.io.powder import F, Unit
from tasks.io.xas.text import COMMENT, find_table, is_comment, lines_of, number, tokens

SPLIT = re.compile(r"\t+|\s*[,;]\s*|\s{2,}|\s+")
TWO_THETA = re.compile(r"(2|two)[\s_-]*(th(eta)?|θ)|\btth|scattering angle", re.IGNORECASE)
RADIANS = re.compile(r"rad", re.IGNORECASE)
Q_AXIS = re.compile(r"(?<![A-Za-z])q(?![A-Za-z])", re.IGNORECASE)
NANOMETRES = re.compile(r"nm|nano", re.IGNORECASE)
OTHERS = re.compile(r"(r|r_mm|r_m|d|d-?spacing|d_a|energy|channel|chi_deg)\b", re.IGNORECASE)
SIGMA = re.compile(r"sigma|err|e\.?s\.?d|std|unc|^d[a-z]?$|^d[IGSF]", re.IGNORECASE)
FORMATS: dict[str, Unit] = {
    "twotheta": "tth_deg",
    "q_a": "q_1/angstrom",
    "qa": "q_1/angstrom",
    "q_nm": "q_1/nm",
    "qnm": "q_1/nm",
}
"""The words of PDFgetX3's ``dataformat``."""
NEAREST = 6
"""Labels stand at most so many lines above the table."""


@dataclass(frozen=True)
class Columns:
    """
    A table as axis, intensity and uncertainty.

    Attributes
    ----------
    axis
        ``q``, ``tth``, another word if the labels say that it is neither, empty if nothing says.
    header
        The words of the header by their keys.
    """

    values: tuple[F, F, F | None]
    axis: str
    unit: Unit | None
    header: dict[str, str]
    warnings: tuple[str, ...]


def columns_of(path: Path) -> Columns | None:
    """
    Read a text with a table; None if it is no text or holds none.

    Raises
    ------
    DataError
        It is empty, or a row has a word among its numbers or another number of columns.
    """
    lines = lines_of(path)
    table = find_table(path, lines, first=_first_row(lines))
    if table is None:
        return None
    above = lines[: table.begin]
    labels = _labels(above, table.values.shape[1])
    axis, unit = axis_in(above)
    header = pairs_in("\n".join(above))
    if not axis:
        unit = FORMATS.get(header.get("dataformat", "").strip().lower())
    values = table.values
    at = _sigma_column(labels, values.shape[1])
    return Columns(
        values=(values[:, 0], values[:, 1], None if at is None else values[:, at]),
        axis=axis,
        unit=unit,
        header=header,
        warnings=table.warnings,
    )


def _first_row(lines: Sequence[str]) -> int:
    """Return the first line with two numbers: Fit2D writes the number of points above the table."""
    for index, line in enumerate(lines):
        words = [] if is_comment(line) else tokens(line)
        if len(words) > 1 and all(number(word) is not None for word in words):
            return index
    return 0


def axis_in(header: Sequence[str]) -> tuple[str, Unit | None]:
    """
    Tell axis and unit by the words above a table, the nearest line first.

    Returns
    -------
    The axis (``q``, ``tth``, what else a label says, or empty) and its unit. Where only the
    quantity is told, it is in 1/Angstrom or degrees, as nearly everybody writes it.
    """
    for line in reversed([line for line in header if line.strip()][-NEAREST:]):
        plain = line.strip().lstrip(COMMENT).strip()
        is_label = plain.startswith("L ") or not re.search(r"[:=]", plain)
        words = plain.removeprefix("L ").strip()
        if not is_label or number(words.split(" ")[0]) is not None:
            continue
        first = SPLIT.split(words)[0]
        if TWO_THETA.match(words):
            return "tth", "tth_rad" if RADIANS.search(words) else "tth_deg"
        if Q_AXIS.match(first):
            return "q", "q_1/nm" if NANOMETRES.search(_of_axis(words)) else "q_1/angstrom"
        if OTHERS.match(first) and len(SPLIT.split(words)) > 1:
            return first, None
    return "", None


def _of_axis(words: str) -> str:
    """Return a label's words up to those of the next column."""
    return re.split(r"\s+(?=[IFSG](?:\b|\())|,", words)[0]


def _labels(header: Sequence[str], columns: int) -> list[str]:
    for line in reversed([line for line in header if line.strip()][-NEAREST:]):
        plain = line.strip().lstrip(COMMENT).strip().removeprefix("L ").strip()
        words = [word for word in SPLIT.split(plain) if word]
        if len(words) == columns and all(number(word) is None for word in words):
            return words
    return []


def _sigma_column(labels: Sequence[str], columns: int) -> int | None:
    """Return the column of the uncertainty: by its label, else the third, or of four the last."""
    if labels:
        found = [at for at in range(2, columns) if SIGMA.search(labels[at])]
        return found[-1] if found else None
    return {2: None, 4: 3}.get(columns, 2)
