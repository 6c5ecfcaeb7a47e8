"""
What a sidecar tells about images or a pattern: a JSON object beside them.

It is ``<name>.json`` beside a file or series, else ``scan.json`` or ``dayseye.json`` in the folder
of a series, else ``dayseye.json`` beside a file. It may give ``kind``, ``calibrant``, ``sample`` (a
name, or a table of name, formula, density and container), ``energy_keV`` or ``wavelength``
(Angstrom), ``exposure`` (s), ``transmission``, ``temperature`` (K), ``monitor`` (a number, or one
for each frame), ``frames`` (to expect), ``uid``, ``title``, ``started_at``, ``saturation`` and
``geometry`` (the words of a ``.poni``), also below ``metadata``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from tasks.errors import DataError
from tasks.io.pdf.header import key_of

FOLDER_SIDECARS = ("scan.json", "dayseye.json")


def sidecar_of(path: Path, stem: str = "") -> dict[str, Any]:
    """
    Read the sidecar of a file or of a series in a folder.

    Parameters
    ----------
    path
        The file or folder.
    stem
        The series' name in the folder.

    Returns
    -------
    What it tells, by keys in small letters; nothing if there is none.

    Raises
    ------
    DataError
        It is no JSON object.
    """
    for place in _places(path, stem):
        if place.is_file():
            return _read(place)
    return {}


def _places(path: Path, stem: str) -> list[Path]:
    if path.is_dir():
        beside = path.with_name(f"{path.name}.json")
        own = [path / f"{stem}.json"] if stem else []
        return [*own, *(path / name for name in FOLDER_SIDECARS), beside]
    bare = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return [bare.with_suffix(".json"), path.with_name(FOLDER_SIDECARS[-1])]


def _read(place: Path) -> dict[str, Any]:
    try:
        content = json.loads(place.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{place} is no readable JSON ({error}): mend or remove it.") from error
    if not isinstance(content, dict):
        raise DataError(f"{place} must hold one JSON object, with keys such as 'kind'.")
    table = cast("dict[str, Any]", content)
    below = table.get("metadata")
    told = (cast("dict[str, Any]", below) if isinstance(below, dict) else {}) | table
    sample = told.get("sample")
    if isinstance(sample, dict):
        words = cast("dict[str, Any]", sample)
        told = words | told | {"sample": words.get("name", "")}
    return {key_of(key): value for key, value in told.items()}
