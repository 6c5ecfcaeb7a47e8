"""Starts the services in order, keeps them alive, and takes all of them down with itself."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from infra.leftovers import end_leftovers
from infra.liveness import Liveness
from infra.logs import LogCollector
from infra.processes import process_started, spawn
from infra.state import State, write_whole

TICK = 0.05
STEADY_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
DEATHS_BEFORE_READY = 3


class StartError(RuntimeError):
    """A service did not start; the message says which and where its log is."""


class Command(NamedTuple):
    """How a service's process is started."""

    argv: list[str]
    env: Mapping[str, str]
    user: str | None = None


@dataclass(frozen=True)
class Service:
    """One process that the platform needs.

    Attributes
    ----------
    name : str
        Its name in the status and of its log.
    command : callable
        Returns the command; called right before each start.
    ready : callable, optional
        Tells whether it does its work; without one it is ready as soon as it runs.
    alive : callable, optional
        Tells, once it is ready, whether it still lives: asked in a thread, it must end soon.
    hangs_after : float
        Seconds of no life after which it is ended and started again.
    after : tuple of str
        The services that must be ready before it starts.
    prepare, then : callable, optional
        Done before each start, and once it is ready.
    once : bool
        A job: it is done, and ready, when it has ended with status 0.
    time_limit : float
        Seconds until it must be ready.
    death_signal, stop_signal : int
        What it gets when the supervisor dies, and when it is stopped.
    """

    name: str
    command: Callable[[], Command]
    ready: Callable[[], bool] | None = None
    alive: Callable[[], bool] | None = None
    hangs_after: float = 60.0
    after: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    then: Callable[[], None] | None = None
    once: bool = False
    time_limit: float = 120.0
    death_signal: int = signal.SIGKILL
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0


