"""Where a spectrum rises, and by how much: told from its integral, so that noise counts little."""

import numpy as np

from tasks.io.spectra import F

WINDOW = 20.0
"""A step is the mean over so many eV above it less that below it."""
NARROWEST = 2.0
FINE = 12.0
"""The steepest point is sought so many eV about the largest step."""
FEWEST = 5  # points
_KNOWN = 0.9  # of a spectrum must be numbers for its step to be clear at all


class Steps:
    """How much a spectrum rises at energies, by its integral."""

    def __init__(self, energy: F, mu: F) -> None:
        self.energy, self.mu = energy, mu
        areas = 0.5 * (mu[1:] + mu[:-1]) * np.diff(energy)
        self._integral = np.concatenate([[0.0], np.cumsum(areas)])

    def _mean(self, low: F, high: F) -> F:
        between = np.interp(high, self.energy, self._integral) - np.interp(
            low, self.energy, self._integral
        )
        return between / np.maximum(high - low, 1e-9)

    def rise(self, at: F) -> F:
        """Return the mean of mu above some energies less that below, 0 at the ends of the scan."""
        first, last = self.energy[0], self.energy[-1]
        below, above = np.maximum(at - WINDOW, first), np.minimum(at + WINDOW, last)
        rise = self._mean(at, above) - self._mean(below, at)
        inside = (at - below >= NARROWEST) & (above - at >= NARROWEST)
        return np.where(inside, rise, 0.0)

    def at(self, energy: float) -> float:
        """Return the rise at one energy."""
        return float(self.rise(np.array([energy]))[0])

    def largest(self) -> float:
        """Return where mu rises most."""
        return float(self.energy[np.argmax(self.rise(self.energy))])

    def steepest(self, about: float) -> float:
        """Return the steepest point about an energy, on points that are no closer than 0.4 eV."""
        span = self.energy[-1] - self.energy[0]
        count = int(np.clip(span / 0.4, 5, 100_000))
        grid: F = np.linspace(self.energy[0], self.energy[-1], count, dtype=np.float64)
        slope: F = np.gradient(np.interp(grid, self.energy, self.mu), grid)
        near = np.abs(grid - about) <= FINE
        return float(grid[near][np.argmax(slope[near])]) if near.any() else about

    def covers(self, energy: float) -> bool:
        """Whether an energy lies well inside of the scan."""
        return bool(self.energy[0] + 2 * WINDOW < energy < self.energy[-1] - 2 * WINDOW)

    def near(self, energy: float) -> float:
        """Return the rise about an energy over that of its surroundings."""
        near = energy + np.linspace(-10, 15, 26)
        around = energy + np.concatenate([np.linspace(-40, -30, 11), np.linspace(35, 40, 6)])
        return float(self.rise(near).max() - np.median(self.rise(around)))


def clarity(energy: F, mu: F) -> float:
    """Return the largest step over the noise from point to point; 0 if too much is no number."""
    if np.isfinite(mu).mean() < _KNOWN:
        return 0.0
    energy, mu = rising(energy, mu)
    if len(energy) < FEWEST:
        return 0.0
    steps = Steps(energy, mu)
    noise = float(np.median(np.abs(np.diff(mu, 2)))) + 1e-12 * float(np.ptp(mu))
    return steps.at(steps.largest()) / noise if noise > 0 else 0.0


def rising(energy: F, mu: F) -> tuple[F, F]:
    """Return a spectrum in rising energies, without gaps and repeated energies."""
    known = np.isfinite(energy) & np.isfinite(mu)
    unique, inverse = np.unique(energy[known], return_inverse=True)
    count = np.bincount(inverse, minlength=len(unique))
    return unique, np.bincount(inverse, mu[known], len(unique)) / np.maximum(count, 1)
