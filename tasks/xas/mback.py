"""
Normalisation by matching tabulated absorption: MBACK.

The measured absorption is a multiple of the element's f'' plus a smooth background, over the whole
scan at once, which ties the step down where lines below and above the edge are too short to do so
(T.-C. Weng, G. S. Waldo, J. E. Penner-Hahn, J. Synchrotron Rad. 12, 506 (2005)). Fitting the
multiple to the data rather than the data to f'' (J. C. Lee, J. Xiang, B. Ravel, J. Kortright,
K. Flanagan, Astrophys. J. 702, 970 (2009)) makes the fit linear, so one matrix serves a batch. The
tables are Chantler's, as xraydb has them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xraydb  # pyright: ignore[reportMissingTypeStubs]

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace
from tasks.errors import DataError
from tasks.xas.grid import checked_grid
from tasks.xas.normalise import Windows, normalise

_xraydb: Any = xraydb
_SCALE = 1000.0  # eV that count as one in the background polynomial


@dataclass(frozen=True)
class Matched:
    """
    Spectra matched to the tables.

    Attributes
    ----------
    norm
        Normalised absorption, (spectra, points).
    edge_step
        Shape (spectra,).
    table
        Tabulated f'', normalised as the spectra are; (points,).
    """

    norm: Array
    edge_step: Array
    table: Array


@algorithm("xas.mback", version="1", rtol=1e-9)
def mback(
    energy: Array, mu: Array, element: str, e0: float, windows: Windows, degree: int = 1
) -> Matched:
    """
    Normalise spectra so that they match the tabulated absorption of the element.

    Parameters
    ----------
    energy
        Shape (points,), eV, increasing.
    mu
        Absorption, shape (spectra, points).
    element
        Symbol of the absorber.
    e0
        Edge energy, eV.
    windows
        Where spectra and tables are compared, each range with the same weight in all; the white
        line and the near-edge structure, which the tables do not have, lie between. The tables'
        own step is measured by the same lines.
    degree
        Of the polynomial that stands for all else that absorbs or scatters. A line serves from
        XANES to EXAFS; what bends more takes a part of the step with it in a short scan.

    Returns
    -------
    Matched
        Not-a-number in spectra that hold values that are not numbers.

    Raises
    ------
    DataError
        As `normalise`; or if the tables know no edge there.
    """
    xp = namespace(mu)
    grid = checked_grid(energy, e0)
    table = _table(grid, element, e0, windows)
    inside, weights = _weights(grid, e0, windows)
    powers = np.vander((grid - e0) / _SCALE, degree + 1, increasing=True)
    model = np.column_stack([table, powers])
    fit = np.linalg.pinv(model[inside] * weights[:, None]) * weights
    found = xp.take(mu, xp.asarray(inside), axis=1) @ xp.asarray(np.ascontiguousarray(fit.T))
    background = found[:, 1:] @ xp.asarray(np.ascontiguousarray(powers.T))
    step = found[:, 0]
    return Matched((mu - background) / step[:, None], step, xp.asarray(table))


def _table(grid: Host, element: str, e0: float, windows: Windows) -> Host:
    """Look up f'' and bring its step at the edge to one, shape (points,)."""
    table = np.asarray(_xraydb.f2_chantler(element, grid), dtype=float)
    result = normalise(grid, table[None], e0, windows)
    if not float(result.edge_step[0]) > 0.05 * np.max(table):
        raise DataError(
            f"The tables of {element} have no edge at {e0:.1f} eV: is it the right element?"
        )
    return result.norm[0]


def _weights(grid: Host, e0: float, windows: Windows) -> tuple[Host, Host]:
    """Points of both ranges, and weights that make either count the same."""
    offset = grid - e0
    below = np.flatnonzero((offset >= windows.pre1) & (offset <= windows.pre2))
    above = np.flatnonzero((offset >= windows.norm1) & (offset <= windows.norm2))
    if min(len(below), len(above)) < 3:
        raise DataError(
            "There are fewer than three points below or above the edge to match with the tables: "
            "widen the ranges, or normalise by lines."
        )
    sizes = [np.full(len(part), len(part) ** -0.5) for part in (below, above)]
    return np.concatenate([below, above]), np.concatenate(sizes)


@mback.case
def a_multiple_of_the_table() -> Inputs:
    """Make spectra from the tables of iron with a bent background."""
    grid = np.arange(6912.0, 7700.0, 4.0)
    bend = 0.3 - 4e-4 * (grid - 7112) + 1e-7 * (grid - 7112) ** 2
    table = np.asarray(_xraydb.f2_chantler("Fe", grid), dtype=float)
    mu: Host = np.linspace(0.2, 1, 4)[:, None] * table + bend
    return (grid, mu, "Fe", 7112.0, Windows(-190, -40, 60, 580, 2)), {}
