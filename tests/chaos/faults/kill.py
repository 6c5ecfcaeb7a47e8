"""``kill -9`` of a process: what it started dies with it, and it comes back."""

import os
import signal

import psutil

from tests.chaos.platform import alive, family
from tests.chaos.world import World, Wound, wait_for


def service(name: str):
    """Kill the process of a service, which the supervisor starts again."""

    def inject(world: World) -> Wound:
        pid = world.ready(name)
        doomed = family(pid)
        os.kill(pid, signal.SIGKILL)
        world.doomed += doomed
        return Wound(
            f"process {pid} and {len(doomed) - 1} below it",
            lambda: not alive(doomed) and world.is_ready(name, other_than=pid),
            240,
        )

    return inject


def supervisor(world: World) -> Wound:
    """Kill the supervisor: everything goes with it, and a person starts it again."""
    world.ready("worker")
    doomed = list(world.platform.processes().values())
    world.platform.life.process.kill()
    world.doomed += doomed
    wait_for("all processes are gone with the supervisor", lambda: not alive(doomed), 20)
    world.platform.restart()
    return Wound(f"{len(doomed)} processes", lambda: True, 0)


def run(world: World) -> Wound:
    """Kill the process of a run in the middle of it."""
    attempt = world.running_attempt()
    return _one(world, attempt.pid, f"run {attempt.run_id}")


def fork_server(world: World) -> Wound:
    """Kill the process that runs are forked from, and the runs with it."""
    worker = world.ready("worker")
    return _one(world, _child(worker, "multiprocessing.forkserver").pid, "fork server")


def dask_worker(world: World) -> Wound:
    """Kill a worker of the cluster; its nanny starts another."""
    cluster = world.ready("cluster")
    # the other child is multiprocessing's resource tracker
    return _one(world, _child(cluster, "spawn_main").pid, "Dask worker")


def _child(pid: int, words: str) -> psutil.Process:
    def found():
        try:
            children = psutil.Process(pid).children(recursive=True)
            return next((each for each in children if words in " ".join(each.cmdline())), None)
        except psutil.NoSuchProcess:  # one of them has just ended
            return None

    return wait_for(f"a child of {pid} with {words}", found, 30)


def _one(world: World, pid: int, name: str) -> Wound:
    doomed = family(pid)
    os.kill(pid, signal.SIGKILL)
    world.doomed += doomed
    return Wound(f"{name} (process {pid})", lambda: not alive(doomed), 20)
