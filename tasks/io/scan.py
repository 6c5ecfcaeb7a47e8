"""A tomography scan as the flows see it, whatever its format."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError, StillBeingWritten
from tasks.io.entry import Entry

READERS = "dayseye.readers"
PATIENCE, RETRY = 30.0, 0.1  # s


@dataclass(frozen=True)
class ScanReference:
    """
    Where a scan stands: small, picklable, the only thing about it that travels to a worker.

    Attributes
    ----------
    path
        The file, or the folder of a TIFF series.
    inner_path
        The entry inside the file, such as ``entry1/tomo_entry``; empty where there is only one.
    format
        Name of the reader; empty means: find out.
    """

    path: str
    inner_path: str = ""
    format: str = ""


class Scan(Protocol):
    """
    One scan, opened read-only; a context manager.

    Frames without an angle, frames marked invalid and frames that the file lacks are *lost*: they
    are not among the projections, and their numbers stand in ``lost_frames``. Flats and darks of
    their own open as a scan without projections.
    """

    reference: ScanReference
    angles: NDArray[np.float64]
    """Angle of each projection present, in radians, shape (projections,)."""
    positions: NDArray[np.float64]
    """When each projection was taken: 0 at the scan's begin, 1 at its end."""
    flat_positions: NDArray[np.float64]
    """When each flat was taken, on the same scale: 0 before the scan, 1 after it."""
    expected_projections: int | None
    """Projections announced by the file, lost ones included; None if it announces none."""
    lost_frames: tuple[int, ...]
    """Numbers (from 0, in the planned scan) of the projections that are lost."""
    angles_matched: bool
    """False if frames are missing and nothing in the file says which: the last are assumed."""
    pixel_size: float | None
    """Effective pixel size in the sample, in m."""
    metadata: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of projections, rows and columns."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored projections."""
        ...

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Storage chunks of the projections (frames, rows, columns), where they are chunked."""
        ...

    @property
    def n_flats(self) -> int:
        """Number of flats that the scan carries."""
        ...

    @property
    def n_darks(self) -> int:
        """Number of darks that the scan carries."""
        ...

    def projections(self, rows: slice, frames: slice = slice(None)) -> NDArray[Any]:
        """Read raw projections (frames, rows, columns) in the file's own type."""
        ...

    def flats(self, rows: slice) -> NDArray[Any]:
        """Read the flat fields (flats, rows, columns); none is an array of length 0."""
        ...

    def darks(self, rows: slice) -> NDArray[Any]:
        """Read the darks (darks, rows, columns); none is an array of length 0."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Reader(Protocol):
    """
    What a format must offer; readers join through the entry-point group ``dayseye.readers``.

    Only the readers of a beamline's technique look at its files.
    """

    name: str
    technique: str
    layout: str
    """What an HDF5 file of this format has, for whoever wrote another one; empty if not HDF5."""

    def entries(self, path: Path) -> list[Entry]:
        """
        Look, cheaply, at what a file or folder holds.

        Returns an empty list if the format is another one.

        Raises
        ------
        StillBeingWritten
            A writer holds the file.
        DataError
            The file claims this format but cannot be read.
        """
        ...

    def open(self, reference: ScanReference) -> Any:
        """Open one dataset read-only: a `Scan`, or for ``xas`` a `tasks.io.spectra.Spectra`."""
        ...


@runtime_checkable
class GrowingReader(Protocol):
    """What a format may offer whose files get entry after entry."""

    name: str

    def entries_beyond(self, path: Path, known: Mapping[str, Entry]) -> list[Entry]:
        """
        Look as `Reader.entries` does, but take entries that are known, by inner path, as they were.

        Those that are no longer in the file are left out.
        """
        ...


@runtime_checkable
class PartReader(Protocol):
    """What a format other than HDF5 may offer whose files hold several datasets."""

    name: str

    def part(self, path: Path, inner_path: str) -> bytes | None:
        """Return what stands for the content of one dataset; None if the file has none such."""
        ...


@cache
def readers() -> dict[str, Reader]:
    """Return the installed readers by name, those of tomography first."""
    found = {point.name: cast(Reader, point.load()) for point in entry_points(group=READERS)}
    # a folder of images is read by more than one technique: where none is named, it is a scan
    return dict(sorted(found.items(), key=lambda item: item[1].technique != "ct"))


def readers_of(technique: str | None) -> dict[str, Reader]:
    """Return the installed readers of a technique by name; all, if it is None or has none."""
    known = readers()
    return {name: each for name, each in known.items() if each.technique == technique} or known


def open_scan(reference: ScanReference) -> Scan:
    """
    Open a scan read-only with the reader of its format.

    Raises
    ------
    StillBeingWritten
        A writer holds one of the files.
    DataError
        The scan cannot be read, or no installed reader knows its format.
    """
    return cast(Scan, open_dataset(reference, "ct"))


def open_dataset(reference: ScanReference, technique: str) -> Any:
    """
    Open a dataset read-only with that reader of a technique whose format it has.

    Raises
    ------
    StillBeingWritten
        A writer still holds the file after 30 s: less is what appending another scan takes.
    DataError
        It cannot be read, or no installed reader knows its format.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _open(reference, technique)
        except StillBeingWritten:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY)


def _open(reference: ScanReference, technique: str) -> Any:
    known = readers_of(technique)
    if reference.format:
        if reference.format not in known:
            raise DataError(
                f"{reference.path} has the format '{reference.format}', which no installed reader "
                f"knows (known: {', '.join(sorted(known))}): install its reader."
            )
        return known[reference.format].open(reference)
    for reader in known.values():
        for entry in reader.entries(Path(reference.path)):
            if reference.inner_path.strip("/") in ("", entry.inner_path):
                return reader.open(ScanReference(reference.path, entry.inner_path, reader.name))
    inside = f" in its entry '{reference.inner_path}'" if reference.inner_path else ""
    raise DataError(
        f"{reference.path} holds no scan{inside} that a reader knows "
        f"({', '.join(sorted(known))}): check the path and the file's layout."
    )
