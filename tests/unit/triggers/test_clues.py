"""What others than the data tell: reports, markers, sidecars."""

import json
import time

import pytest

from tasks.errors import DataError, StillBeingWritten
from tasks.io.entry import Entry
from triggers.clues import Clues, marker_of
from triggers.completeness import judge, judge_failure
from triggers.look import Candidate

LATE = 5000.0
BEGUN, ENDED = {"stage": "started"}, {"stage": "finished"}
ABORTED = {"stage": "aborted", "reason": "beam dump"}


def entry(present=10, expected=10, **changes):
    return Entry("", "dxchange", present, expected_frames=expected, **changes)


@pytest.mark.parametrize(
    ("seen", "quiet_for", "report", "stage"),
    [
        (entry(), 0.0, BEGUN, "complete"),
        (entry(needs_quiet=True), 100.0, BEGUN, "opened"),
        (entry(needs_quiet=True), LATE, BEGUN, "incomplete"),
        (entry(needs_quiet=True), 3.0, ENDED, "complete"),
        (entry(9), 100.0, BEGUN, "opened"),
        (entry(9), 100.0, ENDED, "incomplete"),
        (entry(expected=None), 100.0, {**ENDED, "expected_frames": 12}, "incomplete"),
        (entry(expected=None), 0.0, {**ENDED, "expected_frames": 10}, "complete"),
        (entry(9), 1.0, ABORTED, "opened"),
        (entry(9), 3.0, ABORTED, "aborted"),
        (entry(expected=None), 3.0, ABORTED, "aborted"),
        (entry(), 0.0, ABORTED, "complete"),
        (entry(being_written=True), 3.0, {**ABORTED}, "opened"),
        (entry(9, being_written=True), 3.0, ABORTED, "aborted"),
        (entry(problem="No angles."), 100.0, BEGUN, "opened"),
        (entry(problem="No angles."), LATE, BEGUN, "broken"),
    ],
)
def test_reports_in_the_judgement(make_beamline, seen, quiet_for, report, stage):
    rules = make_beamline(quiet_seconds=2, grace_seconds=10, timeout_seconds=3600)
    assert judge(seen, quiet_for, rules, Clues(report)).stage == stage


def test_an_abort_has_its_reason(make_beamline):
    judged = judge(entry(9), LATE, make_beamline(), Clues(ABORTED))
    assert judged.reason == "Its run was aborted (beam dump); it has 9 of 10 frames"
    assert judged.is_final


@pytest.mark.parametrize(
    ("error", "report", "stage"),
    [
        (DataError("Cut short."), ABORTED, "aborted"),
        (StillBeingWritten("Held."), ABORTED, "aborted"),
        (DataError("Cut short."), BEGUN, "opened"),
        (DataError("Cut short."), ENDED, "broken"),
    ],
)
def test_what_cannot_be_opened(make_beamline, error, report, stage):
    rules = make_beamline(quiet_seconds=2, grace_seconds=10, timeout_seconds=3600)
    assert judge_failure(error, 60.0, rules, Clues(report)).stage == stage


def test_a_marker_is_waited_for_and_ends_the_wait(make_beamline, tmp_path):
    rules = make_beamline(quiet_seconds=2, timeout_seconds=3600)
    marker = tmp_path / "scan.h5.done"
    assert judge(entry(), 100.0, rules, Clues(marker=marker)).stage == "opened"
    late = judge(entry(), LATE, rules, Clues(marker=marker))
    assert late.stage == "incomplete" and "scan.h5.done, which marks its end" in str(late.reason)
    there = Clues(marker=marker, is_marked=True)
    assert judge(entry(expected=None, needs_quiet=True), 0.0, rules, there).stage == "complete"
    assert judge(entry(9), 100.0, rules, there).stage == "incomplete"


@pytest.mark.parametrize(
    ("marker", "name"),
    [
        ("{name}.done", "p1/scan.h5.done"),
        ("{stem}.ok", "p1/scan.ok"),
        ("finished.txt", "p1/finished.txt"),
    ],
)
def test_where_the_marker_of_a_file_lies(make_beamline, raw, marker, name):
    rules = [{"name": "a", "match": ["**"], "done_marker": marker}]
    rule = make_beamline(rules=rules).rule_for("p1/scan.h5")
    assert marker_of(rule, raw / "p1" / "scan.h5") == raw / name


def test_the_marker_of_a_folder(make_beamline, raw):
    series = raw / "s1"
    series.mkdir()
    rules = [{"name": "a", "match": ["**"], "done_marker": "done"}]
    assert marker_of(make_beamline(rules=rules).rule_for("s1"), series) == series / "done"


def look(candidate, after=100.0):
    """Look as if the file had been quiet for long, and return what was told."""
    told = []
    candidate.look(time.monotonic() + after, told.append)
    return told


