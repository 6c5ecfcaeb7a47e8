"""When is a scan complete, incomplete or broken? Decided from a look at it and our own clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasks.errors import DataError, StillBeingWritten
from tasks.io.entry import Entry
from triggers.beamline import Beamline

Stage = Literal["opened", "grown", "complete", "incomplete", "broken"]

TOLERATED_LOSS = 0.01
"""Share of the announced frames that may be lost for good in a scan that is over."""


@dataclass(frozen=True)
class Judgement:
    """Where a scan stands, and why."""

    stage: Stage
    reason: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether only a change of the data can change it."""
        return self.stage in ("complete", "broken")


def judge(entry: Entry, quiet_for: float, rules: Beamline) -> Judgement:
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
    """
    if waits := _waits_for(entry):
        return _late(f"{waits} {_within(rules)}", quiet_for, rules)
    if entry.problem:
        is_over = quiet_for >= rules.quiet_seconds + rules.grace_seconds
        return Judgement("broken", entry.problem) if is_over else Judgement("opened")
    # what lacks calibrations may be a scan whose flats are still to be appended
    if entry.has_all_frames and not entry.needs_quiet and not entry.needs:
        return Judgement("complete")
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


def judge_failure(error: DataError, quiet_for: float, rules: Beamline) -> Judgement:
    """Judge a file that could not be looked at."""
    if isinstance(error, StillBeingWritten):
        return _late(f"{error} Nothing has changed {_within(rules)}", quiet_for, rules)
    is_over = quiet_for >= rules.quiet_seconds + rules.grace_seconds
    return Judgement("broken", str(error)) if is_over else Judgement("opened")


def next_deadline(quiet_for: float, rules: Beamline) -> float:
    """Return the quiet time at which the judgement may change next, if nothing else does."""
    quiet = rules.quiet_seconds
    later = [at for at in (quiet, quiet + rules.grace_seconds, rules.timeout_seconds)]
    return min((at for at in later if at > quiet_for), default=float("inf"))


def _waits_for(entry: Entry) -> str | None:
    if entry.missing:
        names = ", ".join(str(path) for path in entry.missing[:3])
        more = f" and {len(entry.missing) - 3} more" if len(entry.missing) > 3 else ""
        return f"It links to {names}{more}, which has not come"
    return "The program that writes it has not closed it" if entry.being_written else None


def _late(reason: str, quiet_for: float, rules: Beamline) -> Judgement:
    if quiet_for < rules.timeout_seconds:
        return Judgement("opened")
    return Judgement("incomplete", f"{reason}. It goes on by itself when the rest comes.")


def _within(rules: Beamline) -> str:
    return f"within {rules.timeout_seconds:g} s"
