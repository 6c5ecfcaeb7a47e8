"""
What free atoms scatter: form factors and their means, Compton, weights of pairs.

Everything is per atom, in electron units, for a composition as fractions of atoms (T. Egami and
S. J. L. Billinge, *Underneath the Bragg Peaks*, Pergamon 2012, chapter 5).
"""

import numpy as np
from numpy.typing import NDArray

from tasks.pdf.composition import Composition
from tasks.pdf.tables import HC, F, dispersion, form_factor, incoherent

_ELECTRON = 510.99895  # rest energy, keV


def form_factors(
    composition: Composition, q: F, wavelength: float | None = None
) -> NDArray[np.complex128]:
    """
    Scattering amplitude of each element, shape (elements, bins), electrons.

    Parameters
    ----------
    q
        1/Å, shape (bins,).
    wavelength
        In Å; adds f' and f'' at that energy. Without it the amplitudes are f0, real.
    """
    plain = np.array([form_factor(element, q) for element in composition.elements], dtype=complex)
    if wavelength is None:
        return plain
    return plain + np.array([[dispersion(e, wavelength)] for e in composition.elements])


def mean_form_factor(composition: Composition, q: F, wavelength: float | None = None) -> F:
    """Return <f>, shape (bins,): the modulus of the mean amplitude."""
    return np.abs(composition.fractions @ form_factors(composition, q, wavelength))


def mean_square_form_factor(composition: Composition, q: F, wavelength: float | None = None) -> F:
    """Return <|f|²>, shape (bins,)."""
    return composition.mean(np.abs(form_factors(composition, q, wavelength)) ** 2)


def faber_ziman_weights(composition: Composition, q: F) -> dict[tuple[str, str], F]:
    """
    Weight of each pair of elements in S(Q), summing to one; (bins,) each.

    The weights are (2 - delta) c_a c_b f_a f_b / <f>² (T. E. Faber and J. M. Ziman, Philos. Mag.
    11, 153 (1965)).
    """
    amplitude = composition.fractions[:, None] * form_factors(composition, q).real
    square = amplitude.sum(axis=0) ** 2
    names = composition.elements
    return {
        (names[a], names[b]): (1 + (a != b)) * amplitude[a] * amplitude[b] / square
        for a in range(len(names))
        for b in range(a, len(names))
    }


def recoil(q: F, wavelength: float) -> F:
    """
    Energy that a photon keeps when a free electron scatters it, E'/E; shape (bins,).

    Parameters
    ----------
    q
        Of the elastic scattering at the same angle, 1/Å.
    wavelength
        In Å.
    """
    versine = 2 * (np.asarray(q) * wavelength / (4 * np.pi)) ** 2  # 1 - cos(2 theta)
    return 1 / (1 + HC / wavelength / _ELECTRON * versine)


def compton(composition: Composition, q: F, wavelength: float, power: float = 2.0) -> F:
    """
    Compton scattering per atom relative to Thomson's of an electron, shape (bins,).

    Parameters
    ----------
    q
        1/Å, shape (bins,).
    wavelength
        In Å.
    power
        Of the Breit-Dirac factor E'/E: 2 for a detector that counts photons, 3 for one that adds
        up their energy.

    Returns
    -------
    numpy.ndarray
        sum c S(Q) (E'/E)^power K, where K is what is left of the Klein-Nishina cross section of
        unpolarised light beside Thomson's once (E'/E)² is taken out; at 100 keV and 60 degrees it
        is 1.007.
    """
    kept = recoil(q, wavelength)
    square = (q * wavelength / (4 * np.pi)) ** 2
    sine_square = 4 * square * (1 - square)  # sin² of 2 theta
    rest = (kept + 1 / kept - sine_square) / (2 - sine_square)
    free = composition.mean(np.array([incoherent(each, q) for each in composition.elements]))
    return free * kept**power * rest
