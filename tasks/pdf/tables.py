"""
Tabulated properties of the elements, looked up once: masses, form factors, attenuation.

The libraries that hold the tables take a second to import, so that happens at the first look-up.
"""

import functools
import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError

F = NDArray[np.float64]

HC = 12.398419843
"""Photon energy times wavelength, keV Å."""
LAST_ELEMENT = 98
"""Californium: the tables of form factors end here."""
_COMPTON_FROM = 0.00102  # 1/Å: below, the tables end and the scattering is as good as zero


def xraydb() -> Any:
    """Import the X-ray database (masses, form factors, attenuation)."""
    return importlib.import_module("xraydb")


@functools.cache
def atomic_number(element: str) -> int:
    """Return the number of protons; `ValueError` if there is no such element."""
    return int(xraydb().atomic_number(element))


@functools.cache
def atomic_mass(element: str) -> float:
    """Return the mass of a mole of atoms, g."""
    return float(xraydb().atomic_mass(element))


def form_factor(element: str, q: F) -> F:
    """
    Elastic form factor of the free, neutral atom, electrons, shape (bins,).

    D. Waasmaier and A. Kirfel, Acta Cryst. A 51, 416 (1995), valid to Q = 75 1/Å.
    """
    return np.asarray(xraydb().f0(element, q / (4 * np.pi)), dtype=float)


def dispersion(element: str, wavelength: float) -> complex:
    """Return f' + i f'' at a wavelength in Å, electrons (tables of C. T. Chantler, 2000)."""
    energy = _energy(wavelength) * 1000
    tables = xraydb()
    return complex(tables.f1_chantler(element, energy), tables.f2_chantler(element, energy))


def incoherent(element: str, q: F) -> F:
    """
    Incoherent scattering function S(Q) of an atom, electrons, shape (bins,).

    J. H. Hubbell et al., J. Phys. Chem. Ref. Data 4, 471 (1975), as xraylib has it.
    """
    import xraylib_np  # pyright: ignore[reportMissingImports]

    tables: Any = xraylib_np
    s = np.maximum(np.asarray(q, dtype=float) / (4 * np.pi), _COMPTON_FROM)
    return np.asarray(tables.SF_Compt(np.array([atomic_number(element)]), s)[0], dtype=float)


def mass_attenuation(element: str, wavelength: float) -> float:
    """Attenuation of an element, all processes, cm²/g (xraydb: W. T. Elam et al., 2002)."""
    return float(xraydb().mu_elam(element, _energy(wavelength) * 1000))


def _energy(wavelength: float) -> float:
    if not 0.01 < wavelength < 20:
        raise DataError(
            f"A wavelength of {wavelength:g} Å is not that of X-rays for total scattering: give it "
            "in Å."
        )
    return HC / wavelength
