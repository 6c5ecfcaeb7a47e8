"""Files and folders as spectra for a library, of any format that is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from infra.library_measure import Wish, measure
from tasks.errors import DataError
from tasks.io.probe import Entry, probe
from tasks.io.spectra import ScanReference

KEPT = ("title", "sample", "formula", "temperature", "started_at", "sweeps", "foil", "doubt")


@dataclass(frozen=True)
class Found:
    """A spectrum of a file, in the words of the catalogue, and what is doubtful about it."""

    file: Path
    inner_path: str
    name: str
    values: Mapping[str, Any] = field(repr=False)
    doubt: str | None = None


@dataclass(frozen=True)
class Refused:
    """A file, or a dataset in it, that is no spectrum, and why."""

    file: Path
    sentence: str


def spectra_of(paths: Iterable[Path], wish: Wish) -> Iterator[Found | Refused]:
    """Read files, and all below folders, one dataset after the other; no two have one name."""
    taken: set[str] = set()
    for file in files_of(paths):
        for each in _of_file(file, wish):
            yield _named_apart(each, taken) if isinstance(each, Found) else each


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Return files, and all below folders in the order of their names, but for hidden ones."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.is_file() and not hidden:
                yield file


def _of_file(file: Path, wish: Wish) -> Iterator[Found | Refused]:
    try:
        entries = probe(file, technique="xas")
    except DataError as error:
        yield Refused(file, str(error))
        return
    for entry in entries:
        try:
            yield _of_entry(file, entry, wish, alone=len(entries) == 1)
        except DataError as error:
            where = " in ".join(filter(None, (entry.inner_path, str(file))))
            told = str(error)
            yield Refused(file, told if str(file) in told else f"{where}: {told}")


def _of_entry(file: Path, entry: Entry, wish: Wish, *, alone: bool) -> Found:
    if entry.problem is not None:
        raise DataError(entry.problem)
    measured = measure(ScanReference(str(file), entry.inner_path, entry.format), wish)
    facts, metadata = measured.facts, dict(measured.metadata)
    if measured.doubt:
        metadata["doubt"] = measured.doubt
    values = {
        "compound": facts.sample or metadata.get("formula") or file.stem,
        "formula": metadata.get("formula"),
        "e0": facts.e0,
        "metadata": {name: metadata[name] for name in KEPT if name in metadata},
        **wish.given(),
        "mode": measured.mode,
        "element": measured.element,
        "edge": measured.edge,
        "energy": measured.energy.tolist(),
        "mu": measured.mu.tolist(),
        "file_name": "#".join(filter(None, (file.name, entry.inner_path))),
        "format": entry.format,
    }
    name = file.stem if alone else facts.sample or f"{file.stem} {entry.inner_path}"
    return Found(file, entry.inner_path, name, values, measured.doubt)


def _named_apart(found: Found, taken: set[str]) -> Found:
    """Return a spectrum under a name that no other of these has."""
    inside = found.inner_path or found.file.parent.name
    for name in (found.name, f"{found.name} ({inside})", f"{found.name} ({found.file})"):
        if name not in taken:
            taken.add(name)
            return replace(found, name=name)
    return found
