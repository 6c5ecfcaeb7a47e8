"""The dispatcher's process: sends what waits, and finds runs whose process is gone."""

import logging
import os
import signal
import time

from prefect.client.orchestration import get_client
from sqlalchemy.exc import OperationalError

from catalog import outbox
from catalog.connection import engine_from_environment
from infra.dispatcher import Dispatcher
from infra.logs import log_to_stdout
from infra.nudges import CRASHED, Nudges
from infra.pulse import beat
from infra.reconcile import WORD_SECONDS, Reconciler
from infra.settings import load_settings
from infra.state import State

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
RECONCILE_SECONDS = 10.0
ZOMBIE_SECONDS = 20.0


def main() -> None:
    """Dispatch until told to stop; stopping is dying, for a row that is not marked is due again."""
    log_to_stdout()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    settings = load_settings()
    limits, state = settings.runs, State(settings.state)
    engine = engine_from_environment("dayseye-dispatcher")
    nudges = Nudges(os.environ["DAYSEYE_CATALOG_DSN"], outbox.CHANNEL, CRASHED)
    with get_client(sync_client=True) as client:
        dispatcher = Dispatcher(engine, client, limits, lambda: beat(state, "dispatcher"))
        reconciler = Reconciler(engine, client, limits)
        next_look = next_zombies = 0.0
        while True:
            beat(state, "dispatcher")
            try:
                dispatcher.send_waiting()
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + RECONCILE_SECONDS
                    reconciler.reconcile()
                    if reconciler.look_again:
                        next_look = time.monotonic() + WORD_SECONDS
                if time.monotonic() >= next_zombies:
                    next_zombies = time.monotonic() + ZOMBIE_SECONDS
                    reconciler.end_zombies()
            except OperationalError as error:
                LOG.warning("The catalogue is away: %s", error.orig)
            if CRASHED in nudges.wait(LOOK_SECONDS):
                next_look = 0.0


if __name__ == "__main__":
    main()
