"""Radiation damage: what the crystal lost while it was measured.

Two signs. The falloff of the later images is steeper: a relative B against all images together. And
equivalents disagree the more, the further apart they were measured: R_d (K. Diederichs, Acta Cryst.
D62, 96 (2006)), which scaling does not heal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F
from tasks.mx.normalise import usable
from tasks.mx.reflections import Observations
from tasks.mx.symmetry import classes, laue_rotations

LOST = 0.3
"""Part of the intensity at the resolution limit whose loss matters."""
_PARTS = 12
_PER_PART = 60
_CYCLES = 30
_MODEL = 0.03  # proportional error that counting does not know


@dataclass(frozen=True)
class RadiationDamage:
    """
    Signs of radiation damage along a sweep.

    Attributes
    ----------
    image
        Centres of the parts of the sweep, image coordinate, (parts,).
    relative_b, relative_b_sigma
        B of each part relative to the first images, in square Angstrom, (parts,): rising with
        damage.
    apart
        Mean number of images between the observations of a pair, (bins,).
    r_d, r_d_sigma
        Of these pairs, (bins,).
    slope, slope_sigma
        Of r_d from 0 to the sweep's length.
    d_min
        Resolution of the data, in Angstrom.
    matters_from
        First image whose loss at `d_min` is above `LOST`; None if none.
    """

    image: F
    relative_b: F
    relative_b_sigma: F
    apart: F
    r_d: F
    r_d_sigma: F
    slope: float
    slope_sigma: float
    d_min: float
    matters_from: int | None

    @property
    def warning(self) -> str:
        """For the user; empty where there is nothing to say."""
        if self.matters_from is not None:
            return (
                f"Radiation damage: from image {self.matters_from} on more than {LOST:.0%} of the "
                f"intensity at {self.d_min:.1f} Å is lost (B grows by "
                f"{float(self.relative_b.max()):.0f} Å² along the sweep). Try without those images."
            )
        if self.slope > 5 * self.slope_sigma and self.slope > 0.05:
            return (
                f"Radiation damage: equivalents disagree by {self.slope:.0%} more at the far ends "
                "of the sweep than next to each other. Try with the first half of the images."
            )
        return ""


def radiation_damage(
    observations: Observations, space_group: str, *, sweep: int | None = None
) -> RadiationDamage | None:
    """
    Compare equivalents along one sweep.

    Parameters
    ----------
    observations
        In the setting of the space group, unscaled or scaled without a decay: scale and B along
        the sweep are found here and divided out before R_d.
    space_group
        Says which reflections are equivalent.
    sweep
        Number of the sweep; the largest one by default.

    Returns
    -------
    RadiationDamage or None
        None where equivalents were not measured far enough apart.
    """
    good = observations.take(np.flatnonzero(usable(observations)))
    numbers = np.unique(good.sweep)
    if len(numbers) == 0:
        return None
    largest = max(numbers, key=lambda each: int(np.sum(good.sweep == each)))
    good = good.take(good.sweep == (largest if sweep is None else sweep))
    which = classes(good.hkl, laue_rotations(space_group))[1]
    first, second = _pairs(good, which)
    if len(first) < 5 * _PER_PART:
        return None
    image, scale, b, b_sigma = _relative_b(good, which)
    even = good.intensity / np.exp(
        np.interp(good.xyz[:, 2], image, scale)
        - np.interp(good.xyz[:, 2], image, b) / (2 * good.d**2)
    )
    apart, r_d, r_d_sigma, slope, slope_sigma = _r_d(even, good.xyz[:, 2], first, second)
    d_min = float(good.d.min())
    loss = 1 - np.exp(-b / (2 * d_min**2))
    sure = (loss > LOST) & (b > 4 * b_sigma)
    late = np.flatnonzero(sure & np.array([bool(sure[k:].all()) for k in range(len(sure))]))
    begin = int(image[late[0]]) + 1 if len(late) else None
    return RadiationDamage(
        image, b, b_sigma, apart, r_d, r_d_sigma, slope, slope_sigma, d_min, begin
    )


def _pairs(
    good: Observations, which: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of equivalents, the first one measured earlier; at most eight steps apart in order."""
    order = np.lexsort([good.xyz[:, 2], which])
    first: list[NDArray[np.intp]] = []
    second: list[NDArray[np.intp]] = []
    for step in range(1, 9):
        same = which[order[step:]] == which[order[:-step]]
        first.append(order[:-step][same])
        second.append(order[step:][same])
    return np.concatenate(first), np.concatenate(second)


