"""The trigger: one process that learns of all beamlines' data and tells the catalogue."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Engine

from triggers import wires
from triggers.ahead import Ahead
from triggers.beamline import Beamline, check_outputs
from triggers.inbox import Taker
from triggers.ledger import Catalogue, Ledger
from triggers.loop import Loop
from triggers.status import FilesStatus
from triggers.walker import Walker
from triggers.watch import Watch

__all__ = ["Catalogue", "Ledger", "Trigger", "run"]

log = logging.getLogger(__name__)


def run(beamlines: Sequence[Beamline], engine: Engine, stop: threading.Event) -> None:
    """
    Watch the folders of beamlines, and listen to all that reports on them, until told to stop.

    Parameters
    ----------
    beamlines
        Their rules.
    engine
        The catalogue, in which the beamlines have been published.
    stop
        Ends it within about a second.

    Raises
    ------
    ValueError
        A beamline's results would land in a watched folder.
    """
    check_outputs(beamlines)
    trigger = Trigger(beamlines, Catalogue(engine))
    taker = Taker(engine, trigger.loops)
    status = FilesStatus(engine, trigger.loops, trigger.walkers)
    others = [_start("inbox", taker.run, stop), _start("status", status.run, stop)]
    others += wires.start(beamlines, engine, stop)
    try:
        trigger.run(stop)
    finally:
        for thread in others:
            thread.join(timeout=5)


class Trigger:
    """
    A loop and a walk for each beamline, in threads of their own.

    Hints come from file events, from walks through the folders and from reports. A beamline whose
    file system hangs keeps no other one waiting.
    """

    def __init__(self, beamlines: Sequence[Beamline], ledger: Ledger) -> None:
        self._ahead = Ahead()
        self.loops = {each.id: Loop(each, ledger, self._ahead) for each in beamlines}
        self.walkers: dict[str, Walker] = {}
        self._watches: list[Watch] = []
        for beamline in beamlines:
            loop, watch = self.loops[beamline.id], None
            if beamline.triggers.files == "events":
                watch = Watch(lambda _, path, loop=loop: loop.notice(path))
                self._watches.append(watch)
            self.walkers[beamline.id] = Walker(beamline, loop, ledger, watch)

    def notice(self, beamline: Beamline, path: Path) -> None:
        """Take a hint that something may have landed; any thread may call it."""
        self.loops[beamline.id].notice(path)

    def run(self, stop: threading.Event) -> None:
        """Watch, walk and look until told to stop."""
        threads = [
            _start(f"{what} {name}", each.run, stop)
            for what, group in (("loop", self.loops), ("walk", self.walkers))
            for name, each in group.items()
        ]
        while not stop.wait(10.0):
            self._ahead.rest()
        self._ahead.close()
        for watch in self._watches:
            watch.close()
        for thread in threads:
            thread.join(timeout=5)
            if thread.is_alive():
                log.warning("%s does not end: its file system may hang.", thread.name)


def _start(
    name: str, work: Callable[[threading.Event], None], stop: threading.Event
) -> threading.Thread:
    thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    return thread
