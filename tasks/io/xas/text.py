"""Text files with a table of numbers: the text, and the table in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.errors import DataError
from tasks.io.hdf5 import SIGNATURE, SUFFIXES
from tasks.io.spectra import F

COMMENT = "#%!;*"
FEWEST_ROWS = 3
LARGEST = 512 * 1024 * 1024
LOOKED_AT = 4096
SEPARATORS = str.maketrans(",;", "  ")
TEXT_BYTES = bytes({*range(32, 256), *b"\t\n\v\f\r\x1a\x1b"})


def lines_of(path: Path) -> list[str]:
    """
    Return the lines of a text file; none if it is a folder, HDF5, compressed or other binary.

    Raises
    ------
    DataError
        It is empty, or cannot be read.
    """
    if not path.is_file() or path.suffix.lower() in SUFFIXES:
        return []
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            begin = file.read(LOOKED_AT)
            if not is_text(begin) or size > LARGEST:
                return []
            content = begin + file.read()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    if not content.strip():
        raise DataError(
            f"{path} is empty ({size} bytes): the acquisition wrote nothing into it. "
            f"Repeat the scan."
        )
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return content.decode("latin-1").splitlines()


def is_text(begin: bytes) -> bool:
    """Whether the first bytes of a file are text in whatever 8-bit encoding."""
    return not begin.startswith(SIGNATURE) and not begin.translate(None, TEXT_BYTES)


@dataclass(frozen=True)
class Table:
    """
    Rows of numbers in a text.

    Attributes
    ----------
    values
        (rows, columns); NaN where a file says so.
    begin
        Number of the line, from 0, where the table begins.
    warnings
        What was wrong and could be left out.
    """

    values: F
    begin: int
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows, with one that was left out at the end."""
        return len(self.values) + len(self.warnings)


def is_comment(line: str) -> bool:
    """Whether a line is no row: blank or commented out."""
    return not line.strip() or line.lstrip()[0] in COMMENT


def tokens(line: str) -> list[str]:
    """Split a row at blanks, commas or semicolons."""
    return line.translate(SEPARATORS).split()


def number(word: str) -> float | None:
    """Read a number, also with Fortran's D as exponent; None if it is none."""
    try:
        return float(word)
    except ValueError:
        pass
    try:
        return float(re.sub(r"[dD](?=[+-]?\d)", "e", word))
    except ValueError:
        return None


def find_table(path: Path, lines: list[str], *, first: int = 0) -> Table | None:
    """
    Find the table of a text: the longest run of lines that begin with a number.

    Parameters
    ----------
    path
        The file, for what is told about it.
    lines
        Its lines.
    first
        The table begins at this line or later.

    Returns
    -------
    None if there is no table.

    Raises
    ------
    DataError
        A row has a word among its numbers, or more or fewer columns than the others.
    """
    rows = _longest_run(lines, first)
    if len(rows) < FEWEST_ROWS:
        return None
    split = [tokens(lines[row]) for row in rows]
    columns = _usual([len(words) for words in split])
    if columns < 2:
        return None
    warnings: tuple[str, ...] = ()
    if len(split[-1]) < columns:
        # a writer that was stopped leaves half a line behind
        warnings = (f"{path}: line {rows[-1] + 1}, the last one, is cut short; it is left out.",)
        rows, split = rows[:-1], split[:-1]
    return Table(_values(path, rows, split, columns), rows[0], warnings)


def _values(path: Path, rows: list[int], split: list[list[str]], columns: int) -> F:
    """Read numbers, all at once; if one is none, look for its line."""
    if all(len(words) == columns for words in split):
        try:
            return np.array(split, np.float64)
        except ValueError:
            pass
    values = [_row(path, row + 1, words, columns) for row, words in zip(rows, split, strict=True)]
    return np.array(values, np.float64)


def _longest_run(lines: list[str], first: int) -> list[int]:
    best: list[int] = []
    run: list[int] = []
    for index, line in enumerate(lines):
        if index < first or is_comment(line):
            continue
        words = tokens(line)
        if words and number(words[0]) is not None:
            run.append(index)
            continue
        best, run = max(best, run, key=len), []
    return max(best, run, key=len)


def _usual(counts: list[int]) -> int:
    values, times = np.unique(counts, return_counts=True)
    return int(values[np.argmax(times)])


def _row(path: Path, line: int, words: list[str], columns: int) -> list[float]:
    if len(words) != columns:
        raise DataError(
            f"{path}: line {line} has {len(words)} columns where the table has {columns}. "
            f"Mend or remove the line."
        )
    values = [number(word) for word in words]
    for word, value in zip(words, values, strict=True):
        if value is None:
            raise DataError(
                f"{path}: line {line} has '{word}' where a number belongs. Mend or remove the line."
            )
    return [value for value in values if value is not None]
