"""Makes the catalogue and Prefect agree again after a crash: nothing lost, nothing twice."""

import logging
import os
import signal
from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelled, Crashed
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import recovery, runs
from catalog.recovery import Orphan, Unclaimed
from infra import whereabouts
from infra.dispatcher import PREFECT_ERRORS, alive_here
from infra.lasting import Lasting
from infra.pool import POOL
from infra.processes import is_alive
from infra.settings import Runs

LOG = logging.getLogger(__name__)
CANCELLED = "It was cancelled in Prefect."
UNCLAIMED = "No process came to claim it."
# A worker takes a run, and its process claims it, within this even on a very busy machine.
CLAIM_SECONDS = 60.0
# So soon a run that was sent and not claimed is worth a look at what Prefect says.
LOOK_SECONDS = 5.0
# A process that was found silent must stay so for this long: the catalogue may have been away.
SILENT_SECONDS = 30.0
GONE_SECONDS = 15.0
# So long the worker of a process that is gone has time to say why.
WORD_SECONDS = 2.0
LASTS = {"dead": WORD_SECONDS, "hung": SILENT_SECONDS, "silent": SILENT_SECONDS, "lost": 0.0}
PAGE = 200  # as many as Prefect gives at once
UNDER_WAY = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


class Reconciler:
    """Finds runs whose process is gone or hangs, and starts them again or gives them up.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    client : SyncPrefectClient
        Connected to Prefect; it may be away.
    limits : Runs
        How many attempts a run gets, the pause between them, and when one counts as lost.

    Attributes
    ----------
    look_again : bool
        Whether something was seen that the next look, soon, will make sure of.
    """

    def __init__(self, engine: Engine, client: SyncPrefectClient, limits: Runs) -> None:
        self._engine = engine
        self._client = client
        self._limits = limits
        self.look_again = False
        # The clock of this process or of Prefect may jump, so how long is measured here.
        self._seen: Lasting[tuple[UUID, str]] = Lasting()
        self._taken: Lasting[UUID] = Lasting()
        self._gone: Lasting[UUID] = Lasting()
        self._unborn: Lasting[UUID] = Lasting()

    def reconcile(self) -> None:
        """Look once; what Prefect must be asked waits until Prefect is there."""
        stale = timedelta(seconds=self._limits.stale_seconds)
        with Session(self._engine) as session:
            found = recovery.orphans(session, stale, alive_here)
            unclaimed = recovery.unclaimed(session, timedelta(seconds=LOOK_SECONDS))
        orphans = self._surely(found)
        try:
            of_orphans = self._flow_runs(each.flow_run_id for each in orphans)
            for orphan in orphans:
                self._recover(orphan, of_orphans.get(orphan.flow_run_id))
            of_unclaimed = self._flow_runs(each.flow_run_id for each in unclaimed)
            taken = self._taken.look(each.id for each in of_unclaimed.values() if _taken(each))
            for dispatch in unclaimed:
                flow_run = of_unclaimed.get(dispatch.flow_run_id or "")
                if flow_run is None or not _may_still_claim(flow_run, dispatch.busy, taken):
                    self._resend(dispatch, flow_run)
        except PREFECT_ERRORS as error:
            LOG.warning("Recovery waits for Prefect: %s: %s", type(error).__name__, error)

    def end_zombies(self) -> None:
        """End what Prefect takes for under way though its process is gone."""
        try:
            under_way = {each.id: each for each in self._under_way()}
            gone = [
                each.id
                for each in under_way.values()
                if whereabouts.lives(each.infrastructure_pid) is False
            ]
            for key, seconds in self._gone.look(gone).items():
                if seconds >= GONE_SECONDS:  # its worker has had time to say why
                    self._end_in_prefect(under_way[key], "Its process is gone.")
            for key, seconds in self._unborn.look(
                each.id for each in under_way.values() if _has_no_process(each)
            ).items():
                if seconds >= CLAIM_SECONDS:
                    self._end_in_prefect(under_way[key], "Its worker never started a process.")
        except PREFECT_ERRORS as error:
            LOG.warning("Prefect's runs are looked at later: %s: %s", type(error).__name__, error)

    def _surely(self, found: Iterable[Orphan]) -> list[Orphan]:
        """Return those that are lost for sure: what we see must last while we look."""
        found = list(found)
        seconds = self._seen.look((each.attempt_id, each.how) for each in found)
        sure = [each for each in found if seconds[each.attempt_id, each.how] >= LASTS[each.how]]
        self.look_again = any(each.how == "dead" for each in found if each not in sure)
        return sure

    def _recover(self, orphan: Orphan, flow_run: FlowRun | None) -> None:
        """Cancel a run that a person has cancelled; try any other again."""
        reason = orphan.reason or _reason(orphan)
        cancelled = flow_run is not None and self._cancelled(flow_run)
        with Session(self._engine) as session, session.begin():
            if cancelled:
                runs.cancel_run(session, orphan.run_id, actor="prefect-ui", reason=CANCELLED)
                done = "cancelled"
            else:
                done = recovery.retry_or_fail(
                    session,
                    orphan,
                    reason,
                    self._limits.attempts,
                    timedelta(seconds=self._limits.retry_seconds),
                )
        LOG.warning("%s attempt %d: %s %s", orphan.dataset_name, orphan.number, reason, done)
        if orphan.how == "hung" and is_alive(orphan.pid, orphan.process_started):
            # It can enter nothing any more; what it holds (memory, a place) is given back.
            os.kill(orphan.pid, signal.SIGKILL)
        if orphan.how != "lost":  # one that gave up by itself goes on with the rest of its batch
            self._end_in_prefect(flow_run, reason)

    def _resend(self, dispatch: Unclaimed, flow_run: FlowRun | None) -> None:
        """Ask again for a run that a worker took without its process coming to the claim."""
        cancelled = flow_run is not None and self._cancelled(flow_run)
        with Session(self._engine) as session, session.begin():
            if cancelled:
                runs.cancel_run(session, dispatch.run_id, actor="prefect-ui", reason=CANCELLED)
                return
            again = recovery.send_again(session, dispatch.run_id, UNCLAIMED)
        if again:
            LOG.warning("Run %s is sent again: %s", dispatch.run_id, UNCLAIMED)
        if flow_run is not None:
            whereabouts.kill(flow_run.infrastructure_pid)
            self._end_in_prefect(flow_run, UNCLAIMED)

    def _cancelled(self, flow_run: FlowRun) -> bool:
        """Tell whether a person cancelled a flow run since it last ran.

        Its last state does not tell: a process that is ended reports a crash while it dies.
        """
        states = self._client.read_flow_run_states(flow_run.id)
        for state in sorted(states, key=lambda each: each.timestamp, reverse=True):
            if state.type in (StateType.CANCELLING, StateType.CANCELLED):
                return True
            if state.is_running():
                return False
        return False

    def _flow_runs(self, ids: Iterable[str | None]) -> dict[str, FlowRun]:
        """Return those of some flow runs that Prefect knows."""
        wanted = sorted({UUID(each) for each in ids if each is not None})
        found: dict[str, FlowRun] = {}
        for first in range(0, len(wanted), PAGE):
            some = FlowRunFilterId(any_=wanted[first : first + PAGE])
            page = self._client.read_flow_runs(flow_run_filter=FlowRunFilter(id=some), limit=PAGE)
            found |= {str(each.id): each for each in page}
        return found

    def _under_way(self) -> list[FlowRun]:
        return self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY))
            ),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
            limit=PAGE,
        )

    def _end_in_prefect(self, flow_run: FlowRun | None, reason: str) -> None:
        """Let Prefect know that a flow run is over; its successor is another flow run."""
        if flow_run is None or flow_run.state is None or flow_run.state.is_final():
            return
        over = Cancelled if flow_run.state.type == StateType.CANCELLING else Crashed
        self._client.set_flow_run_state(flow_run.id, over(message=reason), force=True)
        LOG.warning("Flow run %s was %s in Prefect: %s", flow_run.id, flow_run.state.name, reason)


