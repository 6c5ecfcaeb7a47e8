"""The disk that results of one beamline go to is full, in the middle of a run."""

import errno
import time

from tests.chaos.world import POLL_SECONDS, NotPossibleError, World, Wound, later

SECONDS = 20.0
BEGIN_SECONDS = 60.0  # after that it is filled before the run, which waits for room
BLOCK = bytes(1 << 20)


def fill(world: World) -> Wound:
    """Bring a scan, fill the disk to the last byte while it is reduced, free it later."""
    if world.narrow is None:
        raise NotPossibleError(world.no_narrow)
    scan = world.arrivals.bring("file events, small disk")

    def begun() -> bool:
        return any(each.state != "waiting" for each in world.platform.runs(scan.uid))

    patience = time.monotonic() + BEGIN_SECONDS
    while not begun() and time.monotonic() < patience:
        time.sleep(POLL_SECONDS)
    ballast = world.narrow / "ballast"
    _fill(ballast)
    later(SECONDS, lambda: ballast.unlink(missing_ok=True))
    return Wound(f"run of {scan.path.name}", lambda: world.platform.is_reduced(scan.uid), 400)


def _fill(ballast) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(BLOCK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
