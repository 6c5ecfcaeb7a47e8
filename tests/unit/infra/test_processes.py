import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from infra.processes import is_alive, process_started, spawn

PARENT = """
import sys, time
from infra.processes import spawn
child = spawn({argv!r}, user={user!r}, death_signal={death_signal})
print(child.pid, flush=True)
time.sleep(60)
"""
SLEEP = ["sleep", "60"]


def wait_until_gone(pid: int, started: float, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while is_alive(pid, started):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def spawn_and_kill_parent(argv: list[str], death_signal: int, user: str | None = None) -> None:
    program = PARENT.format(argv=argv, user=user, death_signal=int(death_signal))
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    started = process_started(child)
    wait_for_program(child, argv[0])
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until_gone(child, started)


def wait_for_program(pid: int, name: str) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/comm").read_text().strip() != name:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("death_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_child_dies_with_its_parent(death_signal: int) -> None:
    spawn_and_kill_parent(SLEEP, death_signal)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_child_of_another_user_dies_with_its_parent() -> None:
    spawn_and_kill_parent(SLEEP, signal.SIGTERM, user="nobody")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
def test_child_runs_as_the_user_with_no_group_of_ours(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert spawn(["id"], user="nobody", log=log).wait() == 0
    words = log.read_text()
    assert "uid=65534(nobody)" in words
    assert "(root)" not in words


def test_child_of_a_dead_parent_does_not_start(tmp_path: Path) -> None:
    """The parent may die before the kernel was asked: then the child must end by itself."""
    from infra import launch

    mark = tmp_path / "mark"
    long_gone = str(2**22)
    argv = [
        sys.executable,
        launch.__file__,
        long_gone,
        "9",
        "-1",
        "-1",
        "/usr/bin/touch",
        str(mark),
    ]
    assert subprocess.run(argv, check=False).returncode == -signal.SIGKILL
    assert not mark.exists()


def test_output_is_appended_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    spawn(["sh", "-c", "echo out; echo err >&2"], log=log).wait()
    assert sorted(log.read_text().split()) == ["before", "err", "out"]


def test_environment_and_signals_are_as_the_program_expects(tmp_path: Path) -> None:
    log = tmp_path / "log"
    spawn(["env"], env={"ONLY": "this", "PATH": os.environ["PATH"]}, log=log).wait()
    assert "ONLY=this" in log.read_text()
    assert "HOME=" not in log.read_text()
    status = tmp_path / "status"
    spawn(["grep", "SigIgn", "/proc/self/status"], log=status).wait()
    # signal 32 and above are the C library's own, which some parents leave ignored
    assert int(status.read_text().split()[1], 16) & 0x7FFFFFFF == 0


def test_missing_program_says_so() -> None:
    with pytest.raises(FileNotFoundError, match="no program 'no-such-program'"):
        spawn(["no-such-program"])


def test_spawn_is_refused_outside_the_main_thread() -> None:
    errors: list[RuntimeError] = []

    def attempt() -> None:
        try:
            spawn(SLEEP)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


def test_is_alive_knows_the_dead_the_uncollected_and_the_later_ones() -> None:
    child = subprocess.Popen(SLEEP)
    started = process_started(child.pid)
    assert is_alive(child.pid, started)
    assert is_alive(child.pid)
    assert not is_alive(child.pid, started - 1)
    child.kill()
    wait_until_gone(child.pid, started)
    assert child.returncode is None, "it has ended, and has not been collected yet"
    child.wait()
    assert not is_alive(child.pid)
    with pytest.raises(ProcessLookupError):
        process_started(child.pid)


def test_a_name_with_brackets_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) S (b"
    program.symlink_to("/bin/sleep")
    child = spawn([program, "60"])
    try:
        wait_for_program(child.pid, "a) S (b")
        assert is_alive(child.pid, process_started(child.pid))
    finally:
        child.kill()
        child.wait()
