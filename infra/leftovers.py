"""Ends what an earlier life of the platform has left running."""

import json
import os
import signal
import time
from pathlib import Path

from infra.processes import is_alive

PATIENCE_SECONDS = 10.0


def end_leftovers(services_file: Path) -> list[str]:
    """End the processes that the last supervisor recorded, if they still run.

    A process is ended only if its id and its start time are those recorded: a later process that
    got the same id is left alone.

    Parameters
    ----------
    services_file : Path
        What the supervisor wrote about its services.

    Returns
    -------
    list of str
        The services whose processes were found.
    """
    found = _still_running(services_file)
    for number in (signal.SIGINT, signal.SIGKILL):
        for pid, started, _ in found:
            if is_alive(pid, started):
                os.kill(pid, number)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(is_alive(pid, started) for pid, started, _ in found):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
    return [name for _, _, name in found]


def _still_running(services_file: Path) -> list[tuple[int, float, str]]:
    try:
        recorded = json.loads(services_file.read_text())["services"]
    except (FileNotFoundError, ValueError, KeyError):
        return []
    return [
        (each["pid"], each["pid_started"], name)
        for name, each in recorded.items()
        if each["pid"] and is_alive(each["pid"], each["pid_started"])
    ]
