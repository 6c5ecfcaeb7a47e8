"""Reading ahead in other processes: the same answers, or none."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.io.fingerprint import fingerprint
from tasks.io.probe import probe
from triggers.ahead import Ahead
from triggers.look import Candidate

OWNER = """
import sys, time, pathlib
from triggers.ahead import Ahead
if __name__ == "__main__":
    ahead = Ahead(2)
    print(len(ahead.read([pathlib.Path(sys.argv[1])])), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def ahead():
    made = Ahead(2)
    yield made
    made.close()


def test_it_finds_what_a_look_finds_and_leaves_out_the_rest(ahead, raw, write_scan, write_entry):
    good = write_scan(raw / "good.h5", uid="1")
    broken = raw / "broken.h5"
    broken.write_text("no scan")
    many = write_entry(raw / "many.nxs", "a")
    write_entry(many, "b")
    reads = ahead.read([good, broken, many, raw / "gone.h5"])
    assert set(reads) == {good}
    (entry,) = probe(good)
    assert (reads[good].entry, reads[good].fingerprint) == (entry, fingerprint(good))


def test_what_changed_since_is_read_again(ahead, raw, beamline, write_scan):
    path = write_scan(raw / "scan.h5", uid="old")
    candidate = Candidate(beamline, path, changed_at=0.0, due=0.0, ahead=ahead.read([path])[path])
    write_scan(path, uid="new, and longer")
    told = []
    candidate.look(1.0, told.append)
    assert [each.entry.uid for each in told] == ["new, and longer"]


def test_what_did_not_change_is_not_read_again(ahead, raw, beamline, write_scan, monkeypatch):
    path = write_scan(raw / "scan.h5", uid="1")
    candidate = Candidate(beamline, path, changed_at=0.0, due=0.0, ahead=ahead.read([path])[path])
    monkeypatch.setattr("triggers.look.probe", None)
    monkeypatch.setattr("triggers.arrival.fingerprint", None)
    told = []
    assert candidate.look(1.0, told.append)
    (sighting,) = [each.sighting() for each in told]
    assert sighting.uid == "1"
    assert sighting.files[0].fingerprint


def test_a_process_that_hangs_is_given_up(ahead, raw, write_scan, monkeypatch):
    path = write_scan(raw / "scan.h5")
    assert ahead.read([path])
    monkeypatch.setattr(Ahead, "PATIENCE_SECONDS", 1.0)
    children = multiprocessing.active_children()
    for child in children:
        os.kill(child.pid, signal.SIGSTOP)
    try:
        assert ahead.read([path]) == {}
    finally:
        for child in children:
            if psutil.pid_exists(child.pid):
                os.kill(child.pid, signal.SIGCONT)
    assert ahead.read([path]) == {}, "and it rests for a while"


def test_they_end_when_they_are_not_used(ahead, raw, write_scan, wait_for):
    path = write_scan(raw / "scan.h5")
    assert ahead.read([path])
    ahead.IDLE_SECONDS = 0.0
    ahead.rest()
    wait_for(lambda: not multiprocessing.active_children())
    assert ahead.read([path]), "and begin again"


def test_they_die_with_their_owner(tmp_path, raw, write_scan, wait_for):
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    path = write_scan(raw / "scan.h5")
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    owner = subprocess.Popen(
        [sys.executable, str(script), str(path)], stdout=subprocess.PIPE, env=environment
    )
    assert owner.stdout.readline() == b"1\n"
    family = psutil.Process(owner.pid).children(recursive=True)
    assert len(family) >= 3, "a fork server and two processes"
    owner.kill()
    owner.wait()
    time.sleep(0.1)
    wait_for(lambda: not any(each.is_running() for each in family))
