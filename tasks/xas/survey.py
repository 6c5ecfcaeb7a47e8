"""A first look at the sweeps: how far each goes, and what its reference foil says of its energy."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.algorithm import Engine, Record
from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.resources import Resources
from tasks.xas.align import Alignment, align, align_series
from tasks.xas.blocks import Block, read_absorption
from tasks.xas.drift import steady_shifts
from tasks.xas.rebin import rebin

B = NDArray[np.bool_]

FOIL_WINDOW = (-25.0, 45.0)
_FOIL_STEP = 0.5  # eV
_LIT = 0.8  # of the points about the edge must have a value
_FIRST = 1000  # sweeps that make the foil's mean spectrum, against which all are aligned
_AT_A_TIME = 4000  # sweeps aligned at once: bounds memory


@dataclass(frozen=True)
class Surveyed:
    """
    What a first look at sweeps tells.

    Attributes
    ----------
    first
        Number of the first of them.
    low, high
        Lowest and highest energy of each sweep, eV, as recorded, (sweeps,).
    rising
        Whether the energy rises, (sweeps,).
    foil
        Absorption of the reference foil on `foil_grid`, (sweeps, points); None without a foil.
    records
        The algorithms that ran.
    values
        Lowest and highest energy of the points that have a value, infinite for none, (sweeps, 2);
        None where that was not looked at.
    """

    first: int
    low: F
    high: F
    rising: B
    foil: F | None
    records: list[Record]
    values: F | None = None


def foil_grid(foil_energy: float) -> F:
    """Return the energies on which foils are compared, in eV."""
    return foil_energy + np.arange(*FOIL_WINDOW, _FOIL_STEP, dtype=np.float64)


def survey_block(block: Block, foil_energy: float | None, cores: int) -> Surveyed:
    """
    Look at a block of sweeps, on a worker.

    Parameters
    ----------
    block
        Which ones.
    foil_energy
        Edge energy of the reference foil in eV; None if there is none.
    cores
        How many threads the algorithms may use.
    """
    engine = Engine(replace(Resources.detect(), cores=cores))
    with engine.active():
        seen = read_absorption(block)
        low, high = _range(seen.energy)
        values = np.stack(_range(np.where(np.isfinite(seen.mu), seen.energy, np.nan)), axis=1)
        foil = None
        if foil_energy is not None and seen.reference is not None:
            foil = rebin(seen.energy, seen.reference, foil_grid(foil_energy)).mu
            foil[~_lit(seen.energy, seen.reference, foil_energy)] = np.nan
    rising = _rising(seen.energy)
    return Surveyed(block.first, low, high, rising, foil, engine.records, values)


def _lit(energy: F, foil: F, foil_energy: float) -> B:
    """Tell which sweeps have values about the foil's edge; what lies between a few is no foil."""
    near = np.abs(energy - foil_energy) < FOIL_WINDOW[1]
    return np.sum(near & np.isfinite(foil), axis=1) > _LIT * np.sum(near, axis=1)


def joined(parts: Sequence[Surveyed]) -> Surveyed:
    """Put the blocks of a scan together again, in the order of the sweeps."""
    parts = sorted(parts, key=lambda part: part.first)
    foils = [part.foil for part in parts if part.foil is not None]
    values = [part.values for part in parts if part.values is not None]
    return Surveyed(
        first=parts[0].first,
        low=np.concatenate([part.low for part in parts]),
        high=np.concatenate([part.high for part in parts]),
        rising=np.concatenate([part.rising for part in parts]),
        foil=np.concatenate(foils) if len(foils) == len(parts) else None,
        records=[record for part in parts for record in part.records],
        values=np.concatenate(values) if len(values) == len(parts) else None,
    )


def align_foils(surveyed: Surveyed, foil_energy: float) -> tuple[Alignment, F]:
    """
    Find what brings every sweep to one energy scale.

    Parameters
    ----------
    surveyed
        All sweeps, with their foil.
    foil_energy
        Edge energy of the foil, eV.

    Returns
    -------
    Alignment
        Its shifts are what the neighbours in time agree on.
    numpy.ndarray
        Mean absorption of the foil on that scale, on `foil_grid`, (points,); NaN where no sweep
        goes.

    Raises
    ------
    DataError
        There is no edge in the foil's window.
    """
    if surveyed.foil is None:
        raise DataError("The scan has no channel behind a reference foil to align its sweeps with.")
    grid, foil = foil_grid(foil_energy), surveyed.foil
    first = align_series(grid, foil[:_FIRST], foil_energy)
    reference = _mean(grid, foil[:_FIRST], first)
    rest = [
        align(grid, foil[begin : begin + _AT_A_TIME], reference, foil_energy)
        for begin in range(0, len(foil), _AT_A_TIME)
    ]
    found = Alignment(
        shift=np.concatenate([part.shift for part in rest]),
        sigma=np.concatenate([part.sigma for part in rest]),
        residual=np.concatenate([part.residual for part in rest]),
        at_border=np.concatenate([part.at_border for part in rest]),
    )
    return replace(found, shift=steady_shifts(found, surveyed.rising)), reference


def _mean(grid: F, foil: F, found: Alignment) -> F:
    """Average sweeps that were brought to one scale."""
    good = np.isfinite(found.shift) & ~found.at_border
    if not good.any():
        raise DataError(
            "No sweep's reference foil could be aligned with the others': is the foil the one that "
            "was named? Choose align = false to leave the energies as they are."
        )
    moved = np.empty((int(good.sum()), len(grid)))
    for row, sweep, shift in zip(moved, foil[good], found.shift[good], strict=True):
        row[:] = np.interp(grid, grid + shift, sweep, left=np.nan, right=np.nan)
    # at the ends, where shifted sweeps do not reach, those that do speak for all
    known = np.isfinite(moved)
    count = known.sum(axis=0)
    total = np.sum(np.where(known, moved, 0.0), axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _range(energy: F) -> tuple[F, F]:
    known = np.isfinite(energy)
    low = np.min(energy, axis=1, where=known, initial=np.inf)
    return low, np.max(energy, axis=1, where=known, initial=-np.inf)


def _rising(energy: F) -> B:
    known = np.isfinite(energy)
    rows = np.arange(len(energy))
    first = energy[rows, np.argmax(known, axis=1)]
    return energy[rows, energy.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)] > first
