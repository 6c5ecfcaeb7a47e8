"""Powder and total-scattering data as the flows see them, whatever their format."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.scan import ScanReference, open_dataset

__all__ = [
    "TECHNIQUE",
    "F",
    "Facts",
    "Frames",
    "GeometryFile",
    "Pattern",
    "ScanReference",
    "Unit",
    "open_powder",
]

F = NDArray[np.float64]
TECHNIQUE = "pdf"
Unit = Literal["q_1/angstrom", "q_1/nm", "tth_deg", "tth_rad"]


@dataclass(frozen=True)
class Facts:
    """
    What a file, its name or its sidecar says; None (or an empty text) where they say nothing.

    Attributes
    ----------
    wavelength
        In Angstrom, from a wavelength or an energy.
    exposure
        Seconds per frame.
    transmission
        Of the sample, 0 to 1.
    composition, density, container
        Such as ``LaB6``, in g/cm3, and such as ``kapton 1.0 mm``.
    temperature
        Of the sample, in K.
    kind
        ``sample``, or a kind of calibration: ``dark``, ``flat``, ``empty``, ``container``,
        ``calibrant``, ``mask``, ``geometry``.
    calibrant
        Which one, such as ``CeO2``, for the kind ``calibrant``.
    """

    wavelength: float | None = None
    exposure: float | None = None
    transmission: float | None = None
    composition: str = ""
    density: float | None = None
    container: str = ""
    sample: str = ""
    title: str = ""
    started_at: datetime | None = None
    temperature: float | None = None
    kind: str = "sample"
    calibrant: str = ""


@dataclass(frozen=True)
class Pattern:
    """
    A one-dimensional pattern in memory.

    Attributes
    ----------
    x
        Rising, (points,), in `unit`.
    intensity, sigma
        (points,); sigma is 1 standard uncertainty, None if the file has none.
    unit
        None if the file does not say what its axis is.
    monitor
        Incident beam, in any unit.
    warnings
        Sentences about what is wrong or assumed, though the pattern can be read.
    """

    x: F
    intensity: F
    sigma: F | None = None
    unit: Unit | None = None
    monitor: float | None = None
    facts: Facts = field(default_factory=Facts)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class GeometryFile:
    """
    The words of a geometry file.

    Attributes
    ----------
    path
        The file.
    values
        What it says, by its keys in lower case; numbers as floats.
    facts
        Its wavelength, and the kind ``geometry``.
    """

    path: str
    values: dict[str, Any]
    facts: Facts


class Frames(Protocol):
    """
    Detector images, opened read-only; a context manager.

    Attributes
    ----------
    monitor
        Incident beam per frame, (frames,), in any unit; None if the file tells none.
    valid
        (rows, columns), False where the file itself marks a pixel as bad; None if it marks none.
    saturation
        Counts from which a pixel is saturated; None if the file does not say.
    lost_frames
        Numbers, from 0, of frames of a series that are not there.
    warnings
        Sentences about what is wrong or assumed, though the images can be read.
    """

    reference: ScanReference
    facts: Facts
    metadata: dict[str, Any]
    warnings: tuple[str, ...]
    monitor: F | None
    valid: NDArray[np.bool_] | None
    saturation: float | None
    lost_frames: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames present, rows and columns."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored images."""
        ...

    def read(self, frames: slice = slice(None)) -> NDArray[Any]:
        """
        Read some frames, (frames, rows, columns), in the file's own type.

        Raises
        ------
        DataError
            The bytes cannot be read, or values are no numbers.
        """
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


def open_powder(reference: ScanReference) -> Frames | Pattern:
    """
    Open images read-only, or read a pattern, with the reader of their format.

    Raises
    ------
    StillBeingWritten
        A writer holds the file.
    DataError
        They cannot be read, or no installed reader knows their format.
    """
    opened = open_dataset(reference, TECHNIQUE)
    if isinstance(opened, GeometryFile):
        raise DataError(
            f"{reference.path} is the geometry of a detector, not data: give images or a pattern."
        )
    return cast("Frames | Pattern", opened)
