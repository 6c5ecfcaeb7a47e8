import threading
import time

import pytest

from tasks.errors import DataError
from triggers.ingest import hand_over


def test_one_file_from_anywhere(ledger, beamline, tmp_path, write_scan):
    path = write_scan(tmp_path / "elsewhere.h5")
    (recorded,) = hand_over(ledger, path, beamline, 5)
    assert recorded.state == "complete"
    (file,) = ledger.sightings[0].files
    assert (file.storage, file.path) == (str(tmp_path), "elsewhere.h5")


def test_a_folder_of_files(ledger, beamline, raw, write_scan):
    for name in ("a.h5", "b.h5"):
        write_scan(raw / name)
    (raw / "notes.txt").touch()
    assert len(hand_over(ledger, raw, beamline, 5)) == 2


def test_a_series(ledger, beamline, tiff_series):
    (recorded,) = hand_over(ledger, tiff_series, beamline, 5)
    assert recorded.state == "complete"


def test_waits_until_it_is_complete(ledger, beamline, raw, write_scan):
    path = write_scan(raw / "scan.h5", frames=3)
    later = threading.Timer(0.5, write_scan, [path])
    later.start()
    (recorded,) = hand_over(ledger, path, beamline, 20)
    later.join()
    assert recorded.state == "complete"


def test_waits_no_longer_than_told(ledger, beamline, raw, write_scan):
    path = write_scan(raw / "scan.h5", frames=3)
    begin = time.monotonic()
    (recorded,) = hand_over(ledger, path, beamline, 0.6)
    assert recorded.state == "incomplete"
    assert time.monotonic() - begin < 5


def test_broken(ledger, beamline, raw):
    (raw / "text.h5").write_text("no")
    (recorded,) = hand_over(ledger, raw / "text.h5", beamline, 5)
    assert recorded.state == "broken"


def test_nothing_there(ledger, beamline, raw):
    with pytest.raises(DataError, match="is not there, or holds nothing whose name fits"):
        hand_over(ledger, raw / "gone.h5", beamline, 5)
    with pytest.raises(DataError, match=r"\*\.h5"):
        hand_over(ledger, raw, beamline, 5)
