"""SIGSTOP: a process that is there and does nothing, for a while or for good."""

import os
import signal
import threading

import psutil

from infra.processes import is_alive
from tests.chaos.platform import family
from tests.chaos.world import World, Wound, later


def for_a_while(name: str, seconds: float):
    """Stop a service and what is below it, and let it go on later."""

    def inject(world: World) -> Wound:
        return _stopped(family(world.ready(name)), seconds)

    return inject


def postgres(seconds: float):
    """Stop the database: it refuses nobody, and answers nobody."""

    def inject(world: World) -> Wound:
        return _stopped(family(world.ready("postgres")), seconds)

    return inject


def run(world: World) -> Wound:
    """Stop the process of a run for good: the platform has to end it."""
    attempt = world.running_attempt()
    os.kill(attempt.pid, signal.SIGSTOP)
    return Wound(
        f"run {attempt.run_id} (process {attempt.pid})",
        lambda: not is_alive(attempt.pid, attempt.process_started),
        240,
    )


def service(name: str):
    """Stop a service for good: the platform has to see that it hangs."""

    def inject(world: World) -> Wound:
        pid = world.ready(name)
        os.kill(pid, signal.SIGSTOP)
        return Wound(f"process {pid}", lambda: world.is_ready(name, other_than=pid), 240)

    return inject


def _stopped(processes: list[psutil.Process], seconds: float) -> Wound:
    for each in processes:
        _tell(each, signal.SIGSTOP)
    over = threading.Event()

    def go_on() -> None:
        for each in processes:
            _tell(each, signal.SIGCONT)
        over.set()

    later(seconds, go_on)

    return Wound(f"process {processes[0].pid} and {len(processes) - 1} below it", over.is_set, 240)


def _tell(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # ended meanwhile; psutil does not signal a later process with its id
