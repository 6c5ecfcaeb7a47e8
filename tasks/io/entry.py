"""What a cheap look at a file or folder tells about one dataset in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Entry:
    """
    One dataset inside a file or folder, seen without reading its data.

    Attributes
    ----------
    inner_path
        The entry inside the file, without a leading slash; empty for the only one.
    uid, started_at
        Identity given by the data acquisition, where it gives one; times are in UTC.
    expected_frames, present_frames
        Frames announced (all kinds together; None if nothing announces them) and frames there.
    kind, calibration_kinds
        ``calibration`` if it holds flats or darks and no projections.
    needs
        Calibrations that a raw dataset does not carry itself: ``flat``, ``dark``.
    detector
        Frame size as ``rows x columns``.
    missing, linked
        Files that it links to: not there (yet), and there.
    stored_bytes
        Size of its own files where it shares a folder with others, so that it can be told whether
        this one still grows; None where the file or folder is its own.
    being_written
        A single-writer-multiple-readers writer still holds it, so more may come.
    needs_quiet
        Nothing marks its end, so it is complete only once nothing has changed for a while.
    problem
        A sentence that says why it cannot be reduced as it stands, or None.
    metadata
        Title, sample, energy_keV, started_at and what else the file tells, as JSON values.
    """

    inner_path: str
    format: str
    present_frames: int
    uid: str | None = None
    started_at: datetime | None = None
    expected_frames: int | None = None
    kind: Literal["raw", "calibration"] = "raw"
    calibration_kinds: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    detector: str = ""
    missing: tuple[Path, ...] = ()
    linked: tuple[Path, ...] = ()
    being_written: bool = False
    needs_quiet: bool = False
    problem: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stored_bytes: int | None = None

    @property
    def announces(self) -> bool:
        """Whether the data themselves say how many frames there will be."""
        return self.expected_frames is not None

    @property
    def has_all_frames(self) -> bool:
        """Whether as many frames are there as were announced."""
        return self.expected_frames is not None and self.present_frames >= self.expected_frames
