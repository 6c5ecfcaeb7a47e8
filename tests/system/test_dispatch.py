"""Dispatch on the real platform: batches, pauses, many at once, and processes that hang."""

import os
import signal
import stat

import psutil
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from catalog.models import Attempt, Dispatch, Run


def ended(platform, name, state="completed"):
    """Wait for the end of the newest run of a dataset."""
    platform.wait_for(lambda: platform.runs(name), 60, f"a run of {name}")
    platform.wait_for(
        lambda: platform.runs(name)[-1].state not in ("waiting", "running"), 150, f"end of {name}"
    )
    run = platform.runs(name)[-1]
    assert run.state == state, run.state_reason
    return run


def attempts(platform, run):
    """Return the attempts at a run."""
    with Session(platform.engine) as session:
        statement = select(Attempt).where(Attempt.run_id == run.id).order_by(Attempt.number)
        return session.scalars(statement).all()


def test_quick_scans_share_a_flow_run(platform):
    names = ["quick-1", "quick-2", "quick-3"]
    for number, name in enumerate(names):
        platform.drop_scan(name, seed=number, folder="quick")
    runs = [ended(platform, name) for name in names]
    tried = [attempts(platform, run) for run in runs]
    assert [len(each) for each in tried] == [1, 1, 1]
    assert len({each[0].flow_run_id for each in tried}) == 1, "one flow run carried all"
    platform.wait_for(lambda: platform.state(tried[0][0].flow_run_id)["type"] == "COMPLETED", 30)
    message = platform.state(tried[0][0].flow_run_id)["message"]
    assert message == "3 of 3 scans ended well."
    for name in names:
        (folder,) = (platform.folder / "processed" / "quick" / name).glob("v001")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o640}


def test_what_lands_at_a_paused_beamline_waits(platform):
    pause = platform.api.post(
        "/api/beamlines/bl07/pause",
        json={"reason": "beam dump", "actor": "ann"},
        headers=platform.token,
    )
    assert pause.status_code == 204
    platform.drop_scan("held", seed=5)
    platform.wait_for(lambda: platform.runs("held"), 60, "its run")

    def waits_for():
        with Session(platform.engine) as session:
            return session.scalar(
                select(Dispatch.waits_for)
                .join(Run, Run.id == Dispatch.run_id)
                .where(Run.dataset_id == platform.dataset("held").id)
            )

    platform.wait_for(lambda: waits_for() == "bl07 is paused by ann: beam dump", 20, "the reason")
    assert platform.runs("held")[0].state == "waiting"
    resumed = platform.api.post("/api/beamlines/bl07/resume", headers=platform.token)
    assert resumed.status_code == 204
    ended(platform, "held")


def test_reprocess_asks_once_and_its_results_are_new_versions(platform):
    platform.drop_scan("once-more", seed=6)
    ended(platform, "once-more")
    wish = {"beamline": "bl07", "recipe": {"filter": "hann"}, "reason": "softer", "dry_run": True}
    told = platform.api.post("/api/reprocess", json=wish, headers=platform.token).json()
    assert told["datasets"] >= 1
    assert told["seconds"] > 0
    assert told["bytes"] > 0
    wish["dry_run"] = False
    asked = platform.api.post("/api/reprocess", json=wish, headers=platform.token).json()
    assert asked["datasets"] == told["datasets"]
    twice = platform.api.post("/api/reprocess", json=wish, headers=platform.token).json()
    assert (twice["datasets"], twice["already"]) == (0, told["datasets"])
    platform.wait_for(lambda: len(platform.runs("once-more")) == 2, 10, "the second run")
    run = ended(platform, "once-more")
    assert (run.version, run.parameters["filter"], run.lane) == (2, "hann", "reprocess")


@pytest.fixture
def held(platform, tmp_path):
    """Let a flow claim a run and stay in a transaction; return its flow run and its process."""
    name = f"for-{tmp_path.name}"
    platform.drop_scan(name, seed=7)
    ended(platform, name)
    note = tmp_path / "held"
    flow_run = platform.start(
        "claim_and_lock", path=str(note), dataset=str(platform.dataset(name).id)
    )
    platform.wait_for(lambda: note.exists() and note.read_text(), 60, "the claim")
    return name, flow_run, int(note.read_text().split()[1])


def test_a_process_that_hangs_is_ended_and_its_run_done_again(platform, held):
    name, flow_run, pid = held
    os.kill(pid, signal.SIGSTOP)
    platform.wait_for(lambda: not psutil.pid_exists(pid), 150, "its end")
    run = ended(platform, name)
    first, second = attempts(platform, run)
    assert "hung" in first.reason
    assert second.state == "completed"
    platform.wait_for(lambda: platform.state(flow_run)["type"] == "CRASHED", 30)


def test_prefect_keeps_no_zombie_of_a_worker_that_was_killed(platform, tmp_path):
    note = tmp_path / "held"
    flow_run = platform.start("hold", path=str(note))
    platform.wait_for(lambda: note.exists() and note.read_text(), 60, "the run's first line")
    os.kill(platform.service("worker")["pid"], signal.SIGKILL)
    platform.wait_for(lambda: platform.state(flow_run)["type"] == "CRASHED", 120, "Crashed")
    platform.wait_for(lambda: platform.service("worker")["stage"] == "ready", 120, "a new worker")
