"""The one that writes what the wires tell into the catalogue, and waits for it when it is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from catalog import inbox, trigger_status
from catalog.errors import CatalogError
from catalog.trigger_status import State
from triggers.beamline import Beamline
from triggers.reports import RefusedError, Report, inside

log = logging.getLogger(__name__)

CATALOGUE_IS_AWAY = (OperationalError, InterfaceError, NoConnectionError)
Key = tuple[str, str, str]
Wire = tuple[str, str]


@dataclass
class News:
    """What is to be told of a wire."""

    state: State | None = None
    heard_at: datetime | None = None
    arrivals: int = 0
    refused: int = 0
    note: str | None = None


class Reporter:
    """
    Takes what the wires tell, at once and without waiting, and enters it in a thread of its own.

    While the catalogue is away reports are kept, one per scan, and the newest of a scan counts.

    Parameters
    ----------
    engine
        The catalogue, in which the beamlines have been published.
    stop
        Ends it; what is still waiting then is tried once more.
    """

    MOST = 100_000
    AT_ONCE = 200
    AWAY_SECONDS = 1.0
    QUIET_SECONDS = 1.0  # how a wire is matters less than what it tells
    STILL_THERE_SECONDS = 60.0

    def __init__(self, engine: Engine, stop: threading.Event) -> None:
        self._engine = engine
        self._stop = stop
        self._changed = threading.Condition()
        self._reports: dict[Key, Report] = {}
        self._news: dict[Wire, News] = {}
        self._complained: set[tuple[str, ...]] = set()
        self._is_writing = False
        self._next_status = 0.0
        self._next_sign = time.monotonic() + self.STILL_THERE_SECONDS
        self._states: dict[Wire, State] = {}

    # -- for the wires: any thread, never waits -----------------------------------------------

    def report(self, beamline: Beamline, source: str, report: Report) -> None:
        """Take a report; paths outside of the beamline's folders are left out of it."""
        paths = inside(beamline, report.paths)
        for path in set(report.paths) - set(paths):
            self._complain(
                (beamline.id, source, "path", path.rsplit("/", 1)[0]),
                f"{source} of {beamline.id} names {path}, which is in none of its folders: it is "
                f"left out. Where the acquisition names folders otherwise, say so in "
                f"triggers.{source}.paths.",
            )
        key = (beamline.id, source, report.key)
        with self._changed:
            before = self._reports.pop(key, None)
            known = before.paths if before else ()
            self._reports[key] = Report(
                report.key, tuple(dict.fromkeys((*known, *paths))), report.payload
            )
            if len(self._reports) > self.MOST:
                del self._reports[next(iter(self._reports))]
                self._complain(
                    ("full",), "More reports wait than fit; the walks will find those files."
                )
            self._news.setdefault((beamline.id, source), News()).heard_at = datetime.now(UTC)
            self._changed.notify()

    def heard(self, beamline: Beamline, source: str) -> None:
        """Note a sign of life."""
        with self._changed:
            self._news.setdefault((beamline.id, source), News()).heard_at = datetime.now(UTC)

    def refused(self, beamline: Beamline, source: str, sender: str, error: RefusedError) -> None:
        """Count a message that was refused; the first of its kind and sender is logged."""
        with self._changed:
            news = self._news.setdefault((beamline.id, source), News())
            news.refused += 1
            news.note = f"Refused from {sender}: {error}."
            self._changed.notify()
        self._complain(
            (beamline.id, source, sender, error.kind),
            f"{source} of {beamline.id} refuses a message from {sender}: {error}. Others like it "
            "are counted in silence.",
        )

    def state(self, beamline: Beamline, source: str, state: State, note: str | None = None) -> None:
        """Tell how a wire is; the same again is no news."""
        wire = (beamline.id, source)
        with self._changed:
            if self._states.get(wire) == state:
                return
            self._states[wire] = state
            news = self._news.setdefault(wire, News())
            news.state, news.note = state, note
            self._changed.notify()
        log.info("%s of %s is %s. %s", source, beamline.id, state, note or "")

    def is_empty(self) -> bool:
        """Whether all that was told stands in the catalogue."""
        with self._changed:
            return not self._reports and not self._is_writing

    def _complain(self, about: tuple[str, ...], sentence: str) -> None:
        if about not in self._complained and len(self._complained) < self.MOST:
            self._complained.add(about)
            log.warning(sentence)

    # -- the thread ---------------------------------------------------------------------------

    def run(self) -> None:
        """Enter what comes, until told to stop."""
        while not self._stop.is_set():
            with self._changed:
                self._changed.wait_for(self._has_work, timeout=self._patience())
            self._write()
        self._write()

    def _has_work(self) -> bool:
        is_due = bool(self._news) and time.monotonic() >= self._next_status
        return bool(self._reports) or is_due or self._stop.is_set()

    def _patience(self) -> float:
        due = self._next_status if self._news else self._next_sign
        return min(max(due - time.monotonic(), 0.01), 1.0)

    def _write(self) -> None:
        reports, news = self._take()
        try:
            if reports or news:
                self._enter(reports, news)
        except CATALOGUE_IS_AWAY as error:
            log.warning("The catalogue does not answer; reports wait for it. (%s)", error)
            self._give_back(reports, news)
            self._stop.wait(self.AWAY_SECONDS)
        finally:
            with self._changed:
                self._is_writing = False

    def _take(self) -> tuple[dict[Key, Report], dict[Wire, News]]:
        now = time.monotonic()
        with self._changed:
            self._is_writing = True
            keys = list(self._reports)[: self.AT_ONCE]
            reports = {key: self._reports.pop(key) for key in keys}
            if now >= self._next_sign:
                self._next_sign = now + self.STILL_THERE_SECONDS
                for wire in self._states:
                    self._news.setdefault(wire, News())
            if now < self._next_status and not self._stop.is_set():
                return reports, {}
            self._next_status = now + self.QUIET_SECONDS
            news, self._news = self._news, {}
        return reports, news

    def _give_back(self, reports: dict[Key, Report], news: dict[Wire, News]) -> None:
        with self._changed:
            self._reports = {**reports, **self._reports}
            for wire, old in news.items():
                new = self._news.setdefault(wire, News())
                new.state = new.state or old.state
                new.note = new.note or old.note
                new.heard_at = new.heard_at or old.heard_at
                new.arrivals += old.arrivals
                new.refused += old.refused

    def _enter(self, reports: dict[Key, Report], news: dict[Wire, News]) -> None:
        created: list[Wire] = []
        with Session(self._engine) as session, session.begin():
            for (beamline, source, key), report in reports.items():
                with self._alone(session, f"The report {key!a} of {source} of {beamline}"):
                    entered = inbox.report(
                        session,
                        beamline=beamline,
                        source=source,
                        key=key,
                        paths=report.paths,
                        payload=report.payload,
                        actor=source,
                    )
                    if entered.created:
                        created.append((beamline, source))
            for (beamline, source), each in news.items():
                with self._alone(session, f"The state of {source} of {beamline}"):
                    trigger_status.tell(session, beamline, source, **vars(each))
        with self._changed:
            for wire in created:
                self._news.setdefault(wire, News()).arrivals += 1

    @contextmanager
    def _alone(self, session: Session, what: str) -> Iterator[None]:
        """Let what cannot be entered, such as a name that is no text, take nothing else along."""
        try:
            with session.begin_nested():
                yield
        except CATALOGUE_IS_AWAY:
            raise
        except (CatalogError, SQLAlchemyError, ValueError) as error:
            log.error("%s could not be entered: %s", what, error)
