"""The worker as a service of the platform: published, nudged, and stopped like a crash."""

import asyncio
import logging
import os
import signal
import threading
from functools import partial
from uuid import UUID

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from catalog import outbox
from catalog.connection import engine_from_environment
from catalog.recovery import lose_flow_run
from infra.fork_server import ForkServer
from infra.logs import log_to_stdout
from infra.nudges import CRASHED, SENT, Nudges
from infra.pool import POOL
from infra.prefect_server import wait_for_prefect
from infra.pulse import BEAT_SECONDS, beat
from infra.settings import load_settings
from infra.state import State
from infra.worker import CANCELLED, WarmWorker

LOG = logging.getLogger(__name__)


def serve(fork_server: ForkServer) -> None:
    """Publish the deployments, then work until told to stop.

    Stopping is dying: what runs dies too, and is found and done again like after a crash.
    """
    log_to_stdout()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    settings = load_settings()
    dsn = os.environ["DAYSEYE_CATALOG_DSN"]
    worker = WarmWorker(
        work_pool_name=POOL,
        name=f"warm-{os.uname().nodename}",
        limit=settings.runs.limit,
        heartbeat_interval_seconds=10,
        create_pool_if_not_found=False,
        fork_server=fork_server,
        on_ready=State(settings.state).worker_ready.touch,
        on_ended=partial(_tell, Nudges(dsn)),
    )
    fork_server.call("infra.run_child:check_preloaded")
    wait_for_prefect(os.environ["PREFECT_API_URL"])
    # In a fork, where the flows are loaded.
    fork_server.call("infra.deployments:publish", WarmWorker.get_default_base_job_template())
    asyncio.run(_work(worker, dsn, State(settings.state)))


def _tell(nudges: Nudges, flow_run: UUID, lost: str | None) -> None:
    """Enter why a run's process was lost, and nudge the dispatcher: a place is free."""
    if lost not in (None, CANCELLED):  # what was cancelled is not lost
        engine = engine_from_environment("dayseye-worker")
        try:
            with Session(engine) as session, session.begin():
                lose_flow_run(session, str(flow_run), lost)
        except OperationalError as error:
            # the dispatcher finds that the process is gone, if not why
            LOG.warning("The catalogue is away; flow run %s: %s (%s)", flow_run, lost, error.orig)
        finally:
            engine.dispose()
    nudges.send(CRASHED if lost else outbox.CHANNEL)


async def _work(worker: WarmWorker, dsn: str, state: State) -> None:
    """Work, and look for runs as soon as the dispatcher has sent one."""
    loop = asyncio.get_running_loop()
    beating = loop.create_task(_beat_on(state))
    threading.Thread(
        target=Nudges(dsn, SENT).follow,
        args=(lambda: loop.call_soon_threadsafe(worker.nudge), loop.is_closed),
        name="nudges",
        daemon=True,
    ).start()
    try:
        await worker.start(printer=lambda *_: None)
    finally:
        beating.cancel()


async def _beat_on(state: State) -> None:
    """Show life from the worker's own loop."""
    while True:
        beat(state, "worker")
        await asyncio.sleep(BEAT_SECONDS)
