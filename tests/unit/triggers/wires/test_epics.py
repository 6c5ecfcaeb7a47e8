"""A soft IOC like an areaDetector HDF5 plugin, our Channel Access client, and the inbox."""

import subprocess
import sys
from contextlib import contextmanager

import pytest
from caproto.threading.client import Context

from tests.conftest import free_port
from triggers.epics import Broadcaster

PREFIX = "BL07:HDF1:"


class Ioc:
    """A soft IOC as a process, and a client that starts its captures."""

    def __init__(self, folder, port):
        command = [sys.executable, "-m", "infra.simulator.epics", str(folder), "--prefix", PREFIX]
        self.address = f"127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [*command, "--port", str(port), "--seconds", "0.3"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "The IOC is ready.\n"
        self.context = Context(Broadcaster((self.address,)))

    def capture(self, name):
        pvs = self.context.get_pvs(*(f"{PREFIX}{each}" for each in ("FileName", "Capture")))
        for pv in pvs:
            pv.wait_for_connection(timeout=10)
        pvs[0].write(name)
        pvs[1].write("Capture", data_type=0)

    def close(self):
        self.context.disconnect()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def ioc(raw):
    @contextmanager
    def run(folder=raw, port=None):
        made = Ioc(folder, port or free_port())
        try:
            yield made
        finally:
            made.close()

    return run


def test_a_capture_is_reported_with_its_file_and_frames(ioc, listen, heard, raw, wait_for):
    name = "a name that would not fit into a string of EPICS, which ends at 40"
    with ioc() as plugin:
        listen(epics={"prefix": PREFIX, "addresses": [plugin.address]})
        plugin.capture(name)
        (row,) = wait_for(heard.ended)
    path = raw / f"{name}.h5"
    assert path.exists()
    assert (row.source, row.paths) == ("epics", [str(path)])
    assert row.key.startswith(f"{path}@")
    assert row.payload == {
        "stage": "finished",
        "expected_frames": 91,
        "metadata": {"epics": {"plugin": PREFIX}},
    }


def test_each_capture_is_its_own_also_under_the_same_name(ioc, listen, heard, wait_for):
    with ioc() as plugin:
        listen(epics={"prefix": PREFIX, "addresses": [plugin.address]})
        for count, name in enumerate(["one", "two", "two"], start=1):
            plugin.capture(name)
            wait_for(lambda count=count: len(heard.ended()) == count)
    names = [row.paths[0].rsplit("/", 1)[1] for row in heard.rows()]
    assert names == ["one.h5", "two.h5", "two.h5"]  # and nothing is open


def test_a_file_that_could_not_be_written_is_aborted(ioc, listen, heard, raw, wait_for):
    with ioc(raw / "not there") as plugin:
        listen(epics={"prefix": PREFIX, "addresses": [plugin.address]})
        plugin.capture("tooth")
        (row,) = wait_for(heard.ended)
    assert row.payload["stage"] == "aborted"
    assert row.payload["reason"].startswith("areaDetector could not write: ")


def test_paths_of_windows_are_named_as_here(ioc, listen, heard, raw, wait_for):
    with ioc() as plugin:
        names = {str(raw): f"{raw}/mounted"}
        listen(epics={"prefix": PREFIX, "addresses": [plugin.address], "paths": names})
        plugin.capture("tooth")
        (row,) = wait_for(heard.ended)
    assert row.paths == [f"{raw}/mounted/tooth.h5"]


def test_an_ioc_that_restarts_tells_what_was_missed(ioc, listen, heard, raw, wait_for):
    port = free_port()
    listen("unreachable", epics={"prefix": PREFIX, "addresses": [f"127.0.0.1:{port}"]})
    with ioc(port=port) as plugin:
        plugin.capture("before we came")
        wait_for((raw / "before we came.h5").exists)
        wait_for(lambda: heard.status("epics").state == "listening")
        wait_for(heard.ended)
    wait_for(lambda: heard.status("epics").state == "unreachable")
