"""The process that learns that data have landed."""

import signal
import threading

from catalog.connection import engine_from_environment
from infra.logs import log_to_stdout
from infra.pulse import keep_beating
from infra.settings import load_settings
from infra.state import State
from triggers.service import run


def main() -> None:
    """Watch the beamlines' folders until told to stop."""
    log_to_stdout()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    settings = load_settings()
    keep_beating(State(settings.state), "triggers")
    run(settings.beamlines, engine_from_environment("dayseye-triggers"), stopped)


if __name__ == "__main__":
    main()
