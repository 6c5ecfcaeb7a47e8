from pathlib import Path

import pytest

from tasks.errors import DataError, StillBeingWritten
from tasks.io.entry import Entry
from triggers.completeness import judge, judge_failure, next_deadline

LATE = 5000.0


def entry(present=10, expected=10, **changes):
    return Entry("", "dxchange", present, expected_frames=expected, **changes)


@pytest.mark.parametrize(
    ("seen", "quiet_for", "stage"),
    [
        (entry(), 0.0, "complete"),
        (entry(9), 0.0, "opened"),
        (entry(9), 3.0, "opened"),
        (entry(9), 13.0, "incomplete"),
        (entry(9, needs_quiet=True), 100.0, "opened"),
        (entry(9, needs_quiet=True), LATE, "incomplete"),
        (entry(198, 200), 0.0, "opened"),
        (entry(198, 200), 3.0, "complete"),
        (entry(expected=None), 0.0, "opened"),
        (entry(expected=None), 3.0, "complete"),
        (entry(needs=("flat",)), 0.0, "opened"),
        (entry(needs=("flat",)), 3.0, "complete"),
        (entry(needs_quiet=True), 0.0, "opened"),
        (entry(needs_quiet=True), 3.0, "complete"),
        (entry(being_written=True), 100.0, "opened"),
        (entry(being_written=True), LATE, "incomplete"),
        (entry(missing=(Path("frames.h5"),)), 100.0, "opened"),
        (entry(missing=(Path("frames.h5"),)), LATE, "incomplete"),
        (entry(problem="No angles."), 3.0, "opened"),
        (entry(problem="No angles."), 13.0, "broken"),
    ],
)
def test_stages(make_beamline, seen, quiet_for, stage):
    rules = make_beamline(quiet_seconds=2, grace_seconds=10, timeout_seconds=3600)
    assert judge(seen, quiet_for, rules).stage == stage


def test_reasons(make_beamline):
    rules = make_beamline(timeout_seconds=60)
    reason = judge(entry(9), LATE, rules).reason
    assert reason == (
        "It has 9 of 10 announced frames, and its file was closed. "
        "It goes on by itself when the rest comes."
    )
    reason = judge(entry(9, needs_quiet=True), LATE, rules).reason
    assert reason == (
        "It has 9 of 10 announced frames; the others have not come within 60 s. "
        "It goes on by itself when the rest comes."
    )
    missing = tuple(Path(f"f{number}.h5") for number in range(5))
    reason = judge(entry(missing=missing), LATE, rules).reason
    assert reason and "f0.h5, f1.h5, f2.h5 and 2 more, which has not come within 60 s" in reason


@pytest.mark.parametrize(
    ("error", "quiet_for", "stage"),
    [
        (DataError("Cut short."), 3.0, "opened"),
        (DataError("Cut short."), 13.0, "broken"),
        (StillBeingWritten("Held."), 100.0, "opened"),
        (StillBeingWritten("Held."), LATE, "incomplete"),
    ],
)
def test_what_cannot_be_opened(make_beamline, error, quiet_for, stage):
    rules = make_beamline(quiet_seconds=2, grace_seconds=10, timeout_seconds=3600)
    judgement = judge_failure(error, quiet_for, rules)
    assert judgement.stage == stage
    assert judgement.reason is None or str(error) in judgement.reason


def test_deadlines(make_beamline):
    rules = make_beamline(quiet_seconds=2, grace_seconds=10, timeout_seconds=60)
    deadlines = [next_deadline(quiet_for, rules) for quiet_for in (0, 2, 11, 12, 60)]
    assert deadlines == [2, 12, 12, 60, float("inf")]
