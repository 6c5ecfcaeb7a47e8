"""Absorption spectra as the flows see them, whatever their format: channels as recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.scan import ScanReference, open_dataset

__all__ = ["F", "Facts", "Mode", "RawSpectra", "ScanReference", "Spectra", "open_spectra"]

F = NDArray[np.float64]
Mode = Literal["transmission", "fluorescence"]
TECHNIQUE = "xas"


@dataclass(frozen=True)
class Facts:
    """
    What a file says about a measurement; None (or an empty text) where it says nothing.

    Attributes
    ----------
    element, edge
        Symbol and edge, such as ``Fe`` and ``K``, only where the file names valid ones.
    mode
        How the sample was measured, if the file says so or holds only one kind of channel.
    reference_element
        Symbol of the reference foil's element.
    d_spacing
        Of the monochromator's reflection, in Angstrom.
    e0
        Declared edge energy, in eV.
    formula, temperature
        Of the sample, as they are written there.
    """

    element: str | None = None
    edge: str | None = None
    mode: Mode | None = None
    reference_element: str | None = None
    d_spacing: float | None = None
    title: str = ""
    sample: str = ""
    started_at: datetime | None = None
    e0: float | None = None
    formula: str = ""
    temperature: str = ""


@dataclass(frozen=True)
class RawSpectra:
    """
    A block of sweeps in memory, channel by channel; None where the file has no such channel.

    Attributes
    ----------
    energy
        In eV as recorded, (sweeps, points): not sorted, it may go down.
    i0, i1, i2
        Before the sample, after it, and after the reference foil, (sweeps, points).
    fluorescence
        Counts of each detector channel, (channels, sweeps, points).
    input_rate, output_rate
        Counts/s that reach each fluorescence channel and that it registers, for its dead time,
        (channels, sweeps, points).
    mu
        Absorption where the file holds it itself, under ``transmission``, ``fluorescence`` or
        ``reference``, (sweeps, points).
    count_time
        Seconds per point, (sweeps, points).
    times
        Seconds since the first sweep, (sweeps,).
    dark
        Dark current by channel name (``i0``, ``i1``, ``i2``), in the unit of the channel.
    gain
        Amplifier gain by channel name.
    """

    energy: F
    i0: F | None = None
    i1: F | None = None
    i2: F | None = None
    fluorescence: F | None = None
    input_rate: F | None = None
    output_rate: F | None = None
    mu: Mapping[str, F] = field(default_factory=dict[str, F])
    count_time: F | None = None
    times: F | None = None
    dark: Mapping[str, float] = field(default_factory=dict[str, float])
    gain: Mapping[str, float] = field(default_factory=dict[str, float])


class Spectra(Protocol):
    """
    One dataset of one or many sweeps over an edge, opened read-only; a context manager.

    Attributes
    ----------
    warnings
        Sentences about what is wrong or assumed, though the spectra can be read.
    is_stream
        True: one endless sweep (1, n) of a quick scan, to be split at the turning points.
    """

    reference: ScanReference
    facts: Facts
    metadata: dict[str, Any]
    warnings: tuple[str, ...]
    is_stream: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Number of sweeps and of points in each."""
        ...

    def read(self, sweeps: slice = slice(None), points: slice = slice(None)) -> RawSpectra:
        """
        Read some points of some sweeps; only those are held in memory.

        Raises
        ------
        DataError
            The bytes cannot be read.
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


def open_spectra(reference: ScanReference) -> Spectra:
    """
    Open spectra read-only with the reader of their format.

    Raises
    ------
    StillBeingWritten
        A writer holds the file.
    DataError
        They cannot be read, or no installed reader knows their format.
    """
    return cast(Spectra, open_dataset(reference, TECHNIQUE))
