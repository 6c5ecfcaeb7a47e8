"""
Numbered series of images in a folder: each sweep is one dataset, named by its template.

``l-cyst_01_00001.cbf.gz, l-cyst_01_00002.cbf.gz`` are the sweep ``l-cyst_01_#####.cbf.gz``, as the
programs of the field name it.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.io.pdf.sidecar import sidecar_of

SUFFIXES = (".cbf", ".cbf.gz")
NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\.cbf(?:\.gz)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Series:
    """
    The files of one sweep.

    Attributes
    ----------
    template
        Name of its files with ``#`` for the digits of the number; empty for a file by itself.
    files
        By their numbers.
    """

    path: Path
    template: str
    files: dict[int, Path]

    @property
    def first_number(self) -> int:
        """The number of its first image."""
        return min(self.files)

    @property
    def planned(self) -> int:
        """How many images there are from the first number to the last, lost ones included."""
        return max(self.files) - self.first_number + 1

    @property
    def title(self) -> str:
        """The template without number and suffix."""
        name = self.template or self.files[self.first_number].name
        return re.sub(r"[_.\- ]*#*\.cbf(\.gz)?$", "", name, flags=re.IGNORECASE)

    @property
    def sidecar(self) -> dict[str, Any]:
        """
        What ``<title>.json`` beside the images tells; nothing if there is none.

        Raises
        ------
        DataError
            It is no JSON object.
        """
        folder = self.path if self.path.is_dir() else self.path.parent
        is_there = (folder / f"{self.title}.json").is_file()
        return sidecar_of(folder, self.title) if is_there else {}

    @property
    def stored_bytes(self) -> int:
        """How large its files are together."""
        return sum(file.stat().st_size for file in self.files.values())


def is_image(name: str) -> bool:
    """Whether a file is an image of a sweep, by its name."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def series_in(path: Path) -> list[Series]:
    """List the sweeps of a folder by their templates, or the one file as a sweep of one image."""
    if not path.is_dir():
        alone = NUMBERED.fullmatch(path.name)
        number = int(alone["number"]) if alone else 1
        return [Series(path, "", {number: path})] if path.is_file() and is_image(path.name) else []
    found: dict[str, dict[int, Path]] = defaultdict(dict)
    with os.scandir(path) as items:
        for item in items:
            named = NUMBERED.fullmatch(item.name)
            if named and is_image(item.name):
                digits = "#" * len(named["number"])
                template = f"{named['before']}{digits}{named['after']}"
                found[template][int(named["number"])] = path / item.name
            elif is_image(item.name):
                found[item.name][1] = path / item.name
    return [Series(path, name, _sorted(found[name])) for name in sorted(found)]


def _sorted(files: dict[int, Path]) -> dict[int, Path]:
    return {number: files[number] for number in sorted(files)}
