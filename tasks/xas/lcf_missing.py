"""
Tell whether something is in the spectra that is not among the standards.

A residual that is more than noise varies slowly with energy, as spectra do. What an energy scale or
a normalisation that is a little off leaves behind is taken away first, so that only shapes remain
that no standard and no such error explains. Their slow part is compared with their fast part, which
is noise: the ratio of the two does not ask how large the noise is. In a series one missing
component leaves the same shape everywhere, so the largest singular value of the slow parts is
compared with that of noise (I. M. Johnstone, Ann. Stat. 29, 295 (2001)).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.interpolate  # pyright: ignore[reportMissingTypeStubs]
import scipy.special  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host

_interpolate: Any = scipy.interpolate
_special: Any = scipy.special

_FINEST = 4.0  # eV: period of the fastest variation that counts as slow
_RARE = 0.001  # probability of a false alarm in a spectrum, and in a series
_LARGEST = 3.27  # the same quantile of the Tracy-Widom distribution of order 1


@dataclass(frozen=True)
class Missing:
    """
    Whether a component is missing.

    Attributes
    ----------
    flagged
        The verdict on the series.
    suspicious
        Spectra whose residual holds more than noise, bool, shape (spectra,).
    structure
        Root mean square of the slow residual less its share of noise, shape (spectra,).
    chance
        Probability of such a residual by noise, shape (spectra,).
    shape
        What is missing most, of unit root mean square, shape (points,): a difference of spectra.
    reason
        A sentence for the user.
    """

    flagged: bool
    suspicious: Host
    structure: Host
    chance: Host
    shape: Host
    reason: str


def missing_component(
    energy: Host,
    spectra: Host,
    standards: Host,
    e0: float,
    *,
    noise: Host | None = None,
    least: float = 0.0015,
) -> Missing:
    """
    Look for structure in what the standards leave of a series.

    Parameters
    ----------
    energy, spectra, standards
        Of the points fitted: eV (points,), (spectra, points) and (standards, points).
    e0
        Edge energy, eV.
    noise
        1 sigma of a point of each spectrum, (spectra,), if it is known; the fast part of the
        residual says too little where points depend on their neighbours.
    least
        Root mean square structure that matters, in the unit of the spectra: spectra of one
        compound taken on different days agree no better.

    Returns
    -------
    Missing
        False alarms, if noise is all there is and points are independent, in 1 of 1,000 series.
    """
    explained = _explained(energy, standards, e0)
    slow, fast = _bases(energy, explained)
    coefficients, rest = spectra @ slow, spectra @ fast
    variance: Host = np.sum(rest**2, axis=1) / fast.shape[1]
    if noise is not None:
        variance = np.fmax(variance, noise**2)
    power: Host = np.sum(coefficients**2, axis=1)
    ratio: Host = power / variance / slow.shape[1]
    chance: Host = _special.fdtrc(slow.shape[1], fast.shape[1], ratio)
    structure = np.sqrt(np.maximum(power - slow.shape[1] * variance, 0) / len(energy))
    suspicious = (chance < _RARE) & (structure > least)
    scaled = coefficients / np.sqrt(variance)[:, None]
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    common: Host = slow @ right[0] * np.sqrt(len(energy))
    amounts: Host = left[:, 0] * values[0]
    typical = float(np.sqrt(np.mean(amounts**2 * variance) / len(energy)))
    beyond = float(values[0]) ** 2 > _largest_of_noise(*scaled.shape)
    flagged = beyond and typical > least
    return Missing(
        flagged, suspicious, structure, chance, common, _reason(flagged, suspicious, typical, least)
    )


def _explained(energy: Host, standards: Host, e0: float) -> Host:
    """Orthonormal shapes of standards, their shifts, and of the lines about the edge."""
    after = (energy > e0).astype(float)
    tilt = (energy - e0) / np.ptp(energy)
    lines = np.stack([1 - after, (1 - after) * tilt, after, after * tilt])
    shifts = _interpolate.CubicSpline(energy, standards, axis=1)(energy, 1)
    shapes = np.concatenate([standards, shifts, lines])
    basis, length, _ = np.linalg.svd(shapes.T, full_matrices=False)
    return basis[:, length > 1e-8 * length[0]]


def _bases(energy: Host, explained: Host) -> tuple[Host, Host]:
    """Orthonormal slow and fast shapes beside those that are explained; (points, shapes)."""
    place = (energy - energy[0]) / np.ptp(energy)
    count = min(int(2 * np.ptp(energy) / _FINEST), len(energy) // 2)
    waves = np.cos(np.pi * np.outer(place, np.arange(count)))
    waves -= explained @ (explained.T @ waves)
    left, length, _ = np.linalg.svd(waves, full_matrices=False)
    slow = left[:, length > 1e-3 * length[0]]
    known = np.concatenate([explained, slow], axis=1)
    whole, _, _ = np.linalg.svd(known, full_matrices=True)
    return slow, whole[:, known.shape[1] :]


def _largest_of_noise(rows: int, columns: int) -> float:
    """Squared largest singular value that noise exceeds in 1 of 1,000 series."""
    long, wide = np.sqrt(max(rows - 1, 1)), np.sqrt(columns)
    centre = (long + wide) ** 2
    scale = (long + wide) * (1 / long + 1 / wide) ** (1 / 3)
    return float(centre + _LARGEST * scale)


def _reason(flagged: bool, suspicious: Host, typical: float, least: float) -> str:
    share = f"{np.count_nonzero(suspicious)} of {len(suspicious)} spectra"
    if flagged:
        return (
            f"A component is missing: what the standards leave has one shape throughout the "
            f"series, of {typical:.4f} in the mean, and stands out in {share}. Add a standard, or "
            "look at the shape to see what it could be."
        )
    if suspicious.any():
        return f"The standards explain the series, but not all of it: look at {share}."
    return f"The standards explain the series: nothing above {least:g} is left but noise."
