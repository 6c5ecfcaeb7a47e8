"""Blocks of sweeps: the part of a scan that a worker reads at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import numpy as np

from tasks.io.spectra import F, Mode, RawSpectra, ScanReference, Spectra, open_spectra
from tasks.xas.absorption import Absorption, absorption
from tasks.xas.dead_time import correct_dead_time

_MICRO = 1e-6
_CHANNELS_OF_A_SWEEP = 12  # arrays that stand in memory while a block is reduced


@dataclass(frozen=True)
class Block:
    """
    Some sweeps of a scan: small and picklable, what travels to a worker.

    Attributes
    ----------
    spectra
        Where the scan stands.
    first, last
        Number of the first sweep, and one past the last.
    points
        First point of each sweep in a stream, and one past its last; empty where the data are
        (sweeps, points) already.
    mode
        How the sample was measured.
    dark
        Dark currents by channel, instead of the file's.
    dead_time_us
        Of each fluorescence channel, where the data hold no rates.
    """

    spectra: ScanReference
    first: int
    last: int
    mode: Mode
    points: tuple[tuple[int, int], ...] = ()
    dark: Mapping[str, float] = field(default_factory=dict[str, float])
    dead_time_us: float | None = None

    def __len__(self) -> int:
        return self.last - self.first


def blocks_of(
    whole: Block, sweeps: int, longest: int, memory: float, points: Sequence[tuple[int, int]] = ()
) -> list[Block]:
    """
    Cut a scan into blocks that fit into a worker's memory.

    Parameters
    ----------
    whole
        What all blocks have in common.
    sweeps, longest
        How many sweeps there are, and points in the longest of them.
    memory
        Bytes for one block.
    points
        Of each sweep in a stream.

    Returns
    -------
    list of Block
        In the order of the sweeps; each has one at least.
    """
    size = max(1, int(memory / (8 * longest * _CHANNELS_OF_A_SWEEP)))
    return [
        replace(
            whole,
            first=first,
            last=min(first + size, sweeps),
            points=tuple(points[first : first + size]),
        )
        for first in range(0, sweeps, size)
    ]


def read_absorption(block: Block) -> Absorption:
    """
    Read the sweeps of a block as absorption, corrected for dark current and dead time.

    Raises
    ------
    DataError
        The channels that the mode needs are not there, or the bytes cannot be read.
    """
    with open_spectra(block.spectra) as spectra:
        raw = read_block(spectra, block)
    if block.mode == "fluorescence":
        tau = None if block.dead_time_us is None else block.dead_time_us * _MICRO
        raw = correct_dead_time(raw, tau)
    return absorption(raw, block.mode, dark=dict(block.dark))


def read_block(spectra: Spectra, block: Block) -> RawSpectra:
    """
    Read the channels of a block; sweeps of a stream are filled up with NaN to the longest.

    Parameters
    ----------
    spectra
        The scan, open.
    block
        Which sweeps.

    Returns
    -------
    RawSpectra
        Every array is (..., sweeps, points).
    """
    if not block.points:
        return spectra.read(sweeps=slice(block.first, block.last))
    begin, end = block.points[0][0], max(stop for _, stop in block.points)
    raw = spectra.read(points=slice(begin, end))
    places = [(start - begin, stop - begin) for start, stop in block.points]
    cut = {
        each.name: _cut(getattr(raw, each.name), places)
        for each in fields(raw)
        if each.name not in ("mu", "dark", "gain", "times")
    }
    mu = {name: _sweeps(values, places) for name, values in raw.mu.items()}
    return replace(raw, **cast(Any, cut), mu=mu, times=None)


def _cut(values: F | None, places: Sequence[tuple[int, int]]) -> F | None:
    return None if values is None else _sweeps(values, places)


def _sweeps(stream: F, places: Sequence[tuple[int, int]]) -> F:
    """Cut (..., 1, points) at the turns: (..., sweeps, longest)."""
    longest = max(stop - start for start, stop in places)
    cut = np.full((*stream.shape[:-2], len(places), longest), np.nan)
    for sweep, (start, stop) in enumerate(places):
        cut[..., sweep, : stop - start] = stream[..., 0, start:stop]
    return cut
