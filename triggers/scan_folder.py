"""Walk a beamline's folders, and tell from outside whether data have changed."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.io.tiff_folder import is_kind_folder
from triggers.beamline import Beamline
from triggers.grouping import BESIDE_IMAGES, belongs_to, is_image

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Signature:
    """How a file, or a folder of images as a whole, looks from outside."""

    size: int
    mtime_ns: int
    inode: int
    count: int = 1


def signature(path: Path) -> Signature | None:
    """Return how a file or a series looks; None if it is not there, or a pipe or device."""
    try:
        seen = path.stat()
        if stat.S_ISREG(seen.st_mode):
            return Signature(seen.st_size, seen.st_mtime_ns, seen.st_ino)
        if not stat.S_ISDIR(seen.st_mode):
            return None  # to open it could block for ever
        stats = [file.stat() for file in series_files(path)]
    except FileNotFoundError:
        return None
    return Signature(
        size=sum(each.st_size for each in stats),
        mtime_ns=max((each.st_mtime_ns for each in stats), default=0),
        inode=seen.st_ino,
        count=max(1, len(stats)),
    )


def series_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files that make a series: images, also in sub-folders by kind, and their angles."""
    with os.scandir(folder) as items:
        for item in items:
            if item.name.startswith("."):
                continue
            if item.name in BESIDE_IMAGES or is_image(item.name):
                yield item
            elif is_kind_folder(item.name) and item.is_dir():
                yield from series_files(Path(item.path))


def walk(beamline: Beamline, below: Path | None = None) -> Iterator[Path]:
    """Yield each file and each series, of one folder or all of them, once.

    Folders that cannot be read are logged.
    """
    seen: set[Path] = set()
    for root in beamline.folders:
        if below is not None and not below.is_relative_to(root):
            continue
        for folder, folders, names in os.walk(below or root, onerror=_unreadable):
            folders[:] = [name for name in folders if not name.startswith(".")]
            place = Path(folder)
            for name in names:
                if name.startswith("."):
                    continue
                found = belongs_to(beamline, root, place, name)
                if found is not None and found not in seen:
                    seen.add(found)
                    yield found


def _unreadable(error: OSError) -> None:
    log.warning("The folder %s cannot be read: %s", error.filename, error.strerror)
