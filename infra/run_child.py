"""One run in a process of its own, forked from the preloaded fork server."""

import asyncio
import inspect
import os
from typing import Any, cast

from prefect.client.schemas.objects import FlowRun
from prefect.engine import handle_engine_signals
from prefect.flow_engine import run_flow
from prefect.flows import Flow, load_flow_from_entrypoint

from catalog.states import Lane
from flows.cluster import LANE, task_runner
from flows.reduction import PROCESS_STARTED
from infra.processes import die_with_parent, process_started

REPROCESS_NICE = 10
FORK_SERVER: int | None = None
"""The fork server's process id: it sets this when it has loaded everything."""


def check_preloaded() -> None:
    """Make sure that this process is a fork of a fork server that has everything loaded.

    Raises
    ------
    RuntimeError
        The fork server could not load the flows: ``python -m infra.preload`` shows why.
    """
    if FORK_SERVER is None:
        raise RuntimeError(
            "The fork server could not load the flows; `python -m infra.preload` shows why."
        )


def execute(flow_run: dict[str, Any], entrypoint: str) -> None:
    """Execute a flow run; called in the child.

    Parameters
    ----------
    flow_run : dict
        The flow run as Prefect described it to the worker.
    entrypoint : str
        ``module:function`` of its flow.
    """
    check_preloaded()
    die_with_parent(parent=FORK_SERVER)
    run = FlowRun.model_validate(flow_run)
    os.environ["PREFECT__FLOW_RUN_ID"] = str(run.id)
    os.environ[PROCESS_STARTED] = str(process_started(os.getpid()))
    os.environ[LANE] = run.work_queue_name or Lane.REPROCESS
    if os.environ[LANE] != Lane.LIVE:
        os.nice(REPROCESS_NICE)
    loaded: Flow[..., Any] = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    flow = loaded.with_options(task_runner=cast(Any, task_runner()))
    with handle_engine_signals(run.id):
        # Its outcome stands in the run's state; this process fails only if it cannot say it.
        outcome = run_flow(flow, flow_run=run, return_type="state")
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
