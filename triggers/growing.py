"""Files that get entry after entry: what was told of the earlier ones is not told each time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.io.entry import Entry
from triggers.look import Candidate, Told
from triggers.scan_folder import Signature, signature


@dataclass
class Memory:
    """What was told of a file when it looked so, and when all of it is told once more."""

    seen: Signature
    told: Told
    known: dict[str, Entry]
    again_at: float


class Growing:
    """
    Remembers what was told of files with many entries.

    A file that has grown is told of by its new entries alone, or a day of 500 scans in one file
    would be 125,000 arrivals. Once it has been quiet for a while, all of its entries are told once
    more, so that changed bytes of the earlier ones are found.
    """

    QUIET_SECONDS = 60.0
    MOST = 1000

    def __init__(self) -> None:
        self._files: dict[Path, Memory] = {}
        self._reminded: set[Path] = set()

    def remind(self, candidate: Candidate) -> None:
        """Let a new candidate know what was told before, if its file has only grown since."""
        before = self._files.pop(candidate.path, None)
        if before is None:
            return
        try:
            seen = signature(candidate.path)
        except OSError:
            return  # the look will say what is wrong
        if seen is not None and _has_grown(seen, before.seen):
            candidate.told, candidate.known = before.told, before.known
            self._reminded.add(candidate.path)

    def keep(self, candidate: Candidate, now: float) -> None:
        """Remember what was told of a candidate that is settled, if it has or gets several."""
        was_reminded = candidate.path in self._reminded
        self._reminded.discard(candidate.path)
        may_get_more = len(candidate.told) > 1 or bool(candidate.own)
        if not may_get_more or candidate.signature is None:
            return
        again_at = now + self.QUIET_SECONDS if was_reminded else float("inf")
        self._files[candidate.path] = Memory(
            candidate.signature, candidate.told, candidate.known, again_at
        )
        if len(self._files) > self.MOST:
            oldest = next(iter(self._files))
            if self._files[oldest].again_at == float("inf"):
                del self._files[oldest]
            else:
                self._files[oldest].again_at = now

    def due(self, now: float) -> list[Path]:
        """Return files that have been quiet for so long that they are told of once more."""
        due = [path for path, memory in self._files.items() if memory.again_at <= now]
        for path in due:
            del self._files[path]
        return due


def _has_grown(seen: Signature, before: Signature) -> bool:
    """Tell whether more stands in the same file or folder; a file that just began is empty."""
    is_more = seen.size > before.size or (seen.size == before.size and seen.count > before.count)
    return seen.inode == before.inode and is_more
