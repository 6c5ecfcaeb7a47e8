"""Find where the beam meets the detector, and its tilt, from the directions of the rings alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.pdf.ring_model import Plane
from tasks.pdf.ring_ridges import Ridges

_ndimage: Any = scipy.ndimage
_optimize: Any = scipy.optimize

F = NDArray[np.float64]

_MARGIN = 1.0  # of the detector's size: how far outside of it the centre may be
_CELLS = 300  # of the accumulator along the longer side
_CANDIDATES = 4
_KEPT, _KEPT_THOROUGH = 4, 10  # planes
_FEW = 1500  # points for a fit of directions
_TILTS = np.deg2rad(12.0) * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
_MANY_TILTS = np.deg2rad(
    [
        (tilt * np.cos(azimuth), tilt * np.sin(azimuth))
        for tilt in (9.0, 18.0)
        for azimuth in np.arange(8) * np.pi / 4
    ]
)
_WIDEST = np.deg2rad([10.0, 35.0])  # 2theta of the farthest point, tried for the distance
_STEEPEST = np.deg2rad(30.0)  # tilts beyond are not looked for
_OUTLIER = 0.1  # rad, of a direction


def find_centres(ridges: Ridges) -> list[tuple[float, float]]:
    """
    Let each point vote for the centres it may have: those on the line across its ridge.

    Parameters
    ----------
    ridges
        At least a few tens of points.

    Returns
    -------
    list of tuple
        m along the slow and the fast axis, the most voted for first. Rings on a tilted detector
        are ellipses that share no centre: theirs is one to start from.
    """
    extent: F = np.array(ridges.size) * (1 + 2 * _MARGIN)
    cell = float(extent.max()) / _CELLS
    shape = np.ceil(extent / cell).astype(int)
    diagonal = float(np.hypot(*extent))
    reach: F = np.arange(-diagonal, diagonal, cell)
    rows = (ridges.x1[:, None] + reach * ridges.n1[:, None] + _MARGIN * ridges.size[0]) // cell
    columns = (ridges.x2[:, None] + reach * ridges.n2[:, None] + _MARGIN * ridges.size[1]) // cell
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    flat = (rows * shape[1] + columns)[inside].astype(np.intp)
    votes = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    found: list[tuple[float, float]] = []
    for blur in (1.5, 5.0):  # the narrow one for a detector across the beam, the wide one for tilts
        smooth = _ndimage.gaussian_filter(votes, blur, mode="constant")
        for row, column in _maxima(smooth, round(4 * blur), _CANDIDATES // 2):
            found.append(
                (
                    (row + 0.5) * cell - _MARGIN * ridges.size[0],
                    (column + 0.5) * cell - _MARGIN * ridges.size[1],
                )
            )
    return found


def _maxima(image: F, apart: int, count: int) -> list[tuple[int, int]]:
    image = image.copy()
    found: list[tuple[int, int]] = []
    for _ in range(count):
        row, column = (int(i) for i in np.unravel_index(image.argmax(), image.shape))
        found.append((row, column))
        image[
            max(0, row - apart) : row + apart + 1, max(0, column - apart) : column + apart + 1
        ] = 0
    return found


def fit_directions(
    ridges: Ridges, centres: Sequence[tuple[float, float]], *, thorough: bool = False
) -> list[Plane]:
    """
    Fit centre and tilt so that 2theta grows across each ridge.

    Which ring a point belongs to does not enter, nor does the calibrant, so that the fit has no
    false minima one ring apart.

    Parameters
    ----------
    ridges
        At least a few tens of points.
    centres
        To start from, m.
    thorough
        Fit the centre alone for each of many tilts, since tilt and distance may have gone astray.

    Returns
    -------
    list of Plane
        Best first, of those that differ. Their distances are guesses: directions say little of it.
    """
    some = fewer(ridges, _FEW)
    found: list[tuple[float, Plane]] = []
    for centre in centres[: 2 if thorough else None]:
        for plane in _starts(some, centre, _MANY_TILTS if thorough else _TILTS):
            found.append(_fit_one(some, plane, tilted=not thorough))
    found.sort(key=lambda each: each[0])
    kept: list[Plane] = []
    for _, plane in found:
        if not any(_alike(plane, other, ridges) for other in kept):
            kept.append(plane)
    return kept[: _KEPT_THOROUGH if thorough else _KEPT]


def fewer(ridges: Ridges, count: int) -> Ridges:
    """Keep at most so many of the points, the same ones each time."""
    return ridges.some(np.random.default_rng(0).permutation(len(ridges.x1))[:count])


def _starts(ridges: Ridges, centre: tuple[float, float], tilts: F) -> list[Plane]:
    radius = np.hypot(ridges.x1 - centre[0], ridges.x2 - centre[1])
    distances = float(np.quantile(radius, 0.95)) / np.tan(_WIDEST)
    level = _fit_one(ridges, Plane(*centre, float(distances[0])), tilted=False)[1]
    return [
        Plane(level.centre1, level.centre2, float(distance), float(rot1), float(rot2))
        for distance in distances
        for rot1, rot2 in tilts
    ]


def _fit_one(ridges: Ridges, start: Plane, tilted: bool = True) -> tuple[float, Plane]:
    unit = 0.1 * start.distance
    free = 4 if tilted else 2

    def plane(values: F) -> Plane:
        c1, c2 = values[:2] * unit
        rot1, rot2 = start.rot1, start.rot2
        if tilted:
            rot1, rot2 = _STEEPEST * np.tanh(values[2:] / _STEEPEST)
        return Plane(float(c1), float(c2), start.distance, float(rot1), float(rot2))

    def sines(values: F) -> F:
        g1, g2 = plane(values).outward(ridges.x1, ridges.x2)
        return g1 * ridges.n2 - g2 * ridges.n1

    at = np.array([start.centre1 / unit, start.centre2 / unit, start.rot1, start.rot2])[:free]
    fit = _optimize.least_squares(
        sines, at, loss="cauchy", f_scale=_OUTLIER, max_nfev=30, xtol=1e-5, ftol=1e-5
    )
    return float(fit.cost), plane(fit.x)


def _alike(one: Plane, other: Plane, ridges: Ridges) -> bool:
    apart = np.hypot(one.centre1 - other.centre1, one.centre2 - other.centre2)
    turned = np.hypot(one.rot1 - other.rot1, one.rot2 - other.rot2)
    return bool(apart < 3 * ridges.step and turned < np.deg2rad(1.5))
