"""The clock of one service jumps (libfaketime), stays wrong for a while, and jumps back."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.world import NotPossibleError, World, Wound, wait_for

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
        return Wound(f"{offset}, process {clock.pid}", clock.is_over, 300)

    return inject


@dataclass
class _Clock:
    """The clock of a service."""

    world: World
    name: str
    file: Path
    pid: int = 0
    until: float = 0.0
    is_off: bool = False

    def put_on(self) -> None:
        """Bring the service back with a clock, which is right for now."""
        self.file.write_text("+0")
        before = self._kill()
        wait_for(f"{self.name} is back", lambda: self.world.is_ready(self.name, before), 240)
        self.pid = self.world.platform.service(self.name)
        self.until = time.monotonic() + SECONDS

    def is_over(self) -> bool:
        """Put the clock right when its time is over, then bring the service back without one."""
        late = time.monotonic() - self.until
        if late < 0:
            return False
        if not self.is_off:
            self.file.write_text("+0")
            if late < READ_AGAIN_SECONDS or not self.world.is_ready(self.name):
                return False
            self.file.unlink()
            self.pid = self._kill()
            self.is_off = True
        return self.world.is_ready(self.name, other_than=self.pid)

    def _kill(self) -> int:
        pid = self.world.ready(self.name)
        os.kill(pid, signal.SIGKILL)
        return pid
