"""Takes what others reported out of the inbox, and hands it to the loop of its beamline."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from catalog import inbox
from catalog.models import Inbox
from triggers.grouping import group
from triggers.ledger import CATALOGUE_IS_AWAY
from triggers.loop import Loop

log = logging.getLogger(__name__)


class Taker:
    """
    Waits for reports, and looks for itself from time to time in case a nudge was lost.

    A report is a hint: its files are looked at, and what it says of them is asked for then. If this
    process ends between the two, the walk at the next start finds the files.
    """

    POLL_SECONDS = 5.0
    AWAY_SECONDS = 2.0
    AT_ONCE = 200

    def __init__(self, engine: Engine, loops: Mapping[str, Loop]) -> None:
        self._engine = engine
        self._loops = loops
        self._nudges: Any = None

    def run(self, stop: threading.Event) -> None:
        """Take reports until told to stop."""
        while not stop.is_set():
            try:
                while self.take() == self.AT_ONCE:
                    pass
                self._wait(stop)
            except (*CATALOGUE_IS_AWAY, psycopg2.Error) as error:
                log.info("The catalogue does not answer; reports wait in it. (%s)", error)
                self._close()
                stop.wait(self.AWAY_SECONDS)
            except Exception:
                log.exception("The inbox could not be read; it is tried again.")
                self._close()
                stop.wait(self.AWAY_SECONDS)
        self._close()

    def take(self) -> int:
        """Hand on the reports that wait; return how many there were."""
        with Session(self._engine) as session, session.begin():
            rows = inbox.waiting(session, self.AT_ONCE)
            notes: dict[str, list[Inbox]] = {}
            for row in rows:
                notes.setdefault(self._hand_on(session, row), []).append(row)
            for note, of_note in notes.items():
                inbox.handled(session, [row.id for row in of_note], note)
        return len(rows)

    def _hand_on(self, session: Session, row: Inbox) -> str:
        loop = self._loops.get(row.beamline_id)
        if loop is None:
            return f"{row.beamline_id} is not among the beamlines of the settings (any more)."
        if not row.paths:
            return "It names no files yet."
        paths = [Path(path) for path in row.paths]
        series = {group(loop.beamline, path) for path in paths} - {None, *paths}
        if series:
            inbox.names_also(session, row.id, [str(path) for path in series])
        for path in paths:
            loop.notice(path, "report")
        return f"Told to look at {len(paths)} file{'s' if len(paths) > 1 else ''}."

    def _wait(self, stop: threading.Event) -> None:
        """Wait for a nudge, for a while."""
        connection = self._listening()
        until = time.monotonic() + self.POLL_SECONDS
        while not stop.is_set() and time.monotonic() < until:
            if select.select([connection], [], [], 1.0)[0]:
                connection.poll()
            if connection.notifies:
                connection.notifies.clear()
                return

    def _listening(self) -> Any:
        if self._nudges is None:
            pooled = self._engine.raw_connection()
            self._nudges = pooled.driver_connection
            pooled.detach()
            self._nudges.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            self._nudges.cursor().execute(f"LISTEN {inbox.CHANNEL}")
        return self._nudges

    def _close(self) -> None:
        if self._nudges is not None:
            self._nudges.close()
            self._nudges = None
