"""What the wires tell, on its way into the catalogue."""

import threading

import pytest

from triggers.reporter import Reporter
from triggers.reports import RefusedError, Report


@pytest.fixture
def reporter(catalog_engine):
    """A reporter that writes when told to."""
    made = Reporter(catalog_engine, threading.Event())
    made.QUIET_SECONDS = 0.0
    return made


def test_a_path_elsewhere_is_left_out_and_told_once(reporter, published, heard, raw, caplog):
    beamline = published()
    for name in ("a", "b"):
        paths = (f"/etc/{name}", f"{raw}/../{name}", f"{raw}/{name}.h5")
        reporter.report(beamline, "bluesky", Report(name, paths, {"stage": "started"}))
    reporter._write()
    assert [row.paths for row in heard.rows()] == [[f"{raw}/a.h5"], [f"{raw}/b.h5"]]
    assert sum("in none of its folders" in each for each in caplog.messages) == 2  # two folders


def test_the_newest_word_of_a_scan_waits_with_all_its_paths(reporter, published, heard, raw):
    beamline = published()
    reporter.report(beamline, "bluesky", Report("run", (f"{raw}/a.h5",), {"stage": "started"}))
    reporter.report(beamline, "bluesky", Report("run", (f"{raw}/b.h5",), {"stage": "finished"}))
    assert not reporter.is_empty()
    reporter._write()
    assert reporter.is_empty()
    (row,) = heard.rows()
    assert (row.paths, row.payload) == ([f"{raw}/a.h5", f"{raw}/b.h5"], {"stage": "finished"})


def test_memory_has_an_end(reporter, published, heard, monkeypatch):
    monkeypatch.setattr(Reporter, "MOST", 10)
    beamline = published()
    for number in range(30):
        reporter.report(beamline, "epics", Report(str(number)))
    reporter._write()
    assert [row.key for row in heard.rows()] == [str(number) for number in range(20, 30)]


def test_what_cannot_be_entered_takes_nothing_along(
    reporter, published, make_beamline, heard, raw, caplog
):
    beamline = published()
    reporter.report(make_beamline(id="unknown"), "epics", Report("lost"))
    reporter.report(beamline, "epics", Report("no text", (f"{raw}/\udcff.h5",)))
    reporter.report(beamline, "epics", Report("no end", (f"{raw}/a\0.h5",)))
    reporter.report(
        beamline, "epics", Report("kept", (), {"reason": "zero\0byte", "plan": "\ud800"})
    )
    reporter._write()
    assert [row.key for row in heard.rows()] == ["kept"]
    assert sum("could not be entered" in each for each in caplog.messages) == 4


def test_what_was_refused_is_counted_and_a_state_is_told_once(reporter, published, heard):
    beamline = published()
    reporter.state(beamline, "epics", "listening")
    reporter.state(beamline, "epics", "listening")
    for _ in range(3):
        reporter.refused(beamline, "epics", "somebody", RefusedError("form", "It is not right"))
    reporter._write()
    status = heard.status("epics")
    assert (status.state, status.refused) == ("listening", 3)
    assert status.note == "Refused from somebody: It is not right."
