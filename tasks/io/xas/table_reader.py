"""Readers of files whose datasets are labelled tables that fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.scan import ScanReference
from tasks.io.spectra import Spectra
from tasks.io.xas.channels import ChannelSpectra, described
from tasks.io.xas.labelled import Labelled, channels_of

Tables = Callable[[Path], list[Labelled]]
"""Reads all tables of a file; an empty list if the format is another one."""


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
        tables = self.tables(path)
        return [_entry(table, self.name, alone=len(tables) == 1) for table in tables]

    def open(self, reference: ScanReference) -> Spectra:
        """Open one dataset."""
        inner = reference.inner_path.strip("/")
        path = Path(reference.path)
        tables = self.tables(path)
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
