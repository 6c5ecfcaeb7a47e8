"""
Find the spectra of a library that a measured spectrum is most like.

Energy scales of beamlines differ by more than compounds do, so spectra are aligned first. A free
shift alone finds a wrong compound too easily: the default puts half the edge step at zero and
then fits within 1 eV, and what it moves costs a little.

Two answers are given. The *misfit* is what neither a shift, nor an error of the edge step, nor
(to a tenth) an error of the lines about the edge explains, less the noise: its size says whether
it is a match at all (see `tasks.xas.match_confidence`). The *votes* of a committee of metrics are a
second opinion on the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tasks.arrays import Host
from tasks.xas.metrics import COMMITTEE, Metric, borda, distances
from tasks.xas.onset import centred, onset

Alignment = Literal["none", "half", "foot", "correlation", "free", "fit"]

WINDOW = (-15.0, 60.0)
"""eV about half the edge step: where compounds differ and repeats do not."""

_STEP = 0.25  # eV
_REACH: dict[Alignment, float] = {"correlation": 3.0, "free": 3.0, "fit": 1.0}  # eV
_STIFFNESS = 0.002  # misfit that a shift by 1 eV costs
_LINES = 0.1  # misfit that an error of the lines costs, over that error
_SCALE = 0.05  # how wrong an edge step may be
_FOOT = 0.06  # of the edge step
_BLOCK = 64  # spectra compared at a time: bounds memory
_INTERPOLATED = 0.8  # share of the variance of noise that interpolation leaves


@dataclass(frozen=True)
class Match:
    """
    What each spectrum of the library is to each measured spectrum.

    Attributes
    ----------
    misfit
        Root mean square difference that noise does not explain, in edge steps, shape
        (spectra, entries).
    resolution
        Misfits smaller than this cannot be told from 0, shape (spectra, entries).
    shift
        By how much an entry was moved to lie on the spectrum, eV, shape (spectra, entries).
    votes
        Points of the committee, shape (spectra, entries).
    """

    misfit: Host
    resolution: Host
    shift: Host
    votes: Host


def match(
    energy: Host,
    spectra: Host,
    library: Host,
    *,
    noise: Host | None = None,
    library_noise: Host | None = None,
    alignment: Alignment = "fit",
    committee: Sequence[Metric] = COMMITTEE,
    window: tuple[float, float] = WINDOW,
) -> Match:
    """
    Compare spectra with a library of the same element and edge, all flattened alike.

    Parameters
    ----------
    energy
        eV, shape (points,), increasing.
    spectra, library
        Flattened absorption, shapes (spectra, points) and (entries, points).
    noise, library_noise
        1 sigma per point in edge steps, shapes (spectra,) and (entries,); where left out, taken
        from the differences of neighbouring points.
    alignment
        ``none``: energies as recorded. ``half`` and ``foot``: half, or 6 %, of the edge step
        at zero. ``correlation``: the shift of best correlation within 3 eV. ``free``: the shift
        of least misfit within 3 eV. ``fit``: ``half``, then least misfit within 1 eV.
    committee
        The metrics that vote.
    window
        eV about half the edge step.

    Returns
    -------
    Match

    Raises
    ------
    DataError
        If a spectrum does not rise through half of its edge step.
    """
    zeros, library_zeros = _zeros(energy, spectra, library, alignment)
    reach = round(_REACH.get(alignment, 0.0) / _STEP)
    first, last = (round(end / _STEP) for end in window)
    grid = np.arange(first - reach, last + reach + 1) * _STEP
    mine = centred(energy, spectra, zeros, grid[reach : len(grid) - reach])
    theirs = centred(energy, library, library_zeros, grid)
    moved = sliding_window_view(theirs, mine.shape[1], axis=1)
    moves = np.arange(-reach, reach + 1) * _STEP
    forgiving = _forgiving(grid[reach : len(grid) - reach])
    squares = _squares(mine @ forgiving, moved @ forgiving)
    if alignment == "correlation":
        chosen = _correlation(mine, moved).argmax(axis=2)
    else:
        chosen = (squares + (_STIFFNESS * moves) ** 2).argmin(axis=2)
    least, offset = _vertex(squares, chosen)
    variance = _variance(spectra, noise)[:, None] + _variance(library, library_noise)
    points = _points(energy, zeros, window)[:, None]
    return Match(
        misfit=np.sqrt(np.maximum(least - _INTERPOLATED * variance, 0)),
        resolution=np.sqrt(_INTERPOLATED * variance * np.sqrt(2 / points)),
        shift=zeros[:, None] - library_zeros - moves[chosen] - _STEP * offset,
        votes=_votes(mine, moved, chosen, committee),
    )


def _zeros(energy: Host, spectra: Host, library: Host, alignment: Alignment) -> tuple[Host, Host]:
    """Energies that alignment puts at zero; as recorded, they are one for all."""
    if alignment in ("none", "correlation", "free"):
        middle = float(np.median(onset(energy, library)))
        return np.full(len(spectra), middle), np.full(len(library), middle)
    level = _FOOT if alignment == "foot" else 0.5
    return onset(energy, spectra, level), onset(energy, library, level)


def _forgiving(grid: Host) -> Host:
    """
    Make an operator, (points, points), that hardly sees errors of the lines about the edge.

    Pre-edge points are few and far, so noise tilts the line through them more than repeats differ;
    above the edge, the curve depends on where its range ends.
    """
    after = (grid > 0).astype(float)
    tilt = grid / np.abs(grid).max()
    lines = np.stack([1 - after, (1 - after) * tilt, after, after * tilt], axis=1)
    basis, length, _ = np.linalg.svd(lines / np.sqrt(len(grid)), full_matrices=False)
    seen = 1 / np.sqrt(1 + (length / _LINES) ** 2)
    return np.eye(len(grid)) - (basis * (1 - seen)) @ basis.T


def _squares(mine: Host, moved: Host) -> Host:
    """Mean square misfit at each move, the edge step fitted: (spectra, entries, moves)."""
    products, own, other = _products(mine, moved)
    scale = np.clip(products / other, 1 - _SCALE, 1 + _SCALE)
    return own[:, None, None] - 2 * scale * products + scale**2 * other


def _correlation(mine: Host, moved: Host) -> Host:
    products, own, other = _products(mine, moved)
    mean, means = mine.mean(axis=1)[:, None, None], moved.mean(axis=2)
    spread = np.sqrt((own[:, None, None] - mean**2) * (other - means**2))
    return (products - mean * means) / spread


def _products(mine: Host, moved: Host) -> tuple[Host, Host, Host]:
    """Mean over the window of spectrum times entry, of spectrum squared, of entry squared."""
    entries, moves, width = moved.shape
    flat = moved.reshape(entries * moves, width)
    products = (mine @ flat.T).reshape(len(mine), entries, moves) / width
    return products, (mine**2).mean(axis=1), (flat**2).mean(axis=1).reshape(entries, moves)


def _vertex(squares: Host, chosen: Host) -> tuple[Host, Host]:
    """Least value of the parabola through the chosen move and its neighbours, and its offset."""
    last = squares.shape[2] - 1
    if last < 2:
        return _take(squares, chosen), np.zeros(chosen.shape)
    middle = np.clip(chosen, 1, last - 1)
    before, at, after = (_take(squares, middle + step) for step in (-1, 0, 1))
    bend = np.where((curve := before - 2 * at + after) > 0, curve, np.inf)
    offset = np.clip((before - after) / (2 * bend), -1, 1)
    return at - (before - after) * offset / 4, middle + offset - chosen


def _take(squares: Host, at: Host) -> Host:
    return np.take_along_axis(squares, at[:, :, None], axis=2)[:, :, 0]


def _variance(curves: Host, noise: Host | None) -> Host:
    """Noise squared; fourth differences of neighbouring points see little but noise."""
    if noise is not None:
        return np.asarray(noise) ** 2
    return (1.4826 * np.median(np.abs(np.diff(curves, 4, axis=1)), axis=1)) ** 2 / 70


def _points(energy: Host, zeros: Host, window: tuple[float, float]) -> Host:
    """How many points were measured in the window, at least 1."""
    lower, upper = (np.searchsorted(energy, zeros + end) for end in window)
    return np.maximum(upper - lower, 1)


def _votes(mine: Host, moved: Host, chosen: Host, committee: Sequence[Metric]) -> Host:
    entries = np.arange(len(moved))
    votes: list[Host] = []
    for begin in range(0, len(mine), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        aligned = moved[entries, chosen[block]]
        found = [distances(mine[block], aligned, *each) for each in committee]
        votes.append(borda(np.stack(found)))
    return np.concatenate(votes)
