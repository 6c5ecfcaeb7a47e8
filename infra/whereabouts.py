"""Where the process of a flow run is, as its worker tells Prefect."""

import os
import signal
import socket

from infra.processes import is_alive, process_started


def describe(pid: int) -> str:
    """Return what tells a process of this machine from all others, now and later."""
    try:
        started = process_started(pid)
    except ProcessLookupError:
        started = 0.0  # it has ended already: no process that lives is that old
    return f"{socket.gethostname()}:{pid}:{started}"


def lives(described: str | None) -> bool | None:
    """Tell whether a process lives; None where that cannot be told from here."""
    found = _parse(described)
    return is_alive(*found) if found else None


def kill(described: str | None) -> None:
    """Kill a process of this machine that still lives."""
    found = _parse(described)
    if found and is_alive(*found):
        os.kill(found[0], signal.SIGKILL)


def _parse(described: str | None) -> tuple[int, float] | None:
    parts = (described or "").rsplit(":", 2)
    if len(parts) != 3 or parts[0] != socket.gethostname():
        return None
    return int(parts[1]), float(parts[2])
