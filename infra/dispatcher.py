"""The dispatcher: asks Prefect for the runs that wait in the catalogue's outbox."""

import logging
import socket
from collections import Counter
from collections.abc import Callable
from enum import Enum
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
from prefect.states import Scheduled
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from catalog import batches, lanes, outbox, pauses
from catalog.models import Dataset, Dispatch
from catalog.outbox import Unsent
from catalog.states import Lane
from flows.registry import FLOWS
from infra.nudges import SENT
from infra.pool import BATCH_FLOW, POOL
from infra.processes import is_alive
from infra.room import expected_bytes, full_places, too_little
from infra.settings import Runs

LOG = logging.getLogger(__name__)
PREFECT_ERRORS = (httpx.HTTPError, PrefectException)
ROOM_SECONDS = 10.0  # what waits for room is looked at again after so long
MOST_CROWDED = 20  # so many of a beamline that wait for room are looked at in one turn


class Step(Enum):
    """What came of looking at the next dispatch."""

    SENT = "sent"
    HELD = "held"
    NOTHING = "nothing"


class Dispatcher:
    """Sends what waits in the outbox: live work first, little by little.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    client : SyncPrefectClient
        Connected to Prefect.
    limits : Runs
        How many runs may wait in Prefect, how many may reprocess, how much disk must be free.
    alive : callable, optional
        Called before each step, to show that the dispatcher lives.
    """

    def __init__(
        self,
        engine: Engine,
        client: SyncPrefectClient,
        limits: Runs,
        alive: Callable[[], None] | None = None,
    ) -> None:
        self._engine = engine
        self._client = client
        self._limits = limits
        self._alive = alive
        self._deployments: dict[str, UUID] = {}
        self._full: dict[str, str] = {}
        self._crowded: Counter[str] = Counter()
        self._prefect_is_away = False
        self._waiting = limits.waiting_in_prefect

    def send_waiting(self) -> int:
        """Send until nothing is due or a limit is met; return how many were sent."""
        self._explain()
        self._crowded.clear()
        sent = 0
        while (step := self._next()) is not Step.NOTHING:
            sent += step is Step.SENT
        return sent

    def _explain(self) -> None:
        """Look at the disks, and write beside what a pause or a full disk holds back what it is."""
        with Session(self._engine) as session, session.begin():
            pauses.explain(session)
            full = full_places(session, self._limits)
            for beamline, reason in full.items():
                outbox.tell(session, reason, Dataset.beamline_id == beamline)
                if beamline not in self._full:
                    LOG.warning("Runs of %s wait until there is room: %s.", beamline, reason)
        self._full = full

    def _next(self) -> Step:
        """Send one dispatch or batch; its rows are locked meanwhile, and its key bars repeats."""
        if self._alive is not None:
            self._alive()
        crowded = {each for each, count in self._crowded.items() if count >= MOST_CROWDED}
        with Session(self._engine) as session, session.begin():
            without = crowded | self._full.keys()
            due = outbox.unsent(session, 1, lanes=[Lane.LIVE], without=without)
            if not due and self._may_reprocess(session):
                due = outbox.unsent(session, 1, lanes=[Lane.REPROCESS], without=without)
            if not due:
                return Step.NOTHING
            carried = self._carried(session, due[0])
            if not carried:
                return Step.HELD
            needed = [expected_bytes(session, each) for each in carried]
            if reason := too_little(session, carried, sum(needed), self._limits):
                outbox.hold(session, [each.id for each in carried], reason, seconds=ROOM_SECONDS)
                self._crowded[due[0].beamline] += 1
                return Step.HELD
            if self._enough_waiting():
                return Step.NOTHING
            return self._send(session, carried, needed)

    def _may_reprocess(self, session: Session) -> bool:
        """Tell whether a place is free for reprocessing: one is always kept for what lands now."""
        most = self._limits.reprocess_limit
        if lanes.under_way(session, Lane.REPROCESS, alive_here) < most:
            return True
        reason = f"waits for its turn: {most} reprocessed at once, and what lands now goes first"
        outbox.tell(session, reason, Dispatch.lane == Lane.REPROCESS)
        return False

    def _carried(self, session: Session, first: Unsent) -> list[Unsent]:
        """Return the dispatches that one flow run will carry; none if they must wait for others."""
        if first.batch_id is not None:
            return batches.members(session, first.batch_id)
        limits = batches.limits(session, first)
        if limits is not None and not batches.gather(session, first, limits):
            return []
        return [first]

    def _send(self, session: Session, carried: list[Unsent], needed: list[int]) -> Step:
        first = carried[0]
        try:
            flow_run = self._create(carried)
        except httpx.TransportError as error:
            # Prefect is away, which is no fault of this row: it is due again at once.
            self._away(session, f"Prefect is away ({type(error).__name__})")
            return Step.NOTHING
        except PREFECT_ERRORS as error:
            LOG.warning("Prefect did not take %s: %s", first.dataset_name, error)
            for each in carried:
                outbox.mark_failed_to_send(session, each.id, f"{type(error).__name__}: {error}")
            return Step.NOTHING
        self._prefect_is_away = False
        self._waiting += 1
        for each, size in zip(carried, needed, strict=True):
            outbox.mark_sent(session, each.id, str(flow_run), size)
            LOG.info("%s v%d is flow run %s", each.dataset_name, each.version, flow_run)
        # The worker hears this when the transaction is done.
        session.execute(select(func.pg_notify(SENT, "")))
        return Step.SENT

    def _away(self, session: Session, message: str) -> None:
        if not self._prefect_is_away:
            LOG.warning("%s: runs wait until it is back.", message)
        self._prefect_is_away = True
        outbox.tell(session, message, Dispatch.waits_for.is_(None))

    def _create(self, carried: list[Unsent]) -> UUID:
        first = carried[0]
        # Due since the database's own time: were this process's clock ahead, Prefect would keep
        # the run until the worker's clock has come there too.
        due = Scheduled(scheduled_time=first.created_at)
        if first.batch_id is not None:
            flow_run = self._client.create_flow_run_from_deployment(
                self._deployment(f"{BATCH_FLOW}/{_technique(first)}"),
                state=due,
                parameters={"dispatches": [str(each.id) for each in carried]},
                name=f"{len(carried)} scans from {first.dataset_name}",
                tags=[first.beamline, first.rule],
                idempotency_key=f"batch/{first.batch_id}",
                work_queue_name=first.lane,
            )
            return flow_run.id
        flow_run = self._client.create_flow_run_from_deployment(
            self._deployment(f"{first.flow}/{_technique(first)}"),
            state=due,
            parameters={
                "dataset": str(first.dataset_id),
                "recipe": first.parameters,
                "reason": first.reason,
                "dispatch": str(first.id),
            },
            name=f"{first.dataset_name} v{first.version}",
            tags=[first.beamline, first.dataset_name],
            idempotency_key=first.key,
            work_queue_name=first.lane,
        )
        return flow_run.id

    def _deployment(self, name: str) -> UUID:
        if name not in self._deployments:
            self._deployments[name] = self._client.read_deployment_by_name(name).id
        return self._deployments[name]

    def _enough_waiting(self) -> bool:
        """Tell whether Prefect holds as many scheduled runs as it should.

        It is asked only when there may be so many: since it was asked last, they became more by
        those that were sent alone.
        """
        if self._waiting < self._limits.waiting_in_prefect:
            return False
        try:
            self._waiting = self._client.count_flow_runs(
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(
                        type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])
                    )
                ),
                work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
            )
        except PREFECT_ERRORS:
            return False  # sending says so, with the pause that belongs to it
        return self._waiting >= self._limits.waiting_in_prefect


def _technique(dispatch: Unsent) -> str:
    """Return the technique by which a flow's deployments are named; a rule may say another."""
    named = (entry.technique for entry in FLOWS.values() if entry.name == dispatch.flow)
    return next(named, dispatch.technique)


def alive_here(host: str, pid: int, started: float | None) -> bool | None:
    """Tell whether a process lives, if it is (or was) one of this machine."""
    return is_alive(pid, started) if host == socket.gethostname() else None
