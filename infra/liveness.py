"""Whether a service that has become ready still lives: it is asked again and again."""

import math
import threading
from collections.abc import Callable

PROBE_SECONDS = 10.0


class Liveness:
    """Asks one service, in a thread of its own, so that one that hangs delays nobody.

    What counts is how often in a row it did not answer, not how long ago it last did: a machine
    that slept, or this process itself, has not made everything else hang.

    Parameters
    ----------
    alive : callable
        Tells whether the service answers; it must itself end soon.
    hangs_after : float
        Seconds without an answer after which the service hangs.
    pause : float, optional
        Seconds between two questions; ``PROBE_SECONDS`` by default.
    """

    def __init__(
        self, alive: Callable[[], bool], hangs_after: float, pause: float | None = None
    ) -> None:
        self._alive = alive
        self._pause = pause or PROBE_SECONDS
        self._allowed = max(2, math.ceil(hangs_after / self._pause))
        self._failures = 0
        self._over = threading.Event()
        threading.Thread(target=self._follow, name="liveness", daemon=True).start()

    @property
    def hangs(self) -> bool:
        """Whether it did not answer for too long."""
        return self._failures >= self._allowed

    def end(self) -> None:
        """Ask no more."""
        self._over.set()

    def _follow(self) -> None:
        while not self._over.wait(self._pause):
            self._failures = 0 if self._alive() else self._failures + 1
