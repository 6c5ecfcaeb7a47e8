"""A service that is away for a while: nobody answers at its port, and it cannot come back."""

import errno
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.chaos.platform import alive, family
from tests.chaos.world import World, Wound, wait_for


def service(name: str, seconds: float):
    """Kill a service and keep its port: who connects is refused, and a new one cannot listen."""

    def inject(world: World) -> Wound:
        pid = world.ready(name)
        doomed = family(pid)
        world.doomed += doomed
        port = world.platform.life.addresses.port(name)
        with ExitStack() as away:
            with held_still(world.platform.life.process.pid):
                os.kill(pid, signal.SIGKILL)
                wait_for(f"{name} is gone", lambda: not alive(doomed), 20)
                away.enter_context(kept(port))
            time.sleep(seconds)
            assert not world.is_ready(name), f"{name} was not away"
        return Wound(f"process {pid}", lambda: world.is_ready(name, other_than=pid), 240)

    return inject


@contextmanager
def held_still(supervisor: int) -> Iterator[None]:
    """Stop the supervisor: else it starts the service again before its port is ours.

    What a service had below it can outlive it by more than the half second after which the
    supervisor starts it again.
    """
    os.kill(supervisor, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


@contextmanager
def kept(port: int) -> Iterator[None]:
    """Hold a port without listening."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_for(f"port {port} is free", lambda: is_bound(holder, port), 20)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        yield


def is_bound(holder: socket.socket, port: int) -> bool:
    """Try to bind; a process whose main thread is dead may hold its sockets a little longer."""
    try:
        holder.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
