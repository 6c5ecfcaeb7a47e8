"""The axis of 1-D patterns, in whichever unit it comes."""

from pathlib import Path

import numpy as np

from flows.pdf.recipe import AxisUnit, Recipe
from flows.pdf.types import Floats
from tasks.errors import DataError
from tasks.io.powder import Pattern
from tasks.io.scan import ScanReference

_MOST = {"q_1/angstrom": 60.0, "q_1/nm": 600.0, "tth_deg": 180.0, "tth_rad": np.pi}


def unit_of(recipe: Recipe, pattern: Pattern, reference: ScanReference) -> AxisUnit:
    """Settle the unit of a pattern's axis.

    Raises
    ------
    DataError
        Neither recipe nor file say it, or it cannot be that.
    """
    unit = recipe.axis_unit or pattern.unit
    name = Path(reference.path).name
    if unit is None:
        raise DataError(
            f"{name} does not say what its first column is (from {pattern.x[0]:.4g} to "
            f"{pattern.x[-1]:.4g}): 2θ or Q? Say it in the recipe or the beamline's settings "
            "(axis_unit = tth_deg, tth_rad, q_1/angstrom or q_1/nm)."
        )
    if pattern.x[-1] > _MOST[unit]:
        raise DataError(
            f"The first column of {name} goes to {pattern.x[-1]:.4g}, which {unit} cannot: correct "
            "axis_unit in the recipe."
        )
    return unit


def needs_wavelength(unit: AxisUnit) -> bool:
    """Whether the axis is an angle."""
    return unit in ("tth_deg", "tth_rad")


def to_q(x: Floats, unit: AxisUnit, wavelength: float | None) -> Floats:
    """Bring an axis to Q in 1/Å."""
    if unit == "q_1/angstrom":
        return np.asarray(x, np.float64)
    if unit == "q_1/nm":
        return np.asarray(x, np.float64) / 10
    if wavelength is None:
        raise ValueError("an angle needs a wavelength")
    two_theta = np.deg2rad(x) if unit == "tth_deg" else np.asarray(x, np.float64)
    return 4 * np.pi / wavelength * np.sin(two_theta / 2)
