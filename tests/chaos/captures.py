"""A soft IOC like an areaDetector file plugin, and the one who starts its captures."""

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import h5py
from caproto.threading.client import Context

from triggers.epics import Broadcaster

PREFIX = "CHAOS:HDF1:"
SECONDS = 0.2
PATIENCE = 60.0


class Captures:
    """Captures scans, one after the other."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._context = Context(Broadcaster((address,)))
        names = ("FileName", "Capture", "Capture_RBV")
        self._records = self._context.get_pvs(*(f"{PREFIX}{each}" for each in names))
        for record in self._records:
            record.wait_for_connection(timeout=PATIENCE)

    def capture(self, name: str) -> tuple[str, Path]:
        """Capture a scan; return its uid and its file."""
        file_name, capture, state = self._records
        file_name.write(name)
        capture.write("Capture", data_type=0)
        path = self._folder / f"{name}.h5"
        deadline = time.monotonic() + PATIENCE
        while not (path.exists() and state.read().data[0] == 0):
            assert time.monotonic() < deadline, f"{path} was not captured"
            time.sleep(0.1)
        with h5py.File(path) as file:
            return file["measurement/scan_uid"].asstr()[()], path

    def close(self) -> None:
        """Listen no more."""
        self._context.disconnect()


@contextmanager
def captures(folder: Path, port: int):
    """Run the IOC as a process."""
    command = [sys.executable, "-m", "infra.simulator.epics", str(folder), "--prefix", PREFIX]
    command += ["--port", str(port), "--seconds", str(SECONDS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "The IOC is ready.\n"
        made = Captures(folder, f"127.0.0.1:{port}")
        yield made
        made.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
