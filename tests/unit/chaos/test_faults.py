"""The tools of the faults do what they say: a wrong clock, a port that is held."""

import os
import socket
import subprocess
import sys
import time

import pytest

from tests.chaos import clocks
from tests.chaos.faults.away import kept
from tests.chaos.world import wait_for
from tests.conftest import free_port

SLEEPER = """
import sys, time
for _ in sys.stdin:
    begun = time.monotonic()
    time.sleep(0.1)
    print(time.time(), time.monotonic() - begun, flush=True)
"""


@pytest.fixture
def sleeper(tmp_path):
    """Start a module that tells its clock for each line that it gets."""
    library = clocks.library()
    if library is None:
        pytest.skip(clocks.WHY_NOT)
    environment = {**os.environ, **clocks.environment(tmp_path / "clocks", library)}
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "clocks" / "sleeper").write_text("+0")
    process = subprocess.Popen(
        [sys.executable, "-m", "sleeper"],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def tell():
        process.stdin.write("\n")
        process.stdin.flush()
        return [float(word) for word in process.stdout.readline().split()]

    yield tmp_path / "clocks" / "sleeper", tell
    process.kill()
    process.communicate()


def test_a_clock_jumps_and_sleep_does_not(sleeper):
    file, tell = sleeper
    wall, slept = tell()
    assert abs(wall - time.time()) < 5
    assert 0.1 <= slept < 5
    file.write_text("-26h")
    # the file is read again each second, and on a busy machine a little later
    wait_for("the clock jumped", lambda: abs(tell()[0] + 26 * 3600 - time.time()) < 5, 20)
    _, slept = tell()
    assert 0.1 <= slept < 5


def test_a_port_that_is_held_refuses_and_lets_nobody_listen():
    port = free_port()
    with kept(port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with pytest.raises(OSError, match="in use"):
            listen(port)
    listen(port)


def listen(port):
    """Listen as servers do."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
