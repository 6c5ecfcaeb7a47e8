"""
Geometry files of pyFAI (``.poni``): lines of ``key: value``.

Where its keys stand is told by pyFAI's documentation
(https://www.silx.org/doc/pyFAI/latest/usage/geometry.html). Here only the words are read: what they
mean as a geometry is told by `tasks.pdf.geometry`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.pdf.describe import described
from tasks.io.powder import TECHNIQUE, Facts, GeometryFile, ScanReference

SUFFIX = ".poni"
PLAIN = "Detector"
NEEDED = ("distance", "poni1", "poni2")
NUMBERS = (*NEEDED, "rot1", "rot2", "rot3", "wavelength", "pixelsize1", "pixelsize2")
METRES_PER_ANGSTROM = 1e-10


@dataclass(frozen=True)
class PoniReader:
    """Reader of geometry files."""

    name: str = "pyfai_geometry"
    technique: str = TECHNIQUE
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        if not path.is_file() or path.suffix.lower() != SUFFIX:
            return []
        found = read_words(path)
        return [
            Entry(
                inner_path="",
                format=self.name,
                present_frames=1,
                kind="calibration",
                calibration_kinds=("geometry",),
                detector=_detector(found),
                needs_quiet=True,
                metadata=described(found.facts),
            )
        ]

    def open(self, reference: ScanReference) -> GeometryFile:
        """Read the file's words."""
        return read_words(Path(reference.path))


def read_words(path: Path) -> GeometryFile:
    """
    Read what a geometry file says.

    Raises
    ------
    DataError
        It is empty, or lacks a number that it needs, or has a word in its place.
    """
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    if not text.strip():
        raise DataError(f"{path} is empty: calibrate again, or copy the file again.")
    lines = (line for line in text.splitlines() if ":" in line and not line.startswith("#"))
    pairs = (line.split(":", 1) for line in lines)
    words = {key.strip().lower(): value.strip() for key, value in pairs}
    # what is appended to a file of pyFAI counts instead of what stands before it
    values: dict[str, Any] = words | {
        name: _number(path, name, words[name]) for name in NUMBERS if name in words
    }
    lacking = [name for name in NEEDED if name not in values]
    if lacking:
        raise DataError(
            f"{path} gives no {', '.join(lacking)}: it is no whole geometry of pyFAI. "
            f"Calibrate again, or copy the file again."
        )
    metres = values.get("wavelength")
    wavelength = metres / METRES_PER_ANGSTROM if isinstance(metres, float) and metres > 0 else None
    return GeometryFile(str(path), values, Facts(wavelength=wavelength, kind="geometry"))


def _number(path: Path, name: str, word: str) -> float | None:
    if word.lower() in ("none", "null", ""):
        return None
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{path} has '{word}' where its {name} belongs, a number: mend the file.")
    return value


def _detector(file: GeometryFile) -> str:
    """Return the image's size as ``rows x columns``: the file's, or that of a detector by name."""
    try:
        config = json.loads(file.values.get("detector_config", "{}"))
    except ValueError:
        return ""
    shape = cast("dict[str, Any]", config).get("max_shape") if isinstance(config, dict) else None
    if shape is None and str(file.values.get("detector", PLAIN)) not in ("", PLAIN):
        shape = _shape_by_name(file.path)
    return " x ".join(str(int(side)) for side in cast("list[Any]", shape or []))


def _shape_by_name(path: str) -> object:
    poni_file: Any = import_module("pyFAI.io.ponifile")
    try:
        return poni_file.PoniFile(path).detector.shape
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return None  # a detector that is not known has no size; what else is wrong is told later


READER = PoniReader()
