"""One candidate: look at it when something changed or a waiting time is over, and tell of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import DataError, StillBeingWritten
from tasks.io.entry import Entry
from tasks.io.probe import UnknownLayoutError, probe
from triggers.arrival import Arrival
from triggers.beamline import Beamline
from triggers.completeness import Judgement, judge, judge_failure, next_deadline
from triggers.scan_folder import Signature, signature

log = logging.getLogger(__name__)

Tell = Callable[[Arrival], object]
POLL_SECONDS = 0.25
SLOWEST_POLL_SECONDS = 2.0
GROWTH_SECONDS = 5.0


@dataclass
class Candidate:
    """
    A file or series that may hold something new.

    Attributes
    ----------
    signature, targets
        How it looked, and how the files that it links to looked (None: not there).
    changed_at
        When, by our monotonic clock, anything of it was last seen to change.
    due
        When to look at it next.
    told
        What was told under each entry key: where it stands, its frames, and when.
    """

    beamline: Beamline
    path: Path
    changed_at: float
    due: float
    signature: Signature | None = None
    targets: dict[Path, Signature | None] = field(default_factory=dict[Path, Signature | None])
    look_again_at: float = 0.0
    must_look: bool = True
    told: dict[str, tuple[Judgement, int, float]] = field(
        default_factory=dict[str, tuple[Judgement, int, float]]
    )
    is_backlog: bool = False
    failures: int = 0

    def wake(self, at: float) -> None:
        """Look, whether or not a change can be seen from outside, as soon as told."""
        self.must_look = True
        self.is_backlog = False
        self.due = min(self.due, at)

    def retry(self, at: float) -> None:
        """Look once more, since the last time it could not be told."""
        self.must_look = True
        self.due = at

    def look(self, now: float, tell: Tell) -> bool:
        """
        Look, if there is a reason to, and tell what is new.

        Parameters
        ----------
        now
            Our monotonic clock.
        tell
            Takes each arrival that is new; what it raises is passed on, and the same is told again
            at the next look.

        Returns
        -------
        Whether it is settled: only a change of its files can bring anything new.
        """
        seen = signature(self.path)
        if seen is None:
            self.signature = None
            return True  # renamed or removed; under another name it is another candidate
        if self._has_changed(seen):
            self.changed_at, self.must_look = now, True
        quiet_for = now - self.changed_at
        if not self.must_look and now < self.look_again_at:
            self.due = now + self._poll(quiet_for)
            return False
        arrivals = self._arrivals(quiet_for)
        for arrival in sorted(arrivals, key=lambda arrival: arrival.judgement.is_final):
            self._tell(arrival, now, tell)
        self.look_again_at = self.changed_at + next_deadline(quiet_for, self.beamline)
        self.due = min(now + self._poll(quiet_for), max(self.look_again_at, now))
        return all(arrival.judgement.is_final for arrival in arrivals)

    def _has_changed(self, seen: Signature) -> bool:
        targets = {path: signature(path) for path in self.targets}
        changed = (self.signature is not None and seen != self.signature) or (
            targets != self.targets
        )
        self.signature, self.targets = seen, targets
        return changed

    def _poll(self, quiet_for: float) -> float:
        """Look often at what has just changed and seldom at what has stood still for long."""
        return min(max(POLL_SECONDS, quiet_for / 10), SLOWEST_POLL_SECONDS)

    def _arrivals(self, quiet_for: float) -> list[Arrival]:
        self.must_look = False
        try:
            entries = probe(self.path)
        except DataError as error:
            if isinstance(error, UnknownLayoutError) and self.path.is_dir():
                return []  # angles without images: nothing yet
            self.must_look = isinstance(error, StillBeingWritten)
            return [Arrival(self.beamline, self.path, self._failed(error, quiet_for))]
        if self.beamline.grouping == "file" and len(entries) > 1:
            error = DataError(
                f"{self.path} holds {len(entries)} scans, but beamline {self.beamline.id} takes a "
                f"file for one: set its grouping to 'entry'."
            )
            return [Arrival(self.beamline, self.path, self._failed(error, quiet_for))]
        self._watch_targets(entries)
        self.must_look = any(entry.being_written for entry in entries)
        alone = len(entries) == 1
        return [
            Arrival(self.beamline, self.path, self._judged(entry, quiet_for), entry, alone)
            for entry in entries
        ]

    def _failed(self, error: DataError, quiet_for: float) -> Judgement:
        return judge_failure(error, quiet_for, self.beamline)

    def _judged(self, entry: Entry, quiet_for: float) -> Judgement:
        judged = judge(entry, quiet_for, self.beamline)
        changed_meanwhile = signature(self.path) != self.signature
        return Judgement("opened") if judged.is_final and changed_meanwhile else judged

    def _watch_targets(self, entries: list[Entry]) -> None:
        wanted = {path for entry in entries for path in (*entry.missing, *entry.linked)}
        for path in wanted - set(self.targets):
            self.targets[path] = signature(path)

    def _tell(self, arrival: Arrival, now: float, tell: Tell) -> None:
        """Tell an arrival unless nothing is new about it, or it is too early to."""
        frames = arrival.entry.present_frames if arrival.entry else 0
        judgement = arrival.judgement
        before, frames_before, told_at = self.told.get(arrival.key, (None, 0, 0.0))
        if judgement.stage == "opened":
            # without an identity, the key may still change while the file is written
            if not arrival.has_identity and arrival.alone:
                return
            if before is not None and before.stage == "incomplete":
                return
            if before is not None and frames > frames_before and now - told_at > GROWTH_SECONDS:
                judgement = Judgement("grown", f"{frames} frames so far")
            elif before is not None:
                return
        elif before == judgement:
            return
        tell(Arrival(arrival.beamline, arrival.path, judgement, arrival.entry, arrival.alone))
        self.told[arrival.key] = (judgement, frames, now)
