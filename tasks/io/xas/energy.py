"""Photon energy in eV, from what monochromators and files give."""

from __future__ import annotations

import re

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F

HC = 12398.419843
"""Planck's constant times the speed of light in eV Angstrom (CODATA 2018)."""
LATTICE = {"si": 5.431020511, "ge": 5.657906}
"""Lattice parameters in Angstrom: silicon from CODATA 2018, germanium at 25 C (Baker & Hart 1975,
Acta Cryst. A31, 364)."""
REFLECTION = re.compile(r"\b(si|ge)\s*[-_]?\s*\(?\s*(\d)\s*(\d)\s*(\d)\b", re.IGNORECASE)
KEV_BELOW = 150.0
"""No edge that is measured lies below 150 eV: smaller numbers are keV."""
UNITS = {"ev": 1.0, "kev": 1e3, "electronvolt": 1.0}


def crystal_spacing(name: str | None) -> float | None:
    """Return the lattice spacing in Angstrom of a crystal such as ``Si(111)``, else None."""
    found = REFLECTION.search(name or "")
    if not found:
        return None
    indices = [int(digit) for digit in found.groups()[1:]]
    return LATTICE[found[1].lower()] / float(np.hypot.reduce(np.array(indices, np.float64)))


def from_angle(angle: F, d_spacing: float) -> F:
    """
    Return the energy in eV that is reflected under some angles in degrees (Bragg's law).

    Angles at which nothing is reflected give NaN.
    """
    sine = np.sin(np.deg2rad(angle))
    return HC / (2 * d_spacing * np.where(sine > 0, sine, np.nan))


def scale_to_ev(values: F, unit: str, where: str) -> float:
    """
    Return what energies are to be multiplied with to be in eV.

    Parameters
    ----------
    values
        Some of the energies.
    unit
        As the file gives it; empty or of another kind: told from the values.
    where
        The file and the place in it, for what is told about it.

    Raises
    ------
    DataError
        They cannot be energies.
    """
    known = UNITS.get(unit.strip().lower())
    if known is not None:
        return known
    finite = values[np.isfinite(values)]
    middle = float(np.median(finite)) if finite.size else 0.0
    if middle <= 0:
        raise DataError(
            f"{where} holds no energies (its values lie about {middle:g}): "
            f"check which column holds the energy."
        )
    return 1e3 if middle < KEV_BELOW else 1.0
