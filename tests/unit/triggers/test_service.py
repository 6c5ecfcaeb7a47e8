"""Each way in which data land, with real files and real file events."""

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from sqlalchemy.exc import OperationalError

from triggers.scan_folder import signature

# watchdog meets a new folder twice and says so at length
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")


def test_announced_scan_is_complete_at_once(
    start, ledger, raw, make_beamline, write_scan, wait_for
):
    """Without waiting for quiet (about 40 ms on two idle cores)."""
    start(make_beamline(quiet_seconds=10))
    write_scan(raw / "warm.h5")
    wait_for(lambda: ledger.of("warm"))
    delays = []
    for number in range(15):
        path = write_scan(raw / f"scan_{number}.h5", uid=str(number))
        closed = time.monotonic()
        wait_for(lambda path=path: ledger.of(path.stem))
        delays.append(ledger.times[-1] - closed)
    assert statistics.median(delays) < 0.5


def test_what_landed_before_the_start(start, ledger, raw, write_scan, wait_for):
    (raw / "2026" / "p 1").mkdir(parents=True)
    write_scan(raw / "2026" / "p 1" / "扫描.h5")
    start()
    wait_for(lambda: ledger.of("扫描"))


def test_temporary_name_then_rename(start, ledger, raw, write_scan, wait_for):
    start()
    write_scan(raw / ".scan.h5.tmp").rename(raw / "scan.h5")
    wait_for(lambda: ledger.of("scan"))
    assert len(ledger.sightings) == 1


def test_moved_in_from_outside(start, ledger, raw, tmp_path, write_scan, wait_for):
    start()
    write_scan(tmp_path / "scan.h5").rename(raw / "scan.h5")
    wait_for(lambda: ledger.of("scan"))


@pytest.mark.parametrize("inside", [True, False])
def test_moved_folder(start, ledger, raw, tmp_path, write_scan, wait_for, inside):
    start()
    folder = (raw if inside else tmp_path) / ".incoming"
    folder.mkdir()
    write_scan(folder / "scan.h5")
    folder.rename(raw / "arrived")
    wait_for(lambda: ledger.of("scan"))


def test_new_folder_with_an_immediate_write(start, ledger, raw, write_scan, wait_for):
    start()
    for number in range(10):
        (raw / f"{number}" / "deep").mkdir(parents=True)
        write_scan(raw / f"{number}" / "deep" / f"scan_{number}.h5")
    wait_for(lambda: len({each.name for each in ledger.sightings}) == 10)


def test_slow_writer(start, ledger, raw, wait_for):
    writer = """
import sys, time, h5py, numpy as np
with h5py.File(sys.argv[1], "w") as file:
    file["exchange/theta"] = np.arange(5.0)
    file["exchange/data_white"] = file["exchange/data_dark"] = np.ones((1, 4, 6))
    data = file.create_dataset("exchange/data", (0, 4, 6), "u2", maxshape=(None, 4, 6))
    for number in range(5):
        data.resize(number + 1, axis=0)
        file.flush()
        time.sleep(0.2)
"""
    start()
    subprocess.run([sys.executable, "-c", writer, str(raw / "slow.h5")], check=True)
    (sighting,) = wait_for(lambda: ledger.of("slow"))
    assert sighting.metadata == {}
    assert [each.stage for each in ledger.sightings] == ["complete"]


def test_reused_name(start, ledger, raw, write_scan, wait_for):
    start()
    path = write_scan(raw / "scan.h5", uid="first")
    wait_for(lambda: ledger.of("scan"))
    write_scan(path, uid="second")
    wait_for(lambda: len(ledger.of("scan")) == 2)
    assert [each.uid for each in ledger.of("scan")] == ["first", "second"]
    assert len({each.entry_key for each in ledger.sightings}) == 2


def test_entries_appended_to_a_known_file(start, ledger, raw, write_entry, wait_for):
    start()
    path = write_entry(raw / "day.nxs", "entry1", uid="a")
    wait_for(lambda: ledger.of("day-entry1"))
    write_entry(path, "entry2", uid="b")
    wait_for(lambda: ledger.of("day-entry2"))
    prints = {each.files[0].fingerprint for each in ledger.of("day-entry1")}
    assert len(prints) == 1, "the entry that was there has not changed"


def test_a_file_for_one_scan(start, ledger, raw, make_beamline, write_entry, wait_for):
    start(make_beamline(grouping="file"))
    write_entry(raw / "day.nxs", "entry1")
    write_entry(raw / "day.nxs", "entry2")
    (sighting,) = wait_for(lambda: ledger.of("day", "broken"))
    assert "set its grouping to 'entry'" in sighting.reason


def test_folder_of_tiffs(start, ledger, raw, wait_for):
    start()
    (raw / "series" / "projections").mkdir(parents=True)
    (raw / "series" / "angles.txt").write_text("0\n1\n2\n3\n")
    for number in range(4):
        image = np.full((4, 6), number, np.uint16)
        tifffile.imwrite(raw / "series" / "projections" / f"p_{number}.tif", image)
        time.sleep(0.05)
    (sighting,) = wait_for(lambda: ledger.of("series"))
    (file,) = sighting.files
    assert (file.role, file.path, file.count) == ("series", "series", 5)
    assert sighting.format == "tiff_folder"


def test_angles_without_images_are_nothing_yet(start, ledger, raw, write_scan, wait_for):
    start()
    (raw / "series").mkdir()
    (raw / "series" / "angles.txt").write_text("0\n")
    time.sleep(1.0)  # longer than quiet and grace
    assert not ledger.sightings
    tifffile.imwrite(raw / "series" / "p_0.tif", np.ones((4, 6), np.uint16))
    wait_for(lambda: ledger.of("series"))


