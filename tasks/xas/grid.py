"""The energy grid that the spectra of a batch share, and points on it."""

import numpy as np

from tasks.arrays import Array, Host, to_host
from tasks.errors import DataError


def checked_grid(energy: Array, e0: float | None = None) -> Host:
    """
    Bring an energy grid to the host and refuse one that cannot be worked with.

    Parameters
    ----------
    energy
        Shape (points,), eV.
    e0
        Edge energy that must lie inside, if given.

    Returns
    -------
    numpy.ndarray
        The grid, float64.

    Raises
    ------
    DataError
        If the energies do not increase from point to point, there are fewer than ten, or the edge
        energy is not among them.
    """
    grid = np.ascontiguousarray(to_host(energy), dtype=float)
    steps = np.diff(grid)
    if not np.all(steps > 0):  # also where an energy is not a number
        at = int(np.argmin(steps > 0))
        raise DataError(
            f"The energies do not increase from point {at} ({grid[at]:.3f} eV) to point {at + 1} "
            f"({grid[at + 1]:.3f} eV): sort the sweep and merge repeated energies first."
        )
    if len(grid) < 10:
        raise DataError(f"The spectrum has {len(grid)} points: too few for an absorption edge.")
    if e0 is not None and not grid[1] <= e0 <= grid[-2]:
        raise DataError(
            f"The edge energy {e0:.1f} eV is outside the scan, which goes from {grid[0]:.1f} to "
            f"{grid[-1]:.1f} eV: is it the right element and edge?"
        )
    return grid


def at_or_below(grid: Host, value: float) -> int:
    """Return the index of the last point at or below a value, 0 if there is none."""
    return max(int(np.searchsorted(grid, value, side="right")) - 1, 0)


def nearest(grid: Host, value: float) -> int:
    """Return the index of the point nearest to a value, the lower of two."""
    return int(np.argmin(np.abs(grid - value)))
