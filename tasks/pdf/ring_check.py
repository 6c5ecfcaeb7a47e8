"""Whether an integrated pattern has its peaks where the rings should be, and nowhere else."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
import scipy.signal  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.pdf.ring_distance import to_nearest
from tasks.pdf.ring_model import Plane, pixel_centres

_ndimage: Any = scipy.ndimage
_signal: Any = scipy.signal

F = NDArray[np.float64]
B = NDArray[np.bool_]

_FEW_PIXELS = 30  # in a bin of the pattern that counts
_OUTLIER = 5.0  # standard deviations of a bin
_NEAR = 2.5  # pixels from a ring to a peak that is its
_CLEAR = 6.0  # sigma of a peak
_NOTABLE = 0.05  # of its neighbours: a peak that asks for an explanation, a ring that is missed
_NEIGHBOURS = 150  # pixels


@dataclass(frozen=True)
class Evidence:
    """
    What an integrated pattern says of rings.

    Attributes
    ----------
    seen
        Whether each ring has a peak, shape (rings,).
    missed
        Whether a ring has none, though one a twentieth as strong as its neighbours would be seen.
    explained, peaks
        How many peaks lie on rings, and how many there are.
    explained_intensity
        Part of the peaks' intensity that lies on rings.
    """

    seen: B
    missed: B
    explained: int
    peaks: int
    explained_intensity: float


@dataclass(frozen=True)
class Profile:
    """Mean counts and their error against 2theta (rad), a pixel a step; NaN: too few pixels."""

    two_theta: F
    mean: F
    error: F


def profile(image: F, valid: B, plane: Plane, pixel: tuple[float, float]) -> Profile:
    """Average over the azimuth without what stands out of its bin: hot pixels and bright spots."""
    two_theta = plane.two_theta(*pixel_centres(image.shape, pixel))
    used = valid & (two_theta < np.deg2rad(80))
    step = max(pixel)
    bins = (plane.distance * np.tan(two_theta[used]) / step).astype(np.intp)
    counts = image[used]
    size = int(bins.max()) + 1 if len(bins) else 1

    number, mean, error = _moments(bins, counts, size)
    kept = np.abs(counts - mean[bins]) <= _OUTLIER * (error * np.sqrt(np.maximum(number, 1)))[bins]
    number, mean, error = _moments(bins[kept], counts[kept], size)
    enough = number >= _FEW_PIXELS
    radius = (np.arange(size) + 0.5) * step
    return Profile(
        np.arctan2(radius, plane.distance),
        np.where(enough, mean, np.nan),
        np.where(enough, error, np.nan),
    )


def _moments(bins: NDArray[np.intp], counts: F, size: int) -> tuple[F, F, F]:
    number = np.bincount(bins, minlength=size).astype(float)
    safe = np.maximum(number, 1)
    mean = np.bincount(bins, counts, minlength=size) / safe
    square = np.bincount(bins, (counts - mean[bins]) ** 2, minlength=size) / safe
    return number, mean, np.sqrt(square / safe)


def weigh(pattern: Profile, rings: F, every: F) -> Evidence:
    """
    Compare the peaks of a pattern with rings.

    Parameters
    ----------
    pattern
        Integrated with the geometry in question.
    rings
        2theta, rad, increasing; the last is the end of what is known.
    every
        The same with those that are too weak to be counted on but may be there.
    """
    usable = np.isfinite(pattern.mean) & (pattern.two_theta < rings[-1])
    filled = np.interp(pattern.two_theta, pattern.two_theta[usable], pattern.mean[usable])
    smooth = _ndimage.gaussian_filter1d(filled, 1.0)
    base = _ndimage.percentile_filter(smooth, 25, size=61)
    base = np.minimum(_ndimage.gaussian_filter1d(base, 10), _ndimage.gaussian_filter1d(smooth, 60))
    error = np.where(usable, pattern.error, np.inf) / 1.9  # what the smoothing leaves of it
    at, heights = _peaks(smooth, error, usable)
    where = np.interp(rings, pattern.two_theta, np.arange(len(smooth)), left=-99, right=-99)
    on_ring = _pixels_to_ring(pattern.two_theta, every) <= _NEAR
    seen, missed = _rings_seen(smooth - base, error, usable, where, at, heights)
    return Evidence(
        seen,
        missed,
        int(on_ring[at].sum()),
        len(at),
        float(heights[on_ring[at]].sum() / max(heights.sum(), 1e-12)),
    )


def _pixels_to_ring(two_theta: F, rings: F) -> F:
    _, off = to_nearest(two_theta, rings)
    return np.abs(off) / np.gradient(two_theta)


def _peaks(smooth: F, error: F, usable: B) -> tuple[NDArray[np.intp], F]:
    """Find the peaks that are clear and not small beside their neighbours."""
    at, properties = _signal.find_peaks(smooth, prominence=0)
    height = properties["prominences"]
    clear = usable[at] & (height > _CLEAR * error[at])
    at, height = at[clear], height[clear]
    local = np.array([np.median(height[np.abs(at - i) < _NEIGHBOURS]) for i in at])
    notable = height > _NOTABLE * local
    return at[notable], height[notable]


def _rings_seen(
    excess: F, error: F, usable: B, where: F, at: NDArray[np.intp], heights: F
) -> tuple[B, B]:
    seen, missed = np.zeros(len(where), bool), np.zeros(len(where), bool)
    for i, position in enumerate(where):
        centre = round(position)
        low, high = centre - 2, centre + 3
        if low < 0 or high > len(excess) or not usable[low:high].all():
            continue
        seen[i] = bool((np.abs(at - position) <= _NEAR).any())
        around = np.abs(at - position) < _NEIGHBOURS
        if not seen[i] and around.any():
            limit = _NOTABLE * float(np.median(heights[around]))
            highest = float(excess[low:high].max())
            missed[i] = highest < limit and limit > _CLEAR * float(error[centre])
    return seen, missed
