"""Walks through one beamline's folders: they find what no event told of."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from triggers.beamline import Beamline
from triggers.grouping import belongs_to
from triggers.ledger import CATALOGUE_IS_AWAY, Ledger
from triggers.loop import Loop, state_of
from triggers.scan_folder import signature
from triggers.settled import Settled, State
from triggers.tree import Tree
from triggers.watch import Watch

log = logging.getLogger(__name__)

SHARES = {"reconcile": 0.005, "whole": 0.008, "quick": 0.005}
"""The share of a core that each kind of walk may take; a larger one serves for the smaller."""


class Walker:
    """
    Walks through the folders of one beamline in a thread of its own.

    A quick walk finds new names, a whole one all that changed. To reconcile is to compare all that
    is on disk with the catalogue, which is done at the start and every ``reconcile_seconds``. The
    others come every ``rescan_seconds``; where there are no events, the quick one as often as it
    may. What a kind of walk costs in CPU time makes its pause longer, so that it stays within its
    share of a core.
    """

    AWAY_SECONDS = 2.0
    BUSY_SECONDS = 0.2
    OFTEN_SECONDS = 1.0

    def __init__(self, beamline: Beamline, loop: Loop, ledger: Ledger, watch: Watch | None) -> None:
        self._beamline = beamline
        self._loop = loop
        self._ledger = ledger
        self._watch = watch
        self.trees = {root: Tree(root) for root in beamline.folders}
        self._is_off = beamline.triggers.files == "off"
        kinds = ["reconcile"] if self._is_off else list(SHARES)
        self._due = dict.fromkeys(kinds, 0.0)
        self.cpu_seconds = dict.fromkeys(kinds, 0.0)
        self.missing: tuple[Path, ...] = ()

    def run(self, stop: threading.Event) -> None:
        """Walk until told to stop."""
        while not stop.is_set():
            if self._loop.overflowed.is_set() and not self._loop.is_busy():
                self._loop.overflowed.clear()
                self._due["reconcile" if self._is_off else "whole"] = 0.0
            now = time.monotonic()
            kind = next((kind for kind, due in self._due.items() if due <= now), None)
            if kind is None:
                stop.wait(min(min(self._due.values()) - now, 1.0))
            else:
                self._walk(kind, stop)

    def period(self, kind: str) -> float:
        """Return how often a kind of walk is made, in seconds."""
        rules = self._beamline
        wanted = {"reconcile": rules.triggers.reconcile_seconds}.get(kind, rules.rescan_seconds)
        if kind == "quick" and rules.triggers.files == "scan":
            wanted = min(wanted, self.OFTEN_SECONDS)
        return max(wanted, self.cpu_seconds[kind] / SHARES[kind])

    def _walk(self, kind: str, stop: threading.Event) -> None:
        wait, begin, cpu = self.AWAY_SECONDS, time.monotonic(), time.thread_time()
        try:
            self._watch_and_look(kind, stop)
            self.cpu_seconds[kind] = time.thread_time() - cpu
            wait = self.period(kind)
        except CATALOGUE_IS_AWAY:
            log.info("The catalogue does not answer; the walk of %s waits.", self._beamline.id)
        except Exception:
            log.exception("The folders of %s could not be walked.", self._beamline.id)
            wait = self.period(kind)
        kinds = list(self._due)
        for each in kinds[kinds.index(kind) :]:  # one that does more serves for those that do less
            self._due[each] = begin + (wait if each == kind else self.period(each))

    def _watch_and_look(self, kind: str, stop: threading.Event) -> None:
        if self._watch is not None:
            self._watch.add(self._beamline)  # first: nothing falls between events and walk
        if kind == "reconcile":
            self._loop.settled = Settled(self._ledger.known(self._beamline))
        self.missing = tuple(root for root in self.trees if not root.is_dir())
        for root, tree in self.trees.items():
            series: dict[Path, bool] = {}
            for portion in tree.files(quick=kind == "quick"):
                self._look(root, portion, series, stop)
                if stop.is_set():
                    return

    def _look(
        self, root: Path, portion: list[State], series: dict[Path, bool], stop: threading.Event
    ) -> None:
        """Tell the loop of what is new among some files, not more than it can hold."""
        for state in self._loop.settled.unknown(portion):
            while self._loop.is_busy() and not stop.wait(self.BUSY_SECONDS):
                pass
            path = Path(state[0])
            found = belongs_to(self._beamline, root, path.parent, path.name)
            if found is None:
                self._loop.settled.add(state)  # no data: not asked about again
            elif found == path:
                if not self._loop.is_candidate(path):
                    self._loop.notice(path, "walk")
            else:
                if found not in series:
                    series[found] = self._is_settled(found)
                if series[found]:
                    self._loop.settled.add(state)

    def _is_settled(self, folder: Path) -> bool:
        """Tell whether nothing is new about a series; if something is, tell the loop."""
        if self._loop.is_candidate(folder):
            return False
        seen = signature(folder)
        if seen is not None and state_of(folder, seen) in self._loop.settled:
            return True
        self._loop.notice(folder, "walk")
        return False
