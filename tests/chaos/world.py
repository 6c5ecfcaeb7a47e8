"""What a fault sees: the platform, the scans that were brought, the luck of the draw."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
from sqlalchemy import select

from catalog.models import Attempt, Run
from infra.processes import is_alive
from tests.chaos.platform import Platform

POLL_SECONDS = 0.05


class NotPossibleError(Exception):
    """A fault that this machine, or the platform as it is set up, does not allow; it says why."""


@dataclass(frozen=True)
class Wound:
    """What a fault did, and how to tell that the platform got over it.

    Attributes
    ----------
    what : str
        Who was hit, for the record.
    healed : callable
        Asked again and again until it says yes.
    within : float
        Seconds in which it must.
    """

    what: str
    healed: Callable[[], bool]
    within: float


@dataclass
class World:
    """What a fault sees and leaves behind.

    Attributes
    ----------
    platform : Platform
        It runs.
    arrivals : Arrivals
        Brings scans, in a thread of its own.
    chance : Random
        Of the schedule's seed.
    narrow : Path, optional
        A small disk for the results of one beamline.
    clocks : Path, optional
        A folder with a file for each service: what its clock is off by.
    no_narrow, no_clocks : str
        Why there is none.
    roots : list of Path
        Where results go.
    doomed : list of Process
        Those that must not outlive a fault.
    """

    platform: Platform
    arrivals: Any
    chance: Random
    narrow: Path | None = None
    clocks: Path | None = None
    no_clocks: str = ""
    no_narrow: str = ""
    roots: list[Path] = field(default_factory=list)
    doomed: list[psutil.Process] = field(default_factory=list)

    def ready(self, name: str) -> int:
        """Wait until a service is ready, and return its process id."""
        if name not in self.platform.life.services():
            raise NotPossibleError(f"the platform has no service {name}")
        wait_for(f"{name} is ready", lambda: self.is_ready(name), 240)
        return self.platform.service(name)

    def is_ready(self, name: str, other_than: int | None = None) -> bool:
        """Tell whether a service is ready, in another process than before.

        One that was killed a moment ago is still told as ready by a supervisor who has yet to look.
        """
        told = self.platform.life.services()[name]
        return told["stage"] == "ready" and told["pid"] != other_than and is_alive(told["pid"])

    def running_attempt(self) -> Attempt:
        """Wait until a run is being made, and return its attempt at some moment of it."""

        def found() -> Attempt | None:
            rows = self.platform.ask(
                select(Attempt)
                .join(Run, Run.id == Attempt.run_id)
                .where(Attempt.state == "running", Run.state == "running")
            )
            alive = [each for (each,) in rows if is_alive(each.pid, each.process_started)]
            return self.chance.choice(alive) if alive else None

        while True:
            attempt = wait_for("a run is being made", found, 240)
            time.sleep(self.chance.uniform(0.0, 0.8))
            if is_alive(attempt.pid, attempt.process_started):
                return attempt


def later(seconds: float, undo: Callable[[], object]) -> None:
    """Undo a fault when its time is over, also while the next one waits for something to break."""
    timer = threading.Timer(seconds, undo)
    timer.daemon = True
    timer.start()


def wait_for(what, condition, seconds):
    """Poll until the condition returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(POLL_SECONDS)
