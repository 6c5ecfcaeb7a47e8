"""The Dask cluster as a flow sees it: an address and a certificate, whatever runs behind it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from distributed import Client
from distributed.security import Security
from prefect.context import FlowRunContext
from prefect_dask.task_runners import DaskTaskRunner

CLUSTER_FILE = "DAYSEYE_CLUSTER_FILE"
LANE = "DAYSEYE_LANE"
"""Names the lane that this process works for; set by who starts it."""
PRIORITIES = {"live": 10, "reprocess": 0}


def task_runner() -> DaskTaskRunner:
    """Make the task runner that connects a flow to the platform's cluster.

    Returns
    -------
    DaskTaskRunner
        Connects when its client is first asked for, with mutual TLS.

    Raises
    ------
    RuntimeError
        No cluster file is named by the environment: the platform is not up.
    """
    named = os.environ.get(CLUSTER_FILE)
    if not named:
        raise RuntimeError(
            f"No Dask cluster is known: {CLUSTER_FILE} is not set. Start the platform with "
            "`dayseye up`; its worker sets it for every run."
        )
    cluster = json.loads(Path(named).read_text())
    security = Security(
        require_encryption=True,
        tls_ca_file=cluster["ca"],
        tls_client_cert=cluster["cert"],
        tls_client_key=cluster["key"],
    )
    return DaskTaskRunner(address=cluster["address"], client_kwargs={"security": security})


def dask_client() -> Client:
    """Return the client of the running flow's cluster.

    Returns
    -------
    distributed.Client
        Owned by the flow run; it is closed when the flow ends.

    Raises
    ------
    RuntimeError
        Called outside a flow that runs with a Dask task runner.
    """
    context = FlowRunContext.get()
    runner = context.task_runner if context else None
    if not isinstance(runner, DaskTaskRunner):
        raise RuntimeError("Chunks of work need a flow that runs with flows.cluster.task_runner().")
    return runner.client


def priority() -> int:
    """Return how urgent this run's chunks are to the cluster: what lands now goes first.

    The order of the runs alone does not reorder the chunks of those that run side by side.
    """
    return PRIORITIES.get(os.environ.get(LANE, ""), 0)


@dataclass(frozen=True)
class WorkerLimits:
    """What the cluster's workers offer.

    Attributes
    ----------
    workers : int
        How many there are now.
    threads : int
        Threads of the smallest one.
    memory : int
        Memory limit of the smallest one, in bytes.
    """

    workers: int
    threads: int
    memory: int


def worker_limits(client: Client, patience: float = 60.0) -> WorkerLimits:
    """Ask the cluster what its workers offer.

    Parameters
    ----------
    client : distributed.Client
        The cluster.
    patience : float
        Seconds to wait for a first worker.

    Returns
    -------
    WorkerLimits
        Of the smallest worker, since any may get a chunk.

    Raises
    ------
    TimeoutError
        No worker came.
    """
    client.wait_for_workers(1, timeout=patience)
    workers = list(client.scheduler_info(n_workers=-1)["workers"].values())
    return WorkerLimits(
        workers=len(workers),
        threads=min(worker["nthreads"] for worker in workers),
        memory=min(worker["memory_limit"] for worker in workers),
    )
