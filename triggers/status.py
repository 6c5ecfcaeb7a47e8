"""Tells the catalogue how the watching of files is, beamline by beamline."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import trigger_status
from catalog.trigger_status import State
from triggers.ledger import CATALOGUE_IS_AWAY
from triggers.loop import Loop
from triggers.walker import Walker

log = logging.getLogger(__name__)


class FilesStatus:
    """Writes the rows of the trigger ``files`` when something changed, and once a minute."""

    PERIOD_SECONDS = 5.0
    AT_LEAST_SECONDS = 60.0
    STUCK_SECONDS = 60.0

    def __init__(
        self, engine: Engine, loops: Mapping[str, Loop], walkers: Mapping[str, Walker]
    ) -> None:
        self._engine = engine
        self._loops = loops
        self._walkers = walkers
        self._told: dict[str, tuple[State, str | None, float, int]] = {}
        self._told_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop."""
        while not stop.wait(self.PERIOD_SECONDS):
            try:
                self.write()
            except CATALOGUE_IS_AWAY:
                log.debug("The catalogue does not answer; the state of the triggers waits.")

    def write(self) -> None:
        """Write what changed since the last time."""
        now = time.monotonic()
        news = {name: self._state(loop, now) for name, loop in self._loops.items()}
        if news == self._told and now < self._told_at + self.AT_LEAST_SECONDS:
            return
        with Session(self._engine) as session, session.begin():
            for name, (state, note, heard_at, arrivals) in news.items():
                _, _, _, before = self._told.get(name, ("off", None, 0.0, 0))
                trigger_status.tell(
                    session,
                    name,
                    "files",
                    state=state,
                    heard_at=datetime.fromtimestamp(heard_at, UTC) if heard_at else None,
                    arrivals=arrivals - before,
                    note=note,
                )
        self._told, self._told_at = news, now

    def _state(self, loop: Loop, now: float) -> tuple[State, str | None, float, int]:
        walker = self._walkers[loop.beamline.id]
        state, note = self._how_it_is(loop, walker, now)
        return state, note, loop.heard_at, loop.arrivals

    def _how_it_is(self, loop: Loop, walker: Walker, now: float) -> tuple[State, str | None]:
        if now > loop.alive_at + self.STUCK_SECONDS:
            where = f" at {loop.looks_at}" if loop.looks_at else ""
            return "unreachable", f"It has hung{where} for {now - loop.alive_at:.0f} s."
        if walker.missing:
            return "unreachable", f"{', '.join(map(str, walker.missing))} is not there."
        if loop.beamline.triggers.files == "off":
            return "off", None
        return "listening", None
