"""Model spectra of a few iron compounds at the K edge: standards that need no data at hand.

Each is a sum of lifetime-broadened steps, Gaussian resonances before and at the edge, and EXAFS,

    chi(k) = S0² sum_j N_j f_j(k) / (k R_j²) exp(-2 k² s_j²) exp(-2 R_j / L) sin(2 k R_j + p_j(k)),

with plain functions for the scattering amplitudes f and linear phases p. Distances and
coordination numbers are those of the crystals; the shapes near the edge are drawn so that edge
energies, white lines and pre-edge peaks lie where textbooks show them. They are like the real
spectra, not the same: what is quantitative about them is their truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ELEMENT, EDGE, E0 = "Fe", "K", 7112.0
WAVENUMBER = 0.2624682917  # k² per eV above the edge, in 1/Å² (2m / hbar²)
AMPLITUDE, MEAN_FREE_PATH = 0.8, 8.0  # S0², Å
DECAY = 1.9  # how fast the absorption falls above the edge, as a power of the energy


@dataclass(frozen=True)
class Shell:
    """Neighbours at a distance (Å): scatterer, how many, and how they are spread (s², Å²)."""

    scatterer: str
    distance: float
    number: float
    disorder: float


@dataclass(frozen=True)
class Model:
    """A compound; steps and peaks are (eV above 7112 eV, share of the step, width in eV)."""

    formula: str
    steps: Sequence[tuple[float, float, float]]
    peaks: Sequence[tuple[float, float, float]]
    shells: Sequence[Shell]

    def absorption(self, energy: Array) -> Array:
        """Return the absorption of this edge in units of the edge step, at energies in eV."""
        above = energy - E0
        step = sum(
            share * (0.5 + np.arctan((above - where) / width) / np.pi)
            for where, share, width in self.steps
        )
        peaks = sum(
            height * np.exp(-0.5 * ((above - where) / width) ** 2)
            for where, height, width in self.peaks
        )
        return step * (1 + self.chi(energy)) * (energy / E0) ** -DECAY + peaks

    def chi(self, energy: Array) -> Array:
        """Return the EXAFS at energies in eV; it sets in softly above the edge."""
        onset = sum(where * share for where, share, _ in self.steps)
        k = np.sqrt(WAVENUMBER * np.maximum(energy - E0 - onset, 1e-6))
        waves = sum(_wave(shell, k) for shell in self.shells)
        return AMPLITUDE * waves * -np.expm1(-((k / 2.6) ** 6))


def _wave(shell: Shell, k: Array) -> Array:
    if shell.scatterer == "O":
        strength, phase = np.exp(-(((k - 1.5) / 6.0) ** 2)), 1.2 - 0.95 * k
    else:
        strength, phase = 0.9 * np.exp(-(((k - 7.0) / 4.5) ** 2)), 3.4 - 0.50 * k
    reach = 2 * shell.distance / MEAN_FREE_PATH + 2 * k**2 * shell.disorder
    wave = np.sin(2 * k * shell.distance + phase) * np.exp(-reach)
    return shell.number * strength * wave / (k * shell.distance**2)


MODELS = {
    "Fe": Model(
        "Fe",
        steps=[(0.0, 0.33, 0.9), (8.0, 0.67, 2.2)],
        peaks=[(1.0, 0.02, 1.4), (19.0, 0.07, 2.5), (44.0, 0.06, 6.0)],
        shells=[
            Shell("Fe", 2.482, 8, 0.0050),
            Shell("Fe", 2.866, 6, 0.0064),
            Shell("Fe", 4.053, 12, 0.0090),
            Shell("Fe", 4.753, 24, 0.0092),
            Shell("Fe", 4.964, 8, 0.0065),
        ],
    ),
    "FeO": Model(
        "FeO",
        steps=[(9.0, 1.0, 1.4)],
        peaks=[(0.8, 0.035, 1.2), (15.6, 0.50, 3.4), (31.0, 0.14, 3.5), (62.0, 0.08, 6.0)],
        shells=[
            Shell("O", 2.155, 6, 0.0130),
            Shell("Fe", 3.048, 12, 0.0130),
            Shell("O", 3.733, 8, 0.0150),
            Shell("Fe", 4.310, 6, 0.0150),
            Shell("Fe", 5.279, 24, 0.0160),
        ],
    ),
    "Fe2O3": Model(
        "Fe2O3",
        steps=[(12.5, 1.0, 1.4)],
        peaks=[(1.6, 0.06, 1.1), (20.0, 0.46, 3.3), (27.0, 0.20, 4.0), (35.0, 0.14, 3.5)],
        shells=[
            Shell("O", 1.946, 3, 0.0060),
            Shell("O", 2.116, 3, 0.0090),
            Shell("Fe", 2.900, 1, 0.0060),
            Shell("Fe", 2.971, 3, 0.0060),
            Shell("Fe", 3.364, 3, 0.0070),
            Shell("Fe", 3.705, 6, 0.0080),
        ],
    ),
    "FeS2": Model(
        "FeS2",
        steps=[(5.6, 1.0, 1.1)],
        peaks=[(0.4, 0.05, 1.0), (7.0, 0.06, 1.5), (25.0, 0.28, 6.0), (88.0, 0.12, 7.0)],
        shells=[
            Shell("Fe", 2.264, 3.4, 0.0040),  # sulphur scatters about half as much as iron
            Shell("Fe", 3.445, 3.2, 0.0060),
            Shell("Fe", 3.602, 1.1, 0.0060),
            Shell("Fe", 3.830, 12, 0.0070),
        ],
    ),
}
