"""One beamline's loop: growing files, failures of our own, storms, hangs of another beamline."""

import shutil
import threading
import time

import pytest

from catalog.errors import CatalogError
from tasks.io import nxtomo
from triggers.growing import Growing
from triggers.loop import Loop
from triggers.rules import Triggers

# watchdog meets a new folder twice and says so at length
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")


def scan_mode(make_beamline, **changes):
    return make_beamline(triggers=Triggers(files="scan", **changes), rescan_seconds=0.2)


def test_an_own_scan_finds_all_without_events(
    start, ledger, raw, make_beamline, write_scan, wait_for, tmp_path
):
    trigger = start(scan_mode(make_beamline))
    assert not trigger._watches
    wait_for(lambda: ledger.known_calls)
    write_scan(raw / "scan.h5")
    (raw / "deep").mkdir()
    write_scan(raw / "deep" / "other.h5")
    write_scan(tmp_path / "moved.h5").rename(raw / "moved.h5")
    wait_for(lambda: {each.name for each in ledger.sightings} == {"scan", "other", "moved"})


def test_an_own_scan_finds_what_changed_in_place(
    start, ledger, raw, make_beamline, write_scan, wait_for
):
    start(scan_mode(make_beamline))
    path = write_scan(raw / "scan.h5", uid="first")
    wait_for(lambda: ledger.of("scan"))
    write_scan(path, uid="second")
    wait_for(lambda: len(ledger.of("scan")) == 2)


def test_files_off_still_reconciles(start, ledger, raw, make_beamline, write_scan, wait_for):
    write_scan(raw / "before.h5")
    beamline = make_beamline(triggers=Triggers(files="off", reconcile_seconds=0.5))
    start(beamline)
    wait_for(lambda: ledger.of("before"))
    write_scan(raw / "after.h5")
    wait_for(lambda: ledger.of("after"))


def test_what_the_catalogue_has_lost_is_found_by_reconciling(
    start, ledger, raw, make_beamline, write_scan, wait_for
):
    start(scan_mode(make_beamline, reconcile_seconds=0.5))
    write_scan(raw / "scan.h5")
    wait_for(lambda: len(ledger.of("scan")) == 2)  # this ledger knows no files


def test_a_report_is_looked_at_where_files_are_off(
    start, ledger, raw, make_beamline, write_scan, wait_for
):
    trigger = start(make_beamline(triggers=Triggers(files="off")))
    wait_for(lambda: ledger.known_calls)
    path = write_scan(raw / "scan.h5", uid="1")
    trigger.loops["imaging"].notice(path, "report")
    wait_for(lambda: ledger.of("scan"))


def test_a_report_may_come_before_its_file(start, ledger, raw, make_beamline, write_scan, wait_for):
    """As it does where the file system shows files late."""
    trigger = start(make_beamline(triggers=Triggers(files="off")))
    wait_for(lambda: ledger.known_calls)
    trigger.loops["imaging"].notice(raw / "scan.h5", "report")
    time.sleep(0.5)
    write_scan(raw / "scan.h5", uid="1")
    wait_for(lambda: ledger.of("scan"))


def test_a_report_of_a_folder_is_about_all_in_it(
    start, ledger, raw, make_beamline, write_scan, wait_for
):
    trigger = start(make_beamline(triggers=Triggers(files="off")))
    wait_for(lambda: ledger.known_calls)
    (raw / "run" / "deep").mkdir(parents=True)
    write_scan(raw / "run" / "a.h5")
    write_scan(raw / "run" / "deep" / "b.h5")
    write_scan(raw / "other.h5")
    trigger.loops["imaging"].notice(raw / "run", "report")
    wait_for(lambda: {each.name for each in ledger.sightings} == {"a", "b"})


def test_a_later_report_is_told_of_a_settled_scan(start, ledger, raw, write_scan, wait_for):
    trigger = start()
    path = write_scan(raw / "scan.h5", uid="1")
    wait_for(lambda: ledger.of("scan"))
    ledger.reports[path] = {"uid": "1", "sample": "shell", "stage": "finished"}
    trigger.loops["imaging"].notice(path, "report")
    wait_for(lambda: len(ledger.of("scan")) == 2)
    assert ledger.of("scan")[-1].sample == "shell"


