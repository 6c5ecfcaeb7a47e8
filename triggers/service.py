"""The trigger: one process that watches the folders of all beamlines and tells the catalogue."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from catalog.arrivals import Recorded, known_files, record
from tasks.errors import DataError
from triggers.arrival import Arrival
from triggers.beamline import Beamline, check_outputs
from triggers.grouping import group
from triggers.look import POLL_SECONDS, Candidate
from triggers.scan_folder import Signature, signature, walk
from triggers.watch import Watch

log = logging.getLogger(__name__)

CATALOGUE_IS_AWAY = (OperationalError, InterfaceError, NoConnectionError)
Key = tuple[str, Path]
KnownFile = tuple[str, int, int, int]


class Ledger(Protocol):
    """Where arrivals are entered."""

    def record(self, arrival: Arrival) -> Recorded:
        """Enter an arrival; the second time, nothing changes."""
        ...

    def known(self, beamline: Beamline) -> set[KnownFile]:
        """Return path, size, mtime_ns and inode of the files that need no second look."""
        ...


class Catalogue:
    """The ledger in the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, arrival: Arrival) -> Recorded:
        """Enter an arrival in one transaction."""
        sighting = arrival.sighting()  # before the transaction: this reads files
        with Session(self._engine) as session, session.begin():
            return record(session, sighting)

    def known(self, beamline: Beamline) -> set[KnownFile]:
        """Return the files that the catalogue knows in full."""
        with Session(self._engine) as session:
            return known_files(session, beamline.id)


