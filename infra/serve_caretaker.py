"""The caretaker's process: messages to people, care of copies and of the room on the disks."""

import signal
import threading

from catalog.connection import engine_from_environment
from infra.addresses import Addresses
from infra.caretaker.job import Care
from infra.caretaker.jobs import JOBS
from infra.logs import log_to_stdout
from infra.pulse import BEAT_SECONDS, beat
from infra.settings import load_settings
from infra.state import State


def main() -> None:
    """Do the jobs, each in a thread of its own, until told to stop.

    Stopping is dying in the middle of them: each can be taken up again where it was.
    """
    log_to_stdout()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    settings = load_settings()
    state = State(settings.state)
    care = Care(engine_from_environment("dayseye-caretaker"), Addresses(settings, state), stopped)
    for job in JOBS:
        threading.Thread(target=job.follow, args=(care,), name=job.name, daemon=True).start()
    while not stopped.is_set():
        beat(state, "caretaker")
        stopped.wait(BEAT_SECONDS)


if __name__ == "__main__":
    main()
