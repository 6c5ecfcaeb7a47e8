"""What tells of a scan besides its data: reports about it, and a file that marks its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.io.entry import Entry
from triggers.rules import Rule


@dataclass(frozen=True)
class Clues:
    """
    What is told about one dataset by others than its data.

    Attributes
    ----------
    report
        What was reported, as the inbox merges it; empty if nothing was.
    marker
        The file that marks its end; None if the rules know none.
    is_marked
        Whether that file is there.
    """

    report: Mapping[str, Any] = field(default_factory=dict[str, Any])
    marker: Path | None = None
    is_marked: bool = False

    @property
    def is_open(self) -> bool:
        """Whether its run was reported as begun, and not as ended."""
        return self.report.get("stage") == "started"

    @property
    def is_aborted(self) -> bool:
        """Whether its run was reported as aborted."""
        return self.report.get("stage") == "aborted"

    @property
    def abort_reason(self) -> str:
        """What was said about why."""
        return str(self.report.get("reason") or "no reason was given").rstrip(".")

    @property
    def lacks_marker(self) -> bool:
        """Whether the file that marks the end is still to come."""
        return self.marker is not None and not self.is_marked

    @property
    def started_at(self) -> datetime | None:
        """When the run began, as reported; without a zone it is UTC."""
        try:
            found = datetime.fromisoformat(str(self.report.get("started_at", "")))
        except ValueError:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

    def applied(self, entry: Entry) -> Entry:
        """Return an entry with the frames that a report announces, if the data announce none."""
        frames = self.report.get("expected_frames")
        if entry.expected_frames is not None or not isinstance(frames, int) or frames <= 0:
            return entry
        return replace(entry, expected_frames=frames)


NO_CLUES = Clues()


def marker_of(rule: Rule | None, path: Path) -> Path | None:
    """Return the file that marks the end of a file or series, if its rule names one."""
    if rule is None or rule.done_marker is None:
        return None
    is_folder = path.is_dir()
    if "{" in rule.done_marker:
        stem = path.name if is_folder else path.stem
        return path.with_name(rule.done_marker.format(name=path.name, stem=stem))
    return (path if is_folder else path.parent) / rule.done_marker