def test_folder_of_tiffs_that_was_there_before(start, ledger, raw, wait_for):
    (raw / "series").mkdir()
    (raw / "series" / "theta.txt").write_text("0\n")
    tifffile.imwrite(raw / "series" / "p_0.tif", np.ones((4, 6), np.uint16))
    start()
    wait_for(lambda: ledger.of("series"))


def frames_file(path: Path) -> None:
    hidden = path.with_name(f".{path.name}")
    with h5py.File(hidden, "w") as file:
        file["frames"] = np.ones((5, 4, 6), np.uint16)
    hidden.rename(path)


def test_master_before_its_frames(start, ledger, raw, write_entry, wait_for):
    start()
    link = h5py.ExternalLink("frames.hdf", "/frames")
    write_entry(raw / "scan.nxs", "entry", uid="a", data=link)
    wait_for(lambda: ledger.of("scan", "opened"))
    frames_file(raw / "frames.hdf")
    (sighting,) = wait_for(lambda: ledger.of("scan"))
    assert [(file.role, file.path) for file in sighting.files] == [
        ("data", "scan.nxs"),
        ("link_target", "frames.hdf"),
    ]


def test_link_target_that_comes_too_late(start, ledger, raw, write_entry, wait_for):
    start()
    write_entry(raw / "scan.nxs", "entry", data=h5py.ExternalLink("frames.h5", "/frames"))
    (sighting,) = wait_for(lambda: ledger.of("scan", "incomplete"))
    assert "frames.h5, which has not come within 1.5 s" in sighting.reason
    frames_file(raw / "frames.h5")
    wait_for(lambda: ledger.of("scan"))
    assert not ledger.of("frames", "broken"), "it belongs to the scan that links to it"


def test_broken_files_and_a_good_one(start, ledger, raw, write_scan, wait_for):
    start()
    (raw / "text.h5").write_text("no scan")
    (raw / "empty.h5").touch()
    whole = write_scan(raw / ".whole").read_bytes()
    (raw / "cut.h5").write_bytes(whole[: len(whole) // 2])
    write_scan(raw / "good.h5")
    wait_for(lambda: ledger.of("good"))
    for name, words in (("text", "not an HDF5"), ("empty", "0 bytes"), ("cut", "cut short")):
        (sighting,) = wait_for(lambda name=name: ledger.of(name, "broken"))
        assert words in sighting.reason
        assert sighting.files[0].path == f"{name}.h5"


def test_broken_file_that_is_mended(start, ledger, raw, write_scan, wait_for):
    start()
    (raw / "scan.h5").write_text("half a copy")
    wait_for(lambda: ledger.of("scan", "broken"))
    write_scan(raw / "scan.h5")
    wait_for(lambda: ledger.of("scan"))
    first, second = ledger.sightings
    assert first.entry_key == second.entry_key


def test_poison_never_stops_others(start, ledger, raw, write_scan, wait_for):
    def fail(arrival):
        if arrival.name == "poison":
            raise RuntimeError("a fault of the program")

    ledger.fail = fail
    start()
    write_scan(raw / "poison.h5")
    write_scan(raw / "good.h5")
    wait_for(lambda: ledger.of("good"))
    ledger.fail = lambda arrival: None
    wait_for(lambda: ledger.of("poison"))


def test_catalogue_outage(start, ledger, raw, write_scan, wait_for):
    refused = []

    def fail(arrival):
        refused.append(arrival.name)
        raise OperationalError("INSERT", {}, Exception("the server closed the connection"))

    ledger.fail = fail
    trigger = start()
    trigger.AWAY_SECONDS = 0.3
    for number in range(3):
        write_scan(raw / f"scan_{number}.h5")
    wait_for(lambda: len(refused) >= 2)
    ledger.fail = lambda arrival: None
    wait_for(lambda: len({each.name for each in ledger.sightings}) == 3)


def test_known_files_are_not_looked_at_again(start, ledger, raw, write_scan, wait_for):
    known, new = write_scan(raw / "known.h5"), write_scan(raw / "new.h5")
    seen = signature(known)
    ledger.files = {(str(known), seen.size, seen.mtime_ns, seen.inode)}
    start()
    wait_for(lambda: ledger.of(new.stem))
    write_scan(raw / "last.h5")
    wait_for(lambda: ledger.of("last"))
    assert not ledger.of("known")


def test_no_events_where_the_system_gives_none(start, ledger, raw, write_scan, wait_for, tmp_path):
    """A folder that is not there at the start comes later, as a mount does."""
    shutil.rmtree(raw)
    start()
    wait_for(lambda: ledger.known_calls)
    raw.mkdir()
    write_scan(raw / "scan.h5")
    wait_for(lambda: ledger.of("scan"))


def test_two_beamlines_one_process(
    start, ledger, raw, tmp_path, make_beamline, write_scan, wait_for
):
    (tmp_path / "other").mkdir()
    start(make_beamline(), make_beamline(id="other", folders=[tmp_path / "other"]))
    write_scan(raw / "a.h5")
    write_scan(tmp_path / "other" / "b.h5")
    wait_for(lambda: len(ledger.sightings) == 2)
    assert {(each.beamline, each.name) for each in ledger.sightings} == {
        ("imaging", "a"),
        ("other", "b"),
    }


def test_storm(start, ledger, raw, write_scan, wait_for):
    start()
    original = write_scan(raw / ".original")
    for number in range(150):
        shutil.copy(original, raw / f"scan_{number:03d}.h5")
    wait_for(lambda: len({each.name for each in ledger.sightings}) == 150, 40)
    assert len(ledger.sightings) == 150
