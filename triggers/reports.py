"""What a wire tells: reports for the inbox, and how the wire itself is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triggers.beamline import Beamline


class RefusedError(Exception):
    """A message that is not taken. Its kind is counted, its sentence logged once."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True)
class Report:
    """
    All that is known so far about one scan.

    Attributes
    ----------
    key
        The reporter's own name for it: what comes later under the same key adds to it.
    paths
        Its files or folders, absolute, as this machine names them.
    payload
        As `catalog.inbox.report` takes it.
    """

    key: str
    paths: tuple[str, ...] = ()
    payload: dict[str, Any] = field(default_factory=dict[str, Any])


def local_path(path: str, names: Mapping[str, str]) -> str:
    r"""
    Return a path as this machine names it.

    Parameters
    ----------
    path
        As the acquisition says it; it may be one of Windows, such as ``Z:\raw\scan.h5``.
    names
        Beginnings of its paths, and what they are here; the longest that fits counts.
    """
    is_windows = re.match(r"[A-Za-z]:[\\/]|\\\\", path) is not None
    plain = path.replace("\\", "/") if is_windows else path
    for begin in sorted(names, key=len, reverse=True):
        there = begin.replace("\\", "/").rstrip("/") if is_windows else begin.rstrip("/")
        if plain == there or plain.startswith(f"{there}/"):
            plain = names[begin].rstrip("/") + plain[len(there) :]
            break
    return os.path.normpath(plain)


def inside(beamline: Beamline, paths: Iterable[str]) -> tuple[str, ...]:
    """Return those absolute paths that lie in the beamline's folders."""
    return tuple(
        path
        for path in paths
        if any(Path(path).is_relative_to(folder) for folder in beamline.folders)
        and ".." not in Path(path).parts
    )
