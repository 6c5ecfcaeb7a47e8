"""The clock of one process jumps (libfaketime), stays wrong for a while, and jumps back."""

import time

from tests.chaos.world import NotPossibleError, World, Wound

JUMPS = ("+2h", "-2h", "+26h", "-26h", "+400s", "-400s")
SECONDS = 30.0


def jump(name: str):
    """Let the clock of a service, and of what is below it, jump; the monotonic clock goes on."""

    def inject(world: World) -> Wound:
        if world.clocks is None:
            raise NotPossibleError(world.no_clocks)
        file = world.clocks / name
        offset = world.chance.choice(JUMPS)
        file.write_text(offset)
        until = time.monotonic() + SECONDS

        def healed() -> bool:
            if time.monotonic() < until:
                return False
            file.write_text("+0")
            return True

        return Wound(offset, healed, 240)

    return inject