def _r_d(
    even: F, z: F, first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[F, F, F, float, float]:
    """R_d in bins of the distance in images, and its slope over the whole sweep."""
    one, two = even[first], even[second]
    apart = z[second] - z[first]
    length = float(np.ptp(z))
    parts = np.array_split(np.argsort(apart), int(np.clip(len(first) // 200, 3, 20)))
    at = np.array([apart[rows].mean() for rows in parts])
    total = np.array([np.sum(one[rows] + two[rows]) / 2 for rows in parts])
    difference = np.abs(one - two)
    found = np.array([difference[rows].sum() for rows in parts]) / total
    spread = np.array(
        [
            np.sqrt(np.sum((difference[rows] - r * (one[rows] + two[rows]) / 2) ** 2))
            for rows, r in zip(parts, found, strict=True)
        ]
    )
    sigma = spread / np.abs(total)
    weight = 1 / np.maximum(sigma, 1e-6) ** 2
    columns = np.column_stack([np.ones(len(at)), at / max(length, 1e-9)])
    inverse = np.linalg.pinv(columns.T @ (columns * weight[:, None]))
    slope = float((inverse @ (columns.T @ (weight * found)))[1])
    return at, found, sigma, slope, float(np.sqrt(inverse[1, 1]))


def _relative_b(good: Observations, which: NDArray[np.intp]) -> tuple[F, F, F, F]:
    """
    Log scale and B of each part of the sweep, those of the first part being 0.

    I = J exp(k - B s²/2) with J the mean of a reflection's observations, in turns: no logarithm of
    an intensity and no choice of strong ones, since both favour what was measured early.
    """
    z, s2 = good.xyz[:, 2], 1 / good.d**2
    count = int(np.clip(len(z) // _PER_PART, 2, _PARTS))
    edges = np.linspace(float(z.min()), float(z.max()) + 1e-6, count + 1)
    part = np.clip(np.searchsorted(edges, z, side="right") - 1, 0, count - 1)
    scale, b, b_sigma = np.zeros(count), np.zeros(count), np.full(count, np.inf)
    variance = good.sigma**2
    for _ in range(_CYCLES):
        factor = np.exp(scale[part] - b[part] * s2 / 2)
        weight = 1 / (variance + (_MODEL * factor * np.abs(_mean(good, which, factor))) ** 2)
        truth = _mean(good, which, factor, weight)
        step, step_b, b_sigma = _step(good.intensity, truth * factor, weight, s2, part, count)
        scale, b = scale + step, b + step_b
        scale, b = scale - scale[0], b - b[0]
    return (edges[1:] + edges[:-1]) / 2, scale, b, np.hypot(b_sigma, b_sigma[0])


def _mean(good: Observations, which: NDArray[np.intp], factor: F, weight: F | None = None) -> F:
    """Least-squares intensity of each observation's reflection, (n,)."""
    heavy = factor if weight is None else weight * factor
    total = np.bincount(which, heavy * good.intensity)
    return (total / np.maximum(np.bincount(which, heavy * factor), 1e-30))[which]


def _step(
    seen: F, model: F, weight: F, s2: F, part: NDArray[np.intp], count: int
) -> tuple[F, F, F]:
    """Change of log scale and B of each part that fits best, and the standard error of B."""
    left, slope = seen - model, -s2 / 2

    def total(values: F) -> F:
        summed: F = np.bincount(part, weight * values, count).astype(np.float64)
        return summed

    kk, kb, bb = (total(model**2 * slope**power) for power in (0, 1, 2))
    k, b = total(model * left), total(model * left * slope)
    size = np.maximum(kk * bb - kb**2, 1e-30)
    number = np.maximum(np.bincount(part, minlength=count) - 2, 1)
    spread = np.maximum(total(left**2) / number, 1.0)
    return (bb * k - kb * b) / size, (kk * b - kb * k) / size, np.sqrt(kk / size * spread)
