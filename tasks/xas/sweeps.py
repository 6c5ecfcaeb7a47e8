"""
Sweeps of a quick scan: the monochromator swings and the readings come in one endless stream.

The stream is cut where the motion turns. A turn counts only once the position has crossed from the
low part of the range to the high part or back (a Schmitt trigger), so that no jitter can make one;
its place is the farthest position in between, and points at rest there belong to no sweep. Cutting
at the turns of the encoder is how quick scans are split at beamlines, for instance A. H. Clark,
J. Imbao, R. Frahm, M. Nachtegaal, J. Synchrotron Rad. 27, 551 (2020), doi:10.1107/S1600577519017053
(ProQEXAFS); the trigger, the rest and the bounded memory are added here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.spectra import F

Read = Callable[[slice], F]

_LOW, _HIGH = 0.3, 0.7  # of the range: a sweep is what crosses from one to the other
_OUTSIDE = 0.05  # of the range: a position this far outside of it was misread
_AT_REST = 6.0  # times the jitter: closer than this to the end, the motion rests
_USEFUL, _WHOLE = 0.1, 0.95  # of the range: less is no sweep, less is part of one
_SAMPLE = 200_000  # points from which the range is found


@dataclass(frozen=True)
class Sweeps:
    """
    Where sweeps begin and end in a stream.

    Attributes
    ----------
    starts, stops
        Point numbers, the last one excluded, (sweeps,).
    rising
        Whether the position rises, (sweeps,).
    whole
        Whether the sweep goes from one turn to the next, (sweeps,); the first and the last of a
        stream usually do not.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    rising: NDArray[np.bool_]
    whole: NDArray[np.bool_]


def find_sweeps(position: F) -> Sweeps:
    """
    Cut a stream in memory at its turns.

    Parameters
    ----------
    position
        Encoder reading, angle or energy, shape (points,).

    Raises
    ------
    DataError
        If the position does not move.
    """
    return find_sweeps_in(lambda part: position[part], len(position))


def find_sweeps_in(read: Read, points: int, block: int = 1 << 22) -> Sweeps:
    """
    Cut a stream of any length at its turns, block by block.

    Memory is that of one block and the longest sweep.

    Parameters
    ----------
    read
        Gives the positions of a slice of points.
    points
        How many there are.
    block
        Points read at a time.

    Raises
    ------
    DataError
        If the position does not move.
    """
    low, high = _range(read, points)
    turns: list[_Turn] = []
    kept, start, state, jitter = np.empty(0), 0, 0, np.inf
    for begin in range(0, points, block):
        fresh = _plausible(np.asarray(read(slice(begin, begin + block)), np.float64), low, high)
        jitter = min(jitter, _jitter(fresh))
        kept = np.concatenate([kept, fresh])
        since = 0
        for crossing, side in _crossings(kept, low, high, state):
            if state:
                turns.append(_turn(kept[since:crossing], start + since, state, jitter))
                since = crossing
            state = side
        kept, start = kept[since:], start + since
    turns.append(_turn(kept, start, state, jitter))
    first = _Turn(0, 0, float(_plausible(read(slice(0, 1)), low, high)[0]))
    last = _Turn(points - 1, points - 1, float(kept[-1]))
    return _between([first, *turns, last], high - low)


@dataclass(frozen=True)
class _Turn:
    """The rest at a turn: its first and last point, and the position."""

    first: int
    last: int
    position: float


def _range(read: Read, points: int) -> tuple[float, float]:
    """Lowest and highest position that is reached regularly."""
    pieces = max(1, min(points // 1000, 200))
    size = max(1, min(points, _SAMPLE) // pieces)
    begins = np.linspace(0, max(points - size, 0), pieces).astype(int)
    sample = np.concatenate([read(slice(int(begin), int(begin) + size)) for begin in begins])
    sample = sample[np.isfinite(sample)]
    low, high = np.quantile(sample, [0.002, 0.998]) if len(sample) else (0.0, 0.0)
    if not high > low:
        raise DataError(
            "The monochromator did not move during this scan: there is no sweep to reduce. Check "
            "that the right column was taken as the energy."
        )
    return float(low), float(high)


def _plausible(position: F, low: float, high: float) -> F:
    """Put the last plausible reading in place of those that the motion cannot have reached."""
    margin = _OUTSIDE * (high - low)
    good = (position >= low - margin) & (position <= high + margin)
    if good.all():
        return position
    last = np.maximum.accumulate(np.where(good, np.arange(len(position)), -1))
    first_good = int(np.argmax(good))
    return position[np.where(last < 0, first_good, last)] if good.any() else position * 0 + low


def _jitter(position: F) -> float:
    """Noise of the position, from second differences, which a smooth motion hardly has."""
    some = position[: 1 << 16]
    if len(some) < 3:
        return np.inf
    bend = np.abs(some[2:] - 2 * some[1:-1] + some[:-2])
    return float(np.median(bend)) / 0.6745 / np.sqrt(6)


def _crossings(position: F, low: float, high: float, state: int) -> list[tuple[int, int]]:
    """Points where the position enters the other part of the range, and which (1 is high)."""
    if len(position) < 3:
        return []
    share = (_without_spikes(position) - low) / (high - low)
    side = (share > _HIGH).astype(np.int8) - (share < _LOW)
    decided = np.flatnonzero(side)
    sides = side[decided]
    changed = sides != np.concatenate([[state], sides[:-1]])
    return list(zip((decided[changed] + 1).tolist(), sides[changed].tolist(), strict=True))


def _turn(position: F, offset: int, side: int, jitter: float) -> _Turn:
    """Find the rest at the position that is farthest to a side."""
    height = np.concatenate([position[:1], _without_spikes(position), position[1:][-1:]]) * side
    rest = np.flatnonzero(height >= height.max() - _AT_REST * jitter)
    return _Turn(offset + int(rest[0]), offset + int(rest[-1]), float(height.max()) * side)


def _without_spikes(position: F) -> F:
    """Median of three, which takes single wrong readings away; one point less at either end."""
    left, right = position[:-2], position[2:]
    return np.clip(position[1:-1], np.minimum(left, right), np.maximum(left, right))


def _between(turns: list[_Turn], span: float) -> Sweeps:
    """Make sweeps of what lies between turns, unless it is too short to be of use."""
    pairs = [
        (before, after)
        for before, after in pairwise(turns)
        if abs(after.position - before.position) > _USEFUL * span and after.first > before.last
    ]
    moved = np.array([after.position - before.position for before, after in pairs])
    return Sweeps(
        starts=np.array([before.last for before, _ in pairs], np.int64),
        stops=np.array([after.first + 1 for _, after in pairs], np.int64),
        rising=moved > 0,
        whole=np.abs(moved) > _WHOLE * span,
    )