class Stage(StrEnum):
    """Where a service stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    PAUSING = "restarting"
    STOPPED = "stopped"


@dataclass
class _Watched:
    """A service and what has become of it."""

    service: Service
    stage: Stage = Stage.WAITING
    process: "subprocess.Popen[bytes] | None" = None
    liveness: Liveness | None = None
    started_at: float = 0.0
    pid_started: float = 0.0
    next_start: float = 0.0
    deaths: int = 0
    restarts: int = 0
    was_ready: bool = False
    hung: bool = False
    seconds_to_ready: float | None = None
    note: str = ""

    @property
    def available(self) -> bool:
        """Whether those that wait for it may start."""
        return self.stage in (Stage.READY, Stage.DONE)


class Supervisor:
    """Runs services; everything happens in the main thread, to which their lives are bound.

    Parameters
    ----------
    state : State
        Gets the logs and the file that says how the services are.
    services : iterable of Service
        In the order of their start; they are stopped in the reverse order.
    """

    def __init__(self, state: State, services: Iterable[Service]) -> None:
        self.state = state
        self.logs = LogCollector(state.logs)
        self._watched = {service.name: _Watched(service) for service in services}
        self._stopping = False
        self._said: dict[str, Any] = {}

    def run(self, up: Callable[[], None]) -> None:
        """Start everything, call ``up`` once all is ready, and go on until told to stop.

        Raises
        ------
        StartError
            A service did not become ready.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        end_leftovers(self.state.services_file)
        told = False
        try:
            while not self._stopping:
                for watched in self._watched.values():
                    self._look_after(watched)
                self._say()
                if not told and all(each.available for each in self._watched.values()):
                    told = True
                    up()
                time.sleep(TICK if not told else TICK * 4)
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop all services in reverse order; what does not end in its time is killed."""
        for watched in reversed(self._watched.values()):
            process = watched.process
            if process is not None and process.poll() is None:
                _end(process, watched.service)
            watched.process = None
            watched.stage = Stage.STOPPED
        self._say()

    def _on_signal(self, number: int, frame: object) -> None:
        self._stopping = True

    # -- one service ------------------------------------------------------------------------

    def _look_after(self, watched: _Watched) -> None:
        if watched.stage in (Stage.WAITING, Stage.PAUSING):
            needed = (self._watched[name] for name in watched.service.after)
            if time.monotonic() >= watched.next_start and all(each.available for each in needed):
                self._start(watched)
        elif watched.stage in (Stage.STARTING, Stage.READY):
            if watched.process is not None and watched.process.poll() is not None:
                self._ended(watched, watched.process.returncode)
            elif watched.stage is Stage.STARTING:
                self._probe(watched)
            elif watched.liveness is not None and watched.liveness.hangs:
                self._hangs(watched)
            elif time.monotonic() - watched.started_at > STEADY_SECONDS:
                watched.deaths = 0

    def _start(self, watched: _Watched) -> None:
        service = watched.service
        if service.prepare:
            service.prepare()
        command = service.command()
        output = self.logs.pipe(service.name)
        try:
            watched.process = spawn(
                command.argv,
                env=command.env,
                user=command.user,
                log=output,
                death_signal=service.death_signal,
            )
        finally:
            os.close(output)
        watched.started_at = time.monotonic()
        watched.pid_started = _started(watched.process)
        watched.stage = Stage.STARTING
        self.logs.write("supervisor", f"{service.name} started as process {watched.process.pid}")

    def _probe(self, watched: _Watched) -> None:
        service = watched.service
        seconds = time.monotonic() - watched.started_at
        if not service.once and (service.ready is None or service.ready()):
            self._now(watched, Stage.READY, seconds)
        elif seconds > service.time_limit:
            message = f"{service.name} was not ready after {service.time_limit:.0f} s"
            if not watched.was_ready:
                raise StartError(f"{message}; its log is {self._log(service)}.")
            self.logs.write("supervisor", f"{message}: it is ended and started again", "ERROR")
            if watched.process is not None:
                _end(watched.process, service)

    def _hangs(self, watched: _Watched) -> None:
        """End a service that lives and does nothing; it then starts again like one that died."""
        service = watched.service
        message = f"{service.name} has shown no life for {service.hangs_after:.0f} s"
        self.logs.write("supervisor", f"{message}: it is ended and started again", "ERROR")
        watched.hung = True
        if watched.process is not None:
            _end(watched.process, service)

    def _now(self, watched: _Watched, stage: Stage, seconds: float) -> None:
        if watched.service.then:
            watched.service.then()
        if watched.service.alive and stage is Stage.READY:
            watched.liveness = Liveness(watched.service.alive, watched.service.hangs_after)
        watched.stage, watched.was_ready, watched.note = stage, True, ""
        watched.seconds_to_ready = round(seconds, 2)
        self.logs.write("supervisor", f"{watched.service.name} {stage} after {seconds:.2f} s")

    def _ended(self, watched: _Watched, status: int) -> None:
        service = watched.service
        if service.once and status == 0:
            watched.process = None
            self._now(watched, Stage.DONE, time.monotonic() - watched.started_at)
            return
        watched.deaths += 1
        how = f"{service.name} {'hung and ' if watched.hung else ''}ended {ending(status)}"
        watched.hung = False
        if watched.liveness is not None:
            watched.liveness.end()
            watched.liveness = None
        said = self.logs.last_message(service.name)
        if not watched.was_ready and watched.deaths >= DEATHS_BEFORE_READY:
            raise StartError(f"{how} before it was ready: {said} (log: {self._log(service)})")
        pause = min(FIRST_PAUSE * 2 ** (watched.deaths - 1), LONGEST_PAUSE)
        watched.next_start = time.monotonic() + pause
        watched.stage, watched.process = Stage.PAUSING, None
        watched.restarts += 1
        watched.note = f"{how}; last said: {said}"
        self.logs.write("supervisor", f"{how}; it starts again in {pause:.1f} s", "ERROR")

    def _log(self, service: Service) -> str:
        return str(self.state.logs / f"{service.name}.log")

    def _say(self) -> None:
        """Write how the services are, when that has changed."""
        now = {
            name: {
                "stage": str(each.stage),
                "pid": each.process.pid if each.process else None,
                "pid_started": each.pid_started,
                "seconds_to_ready": each.seconds_to_ready,
                "restarts": each.restarts,
                "note": each.note,
            }
            for name, each in self._watched.items()
        }
        if now != self._said:
            self._said = now
            write_whole(self.state.services_file, {"supervisor": os.getpid(), "services": now})


def ending(status: int) -> str:
    """Say how a process ended: with which status, or by which signal."""
    if status >= 0:
        return f"with status {status}"
    try:
        return f"by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def _started(process: "subprocess.Popen[bytes]") -> float:
    try:
        return process_started(process.pid)
    except ProcessLookupError:
        return 0.0


def _end(process: "subprocess.Popen[bytes]", service: Service) -> None:
    process.send_signal(service.stop_signal)
    process.send_signal(signal.SIGCONT)  # one that was stopped can end in order only if it goes on
    try:
        process.wait(service.stop_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
