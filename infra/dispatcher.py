"""The dispatcher: asks Prefect for the runs that wait in the catalogue's outbox."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectException
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog import outbox
from catalog.outbox import Unsent
from infra.nudges import SENT
from infra.pool import POOL
from infra.settings import Runs

LOG = logging.getLogger(__name__)
PREFECT_ERRORS = (httpx.HTTPError, PrefectException)


class Dispatcher:
    """Sends what waits in the outbox: live work first, little by little.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    client : SyncPrefectClient
        Connected to Prefect.
    limits : Runs
        How many runs may wait in Prefect, and how much disk must be free.
    output_roots : callable
        Returns the folders that results go to.
    """

    def __init__(
        self,
        engine: Engine,
        client: SyncPrefectClient,
        limits: Runs,
        output_roots: Callable[[], list[Path]],
    ) -> None:
        self._engine = engine
        self._client = client
        self._limits = limits
        self._output_roots = output_roots
        self._deployments: dict[str, UUID] = {}
        self._said: str | None = None
        self._prefect_is_away = False

    def send_waiting(self) -> int:
        """Send until nothing is due or a limit is met; return how many were sent."""
        sent = 0
        while self._may_send() and self._send_next():
            sent += 1
        return sent

    def _may_send(self) -> bool:
        """Tell whether a limit holds dispatches back, and say so once."""
        reason = self._full_disk() or None
        if reason != self._said and reason is not None:
            LOG.warning("%s Runs wait until there is room.", reason)
        self._said = reason
        return reason is None

    def _full_disk(self) -> str:
        for root in self._output_roots():
            free = _free_gb(root)
            if free < self._limits.free_disk_gb:
                return (
                    f"Only {free:.1f} GB are free where results go ({root}); "
                    f"runs.free_disk_gb is {self._limits.free_disk_gb:g}."
                )
        return ""

    def _send_next(self) -> bool:
        """Send one dispatch; the row is locked meanwhile, and its key makes a repeat harmless."""
        with Session(self._engine) as session, session.begin():
            due = outbox.unsent(session, 1)
            if not due or self._enough_waiting():
                return False
            dispatch = due[0]
            try:
                flow_run = self._create(dispatch)
            except httpx.TransportError as error:
                # Prefect is away, which is no fault of this row: it is due again at once.
                self._away(f"Prefect is away ({type(error).__name__}): runs wait until it is back.")
                return False
            except PREFECT_ERRORS as error:
                LOG.warning("Prefect did not take %s: %s", dispatch.dataset_name, error)
                outbox.mark_failed_to_send(session, dispatch.id, f"{type(error).__name__}: {error}")
                return False
            self._prefect_is_away = False
            outbox.mark_sent(session, dispatch.id, str(flow_run))
            # The worker hears this when the transaction is done.
            session.execute(select(func.pg_notify(SENT, "")))
        LOG.info("%s v%d is flow run %s", dispatch.dataset_name, dispatch.version, flow_run)
        return True

    def _away(self, message: str) -> None:
        if not self._prefect_is_away:
            LOG.warning("%s", message)
        self._prefect_is_away = True

    def _create(self, dispatch: Unsent) -> UUID:
        flow_run = self._client.create_flow_run_from_deployment(
            self._deployment(f"{dispatch.flow}/{dispatch.technique}"),
            parameters={
                "dataset": str(dispatch.dataset_id),
                "recipe": dispatch.parameters,
                "reason": dispatch.reason,
                "dispatch": str(dispatch.id),
            },
            name=f"{dispatch.dataset_name} v{dispatch.version}",
            tags=[dispatch.beamline, dispatch.dataset_name],
            idempotency_key=dispatch.key,
            work_queue_name=dispatch.lane,
        )
        return flow_run.id

    def _deployment(self, name: str) -> UUID:
        if name not in self._deployments:
            self._deployments[name] = self._client.read_deployment_by_name(name).id
        return self._deployments[name]

    def _enough_waiting(self) -> bool:
        """Tell whether Prefect holds as many scheduled runs as it should."""
        try:
            waiting = self._client.count_flow_runs(
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(
                        type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])
                    )
                ),
                work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
            )
        except PREFECT_ERRORS:
            return False  # sending says so, with the pause that belongs to it
        return waiting >= self._limits.waiting_in_prefect


def _free_gb(root: Path) -> float:
    """Return the free space of a folder that may not exist yet."""
    existing = next(each for each in (root, *root.parents) if each.exists())
    return shutil.disk_usage(existing).free / 1e9
