"""The files below a beamline's folders, told again and again at little cost."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from triggers.settled import State

log = logging.getLogger(__name__)

RACY_SECONDS = 5.0
AT_ONCE = 5000


class Tree:
    """
    A folder and all below it.

    A whole walk lists every folder and asks for the state of every file. A quick one lists only
    those folders whose own time of change is another than at their last listing: it finds files
    that came, were renamed or went, at the cost of one question per folder. What grows in place it
    does not find. A folder that had changed just before it was listed is listed again, since its
    clock may not tell two changes within a moment apart.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, tuple[int, tuple[str, ...]]] = {}

    def files(self, *, quick: bool) -> Iterator[list[State]]:
        """Yield files in portions; hidden ones and those in hidden folders are left out."""
        listed: dict[str, tuple[int, tuple[str, ...]]] = {}
        waiting = [str(self.root)]
        while waiting:
            folder = waiting.pop()
            try:
                changed = Path(folder).stat().st_mtime_ns
                before = self._listed.get(folder)
                if quick and before is not None and before[0] == changed:
                    listed[folder] = before
                    waiting.extend(before[1])
                    continue
                folders: list[str] = []
                yield from _list(folder, folders)
            except FileNotFoundError:
                continue  # it went away meanwhile
            except OSError as error:
                log.warning("The folder %s cannot be read: %s", folder, error.strerror)
                continue
            is_racy = time.time_ns() - changed < RACY_SECONDS * 1e9
            listed[folder] = (-1 if is_racy else changed, tuple(folders))
            waiting.extend(folders)
        self._listed = listed


def _list(folder: str, folders: list[str]) -> Iterator[list[State]]:
    portion: list[State] = []
    with os.scandir(folder) as items:
        for item in items:
            if item.name.startswith("."):
                continue
            try:
                if item.is_dir(follow_symlinks=False):
                    folders.append(item.path)
                    continue
                seen = item.stat()
            except OSError:
                continue  # it went away meanwhile, or is a link to nowhere
            if stat.S_ISREG(seen.st_mode):
                portion.append((item.path, seen.st_size, seen.st_mtime_ns, seen.st_ino))
            if len(portion) >= AT_ONCE:
                yield portion
                portion = []
    yield portion
