"""Readers of files whose datasets are labelled tables that fit into memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.scan import ScanReference
from tasks.io.spectra import Spectra
from tasks.io.xas.channels import ChannelSpectra, described
from tasks.io.xas.labelled import Labelled, channels_of

Tables = Callable[[Path], list[Labelled]]
"""Reads all tables of a file; an empty list if the format is another one."""
SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class TableReader:
    """
    A `tasks.io.scan.Reader` of labelled tables.

    Nothing in such a file marks its end, so its datasets are complete once it has been quiet.
    """

    name: str
    tables: Tables
    technique: str = "xas"
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file; see `tasks.io.scan.Reader`."""
        tables = self._read(path)
        return [_entry(table, self.name, alone=len(tables) == 1) for table in tables]

    def open(self, reference: ScanReference) -> Spectra:
        """Open one dataset."""
        inner = reference.inner_path.strip("/")
        path = Path(reference.path)
        tables = self._read(path)
        found = [each for each in tables if inner in ("", each.inner_path)]
        if not found:
            names = ", ".join(each.inner_path for each in tables) or "nothing"
            raise DataError(
                f"{path} has no dataset '{inner}' of the format '{self.name}' (it holds {names}): "
                f"check the path inside the file."
            )
        channels, facts, warnings = channels_of(found[0])
        return ChannelSpectra(
            reference, facts, channels, warnings, metadata=described(facts, channels)
        )

    def part(self, path: Path, inner_path: str) -> bytes | None:
        """Return what stands for the content of one of several datasets; None if there is none."""
        for table in self._read(path):
            if inner_path and table.inner_path == inner_path:
                return ",".join(table.labels).encode() + table.values.tobytes()
        return None

    def _read(self, path: Path) -> list[Labelled]:
        """Read all tables; those of the last file are kept, since each is asked for by itself."""
        if not path.is_file():
            return []
        seen = path.stat()
        if time.time_ns() - seen.st_mtime_ns < SETTLED_NS:  # its time may not tell the next change
            return self.tables(path)
        return _kept(self.tables, path, seen.st_size, seen.st_mtime_ns, seen.st_ino)


@lru_cache(maxsize=2)
def _kept(tables: Tables, path: Path, _size: int, _mtime_ns: int, _inode: int) -> list[Labelled]:
    return tables(path)


def _entry(table: Labelled, format_name: str, *, alone: bool) -> Entry:
    problem: str | None = None
    try:
        channels, facts, _ = channels_of(table)
        metadata = described(facts, channels)
    except DataError as error:
        if alone:
            raise
        problem, metadata = str(error), {}
    return Entry(
        inner_path=table.inner_path,
        format=format_name,
        present_frames=len(table.values),
        uid=table.uid,
        started_at=table.facts.started_at,
        expected_frames=table.announced,
        needs_quiet=True,
        problem=problem,
        metadata=metadata,
    )