def candidate(beamline, path, **changes):
    return Candidate(beamline, path, changed_at=time.monotonic(), due=0.0, **changes)


def test_a_candidate_with_a_marker(make_beamline, raw, write_scan):
    path = write_scan(raw / "scan.h5", uid="u1")
    beamline = make_beamline(
        rules=[{"name": "marked", "match": ["*.h5"], "done_marker": "{name}.done"}],
        timeout_seconds=1e6,
    )
    waiting = candidate(beamline, path)
    assert [each.judgement.stage for each in look(waiting)] == ["opened"]
    (raw / "scan.h5.done").touch()
    [told] = look(waiting)
    assert (told.judgement.stage, told.sighting().rule) == ("complete", "marked")


def test_a_candidate_hears_of_reports(make_beamline, raw, write_scan):
    path = write_scan(raw / "scan.h5", uid="u1", frames=3)
    report = {"uid": "u1", **BEGUN}
    asked = []

    def about(uid):
        asked.append(uid)
        return dict(report)

    seen = candidate(make_beamline(timeout_seconds=1e6), path, about=about)
    assert [each.judgement.stage for each in look(seen)] == ["opened"]
    assert look(seen, 200.0) == [] and asked == ["u1"]
    report.update(ABORTED, plan="scan", scan=42, proposal=20260713, sample={"name": "bone"})
    seen.hear(0.0)
    [told] = look(seen, 300.0)
    sighting = told.sighting()
    assert (sighting.stage, sighting.proposal, sighting.sample) == ("aborted", "20260713", "bone")
    assert sighting.metadata["report"] == {
        "plan": "scan", "scan": 42, "reason": "beam dump", "stage": "aborted",
    }  # fmt: skip
    assert sighting.name == "scan"


def test_what_is_reported_later_is_told_once_more(make_beamline, raw, write_scan):
    report = {}
    seen = candidate(
        make_beamline(), write_scan(raw / "scan.h5", uid="u1"), about=lambda _: dict(report)
    )
    assert [each.judgement.stage for each in look(seen)] == ["complete"]
    report.update(proposal="p7")
    seen.hear(0.0)
    assert [each.sighting().proposal for each in look(seen, 200.0)] == ["p7"]


def test_who_is_believed(make_beamline, raw, write_scan):
    folder = raw / "p1"
    folder.mkdir()
    path = write_scan(folder / "scan.h5", uid="u1")
    (folder / "scan.json").write_text(
        json.dumps({
            "proposal": "p2", "visit": 3, "scan": "tooth-7",
            "sample": {"name": "tooth", "formula": "Ca5(PO4)3OH", "density": 3.1},
            "metadata": {"operator": "night shift"},
        })
    )  # fmt: skip
    report = {"proposal": "p3", "visit": "v9", "scan": 12, "started_at": "2026-11-20T12:00:00"}
    [told] = look(
        candidate(make_beamline(path_template="{proposal}/{_}"), path, about=lambda _: report)
    )
    sighting = told.sighting()
    assert (sighting.proposal, sighting.visit, sighting.sample) == ("p1", "v9", "tooth")
    assert sighting.name == "tooth-7"
    assert sighting.sample_fields == {"formula": "Ca5(PO4)3OH", "density": 3.1}
    assert sighting.metadata["known_from"] == {
        "proposal": "path", "visit": "report", "sample": "sidecar", "scan": "sidecar",
    }  # fmt: skip
    assert sighting.metadata["told_otherwise"]["proposal"] == {"report": "p3", "sidecar": "p2"}
    assert sighting.metadata["operator"] == "night shift"
    assert sighting.reported_start is not None and sighting.reported_start.hour == 12


def test_the_order_of_belief_is_declared(make_beamline, raw, write_scan):
    (raw / "p1").mkdir()
    path = write_scan(raw / "p1" / "scan.h5", uid="u1")
    beamline = make_beamline(path_template="{proposal}/{_}", sources=["report", "path"])
    [told] = look(candidate(beamline, path, about=lambda _: {"proposal": "p3"}))
    assert told.sighting().proposal == "p3"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "dayseye.json cannot be used"),
        ("[1]", "it must hold one JSON object"),
        ('{"sample": {"name": "a", "density": -1}}', "density (in g/cm³) must be a number above"),
        ('{"sample": {"name": "a", "colour": 1}}', "A sample has no 'colour'"),
    ],
)
def test_a_sidecar_that_cannot_be_used_is_told(beamline, raw, write_scan, text, words):
    path = write_scan(raw / "scan.h5", uid="u1")
    (raw / "dayseye.json").write_text(text)
    [told] = look(candidate(beamline, path))
    assert words in told.sighting().metadata["sidecar_problem"]
    assert told.judgement.stage == "complete"
