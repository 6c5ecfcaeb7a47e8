"""What scatters beside the sample: the walls of the capillary and the air."""

import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import debye, factors
from infra.simulator.pdf.cromer_mann import form_factor
from infra.simulator.pdf.materials import ALUMINIUM, SILICA

Array = NDArray[np.float64]
KAPTON, KAPTON_DENSITY = "C22H10N2O5", 1.42
AIR, AIR_DENSITY = "N1.56O0.42Ar0.01", 1.2e-3
KAPTON_PEAKS = (  # 1/Å, width, height: sharp ones of what is crystalline in it, then broad ones
    (0.40, 0.03, 0.35),
    (0.81, 0.03, 0.25),
    (1.27, 0.09, 0.9),
    (1.61, 0.04, 0.25),
    (2.02, 0.20, 0.45),
    (2.96, 0.05, 0.20),
    (5.2, 0.45, 0.25),
)
SOLID = {"quartz": SILICA, "aluminium": ALUMINIUM}
BONDS = {"N": (1.56, 1.098), "O": (0.42, 1.208)}  # atoms of 1.99, and Å between the two


def kapton(q: Array, wavelength: float) -> Array:
    """Return the coherent scattering of a polyimide film per atom, in electron units."""
    square = factors.mean_square(KAPTON, q, wavelength)
    peaks = sum(h * np.exp(-0.5 * ((q - at) / width) ** 2) for at, width, h in KAPTON_PEAKS)
    return square * (1 - 0.85 * np.exp(-((q / 1.1) ** 2)) + peaks)


def air(q: Array, wavelength: float) -> Array:
    """Return the scattering of air per atom, two atoms of a molecule together, Compton with it."""
    result = factors.mean_square(AIR, q, wavelength) + factors.compton(AIR, q, wavelength)
    for element, (atoms, bond) in BONDS.items():
        result += atoms / 1.99 * form_factor(element, q) ** 2 * np.sinc(q * bond / np.pi)
    return result


def walls(container: str) -> tuple[str, float]:
    """Return formula and density in g/cm3 of a capillary's walls."""
    if container == "kapton":
        return KAPTON, KAPTON_DENSITY
    return SOLID[container].formula, SOLID[container].density


def wall_scattering(container: str, q: Array, wavelength: float) -> Array:
    """Return the scattering of a capillary's walls per atom, Compton with it, (bins,)."""
    formula, _ = walls(container)
    if container == "kapton":
        ordered = kapton(q, wavelength)
    else:
        ordered = debye.coherent(SOLID[container], q, wavelength)
    return ordered + factors.compton(formula, q, wavelength)
