"""The process that shows datasets while they are still being written."""

import os
import signal
import threading

from catalog.connection import engine_from_environment
from infra.live.loop import LiveLoop
from infra.logs import log_to_stdout
from infra.pulse import keep_beating
from infra.settings import load_settings
from infra.state import State

NICE = 10
"""Reductions and arrivals go first."""


def main() -> None:
    """Follow growing datasets until told to stop."""
    log_to_stdout()
    os.nice(NICE)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    keep_beating(State(load_settings().state), "live")
    LiveLoop(engine_from_environment("dayseye-live")).run(stopped)


if __name__ == "__main__":
    main()
