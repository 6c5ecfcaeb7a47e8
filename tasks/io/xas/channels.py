"""Spectra made of channels that are read piece by piece, whatever they are stored in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.scan import ScanReference
from tasks.io.spectra import F, Facts, RawSpectra
from tasks.io.values import without_none

Read = Callable[[slice, slice], F]
"""Reads some points of some sweeps of one channel: (sweeps, points)."""

TOLERATED = 0.01
"""Share of the points that may be no numbers; they are left out."""
LOOKED = 4_000_000
"""So many points of a stream, several sweeps, tell what the rest is like."""
SINGLE = ("i0", "i1", "i2", "count_time")


@dataclass(frozen=True)
class Channels:
    """
    What a dataset holds, channel by channel; see `tasks.io.spectra.RawSpectra`.

    Attributes
    ----------
    shape
        Sweeps and points.
    single
        Channels of which there is one, by their names in `SINGLE`.
    times
        Seconds of each sweep since the first, (sweeps,).
    """

    shape: tuple[int, int]
    energy: Read
    single: Mapping[str, Read] = field(default_factory=dict[str, Read])
    fluorescence: Sequence[Read] = ()
    input_rate: Sequence[Read] = ()
    output_rate: Sequence[Read] = ()
    mu: Mapping[str, Read] = field(default_factory=dict[str, Read])
    times: F | None = None
    dark: Mapping[str, float] = field(default_factory=dict[str, float])
    gain: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def signals(self) -> list[Read]:
        """All channels but the energy."""
        many = (self.fluorescence, self.input_rate, self.output_rate, self.mu.values())
        return [*self.single.values(), *(each for group in many for each in group)]

    def read(self, sweeps: slice, points: slice) -> RawSpectra:
        """Read a block."""

        def stacked(group: Sequence[Read]) -> F | None:
            return np.stack([each(sweeps, points) for each in group]) if group else None

        single = {name: each(sweeps, points) for name, each in self.single.items()}
        return RawSpectra(
            energy=self.energy(sweeps, points),
            **single,
            fluorescence=stacked(self.fluorescence),
            input_rate=stacked(self.input_rate),
            output_rate=stacked(self.output_rate),
            mu={name: each(sweeps, points) for name, each in self.mu.items()},
            times=None if self.times is None else self.times[sweeps],
            dark=self.dark,
            gain=self.gain,
        )


def held(values: F) -> Read:
    """Make a channel of values in memory: (points,) is one sweep."""
    whole = np.atleast_2d(np.asarray(values, np.float64))
    return lambda sweeps, points: whole[sweeps, points]


def picked(read: Read, keep: NDArray[np.intp]) -> Read:
    """Make a channel of one sweep that lacks some points."""
    return held(read(slice(None), slice(None))[0, keep])


def without_gaps(channels: Channels, where: str) -> tuple[Channels, tuple[str, ...]]:
    """
    Leave out the points of a single sweep at which a channel has no number, with a warning.

    Raises
    ------
    DataError
        There are too many of them.
    """
    everything = channels.read(slice(None), slice(None))
    is_whole = np.isfinite(everything.energy[0])
    for read in channels.signals:
        is_whole &= np.isfinite(read(slice(None), slice(None))[0])
    lost = int(np.count_nonzero(~is_whole))
    if not lost:
        return channels, ()
    if lost > max(1, TOLERATED * len(is_whole)):
        raise DataError(
            f"{where}: {lost} of {len(is_whole)} points have no number in one of the columns "
            f"that are needed. Repeat the scan, or remove the column."
        )
    keep = np.flatnonzero(is_whole)

    def those(group: Iterable[Read]) -> tuple[Read, ...]:
        return tuple(picked(each, keep) for each in group)

    kept = replace(
        channels,
        shape=(1, len(keep)),
        energy=picked(channels.energy, keep),
        single={name: picked(each, keep) for name, each in channels.single.items()},
        fluorescence=those(channels.fluorescence),
        input_rate=those(channels.input_rate),
        output_rate=those(channels.output_rate),
        mu={name: picked(each, keep) for name, each in channels.mu.items()},
    )
    return kept, (f"{where}: {lost} points have no number in one of the columns; left out.",)


@dataclass
class ChannelSpectra:
    """A `tasks.io.spectra.Spectra` made of channels."""

    reference: ScanReference
    facts: Facts
    channels: Channels
    warnings: tuple[str, ...] = ()
    is_stream: bool = False
    closes: Callable[[], None] | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of sweeps and of points in each."""
        return self.channels.shape

    def read(self, sweeps: slice = slice(None), points: slice = slice(None)) -> RawSpectra:
        """Read some points of some sweeps."""
        return self.channels.read(sweeps, points)

    def close(self) -> None:
        """Close the files."""
        if self.closes is not None:
            self.closes()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def described(facts: Facts, channels: Channels) -> dict[str, Any]:
    """Return what the catalogue keeps of a dataset, as JSON values."""
    sweeps, points = channels.shape
    ends: list[float] = []
    if sweeps and points:
        first = channels.energy(slice(0, 1), slice(0, LOOKED))
        ends = [round(float(np.nanmin(first)), 3), round(float(np.nanmax(first)), 3)]
    return without_none(
        title=facts.title or None,
        sample=facts.sample or None,
        formula=facts.formula or None,
        temperature=facts.temperature or None,
        element=facts.element,
        edge=facts.edge,
        mode=facts.mode,
        started_at=facts.started_at.isoformat() if facts.started_at else None,
        points=points,
        sweeps=sweeps,
        energy_range_eV=ends or None,
    )


def turns(energy: F) -> int:
    """Count the turning points of an energy axis (points,); jitter below 5 % of its range is none.

    A few thousand of its points are enough to count them.
    """
    thinned = energy[:: max(1, len(energy) // 20_000)]
    reach = 0.05 * float(np.ptp(thinned)) if thinned.size else 0.0
    count, extreme, direction = 0, float(thinned[0]) if thinned.size else 0.0, 0
    for value in map(float, thinned):
        step = value - extreme
        if direction * step >= 0 and direction:
            extreme = value
        elif abs(step) > reach:
            count += direction != 0
            extreme, direction = value, 1 if step > 0 else -1
    return count
