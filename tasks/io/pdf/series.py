"""
Series of images in a folder: files of one name that differ in their number are one dataset.

``Ni_0001.tif, Ni_0002.tif`` are the series ``Ni``; a file without a number is a series of its own.
In sub-folders whose name says a kind (``dark``, ``flats``) it is named after them as well. A series
that is called as its folder, or by numbers alone, is the folder's own and needs no name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tasks.io.pdf.picture import is_picture, suffix_of
from tasks.io.pdf.sidecar import sidecar_of
from tasks.io.tiff_folder import ANGLES_FILES, is_kind_folder

NUMBERED = re.compile(r"(?:(?P<name>.*)[_.\- ])?(?P<number>\d+)|(?P<joined>.*\D)(?P<digits>\d{3,})")


@dataclass(frozen=True)
class Series:
    """
    The files of one dataset, by their numbers.

    Attributes
    ----------
    name
        Its name in the folder; empty for the folder's own, or for a single file.
    numbers
        One for each file; empty where they have none.
    """

    path: Path
    name: str
    files: tuple[Path, ...]
    numbers: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """The names that may tell what it is."""
        return self.name or self.files[0].name.removesuffix(suffix_of(self.files[0]))

    @property
    def lost(self) -> tuple[int, ...]:
        """Files that lack in a row of numbers, counted from 0 at the first number."""
        first, last = (self.numbers[0], self.numbers[-1]) if self.numbers else (0, -1)
        planned = last - first + 1
        if planned > 2 * len(self.files):
            return ()  # numbered in larger steps
        return tuple(sorted(set(range(planned)) - {number - first for number in self.numbers}))


def series_in(path: Path) -> list[Series]:
    """
    List the series of a folder, or the one file.

    A folder with the angles of a tomography scan, or with none of these images, has no series.
    """
    if not path.is_dir():
        return [Series(path, "", (path,))] if path.is_file() and is_picture(path) else []
    if any((path / name).is_file() for name in ANGLES_FILES) or "angles" in sidecar_of(path):
        return []
    found: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for folder in (path, *_kind_folders(path)):
        for file in folder.iterdir():
            if is_picture(file):
                name, number = _split(file)
                inner = "" if name.lower() in ("", path.name.lower()) else name
                inner = inner if folder == path else f"{folder.name}/{inner}".rstrip("/")
                found[inner].append((number, file))
    return [_series(path, name, found[name]) for name in sorted(found)]


def _series(path: Path, name: str, members: list[tuple[int, Path]]) -> Series:
    members.sort()
    numbers = tuple(number for number, _ in members)
    is_numbered = min(numbers) >= 0 and len(set(numbers)) == len(numbers)
    return Series(path, name, tuple(file for _, file in members), numbers if is_numbered else ())


def _kind_folders(path: Path) -> list[Path]:
    return [each for each in path.iterdir() if is_kind_folder(each.name) and each.is_dir()]


def _split(file: Path) -> tuple[str, int]:
    """Return the name of a file's series and its number in it, -1 if it has none."""
    stem = file.name[: len(file.name) - len(suffix_of(file))]
    found = NUMBERED.fullmatch(stem)
    if not found:
        return stem, -1
    name = found["name"] if found["number"] else found["joined"].rstrip("_.- ")
    return name or "", int(found["number"] or found["digits"])