def test_our_own_failure_ends_in_quarantine_after_some_tries(
    start, ledger, raw, write_scan, wait_for, monkeypatch
):
    monkeypatch.setattr(Loop, "LONGEST_RETRY", 0.05)

    def fail(sighting):
        if sighting.name == "poison" and sighting.stage != "broken":
            raise KeyError("a fault of the program")

    ledger.fail = fail
    start()
    write_scan(raw / "poison.h5", uid="1")
    write_scan(raw / "good.h5", uid="2")
    wait_for(lambda: ledger.of("good"))
    (told,) = wait_for(lambda: ledger.of("poison", "broken"))
    assert "Dayseye itself failed on" in told.reason
    assert "KeyError" in told.reason
    ledger.fail = lambda sighting: None
    wait_for(lambda: ledger.of("poison"))


def test_what_the_catalogue_refuses_is_tried_again_alone(
    start, ledger, raw, write_scan, wait_for, monkeypatch
):
    monkeypatch.setattr(Loop, "LONGEST_RETRY", 0.05)
    enter = ledger.record_many
    refused = []

    def record_many(sightings):
        if len(refused) < 3 and any(each.name == "odd" for each in sightings):
            refused.append(1)
            return [
                CatalogError("no") if each.name == "odd" else enter([each])[0] for each in sightings
            ]
        return enter(sightings)

    ledger.record_many = record_many
    start()
    write_scan(raw / "odd.h5")
    write_scan(raw / "good.h5")
    wait_for(lambda: ledger.of("good") and ledger.of("odd"))
    assert len(refused) == 3


def test_a_beamline_that_hangs_keeps_no_other_waiting(
    start, ledger, raw, tmp_path, make_beamline, write_scan, wait_for
):
    """As a mount does whose server is gone."""
    go_on = threading.Event()

    def fail(sighting):
        if sighting.beamline == "stuck":
            go_on.wait(30)

    ledger.fail = fail
    (tmp_path / "stuck").mkdir()
    start(make_beamline(), make_beamline(id="stuck", folders=[tmp_path / "stuck"]))
    write_scan(tmp_path / "stuck" / "first.h5")
    time.sleep(0.5)
    write_scan(raw / "scan.h5")
    wait_for(lambda: ledger.of("scan"))
    go_on.set()
    wait_for(lambda: ledger.of("first"))


def test_a_growing_file_is_told_of_by_its_new_entries(
    start, ledger, raw, write_entry, wait_for, monkeypatch
):
    monkeypatch.setattr(Growing, "QUIET_SECONDS", 1.0)
    looked_at = []
    probe = nxtomo._probe
    monkeypatch.setattr(nxtomo, "_probe", lambda *args: looked_at.append(args[1]) or probe(*args))
    start()
    for number in range(12):
        write_entry(raw / "day.nxs", f"entry{number:02d}", uid=f"u{number}")
        wait_for(lambda n=number: ledger.of(f"day-entry{n:02d}"))
    told = len(ledger.sightings)
    assert told <= 12 + 3, "each entry once, not all each time"
    assert len(looked_at) <= 12 * 3, "and looked at only while it is new"
    wait_for(lambda: len(ledger.sightings) >= told + 12)  # once more, when it has been quiet
    assert {each.uid for each in ledger.sightings[-12:]} == {f"u{n}" for n in range(12)}


def test_a_replaced_file_is_told_of_whole(start, ledger, raw, write_entry, wait_for):
    start()
    for name in ("a", "b"):
        write_entry(raw / "day.nxs", name)
    wait_for(lambda: ledger.of("day-a") and ledger.of("day-b"))
    for name in ("a", "b", "c"):
        write_entry(raw / ".new.nxs", name)
    (raw / ".new.nxs").replace(raw / "day.nxs")
    wait_for(lambda: len(ledger.of("day-a")) == 2 and ledger.of("day-c"))


def test_more_than_it_holds_is_found_by_a_walk(
    start, ledger, raw, write_scan, wait_for, monkeypatch
):
    monkeypatch.setattr(Loop, "MOST_CANDIDATES", 10)
    start()
    wait_for(lambda: ledger.known_calls)
    original = write_scan(raw / ".original")
    for number in range(60):
        shutil.copy(original, raw / f"scan_{number:03d}.h5")
    wait_for(lambda: len({each.name for each in ledger.sightings}) == 60, 40)
