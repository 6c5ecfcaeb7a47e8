"""The supervisor with small services, as a child: it sets signal handlers and must be killable."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from infra.processes import is_alive, process_started
from infra.state import State

PROGRAM = """
import os, sys
from pathlib import Path
from infra.state import State
from infra.supervisor import Command, Service, Supervisor

folder = Path(sys.argv[1])
def python(code):
    return lambda: Command([sys.executable, "-c", code, str(folder)], dict(os.environ))
LIVE = "import pathlib, sys, time; pathlib.Path(sys.argv[1], {!r}).touch(); time.sleep(600)"
services = [
    Service("base", python(LIVE.format("base.up")), ready=(folder / "base.up").exists),
    Service("job", python("print('done')"), after=("base",), once=True),
    Service("top", python(LIVE.format("top.up")), ready=(folder / "top.up").exists,
            after=("job",), prepare=lambda: (folder / "top.up").unlink(missing_ok=True)),
    *([Service("broken", python("raise SystemExit('no such thing')"),
               ready=lambda: False)] if "broken" in sys.argv else []),
]
if "stuck" in sys.argv:
    from infra import liveness
    from infra.pulse import beats
    liveness.PROBE_SECONDS = 0.2
    BEAT = ("import sys, time; from pathlib import Path; from infra.pulse import beat;"
            "from infra.state import State; state = State(Path(sys.argv[1]));"
            "[beat(state, 'stuck') for _ in iter(lambda: time.sleep(0.05), 1)]")
    state = State(folder)
    services.append(Service("stuck", python(BEAT), ready=state.pulse("stuck").exists,
                            alive=beats(state, "stuck"), hangs_after=2.0, stop_seconds=2.0))
Supervisor(State(folder), services).run(lambda: (folder / "told").touch())
"""


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


@contextmanager
def supervisor(folder, *more):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def services(folder):
    try:
        return json.loads(State(folder).services_file.read_text())["services"]
    except FileNotFoundError:
        return {}


def pids(folder):
    return {name: each["pid"] for name, each in services(folder).items() if each["pid"]}


@pytest.fixture
def up(tmp_path):
    with supervisor(tmp_path) as process:
        wait_for((tmp_path / "told").exists)
        wait_for(lambda: services(tmp_path)["top"]["stage"] == "ready")
        yield process


def test_services_start_in_order(up, tmp_path):
    said = (tmp_path / "logs" / "supervisor.log").read_text()
    events = [json.loads(line)["message"].split(" after")[0] for line in said.splitlines()]
    order = [events.index(each) for each in ("base ready", "job done", "top ready")]
    assert order == sorted(order)
    assert services(tmp_path)["job"]["stage"] == "done"
    assert json.loads((tmp_path / "logs" / "job.log").read_text())["message"] == "done"


def test_what_dies_is_started_again(up, tmp_path):
    first = pids(tmp_path)["top"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: services(tmp_path)["top"]["restarts"] == 1)
    assert "SIGKILL" in services(tmp_path)["top"]["note"] or pids(tmp_path).get("top")
    wait_for(lambda: services(tmp_path)["top"]["stage"] == "ready")
    assert pids(tmp_path)["top"] != first


def test_what_hangs_is_ended_and_started_again(tmp_path):
    with supervisor(tmp_path, "stuck"):
        wait_for((tmp_path / "told").exists)
        time.sleep(3)  # longer than it may hang: nobody touches one that lives
        assert services(tmp_path)["stuck"]["restarts"] == 0
        first = pids(tmp_path)["stuck"]
        os.kill(first, signal.SIGSTOP)
        began = time.monotonic()
        wait_for(lambda: services(tmp_path)["stuck"]["restarts"] == 1)
        assert time.monotonic() - began < 10
        wait_for(lambda: services(tmp_path)["stuck"]["stage"] == "ready")
        assert pids(tmp_path)["stuck"] != first
        assert not is_alive(first)
        others = {name: each["restarts"] for name, each in services(tmp_path).items()}
        assert others.pop("stuck") == 1
        assert set(others.values()) == {0}
    said = (tmp_path / "logs" / "supervisor.log").read_text()
    assert "stuck has shown no life for 2 s" in said
    assert "stuck hung and ended" in said


def test_a_signal_stops_everything(up, tmp_path):
    before = pids(tmp_path)
    up.send_signal(signal.SIGTERM)
    assert up.wait(30) == 0
    assert not any(is_alive(pid) for pid in before.values())
    assert {each["stage"] for each in services(tmp_path).values()} == {"stopped"}


def test_everything_dies_with_the_supervisor(up, tmp_path):
    before = pids(tmp_path).values()
    up.kill()
    up.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in before))


def test_what_never_gets_ready_ends_the_start(tmp_path):
    with supervisor(tmp_path, "broken") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "broken ended with status 1 before it was ready: no such thing" in output


def test_a_process_of_an_old_life_is_ended(tmp_path):
    old = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        recorded = {
            "old": {"pid": old.pid, "pid_started": process_started(old.pid)},
            "other": {"pid": other.pid, "pid_started": process_started(other.pid) - 1000},
        }
        state = State(tmp_path)
        state.services_file.write_text(json.dumps({"supervisor": 1, "services": recorded}))
        with supervisor(tmp_path):
            assert old.wait(20) != 0
            wait_for((tmp_path / "told").exists)
            assert other.poll() is None
    finally:
        old.kill(), other.kill()
        old.wait(), other.wait()
