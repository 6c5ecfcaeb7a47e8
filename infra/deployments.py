"""What stands in Prefect: the work pool, its queues, and a deployment for every flow."""

from collections.abc import Mapping
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from flows.batch import reduce_batch
from flows.registry import FLOWS, FlowEntry
from infra.pool import POOL, POOL_TYPE, QUEUES, Queue

BATCH_ENTRYPOINT = "flows.batch:reduce_batch"


def publish(base_job_template: Mapping[str, Any], flows: Mapping[str, FlowEntry] = FLOWS) -> None:
    """Make the work pool, its queues and the deployments, or bring them up to date.

    Parameters
    ----------
    base_job_template : mapping
        What a run of the pool's worker may be configured with.
    flows : mapping
        The flows to deploy, by technique; a flow's deployment is called by its technique.
    """
    with get_client(sync_client=True) as client:
        _publish_pool(client, base_job_template)
        for name, queue in QUEUES.items():
            _publish_queue(client, name, queue)
        for entry in flows.values():
            flow = load_flow_from_entrypoint(entry.entrypoint, use_placeholder_flow=False)
            publish_deployment(client, flow, entry.technique, entry.entrypoint, entry.version)
            publish_deployment(client, reduce_batch, entry.technique, BATCH_ENTRYPOINT, "1")


def _publish_pool(client: SyncPrefectClient, base_job_template: Mapping[str, Any]) -> None:
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(
            WorkPoolCreate(
                name=POOL,
                type=POOL_TYPE,
                description="Runs as forks of a process with all imports done.",
                base_job_template=dict(base_job_template),
            )
        )


def _publish_queue(client: SyncPrefectClient, name: str, queue: Queue) -> None:
    try:
        client.create_work_queue(
            name,
            description=queue.description,
            priority=queue.priority,
            work_pool_name=POOL,
        )
    except ObjectAlreadyExists:
        existing = client.read_work_queue_by_name(name, work_pool_name=POOL)
        if existing.priority != queue.priority:
            client.update_work_queue(existing.id, priority=queue.priority)


def publish_deployment(
    client: SyncPrefectClient, flow: Flow[..., Any], name: str, entrypoint: str, version: str
) -> None:
    """Make or update one deployment; its parameters become a typed form in the UI.

    Parameters
    ----------
    client : SyncPrefectClient
        Connected to the server.
    flow : Flow
        The flow.
    name : str
        The deployment's name.
    entrypoint : str
        ``module:function``, from which the worker's runs load the flow.
    version : str
        The version of the flow's recipe.
    """
    client.create_deployment(
        flow_id=client.create_flow(flow),
        name=name,
        version=version,
        entrypoint=entrypoint,
        description=flow.description,
        work_pool_name=POOL,
        work_queue_name="reprocess",  # what the UI starts; the dispatcher names the queue itself
        parameter_openapi_schema=parameter_schema(flow.fn).model_dump_for_openapi(),
        enforce_parameter_schema=True,
    )
