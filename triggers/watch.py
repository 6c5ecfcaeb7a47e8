"""File events as hints: something may have landed, so look."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from triggers.beamline import Beamline

log = logging.getLogger(__name__)

# watchdog meets each new folder twice, by its event and by its own walk, and warns at length
warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)

Notice = Callable[[Beamline, Path], None]


class Hints(FileSystemEventHandler):
    """
    Pass on the paths of files that were created, moved or closed after writing.

    Each is only a hint: an immediate write into a new folder gives no close event, a move from
    outside gives only a creation, and what other machines write gives no event at all.
    """

    def __init__(self, beamline: Beamline, notice: Notice) -> None:
        self.beamline = beamline
        self.notice = notice

    def dispatch(self, event: FileSystemEvent) -> None:
        """Take the events that can be the end of a write; looking at a file makes others."""
        if isinstance(event, FileClosedEvent | FileCreatedEvent):
            self.notice(self.beamline, Path(os.fsdecode(event.src_path)))
        elif isinstance(event, FileMovedEvent):
            self.notice(self.beamline, Path(os.fsdecode(event.dest_path)))


class Watch:
    """Watches the folders of beamlines as far as the system lets it; a walk finds the rest."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice
        self._watched: set[Path] = set()
        self._refused: set[Path] = set()
        self._observer: BaseObserver = Observer()
        self._observer.start()

    def add(self, beamline: Beamline) -> None:
        """Watch those folders of a beamline that are there and not watched yet."""
        for folder in set(beamline.folders) - self._watched:
            if not folder.is_dir():
                self._complain(folder, "it is not there yet")
                continue
            try:
                self._observer.schedule(Hints(beamline, self._notice), str(folder), recursive=True)
            except OSError as error:  # too many watches, or a file system without them
                self._complain(folder, str(error))
                continue
            self._watched.add(folder)
            self._refused.discard(folder)

    def _complain(self, folder: Path, reason: str) -> None:
        if folder not in self._refused:
            log.warning("%s gives no file events (%s); it is walked instead.", folder, reason)
        self._refused.add(folder)

    def close(self) -> None:
        """Stop watching."""
        self._observer.stop()
        self._observer.join(timeout=5)