def run(beamlines: Sequence[Beamline], engine: Engine, stop: threading.Event) -> None:
    """
    Watch the folders of beamlines until told to stop.

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
    Trigger(beamlines, Catalogue(engine)).run(stop)


class Trigger:
    """
    Turns hints into arrivals.

    Hints come from file events and from a walk through the folders, at start and from time to
    time, in a thread of its own. One loop looks at the candidates that are due: those of events
    before those of a walk. Nothing that goes wrong with one candidate touches another.
    """

    SLICE_SECONDS = 0.2
    LONGEST_WAIT = 0.5
    AWAY_SECONDS = 2.0
    LONGEST_RETRY = 300.0
    WALK_TO_REST = 20  # a large tree is walked less often

    def __init__(self, beamlines: Sequence[Beamline], ledger: Ledger) -> None:
        self._beamlines = tuple(beamlines)
        self._ledger = ledger
        self._hints: queue.SimpleQueue[tuple[Beamline, Path, bool]] = queue.SimpleQueue()
        self._candidates: dict[Key, Candidate] = {}
        self._settled: dict[Key, Signature] = {}
        self._linked_from: dict[Path, set[Key]] = {}
        self._away_until = 0.0

    def run(self, stop: threading.Event) -> None:
        """Watch, walk and look until told to stop."""
        watch = Watch(self.notice)
        walker = threading.Thread(
            target=self._walk_from_time_to_time, args=(watch, stop), name="walk", daemon=True
        )
        walker.start()
        try:
            while not stop.is_set():
                self.step()
        finally:
            watch.close()
            walker.join(timeout=5)

    def notice(self, beamline: Beamline, path: Path, *, is_backlog: bool = False) -> None:
        """Take a hint that something may have landed; any thread may call it.

        A walk tells of whole files and series (`is_backlog`), events of any file.
        """
        self._hints.put((beamline, path, is_backlog))

    def step(self) -> None:
        """Take the hints that came, and look at candidates for a little while."""
        self._absorb()
        now = time.monotonic()
        if now < self._away_until:
            return
        due = [candidate for candidate in self._candidates.values() if candidate.due <= now]
        for candidate in sorted(due, key=lambda each: (each.is_backlog, each.due)):
            self._look(candidate)
            if time.monotonic() > now + self.SLICE_SECONDS:
                break

    # -- hints ------------------------------------------------------------------------------

    def _absorb(self) -> None:
        """Wait for a hint, or until a candidate is due, and take all hints that are there."""
        try:
            self._take(*self._hints.get(timeout=self._patience()))
            while True:
                self._take(*self._hints.get_nowait())
        except queue.Empty:
            return

    def _patience(self) -> float:
        now = time.monotonic()
        due = min((each.due for each in self._candidates.values()), default=now + 1.0)
        return min(max(max(due, self._away_until) - now, 0.0), self.LONGEST_WAIT)

    def _take(self, beamline: Beamline, path: Path, is_backlog: bool) -> None:
        now = time.monotonic()
        soon = now + beamline.debounce_seconds
        for key in self._linked_from.get(path, ()):
            if key[0] == beamline.id:
                self._candidate(key, beamline, now, soon).wake(soon)
        found = path if is_backlog else group(beamline, path)
        if found is None:
            return
        key = (beamline.id, found)
        if found != path:  # a series is never over before it has been quiet
            soon = now + max(POLL_SECONDS, beamline.debounce_seconds)
        if key in self._candidates:
            self._candidates[key].wake(soon)
        elif self._is_new(key):
            self._candidate(key, beamline, now, soon).is_backlog = is_backlog

    def _candidate(self, key: Key, beamline: Beamline, now: float, soon: float) -> Candidate:
        if key not in self._candidates:
            self._candidates[key] = Candidate(beamline, key[1], changed_at=now, due=soon)
        return self._candidates[key]

    def _is_new(self, key: Key) -> bool:
        try:
            return key not in self._settled or signature(key[1]) != self._settled[key]
        except OSError:
            return True  # the look will say what is wrong

    # -- looks ------------------------------------------------------------------------------

    def _look(self, candidate: Candidate) -> None:
        key = (candidate.beamline.id, candidate.path)
        now = time.monotonic()
        try:
            is_settled = candidate.look(now, self._tell)
        except CATALOGUE_IS_AWAY as error:
            candidate.retry(now)
            self._away_until = now + self.AWAY_SECONDS
            log.warning("The catalogue does not answer; arrivals wait for it. (%s)", error)
            return
        except (DataError, FileNotFoundError) as error:
            candidate.retry(now + POLL_SECONDS)
            log.info("%s changed while it was looked at: %s", candidate.path, error)
            return
        except Exception:
            candidate.failures += 1
            seconds = min(2.0**candidate.failures, self.LONGEST_RETRY)
            candidate.retry(now + seconds)
            log.exception("%s failed; it is tried again in %g s.", candidate.path, seconds)
            return
        candidate.failures = 0
        for target in candidate.targets:
            self._linked_from.setdefault(target, set()).add(key)
        if is_settled:
            del self._candidates[key]
            if candidate.signature is not None:
                self._settled[key] = candidate.signature

    def _tell(self, arrival: Arrival) -> None:
        if arrival.entry is None and arrival.path in self._linked_from:
            return  # part of a scan that links to it, not one by itself
        recorded = self._ledger.record(arrival)
        log.info(
            "%s is %s (%s, dataset %s)",
            arrival.name,
            arrival.judgement.stage,
            arrival.judgement.reason or recorded.note,
            recorded.dataset_id,
            extra={"beamline": arrival.beamline.id, "path": str(arrival.path)},
        )

    # -- walks ------------------------------------------------------------------------------

    def _walk_from_time_to_time(self, watch: Watch, stop: threading.Event) -> None:
        next_walk = {beamline.id: 0.0 for beamline in self._beamlines}
        known: dict[str, set[KnownFile]] = {}
        while not stop.is_set():
            for beamline in self._beamlines:
                if time.monotonic() < next_walk[beamline.id]:
                    continue
                begin = time.monotonic()
                wait = beamline.rescan_seconds
                try:
                    watch.add(beamline)  # first, so that nothing falls between events and walk
                    if beamline.id not in known:
                        known[beamline.id] = self._ledger.known(beamline)
                    self._walk(beamline, known[beamline.id])
                except CATALOGUE_IS_AWAY:
                    wait = self.AWAY_SECONDS
                except Exception:
                    log.exception("The folders of %s could not be walked.", beamline.id)
                took = time.monotonic() - begin
                next_walk[beamline.id] = begin + max(wait, took * self.WALK_TO_REST)
            stop.wait(min(next_walk.values(), default=1.0) - time.monotonic())

    def _walk(self, beamline: Beamline, known: set[KnownFile]) -> None:
        for path in walk(beamline):
            key = (beamline.id, path)
            seen = signature(path)
            if seen is None or key in self._candidates or self._settled.get(key) == seen:
                continue
            if (str(path), seen.size, seen.mtime_ns, seen.inode) in known:
                self._settled[key] = seen
            else:
                self.notice(beamline, path, is_backlog=True)
