"""What a sensor absorbs."""

from __future__ import annotations

from functools import cache
from typing import Any

from tasks.io.pdf.describe import HC

FORMULAS = {
    "si": ("Si", 2.329),
    "silicon": ("Si", 2.329),
    "cdte": ("CdTe", 5.85),
    "gaas": ("GaAs", 5.317),
}
"""Chemical formula and density in g/cm³ (CRC Handbook of Chemistry and Physics, 97th edition)."""


def material_of(told: str) -> str:
    """Return the chemical formula of a sensor as files name it; empty if it is not known."""
    return FORMULAS.get(told.strip().lower(), ("", 0.0))[0]


@cache
def absorption_of(material: str, wavelength: float) -> float:
    """
    Return the linear attenuation coefficient of a sensor, in 1/mm; 0 if it is not known.

    The total cross-sections of xraylib (Schoonjans et al., Spectrochim. Acta B66, 776 (2011)), as
    other programs of the field take them for the parallax.

    Parameters
    ----------
    material
        Such as ``Si``.
    wavelength
        In Angstrom.
    """
    import xraylib  # pyright: ignore[reportMissingTypeStubs]

    tables: Any = xraylib

    formula, density = FORMULAS.get(material.lower(), ("", 0.0))
    if not formula or wavelength <= 0:
        return 0.0
    return float(tables.CS_Total_CP(formula, HC / wavelength)) * density / 10
