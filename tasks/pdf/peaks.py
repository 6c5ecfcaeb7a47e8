"""The first peaks of G(r): where neighbours are, without a structure."""

from dataclasses import dataclass

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F

_HEIGHT = 0.7  # of a peak above its foot: the part that is fitted
_CLEAR = 4.0  # times the ripple below the first peak
_SIGMAS = 5.0  # that a peak must stand above the noise
_SHARE = 0.15  # of the highest peak, which a peak must reach


@dataclass(frozen=True)
class Peaks:
    """
    First peaks of G(r).

    Attributes
    ----------
    position, position_sigma
        Of the maxima and 1 sigma, Å, shape (peaks,).
    height
        G at the maxima, Å⁻², shape (peaks,).
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
    slope = float(g[low] @ r[low] / (r[low] @ r[low]))
    ripple = float(np.sqrt(np.mean((g[low] - slope * r[low]) ** 2)))
    noise = np.full_like(g, ripple) if g_sigma is None else g_sigma
    least = max(_CLEAR * ripple, _SHARE * float(g[inside].max()))
    half_width = max(2, int(np.pi / qmax / 2 / (r[1] - r[0])))
    tops = [
        k
        for k in np.flatnonzero(inside)
        if g[k] > max(least, _SIGMAS * noise[k]) and _highest(g, int(k), half_width)
    ][:count]
    found = [_top(r, g, noise, int(k), qmax) for k in tops]
    table = np.array(found, dtype=np.float64).reshape(len(found), 3)
    return Peaks(table[:, 0], table[:, 1], table[:, 2], ripple)


def _highest(g: F, k: int, half_width: int) -> bool:
    low, high = max(0, k - half_width), min(len(g), k + half_width + 1)
    return low < k < high - 1 and k - low == int(np.argmax(g[low:high]))


def _top(r: F, g: F, noise: F, k: int, qmax: float) -> tuple[float, float, float]:
    """
    Fit a parabola to the top of a peak; sigma counts one independent point per pi/Qmax.

    The position is -b/(2 a) of a x² + b x + c, so its variance follows from theirs.
    """
    low = high = k
    while low > 0 and _HEIGHT * g[k] < g[low - 1] < g[low]:
        low -= 1
    while high < len(g) - 1 and _HEIGHT * g[k] < g[high + 1] < g[high]:
        high += 1
    low, high = min(low, k - 1), max(high, k + 1)
    x, y = r[low : high + 1] - r[k], g[low : high + 1]
    design = np.stack([x**2, x, np.ones_like(x)], axis=1)
    inverse = np.linalg.pinv(design)
    a, b, c = inverse @ y
    per_independent = max(1.0, np.pi / qmax / float(r[1] - r[0]))
    covariance = inverse @ (noise[low : high + 1, None] ** 2 * inverse.T) * per_independent
    slope = np.array([b / (2 * a**2), -1 / (2 * a), 0.0])
    sigma = float(np.sqrt(slope @ covariance @ slope))
    return float(r[k] - b / (2 * a)), sigma, float(c - b**2 / (4 * a))
