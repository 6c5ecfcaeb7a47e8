"""
The first peaks of G(r): where neighbours are, without a structure.

Peaks are symmetric in the radial distribution, not in G(r): the straight line that G(r) follows
where no atoms are is taken off, and what is left multiplied by r, before a top is looked for.
Ripples of a strong peak shift a weak one beside it by some hundredths of Å, which sigma does not
hold; only a fit of a structure knows them.
"""

from dataclasses import dataclass

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.liquids import correlated

_HEIGHT = 0.7  # of the maximum: what lies above is fitted
_CLEAR = 4.0  # times the ripple below the first peak
_SIGMAS = 5.0  # that a peak must stand above the noise
_SHARE = 0.2  # of the highest peak, which a peak must reach


@dataclass(frozen=True)
class Peaks:
    """
    First peaks of G(r).

    Attributes
    ----------
    position, position_sigma
        Of the maxima and 1 sigma, Å, shape (peaks,).
    height
        G above its straight line at the maxima, Å⁻², shape (peaks,).
    ripple
        Root mean square of G below `rmin`, where no atoms are, after its slope is taken off, Å⁻².
    """

    position: F
    position_sigma: F
    height: F
    ripple: float


def first_peaks(
    r: F,
    g: F,
    g_sigma: F | None = None,
    *,
    qmax: float,
    count: int = 3,
    rmin: float = 1.2,
    rmax: float = 10.0,
) -> Peaks:
    """
    Find the first peaks that are no ripples, by a parabola through the top of each.

    Parameters
    ----------
    r
        Å, shape (points,).
    g, g_sigma
        G(r) and 1 sigma, Å⁻², shape (points,); without sigma the ripple below `rmin` stands for it.
    qmax
        Where F(Q) was cut, 1/Å.
    count
        At most so many.
    rmin
        Below there are no atoms, Å.
    rmax
        Look no further, Å.

    Returns
    -------
    Peaks
        None at all if nothing stands out.

    Raises
    ------
    DataError
        If G(r) does not begin below `rmin` or holds values that are not numbers.
    """
    low = (r > 0) & (r < rmin)
    inside = (r >= rmin) & (r <= rmax)
    if low.sum() < 5 or inside.sum() < 5 or not np.all(np.isfinite(g[low | inside])):
        raise DataError(
            f"Peaks of G(r) need numbers below {rmin:g} Å, to tell ripples from peaks, and up to "
            f"{rmax:g} Å: calculate G(r) from nearly 0."
        )
    slope = min(0.0, float(g[low] @ r[low] / (r[low] @ r[low])))
    total = g - slope * r
    ripple = float(np.sqrt(np.mean(total[low] ** 2)))
    noise = np.full_like(g, ripple) if g_sigma is None else g_sigma
    least = max(_CLEAR * ripple, _SHARE * float(total[inside].max()))
    half_width = max(2, int(np.pi / qmax / (r[1] - r[0])))
    tops = [
        int(k)
        for k in np.flatnonzero(inside)
        if total[k] > max(least, _SIGMAS * noise[k]) and _highest(total * r, int(k), half_width)
    ][:count]
    found = [_top(r, total * r, noise * r, k, qmax) for k in tops]
    table = np.array(found, dtype=np.float64).reshape(len(found), 3)
    return Peaks(table[:, 0], table[:, 1], table[:, 2] / table[:, 0], ripple)


def _highest(rdf: F, k: int, half_width: int) -> bool:
    low, high = max(0, k - half_width), min(len(rdf), k + half_width + 1)
    return low < k < high - 1 and k - low == int(np.argmax(rdf[low:high]))


def _top(r: F, rdf: F, noise: F, k: int, qmax: float) -> tuple[float, float, float]:
    """
    Fit a parabola to the top of a peak: place, its 1 sigma, and height.

    The place is -b/(2 a) of a x² + b x + c, so its variance follows from theirs.
    """
    low = high = k
    while low > 0 and _HEIGHT * rdf[k] < rdf[low - 1] < rdf[low]:
        low -= 1
    while high < len(rdf) - 1 and _HEIGHT * rdf[k] < rdf[high + 1] < rdf[high]:
        high += 1
    part = slice(min(low, k - 1), max(high, k + 1) + 1)
    x = r[part] - r[k]
    inverse = np.linalg.pinv(np.stack([x**2, x, np.ones_like(x)], axis=1))
    a, b, c = inverse @ rdf[part]
    covariance = inverse @ correlated(x, noise[part], qmax) @ inverse.T
    slope = np.array([b / (2 * a**2), -1 / (2 * a), 0.0])
    sigma = float(np.sqrt(max(0.0, slope @ covariance @ slope)))
    return float(r[k] - b / (2 * a)), sigma, float(c - b**2 / (4 * a))
