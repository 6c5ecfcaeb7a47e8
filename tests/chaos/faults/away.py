"""A service that is away for a while: nobody answers at its port, and it cannot come back."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.platform import alive, family
from tests.chaos.world import World, Wound, wait_for


def service(name: str, seconds: float):
    """Kill a service and keep its port: who connects is refused, and a new one cannot listen."""

    def inject(world: World) -> Wound:
        pid = world.ready(name)
        doomed = family(pid)
        os.kill(pid, signal.SIGKILL)
        world.doomed += doomed
        wait_for(f"{name} is gone", lambda: not alive(doomed), 20)
        with kept(world.platform.life.addresses.port(name)):
            time.sleep(seconds)
            assert not world.is_ready(name), f"{name} was not away"
        return Wound(f"process {pid}", lambda: world.is_ready(name, other_than=pid), 240)

    return inject


@contextmanager
def kept(port: int) -> Iterator[None]:
    """Hold a port without listening."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        yield
