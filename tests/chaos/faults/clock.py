"""The clock of one service jumps (libfaketime), stays wrong for a while, and jumps back."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.world import NotPossibleError, World, Wound, later, wait_for

JUMPS = ("+2h", "-2h", "+26h", "-26h", "+400s", "-400s")
SECONDS = 30.0
READ_AGAIN_SECONDS = 2.0


def jump(name: str):
    """Let the clock of a service, and of what is below it, jump; the monotonic clock goes on.

    A clock that can be put wrong is dear (it doubles what Prefect costs), so the service is killed
    first, to come back with one, and again at the end, to come back without.
    """

    def inject(world: World) -> Wound:
        if world.clocks is None:
            raise NotPossibleError(world.no_clocks)
        clock = _Clock(world, name, world.clocks / name)
        clock.put_on()
        offset = world.chance.choice(JUMPS)
        clock.file.write_text(offset)
        later(SECONDS, clock.put_right)
        return Wound(f"{offset}, process {clock.pid}", clock.is_over, 300)

    return inject


@dataclass
class _Clock:
    """The clock of a service."""

    world: World
    name: str
    file: Path
    pid: int = 0
    right_since: float | None = None
    is_off: bool = False

    def put_on(self) -> None:
        """Bring the service back with a clock, which is right for now."""
        self.file.write_text("+0")
        before = self._kill()
        wait_for(f"{self.name} is back", lambda: self.world.is_ready(self.name, before), 240)
        self.pid = self.world.platform.service(self.name)

    def put_right(self) -> None:
        """End the jump; the service sees it when it next reads the file."""
        self.file.write_text("+0")
        self.right_since = time.monotonic()

    def is_over(self) -> bool:
        """Bring the service back without a clock of its own, once that is right."""
        since = self.right_since
        if since is None or time.monotonic() - since < READ_AGAIN_SECONDS:
            return False
        if not self.is_off:
            if not self.world.is_ready(self.name):
                return False
            self.file.unlink()
            self.pid = self._kill()
            self.is_off = True
        return self.world.is_ready(self.name, other_than=self.pid)

    def _kill(self) -> int:
        pid = self.world.ready(self.name)
        os.kill(pid, signal.SIGKILL)
        return pid
