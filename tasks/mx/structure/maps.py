"""2Fo-Fc and Fo-Fc maps from the coefficients that refinement left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_RATE = 3.0  # grid points per resolution
_MARGIN = 5.0  # Angstrom around the model


def read_maps(mtz: Path) -> tuple[Any, Any]:
    """Return the 2Fo-Fc and the Fo-Fc map, ``gemmi.FloatGrid``, in electrons per cubic Angstrom."""
    import gemmi

    coefficients: Any = gemmi.read_mtz_file(str(mtz))
    pairs = (("FWT", "PHWT"), ("DELFWT", "PHDELWT"))
    best, difference = (
        coefficients.transform_f_phi_to_map(*pair, sample_rate=_RATE) for pair in pairs
    )
    return best, difference


def write_map(path: Path, grid: Any, structure: Any) -> None:
    """
    Write a map around a structure in the CCP4 format.

    Parameters
    ----------
    path
        Where to.
    grid
        ``gemmi.FloatGrid``.
    structure
        ``gemmi.Structure``.
    """
    import gemmi

    written: Any = gemmi.Ccp4Map()
    written.grid = grid
    written.update_ccp4_header(2)
    written.set_extent(structure.calculate_fractional_box(margin=_MARGIN))
    written.write_ccp4_map(str(path))
