"""Where an absorption edge begins, and spectra put side by side by it."""

from typing import Any

import numpy as np
import scipy.interpolate  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host
from tasks.errors import DataError

_interpolate: Any = scipy.interpolate

_SMOOTH = 1.0  # eV: a single noisy point shall not pass for the edge
_STEP = 0.25  # eV


def onset(energy: Host, spectra: Host, level: float = 0.5) -> Host:
    """
    Find the first energy at which a normalised spectrum rises through a level.

    Half the edge step is steadier than the edge energy: the derivative's maximum jumps between
    shoulders of one edge, also from one repeat of a scan to the next.

    Parameters
    ----------
    energy
        eV, shape (points,), increasing.
    spectra
        Normalised absorption, shape (spectra, points).
    level
        In edge steps.

    Returns
    -------
    numpy.ndarray
        eV, shape (spectra,).

    Raises
    ------
    DataError
        If a spectrum does not rise through the level.
    """
    fine = np.arange(energy[0], energy[-1], _STEP)
    curves: list[Host] = [np.interp(fine, energy, each) for each in spectra]
    smooth = _running_mean(np.stack(curves), max(1, round(_SMOOTH / _STEP)))
    rises = (smooth[:, :-1] < level) & (smooth[:, 1:] >= level)
    if not rises.any(axis=1).all():
        which = int(np.flatnonzero(~rises.any(axis=1))[0])
        raise DataError(
            f"Spectrum {which} does not rise through {level:g} of its edge step: it is not "
            "normalised, or it does not reach over the edge."
        )
    at = rises.argmax(axis=1)
    rows = np.arange(len(spectra))
    below, above = smooth[rows, at], smooth[rows, at + 1]
    return fine[at] + _STEP * (level - below) / (above - below)


def centred(energy: Host, spectra: Host, zero: Host, grid: Host) -> Host:
    """
    Put each spectrum on energies relative to a zero of its own, by cubic interpolation.

    Parameters
    ----------
    energy
        eV, shape (points,), increasing.
    spectra
        Shape (spectra, points).
    zero
        eV, shape (spectra,).
    grid
        eV relative to the zero, shape (wanted,); beyond its ends a spectrum keeps its last value.

    Returns
    -------
    numpy.ndarray
        Shape (spectra, wanted).
    """
    places = np.clip(zero[:, None] + grid, energy[0], energy[-1])
    pairs = zip(spectra, places, strict=True)
    return np.stack([_interpolate.PchipInterpolator(energy, values)(x) for values, x in pairs])


def _running_mean(curves: Host, width: int) -> Host:
    """Average over `width` points; the ends are repeated."""
    before = width // 2
    padded = np.pad(curves, ((0, 0), (before, width - 1 - before)), mode="edge")
    sums = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1)
    return (sums[:, width:] - sums[:, :-width]) / width
