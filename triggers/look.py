"""One candidate: look at it when something changed or a waiting time is over, and tell of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tasks.errors import DataError, StillBeingWritten
from tasks.io.entry import Entry
from tasks.io.probe import UnknownLayoutError, probe
from triggers.ahead import Read
from triggers.arrival import Arrival
from triggers.beamline import Beamline
from triggers.clues import Clues, marker_of
from triggers.completeness import Judgement, judge, judge_failure, next_deadline
from triggers.grouping import rule_of
from triggers.rules import Rule
from triggers.scan_folder import Signature, signature

log = logging.getLogger(__name__)

Tell = Callable[[Arrival], object]
About = Callable[[str | None], Mapping[str, Any]]
Told = dict[str, tuple[Judgement, int, float, Mapping[str, Any]]]
POLL_SECONDS = 0.25
SLOWEST_POLL_SECONDS = 2.0
GROWTH_SECONDS = 5.0


def nothing_reported(_: str | None) -> Mapping[str, Any]:
    """Know of no reports."""
    return {}


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
        What was told under each entry key: where it stands, its frames, when, and the report.
    known
        Those of several entries, by inner path, that are whole: while the file only grows, they
        need no second look.
    own
        Of datasets that share a folder, by inner path: frames and bytes, and when these changed.
    ahead
        What was read of it ahead of the next look, if it still looks so then.
    about
        Gives what was reported about it, for the scan with a uid; asked once, until `hear`.
    """

    beamline: Beamline
    path: Path
    changed_at: float
    due: float
    signature: Signature | None = None
    targets: dict[Path, Signature | None] = field(default_factory=dict[Path, Signature | None])
    look_again_at: float = 0.0
    must_look: bool = True
    told: Told = field(default_factory=Told)
    about: About = nothing_reported
    reported: dict[str | None, Mapping[str, Any]] = field(
        default_factory=dict[str | None, Mapping[str, Any]]
    )
    known: dict[str, Entry] = field(default_factory=dict[str, Entry])
    own: dict[str, tuple[tuple[int, int], float]] = field(
        default_factory=dict[str, tuple[tuple[int, int], float]]
    )
    ahead: Read | None = None
    is_backlog: bool = False
    failures: int = 0

    def wake(self, at: float) -> None:
        """Look, whether or not a change can be seen from outside, as soon as told."""
        self.must_look = True
        self.is_backlog = False
        self.due = min(self.due, at)

    def hear(self, at: float) -> None:
        """Take note that something was reported about it, and look as soon as told."""
        self.reported.clear()
        self.wake(at)

    @cached_property
    def rule(self) -> Rule | None:
        """The rule of the beamline that takes it."""
        return rule_of(self.beamline, self.path)

    @property
    def technique(self) -> str:
        """The technique whose formats it may have."""
        return self.beamline.technique_of(self.rule)

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
        arrivals = self.arrivals(quiet_for)
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
        before = self.signature
        if before is not None and (seen.inode != before.inode or seen.size < before.size):
            self.known = {}  # another file, or one that was written anew
        self.signature, self.targets = seen, targets
        return changed

    def _poll(self, quiet_for: float) -> float:
        """Look often at what has just changed and seldom at what has stood still for long."""
        return min(max(POLL_SECONDS, quiet_for / 10), max(SLOWEST_POLL_SECONDS, quiet_for / 100))

    def arrivals(self, quiet_for: float) -> list[Arrival]:
        """Return what a look tells, if nothing has changed for so many seconds."""
        self.must_look = False
        ahead = self.ahead if self.ahead and self.ahead.seen == self.signature else None
        self.ahead = None
        try:
            entries = [ahead.entry] if ahead else probe(self.path, self.known, self.technique)
            self._check_grouping(entries)
        except DataError as error:
            if isinstance(error, UnknownLayoutError) and self.path.is_dir():
                return []  # angles without images: nothing yet
            self.must_look = isinstance(error, StillBeingWritten)
            return [self._failed(error, quiet_for)]
        self._watch_targets(entries)
        self.must_look = any(entry.being_written for entry in entries)
        alone = len(entries) == 1
        judged = [self._judged(entry, quiet_for, alone) for entry in entries]
        self.known = {} if alone else _known(judged)
        if ahead:
            return [replace(each, fingerprint=ahead.fingerprint) for each in judged]
        return judged

    def _check_grouping(self, entries: list[Entry]) -> None:
        if len(entries) > 1 and self.beamline.grouping_of(self.rule) == "file":
            raise DataError(
                f"{self.path} holds {len(entries)} scans, but beamline {self.beamline.id} takes a "
                f"file for one: set its grouping to 'entry'."
            )

    def _failed(self, error: DataError, quiet_for: float) -> Arrival:
        clues = self._clues(None)
        judged = judge_failure(error, quiet_for, self.beamline, clues)
        return Arrival(self.beamline, self.path, judged, clues=clues)

    def _judged(self, entry: Entry, quiet_for: float, alone: bool) -> Arrival:
        clues = self._clues(entry.uid, is_told=alone or entry.uid is not None)
        judged = judge(entry, self._own_quiet(entry, quiet_for), self.beamline, clues)
        # one of several in a folder is over, whether or not the others grow
        changed_meanwhile = entry.stored_bytes is None and signature(self.path) != self.signature
        if judged.is_final and changed_meanwhile:
            judged = Judgement("opened")
        return Arrival(self.beamline, self.path, judged, entry, alone, clues)

    def _own_quiet(self, entry: Entry, quiet_for: float) -> float:
        """Return for how long a dataset has been quiet, of several in a folder by itself."""
        if entry.stored_bytes is None:
            return quiet_for
        seen = (entry.present_frames, entry.stored_bytes)
        before, changed_at = self.own.get(entry.inner_path, (None, 0.0))
        if seen != before:
            changed_at = self.changed_at
            self.own[entry.inner_path] = (seen, changed_at)
        return quiet_for + self.changed_at - changed_at

    def _clues(self, uid: str | None, *, is_told: bool = True) -> Clues:
        """Return what others tell; of an entry among many, only what is told of its uid."""
        if is_told and uid not in self.reported:
            self.reported[uid] = self.about(uid)
        report = self.reported[uid] if is_told else {}
        if not is_told or (len(self.told) > 1 and report.get("uid") != uid):
            report = {}
        marker = marker_of(self.rule, self.path)
        return Clues(report, marker, marker is not None and self._is_there(marker))

    def _is_there(self, marker: Path) -> bool:
        if marker not in self.targets:
            self.targets[marker] = signature(marker)
        return self.targets[marker] is not None

    def _watch_targets(self, entries: list[Entry]) -> None:
        wanted = {path for entry in entries for path in (*entry.missing, *entry.linked)}
        for path in wanted - set(self.targets):
            self.targets[path] = signature(path)

    def _tell(self, arrival: Arrival, now: float, tell: Tell) -> None:
        """Tell an arrival unless nothing is new about it, or it is too early to."""
        frames = arrival.entry.present_frames if arrival.entry else 0
        judgement = arrival.judgement
        report = arrival.clues.report
        before, frames_before, told_at, told = self.told.get(arrival.key, (None, 0, 0.0, report))
        if judgement.stage == "opened":
            # without an identity, the key may still change while the file is written
            if not arrival.has_identity and (arrival.alone or _shares_a_folder(arrival)):
                return
            if before is not None and before.stage == "incomplete":
                return
            if before is not None and frames > frames_before and now - told_at > GROWTH_SECONDS:
                judgement = Judgement("grown", f"{frames} frames so far")
            elif before is not None and told == report:
                return
        elif before == judgement and told == report:
            return
        tell(replace(arrival, judgement=judgement))
        self.told[arrival.key] = (judgement, frames, now, report)


def _shares_a_folder(arrival: Arrival) -> bool:
    return arrival.entry is not None and arrival.entry.stored_bytes is not None


def _known(arrivals: list[Arrival]) -> dict[str, Entry]:
    """Return the entries that are whole and lie in the file itself."""
    return {
        arrival.entry.inner_path: arrival.entry
        for arrival in arrivals
        if arrival.entry is not None
        and arrival.judgement.stage == "complete"
        and not arrival.entry.linked
    }
