"""
Absolute energies: the first inflection point of a foil, put where a table says it is.

The foil's absorption is fitted with a polynomial in a narrow window that is moved along the edge.
Where the second derivative of the fit passes through zero, falling, while the slope is steep, there
is an inflection point; the first one is what the foil energies of Kraft et al. (1996) are.
Local polynomial fits for derivatives: A. Savitzky, M. J. E. Golay, Anal. Chem. 36, 1627 (1964),
doi:10.1021/ac60214a047. The point found lies between grid points and has an uncertainty.
"""

from dataclasses import dataclass

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.xas.foils import FoilEnergy, Table, foil_energy

_STEP = 0.25  # eV between places of the window
_DEGREE = 5  # of the polynomial: a cubic would be 0.1 eV off on an edge 2 eV wide
_HALF_WIDTH = 1.5  # eV, of the window
_PER_EV = 1.2e-4  # eV per eV: edges of high energy are wider, by the life time of the hole
_POINTS = 5.0  # spacings that half of the window reaches over at least
_STEEP = 0.5  # of the steepest slope: less steep is a pre-edge peak


@dataclass(frozen=True)
class Inflection:
    """
    An inflection point.

    Attributes
    ----------
    energy, sigma
        eV.
    """

    energy: float
    sigma: float


@dataclass(frozen=True)
class Calibration:
    """
    How far the energy scale is off.

    Attributes
    ----------
    offset
        eV to add to all energies.
    sigma
        1 sigma of the point measured, eV; that of the table is not in it.
    measured
        Where the foil's edge was seen, eV.
    foil
        Where it is, and by whom.
    """

    offset: float
    sigma: float
    measured: float
    foil: FoilEnergy


def calibrate(
    energy: F,
    mu: F,
    element: str,
    edge: str,
    table: Table | None = None,
    *,
    reach: float = 15.0,
    noise: float | None = None,
) -> Calibration:
    """
    Find the offset that puts the edge of a foil where a table says it is.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        Of the foil, (points,); merged over sweeps that are aligned.
    element, edge
        Of the foil.
    table
        Whose value; the most accurate that there is when left out.
    reach
        Largest offset, eV.
    noise
        Of a point; from the fits' own residuals when left out.

    Raises
    ------
    DataError
        If no table has the foil, or there is no edge near its energy.
    """
    foil = foil_energy(element, edge, table)
    seen = first_inflection(energy, mu, foil.energy, reach, noise)
    return Calibration(foil.energy - seen.energy, seen.sigma, seen.energy, foil)


def first_inflection(
    energy: F, mu: F, near: float, reach: float = 15.0, noise: float | None = None
) -> Inflection:
    """
    Find the first steep inflection point of an edge.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        (points,).
    near, reach
        Where to look, eV.
    noise
        Of a point; from the fits' own residuals when left out.

    Raises
    ------
    DataError
        If there is none.
    """
    known = np.isfinite(mu) & np.isfinite(energy)
    energy, mu = energy[known], mu[known]
    inside = (energy > near - reach) & (energy < near + reach)
    if inside.sum() < 10:
        raise DataError(
            f"There are only {inside.sum()} points within {reach:.0f} eV of {near:.1f} eV: the "
            "foil's edge was not scanned."
        )
    half = max(_HALF_WIDTH, _PER_EV * near, _POINTS * float(np.median(np.diff(energy[inside]))))
    begin, end = max(near - reach, energy[0] + half), min(near + reach, energy[-1] - half)
    scan = _local_fits(energy, mu, np.arange(begin, end, _STEP), half, noise)
    turns = (scan.bend[:-1] > 0) & (scan.bend[1:] <= 0)
    turns &= scan.slope[:-1] > _STEEP * np.max(scan.slope)
    if not turns.any():
        raise DataError(
            f"There is no edge within {reach:.0f} eV of {near:.1f} eV, where the foil's should be: "
            "is the foil the one that was named, and the monochromator roughly calibrated?"
        )
    turn = float(scan.places[int(np.argmax(turns))])
    close = _local_fits(energy, mu, turn + np.linspace(0.0, _STEP, 11), half, noise)
    falling = (close.bend[:-1] > 0) & (close.bend[1:] <= 0)
    at = int(np.argmax(falling))
    share = close.bend[at] / (close.bend[at] - close.bend[at + 1])
    found = close.places[at] + share * (close.places[at + 1] - close.places[at])
    return Inflection(float(found), float(close.error[at] / max(abs(close.twist[at]), 1e-12)))


@dataclass(frozen=True)
class _Fits:
    """First three derivatives at some places, and the uncertainty of the second."""

    places: F
    slope: F
    bend: F
    twist: F
    error: F


def _local_fits(energy: F, mu: F, places: F, half: float, noise: float | None) -> _Fits:
    """Fit a polynomial in a window about each place."""
    found = np.zeros((4, len(places)))
    for n, place in enumerate(places):
        begin, end = np.searchsorted(energy, (place - half, place + half))
        x = (energy[begin:end] - place) / half
        if len(x) <= _DEGREE + 1:
            continue
        powers: F = x[:, None] ** np.arange(_DEGREE + 1.0)
        solver: F = np.asarray(np.linalg.pinv(powers), np.float64)
        fit: F = np.matmul(solver, mu[begin:end])
        left: F = mu[begin:end] - np.matmul(powers, fit)
        own = float(np.sqrt(np.sum(left**2) / (len(x) - _DEGREE - 1)))
        error = 2 * float(np.linalg.norm(solver[2])) * (own if noise is None else noise)
        found[:, n] = fit[1] / half, 2 * fit[2] / half**2, 6 * fit[3] / half**3, error / half**2
    return _Fits(places, *found)
