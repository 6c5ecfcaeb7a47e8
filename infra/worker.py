"""The warm worker: a Prefect worker whose runs are forks of a process with all imports done."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled
from prefect.workers.base import BaseJobConfiguration, BaseWorker, BaseWorkerResult

from infra import memory, whereabouts
from infra.fork_server import ForkServer
from infra.supervisor import ending

LOG = logging.getLogger(__name__)
CANCEL_POLL_SECONDS = 1.0
GRACE_SECONDS = 10.0
CANCELLED = "The run's process was ended because it was cancelled."


class WarmResult(BaseWorkerResult):
    """How a run's process ended."""


@dataclass
class _Active:
    """A run of ours and its process."""

    process: BaseProcess
    ended: anyio.Event = field(default_factory=anyio.Event)
    cancelled: bool = False
    held: int = 0
    kills_before: int = field(default_factory=memory.kills)


class WarmWorker(BaseWorker[BaseJobConfiguration, Any, WarmResult]):
    """Runs each flow run in its own process, forked from a preloaded fork server.

    A crash or a cancellation harms that run alone, and a run starts in a fraction of a second:
    the imports, which take Prefect's own process worker seconds for each run, were done once.

    Parameters
    ----------
    *args, **kwargs
        As for a Prefect worker.
    fork_server : ForkServer
        From which runs are forked.
    on_ready : callable, optional
        Told when it is connected.
    on_ended : callable, optional
        Told (in a thread) when a run's process has ended: the flow run, and a sentence that says
        why, if the process did not come to its own end.
    """

    type = "warm"
    job_configuration = BaseJobConfiguration
    _description = "Run each flow run in its own process, forked from one with all imports done."

    def __init__(
        self,
        *args: Any,
        fork_server: ForkServer,
        on_ready: Callable[[], None] | None = None,
        on_ended: Callable[[UUID, str | None], None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._fork_server = fork_server
        self._active: dict[UUID, _Active] = {}
        self._on_ended = on_ended
        self._on_ready = on_ready
        self._wake = asyncio.Event()

    # -- finding runs -----------------------------------------------------------------------

    def nudge(self) -> None:
        """Let the worker look for runs now."""
        self._wake.set()

    async def setup(self) -> None:
        """Connect, and start listening for nudges and watching for cancellations."""
        await super().setup()
        for task in (self._fetch_when_nudged, self._watch_for_cancellations):
            await self._in_background(task)
        if self._on_ready is not None:
            self._on_ready()

    async def _in_background(self, task: Any) -> None:
        """Run a task until the teardown."""
        group = self._runs_task_group
        if group is None:
            raise RuntimeError("The worker is not set up.")

        async def scoped() -> None:
            with anyio.CancelScope() as scope:
                self._scheduled_task_scopes.add(scope)
                await task()

        group.start_soon(scoped)

    async def _fetch_when_nudged(self) -> None:
        """Fetch runs as soon as the dispatcher has sent one, or a run has ended."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.get_and_submit_flow_runs()
            except Exception as error:
                # The ordinary poll goes on; it says, and in the end decides, when Prefect is away.
                LOG.warning("Could not fetch runs after a nudge: %s", error)

    # -- a run ------------------------------------------------------------------------------

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> WarmResult:
        """Run a flow run in a fork, and wait for its end."""
        entrypoint = await self._entrypoint(flow_run)
        process = self._fork_server.start(
            "infra.run_child:execute",
            flow_run.model_dump(mode="json"),
            entrypoint,
            name=flow_run.name,
        )
        if task_status is not None:
            # Prefect keeps it: from it everybody can tell whether the process lives.
            task_status.started(whereabouts.describe(process.pid or 0))
        active = self._active[flow_run.id] = _Active(process)
        try:
            # The fork server writes the exit code to the sentinel: no thread waits for it.
            await anyio.wait_readable(process.sentinel)
        finally:
            active.ended.set()
            del self._active[flow_run.id]
            self._wake.set()
        return await self._report(flow_run, active)

    async def _entrypoint(self, flow_run: FlowRun) -> str:
        if flow_run.deployment_id is None:
            raise RuntimeError("A run of the warm worker must belong to a deployment.")
        deployment = await self.client.read_deployment(flow_run.deployment_id)
        if not deployment.entrypoint:
            raise RuntimeError(f"Deployment {deployment.name} names no flow to run.")
        return deployment.entrypoint

    async def _report(self, flow_run: FlowRun, active: _Active) -> WarmResult:
        """Tell Prefect, and who else wants to know, how the process ended."""
        code = _code(active.process)
        lost = None
        if active.cancelled:
            state = Cancelled(message=CANCELLED)
            await self.client.set_flow_run_state(flow_run.id, state, force=True)
            lost = CANCELLED
        elif code != 0:
            lost = _why(active, code)
            await self._propose_crashed_state(flow_run, lost)
        if self._on_ended is not None:
            await asyncio.to_thread(self._on_ended, flow_run.id, lost)
        # Status 0: what there was to say has been said, better than the base class could.
        return WarmResult(identifier=str(active.process.pid), status_code=0)

    # -- cancelling -------------------------------------------------------------------------

    async def _watch_for_cancellations(self) -> None:
        """End the processes of runs that someone has cancelled; see how large all of them grow."""
        while True:
            await anyio.sleep(CANCEL_POLL_SECONDS)
            for active in self._active.values():
                active.held = max(active.held, memory.peak(active.process.pid or 0))
            running = [key for key, active in self._active.items() if not active.cancelled]
            if not running:
                continue
            try:
                cancelled = await self._cancelled(running)
            except Exception as error:
                LOG.warning("Could not ask Prefect for cancelled runs: %s", error)
                continue
            for key in cancelled:
                await self._in_background(lambda key=key: self._end(key))

    async def _cancelled(self, running: list[UUID]) -> list[UUID]:
        types = FlowRunFilterStateType(any_=[StateType.CANCELLING, StateType.CANCELLED])
        found = await self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                id=FlowRunFilterId(any_=running), state=FlowRunFilterState(type=types)
            )
        )
        return [each.id for each in found]

    async def _end(self, key: UUID) -> None:
        """End a run's process: it may tidy up, within limits."""
        active = self._active.get(key)
        if active is None or active.cancelled:
            return
        active.cancelled = True
        LOG.info("Run %s is cancelled: its process %s is ended", key, active.process.pid)
        _signal(active.process, signal.SIGTERM)
        with anyio.move_on_after(GRACE_SECONDS):
            await active.ended.wait()
            return
        _signal(active.process, signal.SIGKILL)


def _code(process: BaseProcess) -> int:
    process.join()
    return process.exitcode if process.exitcode is not None else 1


def _why(active: _Active, code: int) -> str:
    """Say why a process did not come to its own end."""
    if code == -signal.SIGKILL and memory.kills() > active.kills_before:
        return memory.explain(active.held)
    return f"The run's process (pid {active.process.pid}) ended {ending(code)}."


def _signal(process: BaseProcess, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid or 0, number)
