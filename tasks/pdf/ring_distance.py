"""Find the distance of a detector: the one at which ridges lie where a calibrant has its rings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.pdf.ring_centre import fewer
from tasks.pdf.ring_model import Plane
from tasks.pdf.ring_ridges import Ridges

_optimize: Any = scipy.optimize

F = NDArray[np.float64]

_NEAREST, _FARTHEST = 0.02, 30.0  # m
_WIDEST = np.deg2rad(75.0)  # 2theta of the farthest point
_GRID = 0.004  # relative step of the distance
_FEW_SCAN, _FEW = 1000, 4000  # points for a scan, for a fit
_FEWEST = 30  # points
_ALIGNED = 0.2  # rad
_STRAY = 0.3  # part of the points that may lie on no ring
_RAREST = 0.02  # chance of a hit: fewer rings are not believed more
_TOLERANCE = 2.0  # steps of the down-sampled image


@dataclass(frozen=True)
class Match:
    """
    A plane, and how well ridges lie on rings.

    Attributes
    ----------
    plane
        Where the detector may be.
    score
        Nats per point above chance; points whose ridges run across the rings count nothing.
    """

    plane: Plane
    score: float


def ring_angles(spacings: F, wavelength: float) -> F:
    """Return 2theta (rad, increasing) of the d spacings (A) that the wavelength (A) reaches."""
    sines = wavelength / (2 * spacings)
    return 2 * np.arcsin(sines[sines < 1])


def to_nearest(two_theta: F, rings: F) -> tuple[NDArray[np.intp], F]:
    """Return which ring is nearest to each angle, and how far outside of it the angle is (rad)."""
    right = np.searchsorted(rings, two_theta).clip(1, max(len(rings) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(rings) - 1)
    nearest = np.where(two_theta - rings[left] < rings[right] - two_theta, left, right)
    return nearest, two_theta - rings[nearest]


def score(ridges: Ridges, plane: Plane, rings: F, tolerance: float) -> float:
    """
    Judge a plane by how many ridges lie on its rings, against how many would by chance.

    The mean log likelihood of points that lie on rings unless they are stray, above that of points
    anywhere near. A hit between dense rings says little, a ring that has no points makes those
    about it denser than they need be.

    Parameters
    ----------
    ridges
        Points.
    plane
        To be judged.
    rings
        2theta, rad, increasing. The last is the end of what is known.
    tolerance
        m, in the plane: what counts as on a ring.
    """
    two_theta = plane.two_theta(ridges.x1, ridges.x2)
    nearest, off = to_nearest(two_theta, rings)
    reach = tolerance * np.cos(two_theta).clip(min=0.1) ** 2 / plane.distance  # rad
    chance = (2 * reach / _spacing(rings)[nearest]).clip(_RAREST, 1.0)
    gain = np.log(np.where(np.abs(off) < reach, (1 - _STRAY) / chance, 0) + _STRAY)
    return float(np.where(two_theta < rings[-1] + reach, gain, 0).mean())


def _spacing(rings: F) -> F:
    """Return the mean distance of rings from their neighbours, five at a time."""
    at = np.arange(len(rings))
    low, high = (at - 2).clip(min=0), (at + 2).clip(max=len(rings) - 1)
    return (rings[high] - rings[low]) / np.maximum(high - low, 1)


def aligned(ridges: Ridges, plane: Plane) -> Ridges:
    """Keep the points across whose piece 2theta grows; the others are of no ring or of noise."""
    g1, g2 = plane.outward(ridges.x1, ridges.x2)
    return ridges.some(np.abs(g1 * ridges.n2 - g2 * ridges.n1) < _ALIGNED)


def scan_distances(ridges: Ridges, plane: Plane, rings: F, best: int = 4) -> list[Match]:
    """
    Try all distances for a centre and tilt.

    Parameters
    ----------
    ridges, plane, rings
        As in `score`; the plane's distance does not matter.
    best
        How many local maxima to return.

    Returns
    -------
    list of Match
        Best first.
    """
    fitting = aligned(ridges, plane)
    few = fewer(fitting, _FEW_SCAN)
    part = len(fitting.x1) / max(len(ridges.x1), 1)
    if len(few.x1) < _FEWEST:
        return []
    reach = np.hypot(few.anywhere1 - plane.centre1, few.anywhere2 - plane.centre2).max()
    farthest = min(_FARTHEST, float(reach / np.tan(min(rings[0], 0.5 * _WIDEST))))
    nearest = max(_NEAREST, float(reach / np.tan(_WIDEST)))
    count = round(np.log(farthest / nearest) / np.log1p(_GRID))
    distances = np.geomspace(nearest, farthest, max(count, 2))
    tolerance = _TOLERANCE * ridges.step
    scores = part * np.array([score(few, plane.at(float(d)), rings, tolerance) for d in distances])
    padded = np.pad(scores, 1, constant_values=-np.inf)
    peaks = np.flatnonzero((scores >= padded[:-2]) & (scores > padded[2:]))
    order = peaks[np.argsort(-scores[peaks])][:best]
    return [Match(plane.at(float(distances[i])), float(scores[i])) for i in order]


def fit_ridges(ridges: Ridges, match: Match, rings: F) -> Match:
    """
    Draw a plane onto the rings: nearest ring by nearest ring, with less and less tolerance.

    Parameters
    ----------
    ridges
        Points.
    match
        To start from.
    rings
        2theta, rad, increasing.
    """
    plane = match.plane
    few = fewer(aligned(ridges, plane), _FEW)
    for tolerance in (5.0, 3.0, 2.0, 1.5, 1.0):
        plane = _fit_assigned(few, plane, rings, tolerance * ridges.step)
    fitting = aligned(ridges, plane)
    if len(fitting.x1) < _FEWEST:
        return Match(plane, 0.0)
    part = len(fitting.x1) / len(ridges.x1)
    return Match(plane, part * score(fewer(fitting, _FEW), plane, rings, ridges.step))


def _fit_assigned(ridges: Ridges, start: Plane, rings: F, tolerance: float) -> Plane:
    two_theta = start.two_theta(ridges.x1, ridges.x2)
    nearest, off = to_nearest(two_theta, rings)
    metres = start.distance / np.cos(two_theta).clip(min=0.1) ** 2
    gaps = np.diff(rings, prepend=-np.inf, append=np.inf)
    room = np.minimum(gaps[:-1], gaps[1:])[nearest] * metres
    used = (np.abs(off) * metres < tolerance) & (room > 2 * tolerance)
    if used.sum() < _FEWEST:
        return start
    x1, x2, target = ridges.x1[used], ridges.x2[used], rings[nearest[used]]
    scale = np.array([tolerance, tolerance, tolerance, 0.01, 0.01])
    weight = metres[used] / tolerance

    def misfit(values: F) -> F:
        return (Plane(*values).two_theta(x1, x2) - target) * weight

    at = start.values()
    fit = _optimize.least_squares(misfit, at, x_scale=scale, loss="soft_l1", max_nfev=20)
    return Plane(*(float(value) for value in fit.x))
