"""
Athena projects: gzipped dumps of Perl variables, or (from Larch) JSON; each group is a dataset.

The energy shift of a group is a parameter of the project, not part of its energies; it is applied
here, since spectra that were aligned in Athena must arrive aligned. Format: Ravel & Newville,
J. Synchrotron Rad. 12 (2005) 537, doi:10.1107/S0909049505012719.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from tasks.errors import DataError
from tasks.io.hdf5 import SIGNATURE
from tasks.io.spectra import F, Facts
from tasks.io.xas.elements import edge, symbol
from tasks.io.xas.labelled import Labelled
from tasks.io.xas.table_reader import TableReader

GZIP = b"\x1f\x8b"
LARGEST = 512 * 1024 * 1024
OPENING = re.compile(r"^\s*(#.{0,40}Athena project|\$old_group\b|\{\s*\"_{3,})", re.IGNORECASE)
GROUP = re.compile(r"^\$old_group = '([^']*)'")
ARRAY = re.compile(r"^@(\w+) = \((.*)\);")
WORD = re.compile(r"'((?:[^'\\]|\\.)*)'|([^\s,'\[\]()]+)|([\[\]])")
ARRAYS = ("x", "y", "i0", "signal")
MU = {"itrans": "mutrans", "ifluor": "mufluor"}
SAME = 1e-4


@dataclass
class Group:
    """One group of a project: its parameters and arrays, as they stand there."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    arrays: dict[str, F] = field(default_factory=dict[str, F])

    def number(self, name: str) -> float:
        """Return a parameter as a number; 0 if it is not there or no number."""
        try:
            return float(self.parameters.get(name) or 0)
        except ValueError:
            return 0.0


def tables(path: Path) -> list[Labelled]:
    """Read the groups of a project that are spectra; an empty list if it is no project."""
    text = _text(path)
    if text is None:
        return []
    groups = list(_groups_of_json(path, text) if text.lstrip()[:1] == "{" else _groups(text))
    found = [_labelled(path, group) for group in groups if _is_spectrum(group)]
    if not found:
        raise DataError(
            f"{path} is an Athena project without spectra of absorption against energy "
            f"({len(groups)} groups): save the project again with its data."
        )
    return found


def _text(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            begin = file.read(64)
        if begin.startswith(SIGNATURE):
            return None
        with gzip.open(path) if begin.startswith(GZIP) else path.open("rb") as file:
            begin = file.read(4096)
            if not OPENING.match(begin.decode("utf-8", "replace")):
                return None
            content = begin + file.read(LARGEST)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        if path.suffix.lower() != ".prj":
            return None
        raise DataError(
            f"{path} is cut short or damaged ({error}): it cannot be unpacked. Copy it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    return content.decode("utf-8", "replace")


def _groups(text: str) -> Iterator[Group]:
    """Yield the groups of a dump of Perl variables."""
    group: Group | None = None
    for line in text.splitlines():
        if begin := GROUP.match(line):
            if group is not None:
                yield group
            group = Group(begin[1])
        elif group is not None and (found := ARRAY.match(line)):
            if found[1] == "args":
                group.parameters = _pairs(found[2])
            elif found[1] in ARRAYS:
                group.arrays[found[1]] = _numbers(found[2].replace("'", "").split(","))
    if group is not None:
        yield group


def _pairs(body: str) -> dict[str, str]:
    """Read the flat list of names and values of a Perl dump; values that are lists are skipped."""
    words: list[str] = []
    depth = 0
    for found in WORD.finditer(body):
        if found[3]:
            depth += 1 if found[3] == "[" else -1
            if depth == 0:
                words.append("")
        elif depth == 0:
            words.append(found[2] or found[1].replace("\\'", "'"))
    return dict(zip(words[::2], words[1::2], strict=False))


def _numbers(words: list[Any]) -> F:
    """Return numbers; what is none becomes NaN, which is met where it is used."""
    try:
        return np.array(words, np.float64)
    except (ValueError, TypeError):
        return np.array([_or_nan(word) for word in words], np.float64)


def _or_nan(word: Any) -> float:
    try:
        return float(word)
    except (ValueError, TypeError):
        return float("nan")


def _groups_of_json(path: Path, text: str) -> Iterator[Group]:
    """Yield the groups of a project that was written as JSON."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path} is cut short or damaged ({error}): copy it again.") from error
    for name, value in cast("dict[str, Any]", content).items():
        if name.startswith("_") or not isinstance(value, Mapping):
            continue
        stored = cast("Mapping[str, Any]", value)
        arguments = stored.get("args", {})
        parameters = cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}
        arrays = {each: _numbers(stored[each]) for each in ARRAYS if stored.get(each)}
        yield Group(name, {key: str(each) for key, each in parameters.items()}, arrays)


def _is_spectrum(group: Group) -> bool:
    """Whether a group is absorption against energy: not chi(k), a detector or nothing."""
    x, y = group.arrays.get("x"), group.arrays.get("y")
    has_data = x is not None and y is not None and len(x) == len(y) > 1
    return has_data and not group.number("is_chi") and group.parameters.get("datatype") != "chi"


def _labelled(path: Path, group: Group) -> Labelled:
    energy = group.arrays["x"] + group.number("bkg_eshift")
    counts = _counts(group)
    mu = next((MU[label] for label in MU if label in counts), "xmu")
    columns = {"energy": energy, mu: group.arrays["y"], **counts}
    return Labelled(
        where=f"{path} (group '{group.parameters.get('label') or group.name}')",
        values=np.column_stack(list(columns.values())),
        labels=tuple(columns),
        units=("eV",),
        facts=_facts(group),
        inner_path=group.name,
    )


def _counts(group: Group) -> dict[str, F]:
    """Return the detectors' counts, if the spectrum was made of them as it is written."""
    mu = group.arrays["y"]
    i0, signal = group.arrays.get("i0"), group.arrays.get("signal")
    if i0 is None or len(i0) != len(mu) or np.any(i0 == 0):
        return {}
    if signal is None or len(signal) != len(mu):
        return {"i0": i0}
    with np.errstate(divide="ignore", invalid="ignore"):
        made = {"itrans": np.log(np.abs(i0 / signal)), "ifluor": signal / i0}
    for label, values in made.items():
        if np.allclose(values, mu, rtol=SAME, atol=SAME * float(np.ptp(mu))):
            return {"i0": i0, label: signal}
    return {}


def _facts(group: Group) -> Facts:
    label = group.parameters.get("label", "").strip()
    return Facts(
        element=symbol(group.parameters.get("bkg_z")),
        edge=edge(group.parameters.get("fft_edge")),
        title=label,
        sample=label,
        e0=group.number("bkg_e0") or None,
    )


READER = TableReader("athena", tables)
