"""When is a scan complete, incomplete or broken? Decided from a look at it and our own clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasks.errors import DataError, StillBeingWritten
from tasks.io.entry import Entry
from triggers.beamline import Beamline
from triggers.clues import NO_CLUES, Clues

Stage = Literal["opened", "grown", "complete", "incomplete", "aborted", "broken"]

TOLERATED_LOSS = 0.01
"""Share of the announced frames that may be lost for good in a scan that is over."""


@dataclass(frozen=True)
class Judgement:
    """Where a scan stands, and why."""

    stage: Stage
    reason: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether only a change of the data, or a new report, can change it."""
        return self.stage in ("complete", "aborted", "broken")


def judge(entry: Entry, quiet_for: float, rules: Beamline, clues: Clues = NO_CLUES) -> Judgement:
    """
    Judge one dataset.

    Parameters
    ----------
    entry
        What a look at it told.
    quiet_for
        Seconds, by a monotonic clock of ours, since anything of it last changed.
    rules
        The beamline's waiting times.
    clues
        What was reported about it, and whether a file marks its end.
    """
    entry = clues.applied(entry)
    if clues.is_aborted and not (entry.has_all_frames and not entry.problem):
        counts = f"it has {entry.present_frames} of {entry.expected_frames or 'unknown'} frames"
        return _aborted(clues, counts, quiet_for, rules)
    if waits := _waits_for(entry, clues):
        return _late(f"{waits} {_within(rules)}", quiet_for, rules)
    if entry.problem:
        return _broken(entry.problem, quiet_for, rules, clues)
    return _counted(entry, quiet_for, rules, clues)


def _counted(entry: Entry, quiet_for: float, rules: Beamline, clues: Clues) -> Judgement:
    """Judge a dataset of which nothing but perhaps frames is missing."""
    # what lacks calibrations may be a scan whose flats are still to be appended
    is_whole = entry.has_all_frames and not entry.needs_quiet and not entry.needs
    if is_whole or (clues.is_marked and entry.present_frames >= (entry.expected_frames or 0)):
        return Judgement("complete")
    if clues.is_open:
        open_run = "Its run was reported as begun, and its end was not reported"
        return _late(f"{open_run} {_within(rules)}", quiet_for, rules)
    if quiet_for < rules.quiet_seconds:
        return Judgement("opened")
    expected = entry.expected_frames or 0
    has_enough = entry.present_frames >= expected * (1 - TOLERATED_LOSS)
    return Judgement("complete") if has_enough else _short(entry, quiet_for, rules)


def _short(entry: Entry, quiet_for: float, rules: Beamline) -> Judgement:
    """Judge a dataset that lacks frames: a file that was closed without them rarely gets them."""
    counts = f"It has {entry.present_frames} of {entry.expected_frames} announced frames"
    if entry.needs_quiet:
        return _late(f"{counts}; the others have not come {_within(rules)}", quiet_for, rules)
    is_over = quiet_for >= rules.quiet_seconds + rules.grace_seconds
    closed = f"{counts}, and its file was closed. It goes on by itself when the rest comes."
    return Judgement("incomplete", closed) if is_over else Judgement("opened")


def judge_failure(
    error: DataError, quiet_for: float, rules: Beamline, clues: Clues = NO_CLUES
) -> Judgement:
    """Judge a file that could not be looked at."""
    if clues.is_aborted:
        return _aborted(clues, str(error), quiet_for, rules)
    if isinstance(error, StillBeingWritten):
        return _late(f"{error} Nothing has changed {_within(rules)}", quiet_for, rules)
    return _broken(str(error), quiet_for, rules, clues)


def _broken(problem: str, quiet_for: float, rules: Beamline, clues: Clues) -> Judgement:
    """Judge what cannot be used as it stands; while its run goes on it may still be mended."""
    patience = rules.quiet_seconds + rules.grace_seconds
    if clues.is_open:
        patience = max(patience, rules.timeout_seconds)
    return Judgement("broken", problem) if quiet_for >= patience else Judgement("opened")


def _aborted(clues: Clues, counts: str, quiet_for: float, rules: Beamline) -> Judgement:
    """Judge a scan whose run was aborted; what was under way may still be written."""
    if quiet_for < rules.quiet_seconds:
        return Judgement("opened")
    return Judgement("aborted", f"Its run was aborted ({clues.abort_reason}); {counts}")


def next_deadline(quiet_for: float, rules: Beamline) -> float:
    """Return the quiet time at which the judgement may change next, if nothing else does."""
    quiet = rules.quiet_seconds
    later = [at for at in (quiet, quiet + rules.grace_seconds, rules.timeout_seconds)]
    return min((at for at in later if at > quiet_for), default=float("inf"))


def _waits_for(entry: Entry, clues: Clues) -> str | None:
    if entry.missing:
        names = ", ".join(str(path) for path in entry.missing[:3])
        more = f" and {len(entry.missing) - 3} more" if len(entry.missing) > 3 else ""
        return f"It links to {names}{more}, which has not come"
    if entry.being_written:
        return "The program that writes it has not closed it"
    return f"{clues.marker}, which marks its end, has not come" if clues.lacks_marker else None


def _late(reason: str, quiet_for: float, rules: Beamline) -> Judgement:
    if quiet_for < rules.timeout_seconds:
        return Judgement("opened")
    return Judgement("incomplete", f"{reason}. It goes on by itself when the rest comes.")


def _within(rules: Beamline) -> str:
    return f"within {rules.timeout_seconds:g} s"
