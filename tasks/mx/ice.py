"""
Rings of hexagonal ice, and whether a sweep has them.

The rings follow from the cell of ice Ih at 100 K, a = 4.497 and c = 7.321 Angstrom, space group
P63/mmc with oxygen at 4f, so that h k l with h - k = 3n needs even l: K. Röttger et al., Acta
Cryst. B50, 644 (1994).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F

A, C = 4.497, 7.321
_FINEST = 1.0  # Angstrom: beyond, rings are weak and cover nearly everything
HALF_WIDTH = 0.0025  # 1/Angstrom: half the width of a ring, 0.038 A at 3.9 A
_SIDE = (0.004, 0.010)  # 1/Angstrom from a ring: where its surroundings are looked at
_SIGNIFICANT = 5.0  # sigmas
_PART = 0.03  # of the surroundings: a ring that stands out by less harms nothing
_TELLING = 2.2  # Angstrom: the rings above are strong and apart from each other


def rings() -> F:
    """Return the d spacings of hexagonal ice above 1 Angstrom, in Angstrom, falling."""
    h, k, index = np.indices((6, 6, 9)).reshape(3, -1)
    allowed = (h >= k) & (h + k + index > 0) & (((h - k) % 3 != 0) | (index % 2 == 0))
    inverse: F = 4 / 3 * (h * h + h * k + k * k) / A**2 + index**2 / C**2
    spacings = 1 / np.sqrt(np.unique(np.round(inverse[allowed], 9)))
    return spacings[spacings > _FINEST]


def on_ring(d: F, half_width: float = HALF_WIDTH) -> NDArray[np.bool_]:
    """
    Tell which resolutions lie on a ring of ice.

    Parameters
    ----------
    d
        In Angstrom, of any shape.
    half_width
        Of a ring, in 1/Angstrom.
    """
    lines = np.sort(1 / rings())
    with np.errstate(divide="ignore"):
        inverse = 1 / np.asarray(d, dtype=np.float64)
    above = np.clip(np.searchsorted(lines, inverse), 1, len(lines) - 1)
    apart = np.minimum(np.abs(inverse - lines[above - 1]), np.abs(inverse - lines[above]))
    return apart <= half_width


def ring_contrast(inverse_d: F, profile: F, sigma: F) -> tuple[F, F, F]:
    """
    Compare each ring with its surroundings.

    Parameters
    ----------
    inverse_d
        Of the bins, (bins,), in 1/Angstrom.
    profile, sigma
        Mean counts of a pixel, and their uncertainty, (profiles, bins); NaN where there is none.

    Returns
    -------
    d, contrast, significance : numpy.ndarray
        Of the rings above 2.2 Angstrom that are covered, (rings,); by what part of its surroundings
        each stands out, and by how many sigmas, (profiles, rings).
    """
    found: list[tuple[float, F, F]] = []
    for d in rings():
        apart = np.abs(inverse_d - 1 / d)
        inside, side = apart <= HALF_WIDTH, (apart >= _SIDE[0]) & (apart <= _SIDE[1])
        low, high = side & (inverse_d < 1 / d), side & (inverse_d > 1 / d)
        if d < _TELLING or not (inside.any() and low.any() and high.any()):
            continue
        ring, ring_variance = _mean(profile, sigma, inside)
        (below, below_variance), (above, above_variance) = (
            _mean(profile, sigma, each) for each in (low, high)
        )
        level = (below + above) / 2
        variance = ring_variance + (below_variance + above_variance) / 4
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append((float(d), (ring - level) / level, (ring - level) / np.sqrt(variance)))
    if not found:
        none = np.zeros((len(profile), 0))
        return np.zeros(0), none, none
    return (
        np.array([each[0] for each in found]),
        np.column_stack([each[1] for each in found]),
        np.column_stack([each[2] for each in found]),
    )


def ice_scores(inverse_d: F, profile: F, sigma: F) -> F:
    """
    Return by what part of its surroundings the second strongest ring of ice stands out.

    A single ring may be the flank of a spot. Zero where fewer than two are significant; parameters
    as for `ring_contrast`.

    Returns
    -------
    numpy.ndarray
        (profiles,).
    """
    _, contrast, significance = ring_contrast(inverse_d, profile, sigma)
    if contrast.shape[1] < 2:
        return np.zeros(len(profile))
    told = np.where(significance >= _SIGNIFICANT, contrast, 0.0)
    return np.clip(np.sort(told, axis=1)[:, -2], 0, None)


def ice_rings(inverse_d: F, profile: F, sigma: F) -> tuple[float, ...]:
    """
    Return the d spacings at which the mean of the images shows rings of ice, in Angstrom.

    A single ring may be that of another substance, so that two are needed; parameters as for
    `ring_contrast`.
    """
    mean, error = (each[None] for each in mean_profile(profile, sigma))
    d, contrast, significance = ring_contrast(inverse_d, mean, error)
    shown = (significance[0] >= _SIGNIFICANT) & (contrast[0] >= _PART)
    return tuple(float(each) for each in d[shown]) if shown.sum() >= 2 else ()


def mean_profile(profile: F, sigma: F) -> tuple[F, F]:
    """
    Average profiles (profiles, bins) over the images and give its uncertainty, (bins,) each.

    The scatter from image to image counts where it is larger than the counts explain: flanks of
    spots come and go.
    """
    seen = np.isfinite(profile).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(profile, axis=0) / seen
        counted = np.nansum(sigma**2, axis=0) / seen**2
        scatter = np.nansum((profile - mean) ** 2, axis=0) / seen / np.maximum(seen - 1, 1)
    return mean, np.sqrt(np.maximum(counted, scatter))


def _mean(profile: F, sigma: F, bins: NDArray[np.bool_]) -> tuple[F, F]:
    values, variances = profile[:, bins], sigma[:, bins] ** 2
    known = np.isfinite(values) & np.isfinite(variances)
    number = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=1) / number
        return mean, np.where(known, variances, 0).sum(axis=1) / number**2
