"""Photon energy above an edge, and the wavenumber of the photoelectron that it sets free."""

import numpy as np
from scipy import constants  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host

ETOK = 2 * float(constants.m_e) * float(constants.e) / (1e20 * float(constants.hbar) ** 2)
"""2 m / ħ² = 0.2624684 1/(eV Å²) (CODATA): the square of k per eV above the edge."""


def e_to_k(energy: Host | float, e0: float) -> Host:
    """
    Turn photon energy into photoelectron wavenumber.

    Parameters
    ----------
    energy
        eV.
    e0
        Edge energy, eV.

    Returns
    -------
    numpy.ndarray
        1/Å; below the edge negative, so that it still increases with energy.
    """
    above = np.asarray(energy, dtype=float) - e0
    return np.sign(above) * np.sqrt(ETOK * np.abs(above))


def k_to_e(k: Host | float, e0: float) -> Host:
    """
    Turn photoelectron wavenumber into photon energy.

    Parameters
    ----------
    k
        1/Å; negative below the edge.
    e0
        Edge energy, eV.

    Returns
    -------
    numpy.ndarray
        eV.
    """
    wavenumber = np.asarray(k, dtype=float)
    return e0 + np.sign(wavenumber) * wavenumber**2 / ETOK
