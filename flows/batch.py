"""A batch: several quick scans in one flow run, each with a run, an attempt and outputs of its own.

What a flow run costs beside its work (a process, a connection to the cluster) is paid once. A scan
that fails fails alone; one that kills the process is tried again alone, and so are the others.
"""

import importlib
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.flows import Flow
from prefect.states import Completed

from catalog.batches import Carried, carried
from catalog.connection import engine_from_environment
from flows.reduction import IN_BATCH
from flows.registry import FLOWS, FlowEntry

log = logging.getLogger(__name__)


@flow(name="batch", persist_result=False, log_prints=False)
def reduce_batch(dispatches: list[UUID]) -> State[Any]:
    """Reduce several scans, one after the other.

    Parameters
    ----------
    dispatches
        Set by the platform. To reduce scans again, use the catalogue.
    """
    engine = engine_from_environment()
    scans = carried(engine, dispatches)
    engine.dispose()
    token = IN_BATCH.set(True)
    try:
        failed = [scan.dataset_name for scan in scans if not _reduce(scan)]
    finally:
        IN_BATCH.reset(token)
    told = f", {len(failed)} did not: {', '.join(failed)}" if failed else ""
    return Completed(message=f"{len(scans) - len(failed)} of {len(scans)} scans ended well{told}.")


def _reduce(scan: Carried) -> bool:
    """Reduce one scan; how it ended stands in the catalogue, and the next one goes on."""
    entry = entry_of(scan.flow)
    try:
        reduce = function_of(entry)
        recipe = entry.recipe(**scan.parameters)
        reduce(scan.dataset_id, recipe, scan.reason, scan.dispatch_id)
    except Exception as error:
        log.warning("%s of this batch: %s: %s", scan.dataset_name, type(error).__name__, error)
        return False
    return True


def entry_of(flow_name: str) -> FlowEntry:
    """Return what the registry says about a flow.

    Raises
    ------
    LookupError
        There is none of this name.
    """
    for entry in FLOWS.values():
        if entry.name == flow_name:
            return entry
    raise LookupError(f"This version of the platform has no flow {flow_name!r}.")


def function_of(entry: FlowEntry) -> Callable[..., Any]:
    """Return the function behind a flow, which runs within the flow run that calls it."""
    module, _, name = entry.entrypoint.partition(":")
    found: Flow[..., Any] = getattr(importlib.import_module(module), name)
    return found.fn
