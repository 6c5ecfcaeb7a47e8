"""The loop of one beamline: hints become candidates, candidates are looked at, and told."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from catalog.arrivals import Recorded, Sighting
from catalog.errors import CatalogError
from tasks.errors import DataError
from tasks.io.hdf5 import claims_hdf5
from triggers.ahead import Ahead
from triggers.arrival import Arrival
from triggers.beamline import Beamline
from triggers.completeness import Judgement
from triggers.grouping import group
from triggers.growing import Growing
from triggers.ledger import CATALOGUE_IS_AWAY, Ledger
from triggers.look import POLL_SECONDS, Candidate
from triggers.scan_folder import Signature, signature, walk
from triggers.settled import Settled, State

log = logging.getLogger(__name__)

Source = Literal["event", "walk", "report"]


@dataclass
class Looked:
    """A look at a candidate: what it led to, and whether only a change can bring anything new."""

    candidate: Candidate
    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    sightings: list[Sighting] = field(default_factory=list[Sighting])
    is_settled: bool = False


class Loop:
    """
    Turns the hints about one beamline's data into arrivals, in a thread of its own.

    A file system that hangs, or a file that takes long, so keeps no other beamline waiting. Those
    candidates are looked at that are due: those of events and reports before those of a walk. What
    the looks of a moment bring is entered together. Nothing that goes wrong with one candidate
    touches another.
    """

    SLICE_SECONDS = 0.3
    LONGEST_WAIT = 0.5
    AWAY_SECONDS = 2.0
    LONGEST_RETRY = 300.0
    TRIES = 5  # then our own failure is entered, so that somebody sees it
    MOST_AT_ONCE = 250
    MANY = 32
    MOST_CANDIDATES = 20_000
    MOST_LINKS = 100_000
    EXPECT_SECONDS = 600.0

    def __init__(self, beamline: Beamline, ledger: Ledger, ahead: Ahead | None = None) -> None:
        self.beamline = beamline
        self.settled = Settled()
        self.overflowed = threading.Event()
        self.arrivals = 0
        self.heard_at = 0.0
        self.alive_at = time.monotonic()
        self.looks_at: Path | None = None
        self._ledger = ledger
        self._ahead = ahead
        self._hints: queue.SimpleQueue[tuple[Path, Source]] = queue.SimpleQueue()
        self._candidates: dict[Path, Candidate] = {}
        self._linked_from: dict[Path, set[Path]] = {}
        self._expected_until: dict[Path, float] = {}
        self._growing = Growing()
        self._is_reported: bool | None = None
        self._away_until = 0.0

    def run(self, stop: threading.Event) -> None:
        """Look at what is hinted at until told to stop."""
        while not stop.is_set():
            try:
                self.step()
            except Exception:
                log.exception("The loop of %s failed; it goes on.", self.beamline.id)
                stop.wait(1.0)

    # -- for others: any thread ---------------------------------------------------------------

    def notice(self, path: Path, source: Source = "event") -> None:
        """Take a hint that something may have landed, or may be about to.

        A walk tells of whole files and series, events of any file. What is reported is looked at
        also where it looks as before, since the report may say more about it.
        """
        self._hints.put((path, source))

    def is_busy(self) -> bool:
        """Tell whether so much waits to be looked at that a walk should bring no more."""
        return len(self._candidates) + self._hints.qsize() > self.MOST_CANDIDATES // 2

    def is_candidate(self, path: Path) -> bool:
        """Tell whether a file or series waits to be looked at."""
        return path in self._candidates

    # -- steps ----------------------------------------------------------------------------------

    def step(self) -> None:
        """Take the hints that came, and look at candidates for a little while."""
        self._absorb()
        now = self.alive_at = time.monotonic()
        for path in self._growing.due(now):
            self._candidate(path, now, now)
        if now < self._away_until:
            return
        due = [candidate for candidate in self._candidates.values() if candidate.due <= now]
        due.sort(key=lambda each: (each.is_backlog, each.due))
        self._read_ahead(due)
        looked: list[Looked] = []
        count, now = 0, time.monotonic()
        for candidate in due:
            found = self._look(candidate)
            if found is not None:
                looked.append(found)
                count += len(found.sightings)
            if time.monotonic() > now + self.SLICE_SECONDS or count >= self.MOST_AT_ONCE:
                break
        self._enter(looked)

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

    # -- hints ----------------------------------------------------------------------------------

    def _take(self, path: Path, source: Source) -> None:
        now = time.monotonic()
        if source != "walk":
            self.heard_at = time.time()
        soon = now + self.beamline.debounce_seconds
        for key in self._linked_from.get(path, ()):
            self._candidate(key, now, soon).wake(soon)
        if source == "report":
            self._take_report(path, now)
            return
        found = path if source == "walk" else group(self.beamline, path)
        if found is None:
            return
        if found != path:  # a series is never over before it has been quiet
            soon = now + max(POLL_SECONDS, self.beamline.debounce_seconds)
        if found in self._candidates:
            if source == "event":
                self._candidates[found].wake(soon)
        elif len(self._candidates) >= self.MOST_CANDIDATES:
            self.overflowed.set()  # a walk will find it again
        elif self._is_new(found):
            self._candidate(found, now, soon).is_backlog = source == "walk"

    def _take_report(self, path: Path, now: float) -> None:
        """Look at what a report names: a file, a series, all in a folder, or what is to come."""
        self._is_reported = True
        found = group(self.beamline, path)
        if path.is_dir() and found is None:
            for below in walk(self.beamline, path):
                self._candidate(below, now, now).hear(now)
            return
        if found is not None:
            self._expected_until[found] = now + self.EXPECT_SECONDS
            self._candidate(found, now, now).hear(now)

    def _about(self, path: Path, uid: str | None) -> Mapping[str, Any]:
        """Ask what was reported about a candidate, unless nothing ever was on this beamline."""
        if self._is_reported is None:
            self._is_reported = self._ledger.is_reported(self.beamline)
        return self._ledger.about(self.beamline, path, uid) if self._is_reported else {}

    def _candidate(self, path: Path, now: float, soon: float) -> Candidate:
        if path not in self._candidates:
            about = partial(self._about, path)
            candidate = Candidate(self.beamline, path, changed_at=now, due=soon, about=about)
            self._growing.remind(candidate)
            self._candidates[path] = candidate
        return self._candidates[path]

    def _is_new(self, path: Path) -> bool:
        try:
            seen = signature(path)
        except OSError:
            return True  # the look will say what is wrong
        return seen is None or state_of(path, seen) not in self.settled

    # -- looks ----------------------------------------------------------------------------------

    def _look(self, candidate: Candidate) -> Looked | None:
        """Look at a candidate; None if that failed, and it is looked at again later."""
        looked = Looked(candidate)
        now = time.monotonic()

        def tell(arrival: Arrival) -> None:
            if arrival.entry is None and arrival.path in self._linked_from:
                return  # part of a scan that links to it, not one by itself
            looked.sightings.append(arrival.sighting())
            looked.arrivals.append(arrival)

        self.alive_at, self.looks_at = now, candidate.path
        try:
            looked.is_settled = candidate.look(now, tell)
        except CATALOGUE_IS_AWAY as error:
            self._wait_for_catalogue(error)
            candidate.retry(now)
            return None
        except (DataError, FileNotFoundError) as error:
            candidate.retry(now + POLL_SECONDS)
            log.info("%s changed while it was looked at: %s", candidate.path, error)
            return None
        except Exception as error:
            return self._failed(candidate, error)
        for target in candidate.targets:
            self._linked_from.setdefault(target, set()).add(candidate.path)
        while len(self._linked_from) > self.MOST_LINKS:
            del self._linked_from[next(iter(self._linked_from))]
        return looked

    def _read_ahead(self, due: Sequence[Candidate]) -> None:
        """Where many wait that were not looked at yet, let other processes read them first."""
        new = [each for each in due[: self.MOST_AT_ONCE] if each.signature is None]
        single = [each for each in new if each.ahead is None and claims_hdf5(each.path)]
        if self._ahead is None or len(single) < self.MANY:
            return
        reads = self._ahead.read(
            [each.path for each in single], [each.technique for each in single]
        )
        for candidate in single:
            candidate.ahead = reads.get(candidate.path)

    def _failed(self, candidate: Candidate, error: Exception) -> Looked | None:
        """Try again later; after some tries, tell the catalogue, so that somebody sees it."""
        candidate.failures += 1
        seconds = min(2.0**candidate.failures, self.LONGEST_RETRY)
        candidate.retry(time.monotonic() + seconds)
        log.error("%s failed; it is tried again in %g s.", candidate.path, seconds, exc_info=error)
        if candidate.failures != self.TRIES:
            return None
        reason = (
            f"Dayseye itself failed on {candidate.path} ({type(error).__name__}: {error}). Tell "
            "who looks after it, with the log of the triggers; `dayseye quarantine recheck` looks "
            "at it again."
        )
        broken = Arrival(self.beamline, candidate.path, Judgement("broken", reason))
        try:
            return Looked(candidate, [broken], [broken.sighting()])
        except (DataError, OSError) as again:
            log.info("%s cannot be entered as broken either: %s", candidate.path, again)
            return None

    # -- the catalogue ----------------------------------------------------------------------------

    def _enter(self, looked: Sequence[Looked]) -> None:
        """Enter what the looks brought, and let go of candidates that are settled."""
        sightings = [sighting for each in looked for sighting in each.sightings]
        try:
            outcomes = list(self._ledger.record_many(sightings)) if sightings else []
        except CATALOGUE_IS_AWAY as error:
            self._wait_for_catalogue(error)
            for each in looked:
                self._untell(each)
                each.candidate.retry(time.monotonic())
            return
        except Exception as error:
            if len(looked) == 1:
                self._untell(looked[0])
                self._enter_failure(looked[0], error)
                return
            for each in looked:  # one of them is to blame: alone, it harms no other
                self._enter([each])
            return
        rest = iter(outcomes)
        for each in looked:
            self._entered(each, [next(rest) for _ in each.sightings])

    def _enter_failure(self, looked: Looked, error: Exception) -> None:
        told = self._failed(looked.candidate, error)
        if told is not None and told.arrivals != looked.arrivals:
            self._enter([told])

    def _entered(self, looked: Looked, outcomes: Sequence[Recorded | CatalogError]) -> None:
        candidate = looked.candidate
        for arrival, outcome in zip(looked.arrivals, outcomes, strict=True):
            if isinstance(outcome, CatalogError):
                self._refused(looked, arrival, outcome)
                return
            self.arrivals += outcome.created
            _log_arrival(arrival, outcome)
        if looked.arrivals and looked.arrivals[-1].entry is not None:
            candidate.failures = 0
        if looked.is_settled:
            self._settle(candidate)

    def _refused(self, looked: Looked, arrival: Arrival, error: CatalogError) -> None:
        candidate = looked.candidate
        self._untell(looked)
        candidate.failures += 1
        seconds = min(2.0**candidate.failures, self.LONGEST_RETRY)
        candidate.retry(time.monotonic() + seconds)
        log.error("%s was not entered: %s", arrival.path, error)

    def _settle(self, candidate: Candidate) -> None:
        """Let go of a candidate, unless it was reported and is still to come."""
        path, now = candidate.path, time.monotonic()
        if candidate.signature is None and now < self._expected_until.get(path, 0.0):
            candidate.retry(now + min(max(POLL_SECONDS, (now - candidate.changed_at) / 10), 5.0))
            return
        self._expected_until.pop(path, None)
        self._candidates.pop(path, None)
        if candidate.signature is not None:
            self.settled.add(state_of(path, candidate.signature))
            self._growing.keep(candidate, now)
            for target, seen in candidate.targets.items():
                if seen is not None:
                    self.settled.add(state_of(target, seen))

    def _wait_for_catalogue(self, error: Exception) -> None:
        self._away_until = time.monotonic() + self.AWAY_SECONDS
        log.warning("The catalogue does not answer; arrivals wait for it. (%s)", error)

    @staticmethod
    def _untell(looked: Looked) -> None:
        for arrival in looked.arrivals:
            looked.candidate.told.pop(arrival.key, None)


def state_of(path: Path, seen: Signature) -> State:
    """Return a file's state as `Settled` and the catalogue know it."""
    return str(path), seen.size, seen.mtime_ns, seen.inode


def _log_arrival(arrival: Arrival, recorded: Recorded) -> None:
    log.info(
        "%s is %s (%s, dataset %s)",
        arrival.name,
        arrival.judgement.stage,
        arrival.judgement.reason or recorded.note,
        recorded.dataset_id,
        extra={"beamline": arrival.beamline.id, "path": str(arrival.path)},
    )
