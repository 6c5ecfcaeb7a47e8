"""The wires: every way of hearing about data that is neither a file event nor a walk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import trigger_status
from triggers.beamline import Beamline
from triggers.reporter import CATALOGUE_IS_AWAY, Reporter

log = logging.getLogger(__name__)

Listen = Callable[[Beamline, Reporter, threading.Event], None]
RETRY_SECONDS = 5.0
LONGEST_RETRY = 60.0


def start(
    beamlines: Sequence[Beamline], engine: Engine, stop: threading.Event
) -> list[threading.Thread]:
    """
    Listen to all wires that are on, each in a thread of its own.

    Parameters
    ----------
    beamlines
        Their rules; they have been published in the catalogue.
    engine
        The catalogue.
    stop
        Ends the threads within about a second.
    """
    reporter = Reporter(engine, stop)
    threads = [threading.Thread(target=_write, args=(beamlines, engine, reporter, stop))]
    threads[0].name = "reporter"
    for beamline in beamlines:
        for kind in beamline.triggers.kinds():
            if kind in ("bluesky", "epics", "kafka"):
                thread = threading.Thread(target=_keep, args=(kind, beamline, reporter, stop))
                thread.name = f"{kind} {beamline.id}"
                threads.append(thread)
    for thread in threads:
        thread.daemon = True
        thread.start()
    return threads


def _write(
    beamlines: Sequence[Beamline], engine: Engine, reporter: Reporter, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            with Session(engine) as session, session.begin():
                for beamline in beamlines:
                    kinds = beamline.triggers.kinds()
                    trigger_status.switch_off(session, beamline.id, kinds)
                    if "http" in kinds:
                        trigger_status.tell(session, beamline.id, "http", state="listening")
            break
        except CATALOGUE_IS_AWAY:
            stop.wait(reporter.AWAY_SECONDS)
    _again_and_again("The reporter", reporter.run, stop)


def _keep(kind: str, beamline: Beamline, reporter: Reporter, stop: threading.Event) -> None:
    """Listen, and listen again if that fails."""
    _again_and_again(
        f"{kind} of {beamline.id}",
        lambda: _listener(kind)(beamline, reporter, stop),
        stop,
        lambda error: reporter.state(beamline, kind, "unreachable", str(error)),
    )


def _listener(kind: str) -> Listen:
    """Import what a wire needs only where it is on."""
    if kind == "bluesky":
        from triggers.bluesky import listen
    elif kind == "epics":
        from triggers.epics import listen
    else:
        from triggers.kafka import listen
    return listen


def _again_and_again(
    what: str,
    action: Callable[[], None],
    stop: threading.Event,
    tell: Callable[[Exception], None] = lambda error: None,
) -> None:
    wait = RETRY_SECONDS
    while not stop.is_set():
        try:
            action()
            return
        except Exception as error:
            log.exception("%s failed; it begins again in %g s.", what, wait)
            tell(error)
        stop.wait(wait)
        wait = min(2 * wait, LONGEST_RETRY)
