"""
Over-absorption in fluorescence: the sample itself shades the signal.

In a thick and concentrated sample the depth that is seen shrinks where the absorption grows, so
that white lines and oscillations look too small. For a sample much thicker than that depth the
effect has a closed form (D. Haskel, FLUO, 1999; C. H. Booth and F. Bridges, Phys. Scr. T115, 202
(2005), for infinite thickness), with one number, alpha, that follows from the formula of the sample
and the angles. It is applied only when a user asks for it: neither can be seen from the data.
"""

from typing import Any

import numpy as np
import xraydb  # pyright: ignore[reportMissingTypeStubs]

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace
from tasks.errors import DataError

_xraydb: Any = xraydb
_LINES = {"K": "Ka", "L1": "Lb3", "L2": "Lb1", "L3": "La"}
_ASIDE = 10.0  # eV from the edge where the absorption below and above is looked up


def over_absorption_alpha(
    formula: str, element: str, edge: str, angle_in: float, angle_out: float
) -> float:
    """
    Compute how strongly a sample shades its own fluorescence.

    Parameters
    ----------
    formula
        What the whole sample consists of, with any diluent: ``Fe2O3``, ``ZnSO4(H2O)7``.
    element, edge
        Absorber and edge: ``Fe``, ``K``.
    angle_in, angle_out
        Between the sample's surface and the incident beam, and the detector; degrees.

    Returns
    -------
    float
        (mu(fluorescence) sin(in) / sin(out) + mu(below the edge)) / step of the absorber alone (in
        a dilute sample all else falls by more over the edge). Large for a dilute sample, less than
        1 for a pure oxide or metal.

    Raises
    ------
    DataError
        If the formula cannot be read or does not hold the absorber, if there are no tables for the
        edge, or an angle is not between 0 and 90 degrees.
    """
    if not (0 < angle_in <= 90 and 0 < angle_out <= 90):
        raise DataError(
            f"The angles {angle_in:g} and {angle_out:g} degrees must lie between 0 and 90: they "
            "are measured from the surface of the sample."
        )
    energies = _energies(element, edge)
    fractions = _mass_fractions(formula, element)
    absorber = _attenuation(element, fractions[element], energies)
    sample = np.sum([_attenuation(*part, energies) for part in fractions.items()], axis=0)
    tilt = np.sin(np.deg2rad(angle_in)) / np.sin(np.deg2rad(angle_out))
    return float((sample[0] * tilt + sample[1]) / (absorber[2] - absorber[1]))


@algorithm("xas.correct_over_absorption", version="1", rtol=1e-12)
def correct_over_absorption(norm: Array, alpha: float) -> Array:
    """
    Undo the shading of normalised spectra.

    Parameters
    ----------
    norm
        Normalised fluorescence, shape (spectra, points).
    alpha
        From `over_absorption_alpha`.

    Returns
    -------
    Array
        norm alpha / (alpha + 1 - norm), same shape: 0 and 1 stay, white lines grow.

    Raises
    ------
    DataError
        If the signal is higher than any absorption could make it in such a sample.
    """
    xp = namespace(norm)
    room = alpha + 1 - norm
    if bool(xp.any(room <= 0)):
        raise DataError(
            f"A normalised signal of {alpha + 1:.2f} or more cannot come from a thick sample of "
            "this formula at these angles: check both, or do not correct for over-absorption."
        )
    return norm * alpha / room


@correct_over_absorption.case
def a_white_line() -> Inputs:
    """Correct a rise with an overshoot."""
    return (np.linspace(-0.1, 1.6, 40).reshape(2, 20), 1.5), {}


def _energies(element: str, edge: str) -> Host:
    """Energies of the fluorescence line, below and above the edge, eV."""
    levels = _xraydb.xray_edges(element)
    line = _xraydb.xray_line(element, _LINES[edge]) if edge in _LINES else None
    if edge not in levels or line is None:
        raise DataError(f"There are no tables of the {edge} edge of {element} and its line.")
    energy = float(levels[edge].energy)
    return np.array([float(line.energy), energy - _ASIDE, energy + _ASIDE])


def _mass_fractions(formula: str, element: str) -> dict[str, float]:
    try:
        atoms: dict[str, float] = _xraydb.chemparse(formula)
    except ValueError as error:
        raise DataError(f"The formula {formula!r} cannot be read: write it like Fe2O3.") from error
    if element not in atoms:
        raise DataError(f"The formula {formula!r} does not contain {element}, which absorbs.")
    masses = {name: count * float(_xraydb.atomic_mass(name)) for name, count in atoms.items()}
    return {name: mass / sum(masses.values()) for name, mass in masses.items()}


def _attenuation(element: str, fraction: float, energies: Host) -> Host:
    """Attenuation by one element per mass of the sample, cm²/g; the density drops out."""
    return fraction * np.asarray(_xraydb.mu_elam(element, energies), dtype=float)
