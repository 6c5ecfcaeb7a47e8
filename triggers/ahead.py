"""Reads many files ahead of their looks, in processes of its own, when many land at once.

One process can look at no more files than one core allows. Where many wait, other processes take
the first look at them; what they found holds as long as the file looks as it did then. Where that
fails, for whatever reason, the file is looked at as any other.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from pathlib import Path

from tasks.io.entry import Entry
from tasks.io.fingerprint import fingerprint
from tasks.io.probe import probe
from triggers.scan_folder import Signature, signature

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Read:
    """What was found in a file of one dataset, when it looked so."""

    seen: Signature
    entry: Entry
    fingerprint: str


class Ahead:
    """
    Some processes that read files; they are started when needed, and end when they are not.

    They die with this process: each is a child of the fork server, which ends when we do.
    """

    PORTION = 8
    PATIENCE_SECONDS = 20.0
    IDLE_SECONDS = 30.0
    PAUSE_SECONDS = 300.0
    END_SECONDS = 2.0

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes or min(4, os.cpu_count() or 1)
        self._pool: Pool | None = None
        self._workers: set[BaseProcess] = set()
        self._lock = threading.Lock()
        self._used_at = 0.0
        self._not_before = 0.0

    def read(
        self, paths: Sequence[Path], techniques: Sequence[str | None] | None = None
    ) -> dict[Path, Read]:
        """Read what can be read of some files, each as one of its technique's formats.

        Those with any difficulty are left out.
        """
        if not self._lock.acquire(blocking=False):
            return {}  # another beamline uses it: look at them one by one meanwhile
        try:
            if time.monotonic() < self._not_before:
                return {}
            self._used_at = time.monotonic()
            wanted = zip(map(str, paths), techniques or [None] * len(paths), strict=True)
            found = self._started().starmap_async(_read, wanted, self.PORTION)
            reads = found.get(self.PATIENCE_SECONDS)
            return {path: read for path, read in zip(paths, reads, strict=True) if read}
        except (multiprocessing.TimeoutError, OSError) as error:
            log.warning("Reading ahead failed (%r); files are looked at one by one.", error)
            self._not_before = time.monotonic() + self.PAUSE_SECONDS
            self._end()
            return {}
        finally:
            self._lock.release()

    def rest(self) -> None:
        """End the processes if they have not been used for a while."""
        is_idle = time.monotonic() > self._used_at + self.IDLE_SECONDS
        if self._pool is not None and is_idle and self._lock.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._lock.release()

    def close(self) -> None:
        """End the processes."""
        self._not_before = float("inf")
        if self._lock.acquire(timeout=2.0):  # not if a file system hangs under them
            try:
                self._end()
            finally:
                self._lock.release()

    def _started(self) -> Pool:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([__name__])
            before = set(multiprocessing.active_children())
            self._pool = context.Pool(self._processes, initializer=_begin)
            self._workers = set(multiprocessing.active_children()) - before
        return self._pool

    def _end(self) -> None:
        """End the processes, also those that hang."""
        if self._pool is not None:
            # in a thread that may be left behind: it waits for locks that a hung process may hold
            threading.Thread(target=self._pool.terminate, name="ahead ends", daemon=True).start()
            self._pool = None
            until = time.monotonic() + self.END_SECONDS
            for worker in self._workers:
                worker.join(max(until - time.monotonic(), 0.0))
                if worker.is_alive():
                    worker.kill()


def _begin() -> None:
    """Die with the parent, leave signals to it, and let other work go first."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _read(name: str, technique: str | None) -> Read | None:
    path = Path(name)
    try:
        seen = signature(path)
        entries = probe(path, technique=technique)
        if seen is None or len(entries) != 1 or entries[0].linked or entries[0].missing:
            return None
        content = fingerprint(path, entries[0].inner_path)
        return Read(seen, entries[0], content) if signature(path) == seen else None
    except Exception as error:  # whatever it is, the ordinary look meets it again, and tells
        log.debug("%s could not be read ahead: %s", name, error)
        return None
