"""
How far standards are off in energy, where no reference foil says it.

The shift that all of them have in common is sought by trial: the one with which they describe the
measured spectra best. It is worth less than a foil, since what the standards lack is explained by a
shift as far as it goes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.interpolate  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host
from tasks.xas.lcf import fit
from tasks.xas.lcf_ranking import independent_points

_interpolate: Any = scipy.interpolate

_STEP = 0.1  # eV between trial shifts
_LEAST = 0.02  # eV: no shift is known better by this


@dataclass(frozen=True)
class Shift:
    """
    What is to be added to the energies of the standards.

    Attributes
    ----------
    shift, sigma
        eV, and 1 sigma of it.
    at_border
        Whether it lies at the border of the range tried: do not trust it.
    """

    shift: float
    sigma: float
    at_border: bool


def common_shift(
    energy: Host,
    curves: Host,
    loose: Host,
    fitted: Host,
    spectra: Host,
    sum_to_one: bool = True,
    reach: float = 3.0,
) -> Shift:
    """
    Find the shift that some of the standards have in common.

    Parameters
    ----------
    energy, curves
        Grid in eV, (points,), and the standards on it, (standards, points).
    loose
        Which of them are to be moved, bool, (standards,).
    fitted
        Which points are fitted, bool, (points,).
    spectra
        (spectra, points fitted).
    sum_to_one
        As in the fit.
    reach
        Largest shift tried, eV.
    """
    moved = _interpolate.CubicSpline(energy, curves[loose], axis=1)
    shifts = np.arange(-reach, reach + _STEP / 2, _STEP)

    def at(shift: float) -> Host:
        standards: Host = curves[:, fitted].copy()
        standards[loose] = moved(np.clip(energy[fitted] - shift, energy[0], energy[-1]))
        return standards

    chi2 = np.array([float(fit(spectra, at(each), sum_to_one).chi2.sum()) for each in shifts])
    lowest = int(np.argmin(chi2))
    middle = min(max(lowest, 1), len(shifts) - 2)
    before, least, after = chi2[middle - 1 : middle + 2]
    bend = max(before - 2 * least + after, 1e-300)
    found = shifts[middle] + _STEP * float(np.clip((before - after) / (2 * bend), -1, 1))
    # what is left is not noise but the same for all spectra: they count as one
    points = float(np.median(independent_points(spectra, at(found), None, sum_to_one)))
    sigma = _STEP * np.sqrt(2 * least / points / bend)
    return Shift(float(found), max(float(sigma), _LEAST), lowest != middle)