def _reason(orphan: Orphan) -> str:
    """Say how an attempt was lost."""
    match orphan.how:
        case "hung":
            return f"Process {orphan.pid} on {orphan.host} hung, and was ended."
        case "silent":
            return f"Process {orphan.pid} on {orphan.host} was not heard of any more."
        case _:
            return f"Process {orphan.pid} on {orphan.host} is gone."


def _taken(flow_run: FlowRun) -> bool:
    """Tell whether a worker has taken a flow run that is not over yet."""
    state = flow_run.state
    return state is not None and not state.is_scheduled() and not state.is_final()


def _has_no_process(flow_run: FlowRun) -> bool:
    """Tell whether a worker has taken a flow run and not yet started a process for it."""
    pending = flow_run.state is not None and flow_run.state.is_pending()
    return pending and not flow_run.infrastructure_pid


def _may_still_claim(flow_run: FlowRun, busy: bool, taken: Mapping[UUID, float]) -> bool:
    """Tell whether a flow run waits in its queue, was taken just now, or is a batch at work."""
    state = flow_run.state
    if state is None or state.is_final():
        return False
    if state.is_scheduled() or busy:
        return True
    gone = whereabouts.lives(flow_run.infrastructure_pid) is False
    return not gone and taken.get(flow_run.id, 0.0) < CLAIM_SECONDS
