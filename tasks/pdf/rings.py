"""
What is usual in a ring, so that pixels which are not can be told.

A robust start, median and median of the distances from it, survives up to half of bad pixels; mean
and standard deviation of what lies within the cut-off of them follow, a few times over. Where
photons are counted, few of them scatter more to the high side than a sigma tells: a pixel must also
be off on the scale 2 sqrt(n + 3/8) of F. J. Anscombe, Biometrika 35, 246 (1948), where sigma is 1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace
from tasks.io.powder import F
from tasks.pdf.sums import between

Mask = NDArray[np.bool_]
_ndimage: Any = scipy.ndimage

_SIGMA = 1.482602218505602  # of a normal distribution, for a median distance of one
_GRAINY, _GRAIN = 0.02, 12  # share of a ring, and pixels, that foreign spots rarely reach
_GRAINS = 6  # separate spots in a ring: those of single crystals are fewer, of a powder more
_FEWEST = 8  # pixels of a ring for it to tell what is usual


@dataclass(frozen=True)
class Outliers:
    """
    Pixels that differ from their ring.

    Attributes
    ----------
    score
        How many sigma each pixel lies above the mean of its ring, (rows, columns); 0 where masked
        or in a grainy ring.
    high, low
        Pixels beyond the cut-off, (rows, columns).
    grainy
        Number of rings with so many high pixels that these belong to it: the powder has large
        grains. None is called high there, for their mean is what was to be measured.
    """

    score: NDArray[np.float32]
    high: Mask
    low: Mask
    grainy: int


def outliers(
    image: NDArray[Any],
    two_theta: F,
    mask: Mask,
    *,
    weight: F | None = None,
    cutoff: float = 5.0,
    cycles: int = 20,
    photons: float | None = None,
) -> Outliers:
    """
    Find the pixels that differ from their ring.

    Parameters
    ----------
    image
        Above dark, (rows, columns).
    two_theta
        Scattering angle of the pixels, rad, (rows, columns).
    mask
        True for pixels that count not, (rows, columns).
    weight
        What one count of signal stands for, (rows, columns); alike when left out.
    cutoff
        In sigma.
    cycles
        Rounds of mean and standard deviation, at most.
    photons
        How many one unit of the image is, where photons are counted; None if that is not known.
    """
    scale = np.ones(1) if weight is None else weight
    with np.errstate(divide="ignore", invalid="ignore"):
        values = image / scale
    used = np.isfinite(values) & ~mask
    ring, rings = rings_of(two_theta)
    mean, sigma = ring_statistics(values[used], ring[used], rings, cutoff, cycles)
    usual = np.where(np.isfinite(mean), mean, 0.0)[ring]
    spread = np.where(sigma > 0, sigma, np.inf)[ring]
    score = np.where(used, (values - usual) / spread, 0.0)
    certain = np.abs(score) > cutoff
    if photons is not None:
        seen, expected = (np.maximum(each * scale * photons, 0) for each in (values, usual))
        apart = 2 * np.abs(np.sqrt(seen + 0.375) - np.sqrt(expected + 0.375))
        certain &= apart > cutoff
    high, low = certain & (score > 0), certain & (score < 0)
    number, of = (np.bincount(ring[each], minlength=rings) for each in (high, used))
    grainy = (number > np.maximum(_GRAINY * of, _GRAIN)) & (_spots_in(high, ring, rings) > _GRAINS)
    grainy[1:-1] |= grainy[:-2] | grainy[2:]  # the flanks of a Bragg peak belong to it
    score[grainy[ring] & (score > 0)] = 0.0
    return Outliers(score.astype(np.float32), high & ~grainy[ring], low, int(grainy.sum()))


def _spots_in(high: Mask, ring: NDArray[np.int32], rings: int) -> NDArray[np.intp]:
    """Count the separate spots that have pixels in each ring, (rings,)."""
    spots, _ = _ndimage.label(high, np.ones((3, 3)))
    pairs = np.unique(np.stack([ring[high], spots[high]]), axis=1)
    return np.bincount(pairs[0], minlength=rings)


def rings_of(two_theta: F, width: float = 1.0) -> tuple[NDArray[np.int32], int]:
    """
    Cut a detector into rings.

    Parameters
    ----------
    two_theta
        Scattering angle of the pixels, rad, (rows, columns).
    width
        Of a ring, in pixels.

    Returns
    -------
    ring
        Number of each pixel's ring, (rows, columns).
    rings
        How many there are.
    """
    corner = two_theta[:-1:8, :-1:8]
    steps = np.hypot(two_theta[1::8, :-1:8] - corner, two_theta[:-1:8, 1::8] - corner)
    lowest = float(two_theta.min())
    ring = ((two_theta - lowest) / (width * float(np.median(steps)))).astype(np.int32)
    return ring, int(ring.max()) + 1


@algorithm("pdf.ring_statistics", version="1", rtol=1e-6)
def ring_statistics(
    values: Array, ring: Array, rings: int, cutoff: float = 5.0, cycles: int = 3
) -> Array:
    """
    Find the mean and the standard deviation of each ring without its outliers.

    Parameters
    ----------
    values
        Of pixels, (pixels,).
    ring
        Ring of each pixel, (pixels,).
    rings
        How many there are.
    cutoff
        Pixels further off, in sigma, are left out.
    cycles
        Rounds of mean and standard deviation after median and median distance.

    Returns
    -------
    Array
        (2, rings): mean, standard deviation; NaN for a ring with fewer than eight pixels.
    """
    xp = namespace(values)
    y, where = xp.astype(values, xp.float64), xp.astype(ring, xp.int64)
    centre, edges = _medians(xp, y, where, rings)
    distance, _ = _medians(xp, xp.abs(y - xp.take(centre, where)), where, rings)
    mean, sigma = centre, _SIGMA * distance
    order = xp.argsort(where)
    y, where = xp.take(y, order), xp.take(where, order)
    origin = xp.take(centre, where)
    for _cycle in range(cycles):
        # a ring whose values are mostly alike has no median distance: all of it is looked at
        reach = xp.where(sigma > 0, cutoff * sigma, xp.inf)
        inside = xp.abs(y - xp.take(mean, where)) <= xp.take(reach, where)
        off = xp.where(inside, y - origin, 0.0)
        rows = xp.stack([xp.astype(inside, xp.float64), off, off * off])
        sums = between(xp, rows, edges)
        count, total, squares = sums[0, :], sums[1, :], sums[2, :]
        count = xp.where(count > 0, count, xp.nan)
        mean = centre + total / count
        sigma = xp.sqrt(xp.clip(squares / count - (total / count) ** 2, min=0.0))
    enough = edges[1:] - edges[:-1] >= _FEWEST
    return xp.where(enough, xp.stack([mean, sigma]), xp.nan)


def _medians(xp: Any, values: Array, where: Array, rings: int) -> tuple[Array, Array]:
    """Return the median of each ring, (rings,), and where rings begin when sorted, (rings + 1,)."""
    by_value = xp.argsort(values)
    by_ring = xp.argsort(xp.take(where, by_value), stable=True)
    order = xp.take(by_value, by_ring)
    edges = xp.searchsorted(xp.take(where, order), xp.arange(rings + 1, dtype=xp.int64))
    begin, end = edges[:-1], edges[1:]
    last = values.shape[0] - 1
    low = xp.take(order, xp.clip((begin + end - 1) // 2, min=0, max=last))
    high = xp.take(order, xp.clip((begin + end) // 2, min=0, max=last))
    middle = (xp.take(values, low) + xp.take(values, high)) / 2
    return xp.where(end > begin, middle, xp.nan), edges


@ring_statistics.implementation("numba", requires=("numba",), priority=30)
def _(values: Array, ring: Array, rings: int, cutoff: float = 5.0, cycles: int = 3) -> Array:
    """Ring after ring, each small enough for the cache."""
    from tasks.pdf.kernels import clip_rings

    small = ring.astype(np.uint16) if rings < 2**16 else ring
    order = np.argsort(small, kind="stable")
    edges = np.zeros(rings + 1, np.int64)
    np.cumsum(np.bincount(ring, minlength=rings), out=edges[1:])
    found = np.full((2, rings), np.nan)
    clip_rings(values[order].astype(np.float64), edges, cutoff, cycles, _FEWEST, found)
    return found


@ring_statistics.case
def noisy_rings() -> Inputs:
    """Make rings of which some hold outliers, one is small and one has equal values."""
    rng = np.random.default_rng(8)
    ring = np.concatenate([rng.integers(0, 30, 6000), [30] * 5, [31] * 40])
    values = rng.normal(100 + 3 * ring, 10)
    values[:80] += 1000
    values[-40:] = 7.0
    return (values, ring, 33), {}
