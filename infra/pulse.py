"""The sign of life of a service without an address: a file that it touches again and again."""

import threading
from collections.abc import Callable

from infra.state import State

BEAT_SECONDS = 5.0


def beat(state: State, service: str) -> None:
    """Touch a service's file: its main loop does so each time round."""
    state.pulse(service).touch()


def keep_beating(state: State, service: str) -> None:
    """Touch a service's file from a thread, where the main thread waits for others for long."""
    stopped = threading.Event()

    def follow() -> None:
        while not stopped.wait(BEAT_SECONDS):
            beat(state, service)

    beat(state, service)
    threading.Thread(target=follow, name="pulse", daemon=True).start()


def beats(state: State, service: str) -> Callable[[], bool]:
    """Make a probe that tells whether a service's file was touched since it was last asked.

    It compares with what it saw before and with no clock, which somebody may have set.
    """
    seen = -1

    def probe() -> bool:
        nonlocal seen
        try:
            touched = state.pulse(service).stat().st_mtime_ns
        except FileNotFoundError:
            return False
        seen, before = touched, seen
        return touched != before

    return probe
