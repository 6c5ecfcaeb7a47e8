"""`kill -9` of every kind of process in the middle of a run: nothing is lost, nothing is twice."""

import itertools
import os
import signal
import time

import psutil
import pytest

from tests.chaos.platform import alive, family
from tests.chaos.scans import sha256

STAGE = "reconstruct volume"
PATIENCE = 240.0
POLL_SECONDS = 0.05
NUMBERS = itertools.count(1)


def dask_worker(platform, _):
    """Return a worker process of the cluster: a child that is not multiprocessing's tracker."""
    children = psutil.Process(platform.service("cluster")).children(recursive=True)
    return next(child.pid for child in children if "spawn_main" in " ".join(child.cmdline()))


VICTIMS = {
    "worker": lambda platform, _: platform.service("worker"),
    "run": lambda _, attempt: attempt.pid,
    "Prefect server": lambda platform, _: platform.service("prefect"),
    "PostgreSQL": lambda platform, _: platform.service("postgres"),
    "Dask worker": dask_worker,
    "supervisor": lambda platform, _: platform.life.process.pid,
}
TAKES_DOWN_ITS_CHILDREN = {"worker", "run", "Dask worker"}


@pytest.mark.parametrize("victim", VICTIMS)
def test_kill_in_the_middle_of_a_run(victim, platform, scans, report):
    big = drop(platform, scans, "big")
    attempt = wait_for(f"a run in stage {STAGE}", lambda: running(platform, big), 120)
    pid = VICTIMS[victim](platform, attempt)
    doomed = platform.processes().values() if victim == "supervisor" else family(pid)
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    small = drop(platform, scans, "small")

    wait_for(f"the processes of the {victim} are gone", lambda: not alive(doomed), 20)
    if victim == "supervisor":
        platform.restart()
    for uid in (big, small):
        wait_for("every scan is reduced", lambda uid=uid: platform.is_reduced(uid), PATIENCE)
    seconds = time.monotonic() - killed

    report.append(
        (victim, STAGE, tell_attempts(platform, big), f"{seconds:.0f} s", len(alive(doomed)))
    )
    for uid in (big, small):
        assert_reduced_once_and_whole(platform, uid)
    assert_attempt_was_hit(platform, victim, big)
    assert not list((platform.folder / "processed").rglob("*.partial"))


def drop(platform, scans, kind):
    """Bring a scan, and return its uid."""
    return scans.write(kind, platform.folder / "raw" / f"{kind}_{next(NUMBERS):02d}.h5").uid


def wait_for(what, condition, seconds):
    """Poll until the condition returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(POLL_SECONDS)


def running(platform, uid):
    """Return the running attempt of a scan once it is in the stage where it is to be hit."""
    in_stage = [run for run in platform.runs(uid) if run.state == "running" and run.stage == STAGE]
    attempts = platform.attempts(uid) if in_stage else []
    return next((attempt for attempt in attempts if attempt.state == "running"), None)


def tell_attempts(platform, uid):
    """Say how the attempts of a run ended."""
    return ", ".join(attempt.state for attempt in platform.attempts(uid))


def assert_reduced_once_and_whole(platform, uid):
    """Exactly one completed run, one result, and files that are what the catalogue says."""
    (run,) = platform.runs(uid)
    assert run.state == "completed"
    states = [attempt.state for attempt in platform.attempts(uid)]
    assert states.count("completed") == 1
    assert states[-1] == "completed"

    (result,), files = platform.outputs(uid)
    assert result.is_current
    assert {file.role for file in files.values()} >= {"volume", "preview"}
    for path, file in files.items():
        assert path.stat().st_size == file.size
        assert file.digest.removeprefix("sha256:") == sha256(path)
    folders = {path.parent for path in files}
    on_disk = {path for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert on_disk == set(files)


def assert_attempt_was_hit(platform, victim, uid):
    """Whoever runs a flow is lost with it, and another attempt is made."""
    if victim in ("worker", "run", "supervisor"):
        assert platform.attempts(uid)[0].state == "lost"
