"""Makes the catalogue and Prefect agree again after a crash: nothing lost, nothing twice."""

import logging
import socket
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import recovery, runs
from catalog.recovery import Orphan, Unclaimed
from infra.dispatcher import PREFECT_ERRORS
from infra.processes import is_alive
from infra.settings import Runs

LOG = logging.getLogger(__name__)
CANCELLED = "It was cancelled in Prefect."
UNCLAIMED = "No process came to claim it."
# A worker takes a run, and its process claims it, within this even on a very busy machine.
CLAIM_SECONDS = 60.0


class Reconciler:
    """Finds runs whose process is gone, and starts them again or gives them up.

    Parameters
    ----------
    engine : Engine
        The catalogue.
    client : SyncPrefectClient
        Connected to Prefect; it may be away.
    limits : Runs
        How many attempts a run gets, and when an attempt counts as lost.
    """

    def __init__(self, engine: Engine, client: SyncPrefectClient, limits: Runs) -> None:
        self._engine = engine
        self._client = client
        self._limits = limits

    def reconcile(self) -> None:
        """Look once; what Prefect must be asked waits until Prefect is there."""
        stale = timedelta(seconds=self._limits.stale_seconds)
        with Session(self._engine) as session:
            orphans = recovery.orphans(session, stale, _alive)
            unclaimed = recovery.unclaimed(session, timedelta(seconds=CLAIM_SECONDS))
        try:
            for orphan in orphans:
                self._recover(orphan)
            for dispatch in unclaimed:
                self._resend(dispatch)
        except PREFECT_ERRORS as error:
            LOG.warning("Recovery waits for Prefect: %s: %s", type(error).__name__, error)

    def _recover(self, orphan: Orphan) -> None:
        """Cancel a run that a person has cancelled; try any other again."""
        flow_run = self._flow_run(orphan.flow_run_id)
        reason = f"Process {orphan.pid} on {orphan.host} is gone."
        cancelled = flow_run is not None and self._cancelled(flow_run)
        with Session(self._engine) as session, session.begin():
            if cancelled:
                runs.cancel_run(session, orphan.run_id, actor="prefect-ui", reason=CANCELLED)
                done = "cancelled"
            else:
                done = recovery.retry_or_fail(session, orphan, reason, self._limits.attempts)
        LOG.warning("%s attempt %d: %s %s", orphan.dataset_name, orphan.number, reason, done)
        self._end_in_prefect(flow_run, reason)

    def _resend(self, dispatch: Unclaimed) -> None:
        """Ask again for a run that a worker took without its process coming to the claim."""
        flow_run = self._flow_run(dispatch.flow_run_id)
        if flow_run is not None and _may_still_claim(flow_run):
            return
        cancelled = flow_run is not None and self._cancelled(flow_run)
        with Session(self._engine) as session, session.begin():
            if cancelled:
                runs.cancel_run(session, dispatch.run_id, actor="prefect-ui", reason=CANCELLED)
                return
            again = recovery.send_again(session, dispatch.run_id, UNCLAIMED)
        if again:
            LOG.warning("Run %s is sent again: %s", dispatch.run_id, UNCLAIMED)
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

    def _flow_run(self, flow_run_id: str | None) -> FlowRun | None:
        if flow_run_id is None:
            return None
        try:
            return self._client.read_flow_run(UUID(flow_run_id))
        except ObjectNotFound:
            return None

    def _end_in_prefect(self, flow_run: FlowRun | None, reason: str) -> None:
        """Let Prefect know that a flow run is over; its successor is another flow run."""
        if flow_run is not None and flow_run.state is not None and not flow_run.state.is_final():
            self._client.set_flow_run_state(flow_run.id, Crashed(message=reason), force=True)


def _may_still_claim(flow_run: FlowRun) -> bool:
    """Tell whether a flow run waits in its queue, or was taken from it only just now."""
    state = flow_run.state
    if state is None or state.is_final():
        return False
    age = datetime.now(UTC) - state.timestamp
    return state.is_scheduled() or age < timedelta(seconds=CLAIM_SECONDS)


def _alive(host: str, pid: int, started: float | None) -> bool | None:
    """Tell whether a process lives, if it is (or was) one of this machine."""
    return is_alive(pid, started) if host == socket.gethostname() else None
