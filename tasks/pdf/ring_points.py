"""Control points: where, azimuth by azimuth, each ring lies, and the plane fitted to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.pdf.ring_distance import ring_angles, to_nearest
from tasks.pdf.ring_model import Plane, pixel_centres

_optimize: Any = scipy.optimize

F = NDArray[np.float64]
I = NDArray[np.intp]  # noqa: E741 - beside F
B = NDArray[np.bool_]

_SECTORS = 120  # about the beam
_WINDOW = 8.0  # pixels to either side of a ring: the ring, and background beside it
_ROOM, _ROOM_WIDTHS = 8.0, 5.0  # pixels and widths to the next ring, or else neither is used
_INNER = 0.55  # of the window: the ring itself
_CLEAR = 6.0  # sigma of the background that a ring's intensity must exceed
_STRAY = 4.0  # times the typical misfit: an outlier
_FLOOR = 0.1  # pixels: no point is trusted better than that


@dataclass(frozen=True)
class ControlPoints:
    """
    Where rings were found.

    Attributes
    ----------
    ring
        Which ring, shape (points,).
    x1, x2
        m in the plane, shape (points,), close to the ring.
    two_theta
        rad, what the plane that was looked with gives there, less how far the point lies off the
        ring: a plane fits if it gives this angle.
    sigma
        rad, shape (points,).
    azimuth
        rad, shape (points,).
    pixel
        rad per pixel there, shape (points,).
    width
        pixels, standard deviation across the rings; NaN if there are no points.
    """

    ring: I
    x1: F
    x2: F
    two_theta: F
    sigma: F
    azimuth: F
    pixel: F
    width: float

    def some(self, which: Any) -> "ControlPoints":
        """Keep some of the points."""
        return ControlPoints(
            self.ring[which],
            self.x1[which],
            self.x2[which],
            self.two_theta[which],
            self.sigma[which],
            self.azimuth[which],
            self.pixel[which],
            self.width,
        )


@dataclass(frozen=True)
class Fit:
    """
    A plane drawn onto control points.

    Attributes
    ----------
    plane, wavelength
        The latter, A, as it was given unless it was free.
    covariance
        Of the plane's five numbers and, if it was free, the wavelength.
    points
        Those that were kept.
    misfit
        rad, how far outside of its ring each of them lies, shape (points,).
    """

    plane: Plane
    wavelength: float
    covariance: F
    points: ControlPoints
    misfit: F

    def doubt(self, x1: F, x2: F) -> F:
        """Return 1 sigma of 2theta (rad) at points of the plane (m)."""
        values, error = self.plane.values(), np.sqrt(np.diag(self.covariance)[:5])
        here = self.plane.two_theta(x1, x2)
        moved = values + 0.1 * np.diag(error)
        slopes = np.stack([Plane(*each).two_theta(x1, x2) - here for each in moved]) / 0.1
        correlation = self.covariance[:5, :5] / np.outer(error, error)
        return np.sqrt(np.einsum("ip,ij,jp->p", slopes, correlation, slopes).clip(min=0))


def find_control_points(
    image: F,
    valid: B,
    plane: Plane,
    rings: F,
    pixel: tuple[float, float],
    ring_width: float = 1.0,
) -> ControlPoints:
    """
    Find the centre of gravity of each ring in each of 120 sectors about the beam.

    Parameters
    ----------
    image, valid
        Counts and which pixels may be used, shape (rows, columns).
    plane
        Good to a few pixels.
    rings
        2theta, rad, increasing.
    pixel
        m.
    ring_width
        pixels, standard deviation across the rings: those closer than five are left out.
    """
    x1, x2 = pixel_centres(image.shape, pixel)
    two_theta = plane.two_theta(x1, x2)
    nearest, off = to_nearest(two_theta, rings)
    width = max(pixel) * np.cos(two_theta) ** 2 / plane.distance  # rad per pixel
    off /= width
    used = valid & (np.abs(off) < _WINDOW)
    at1, at2 = np.broadcast_to(x1, used.shape)[used], np.broadcast_to(x2, used.shape)[used]
    sector = ((plane.azimuth(at1, at2) / (2 * np.pi) + 0.5) * _SECTORS).astype(np.intp) % _SECTORS
    ring, off, width, counts = nearest[used], off[used], width[used], image[used]
    room = _room(rings)[ring] / width
    window = np.minimum(_WINDOW, 0.5 * room)
    kept = (room > max(_ROOM, _ROOM_WIDTHS * ring_width)) & (np.abs(off) < window)
    cell = (ring * _SECTORS + sector)[kept]
    lever = np.sin(rings[ring]) / np.sin(two_theta[used])  # there are more pixels farther out
    values = (x[kept] for x in (off, window, counts, at1, at2, width, lever))
    return _centres_of_gravity(cell, len(rings) * _SECTORS, plane, *values)


def _room(rings: F) -> F:
    gaps = np.diff(rings, prepend=-np.inf, append=np.inf)
    return np.minimum(gaps[:-1], gaps[1:])


def _centres_of_gravity(
    cell: I,
    cells: int,
    plane: Plane,
    off: F,
    window: F,
    counts: F,
    at1: F,
    at2: F,
    width: F,
    lever: F,
) -> ControlPoints:
    inner = np.abs(off) < _INNER * window

    def total(which: B, values: F | None = None) -> F:
        weights = None if values is None else values[which]
        return np.bincount(cell[which], weights, minlength=cells).astype(float)

    def mean(which: B, values: F) -> F:
        return total(which, values) / np.maximum(total(which), 1)

    left, right = ~inner & (off < 0), ~inner & (off > 0)
    run = mean(right, off) - mean(left, off)
    slope = (mean(right, counts) - mean(left, counts)) / np.where(run == 0, 1, run)
    base = mean(~inner, counts) - slope * mean(~inner, off)
    excess = (counts - base[cell] - slope[cell] * off) * lever
    noise = mean(~inner, excess**2)
    number, strength = total(inner), total(inner, excess)
    full = (total(left) >= 4) & (total(right) >= 4) & (number >= 8)
    clear = full & (strength > _CLEAR * np.sqrt(number * noise)) & (strength > 0)
    safe = np.where(clear, strength, 1)
    offset = total(inner, excess * off) / safe
    spread = np.sqrt(noise * total(inner, off**2) + total(inner, np.abs(excess) * off**2)) / safe
    x1, x2 = total(inner, excess * at1) / safe, total(inner, excess * at2) / safe
    clear &= np.abs(offset) < 0.5 * _INNER * _WINDOW
    x1, x2, offset, spread = x1[clear], x2[clear], offset[clear], spread[clear]
    per_pixel = mean(inner, width)[clear]
    return ControlPoints(
        np.flatnonzero(clear) // _SECTORS,
        x1,
        x2,
        plane.two_theta(x1, x2) - offset * per_pixel,
        np.hypot(spread, _FLOOR) * per_pixel,
        plane.azimuth(x1, x2),
        per_pixel,
        _width(cell, inner, excess * off**2, strength, clear),
    )


def _width(cell: I, inner: B, moment: F, strength: F, clear: B) -> float:
    """Return the typical standard deviation of the rings, from their second moments."""
    if not clear.any():
        return float("nan")
    moments = np.bincount(cell[inner], moment[inner], minlength=len(clear))[clear]
    return float(np.sqrt(max(float(np.median(moments / strength[clear])), 0.25)))


def fit_points(
    points: ControlPoints,
    start: Plane,
    spacings: F,
    wavelength: float,
    *,
    free_wavelength: bool = False,
) -> Fit | None:
    """
    Draw a plane onto control points by least squares; strays are left out.

    Parameters
    ----------
    points
        Of at least three rings, or there is no fit.
    start
        As the points were looked for with.
    spacings
        d of the rings, A.
    wavelength
        A.
    free_wavelength
        Whether it is fitted too.
    """
    kept = points
    # the sixth number is the wavelength in units of the one given, and then the third is the
    # distance times it: rings at small angles fix that product, not the two
    at = np.append(start.values(), 1.0)[: 6 if free_wavelength else 5]
    scale = np.array([1e-3, 1e-3, 1e-2 * start.distance, 0.01, 0.01, 0.1])[: len(at)]
    misfit = jacobian = np.empty(0)
    for _ in range(3):
        if len(kept.ring) < 3 * len(at) or len(np.unique(kept.ring)) < 3:
            return None

        def residuals(values: F, kept: ControlPoints = kept) -> F:
            return misfits(kept, values, spacings, wavelength) / kept.sigma

        fit = _optimize.least_squares(residuals, at, x_scale=scale, loss="soft_l1", max_nfev=50)
        at, jacobian = fit.x, fit.jac
        misfit = misfits(kept, at, spacings, wavelength)
        size = np.abs(misfit / kept.pixel)
        good = size < _STRAY * max(1.4826 * float(np.median(size)), 0.05)
        if good.all():
            break
        kept = kept.some(good)
    misfit = misfits(kept, at, spacings, wavelength)
    chi2 = float(np.mean((misfit / kept.sigma) ** 2))
    curvature = (jacobian * scale).T @ (jacobian * scale)
    unscaled: Any = np.linalg.pinv(curvature) * np.outer(scale, scale)
    covariance: F = unscaled * max(chi2, 1e-6)
    if free_wavelength:
        slopes = np.eye(6)
        slopes[2, 2], slopes[2, 5], slopes[5, 5] = 1 / at[5], -at[2] / at[5] ** 2, wavelength
        covariance = slopes @ covariance @ slopes.T
        wavelength *= float(at[5])
    return Fit(_unscaled(at), wavelength, covariance, kept, misfit)


def _unscaled(values: F) -> Plane:
    c1, c2, distance, rot1, rot2, ratio = (float(value) for value in np.append(values, 1.0)[:6])
    return Plane(c1, c2, distance / ratio, rot1, rot2)


def misfits(points: ControlPoints, values: F, spacings: F, wavelength: float) -> F:
    """Return how far (rad) points lie outside of their rings, for the numbers of `fit_points`."""
    off = _unscaled(values).two_theta(points.x1, points.x2) - points.two_theta
    if len(values) == 6:
        sines = values[5] * wavelength / (2 * spacings[points.ring])
        off = off - 2 * np.arcsin(sines.clip(-1.0, 1.0))
        off = off + ring_angles(spacings, wavelength)[points.ring]
    return off
