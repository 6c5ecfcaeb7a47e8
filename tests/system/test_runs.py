"""Runs on the real platform: started, cancelled, crashed, found again."""

import os
import signal

import psutil
import pytest


def read(path):
    """Return when and in which process a small flow wrote a file."""
    moment, pid = path.read_text().split()
    return float(moment), int(pid)


@pytest.fixture(scope="session")
def reduced(platform):
    """Let a scan land and be reduced."""
    platform.drop_scan("first")
    platform.wait_for(lambda: platform.runs("first"), 60, "a run of the scan")
    platform.wait_for(
        lambda: platform.runs("first")[0].state in ("completed", "failed"), 120, "its end"
    )
    return platform.dataset("first")


def test_a_scan_that_lands_is_reduced(platform, reduced):
    (run,) = platform.runs("first")
    assert (run.state, run.state_reason) == ("completed", None)
    assert list((platform.folder / "processed").rglob("v001/*"))


def test_each_run_has_a_process_of_its_own(platform, tmp_path):
    flow_runs = [platform.start("note", path=str(tmp_path / str(number))) for number in range(2)]
    platform.wait_for(
        lambda: all(platform.state(each)["type"] == "COMPLETED" for each in flow_runs), 60
    )
    pids = {read(tmp_path / str(number))[1] for number in range(2)}
    assert len(pids) == 2
    platform.wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids), 30)


@pytest.mark.parametrize("ignore_sigterm", [False, True])
def test_a_cancelled_run_is_ended(platform, tmp_path, ignore_sigterm):
    note = tmp_path / "held"
    flow_run = platform.start("hold", path=str(note), ignore_sigterm=ignore_sigterm)
    platform.wait_for(lambda: note.exists() and note.read_text(), 60, "the run's first line")
    _, pid = read(note)
    platform.cancel(flow_run)
    platform.wait_for(lambda: not psutil.pid_exists(pid), 30, "the end of its process")
    platform.wait_for(
        lambda: platform.state(flow_run)["type"] == "CANCELLED", 30, "the state Cancelled"
    )


def test_a_crash_is_told(platform, tmp_path):
    flow_run = platform.start("crash", path=str(tmp_path / "note"))
    platform.wait_for(
        lambda: platform.state(flow_run)["type"] == "CRASHED", 60, "the state Crashed"
    )
    assert "ended by signal SIGKILL" in platform.state(flow_run)["message"]


def test_a_cancelled_run_is_cancelled_in_the_catalogue(platform, reduced, tmp_path):
    note = tmp_path / "held"
    flow_run = platform.start("claim_and_hold", path=str(note), dataset=str(reduced.id))
    platform.wait_for(lambda: note.exists() and note.read_text(), 60, "the claim")
    run = platform.runs("first")[-1]
    assert (run.state, run.request_id) == ("running", flow_run)
    platform.cancel(flow_run)
    platform.wait_for(
        lambda: platform.runs("first")[-1].state == "cancelled", 60, "the run is cancelled"
    )


def test_a_run_whose_process_died_is_done_again(platform, reduced, tmp_path):
    note = tmp_path / "held"
    platform.start("claim_and_hold", path=str(note), dataset=str(reduced.id))
    platform.wait_for(lambda: note.exists() and note.read_text(), 60, "the claim")
    os.kill(read(note)[1], signal.SIGKILL)
    # The retry goes to the flow that the run belongs to, which completes it.
    platform.wait_for(
        lambda: platform.runs("first")[-1].state == "completed", 120, "the second attempt"
    )


def test_a_worker_that_is_killed_leaves_no_child(platform, tmp_path):
    note = tmp_path / "held"
    flow_run = platform.start("hold", path=str(note))
    platform.wait_for(lambda: note.exists() and note.read_text(), 60, "the run's first line")
    worker = platform.service("worker")["pid"]
    family = [worker, *(child.pid for child in psutil.Process(worker).children(recursive=True))]
    assert read(note)[1] in family
    os.kill(worker, signal.SIGKILL)
    platform.wait_for(lambda: not any(psutil.pid_exists(pid) for pid in family), 10, "their end")
    platform.wait_for(lambda: platform.service("worker")["stage"] == "ready", 120, "a new worker")
    platform.cancel(flow_run)


def test_a_scan_that_lands_without_prefect_is_reduced_later(platform):
    os.kill(platform.service("prefect")["pid"], signal.SIGKILL)
    platform.drop_scan("late", seed=2)
    platform.wait_for(lambda: platform.runs("late"), 60, "its run, which waits")
    platform.wait_for(
        lambda: platform.service("prefect")["stage"] == "ready", 120, "Prefect is back"
    )
    platform.wait_for(lambda: platform.runs("late")[0].state == "completed", 120, "its end")
    assert len(platform.runs("late")) == 1


def test_nothing_outlives_the_supervisor(doomed):
    assert len(doomed.processes()) > 8
    doomed.life.process.kill()
    doomed.wait_for(lambda: not doomed.processes(), 10, "the end of all processes")
