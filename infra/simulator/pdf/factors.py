"""How atoms scatter on average: form factors, Compton scattering, absorption, masses.

Where nothing else is said the tables are those of xraylib (Schoonjans et al., Spectrochim. Acta B
66 (2011) 776), for Compton scattering those of Hubbell et al. (J. Phys. Chem. Ref. Data 4 (1975)
471).

q is 4 pi sin(theta) / wavelength in 1/Å, everything is per atom and in electron units.
"""

from functools import lru_cache

import numpy as np
import xraylib
import xraylib_np
from numpy.typing import NDArray

from infra.simulator.pdf.cromer_mann import form_factor

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
COMPTON_WAVELENGTH = 0.0242631024  # h / (m c) in Å
HC = 12.398419843  # keV Å
AVOGADRO = 0.602214076  # of 1e24, which makes g/cm3 into atoms/Å3


@lru_cache
def composition(formula: str) -> dict[str, float]:
    """Return the atomic fractions of a formula; a ValueError says that there is no such thing."""
    parsed = xraylib.CompoundParser(formula)
    names = [xraylib.AtomicNumberToSymbol(number) for number in parsed["Elements"]]
    atoms = np.array(parsed["nAtoms"]) / parsed["nAtomsAll"]
    return dict(zip(names, atoms.tolist(), strict=True))


def _number(element: str) -> NDArray[np.int64]:
    return np.array([xraylib.SymbolToAtomicNumber(element)])


def amplitude(element: str, q: Array, wavelength: float) -> Complex:
    """Return the form factor of a free atom with its dispersion at a wavelength."""
    number, energy = int(_number(element)[0]), HC / wavelength
    # xraylib counts f'' down from 0
    return form_factor(element, q) + xraylib.Fi(number, energy) - 1j * xraylib.Fii(number, energy)


def compton(formula: str, q: Array, wavelength: float) -> Array:
    """Return the incoherent scattering as photons are counted, the recoil within.

    Of the formula of Klein and Nishina the square of the energies' ratio is kept; the rest of it
    changes 0.1 % at 100 keV and 45 degrees.
    """
    sine = q * wavelength / (4 * np.pi)
    ratio = 1 / (1 + 2 * COMPTON_WAVELENGTH / wavelength * sine**2)
    parts = composition(formula).items()
    s = q / (4 * np.pi)
    return ratio**2 * sum(c * xraylib_np.SF_Compt(_number(name), s)[0] for name, c in parts)


def mean(formula: str, q: Array, wavelength: float) -> Array:
    """Return |<f>|."""
    parts = composition(formula).items()
    return np.abs(sum(c * amplitude(element, q, wavelength) for element, c in parts))


def mean_square(formula: str, q: Array, wavelength: float) -> Array:
    """Return <|f|^2>."""
    parts = composition(formula).items()
    squares = (c * np.abs(amplitude(element, q, wavelength)) ** 2 for element, c in parts)
    return sum(squares, np.zeros(q.shape))


def atoms_per_volume(formula: str, density: float) -> float:
    """Return atoms per Å3 from g/cm3."""
    parts = composition(formula).items()
    mass = sum(c * xraylib.AtomicWeight(xraylib.SymbolToAtomicNumber(e)) for e, c in parts)
    return density * AVOGADRO / mass


def mass_density(formula: str, atoms: float) -> float:
    """Return g/cm3 from atoms per Å3."""
    return atoms / atoms_per_volume(formula, 1.0)


def attenuation(formula: str, density: float, wavelength: float) -> float:
    """Return the linear attenuation coefficient in 1/mm, from g/cm3 and Å."""
    return 0.1 * density * xraylib.CS_Total_CP(formula, HC / wavelength)
