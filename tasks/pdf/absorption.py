"""
How much of the scattering a sample and its container let out.

The factors are those of H. H. Paalman and C. J. Pings, J. Appl. Phys. 33, 2635 (1962): A_s_sc for
what the sample scatters through sample and container, A_c_sc for what the container scatters
through both, A_c_c for the container alone. The sample's own intensity is then
(I_sc - A_c_sc / A_c_c I_c) / A_s_sc. They are integrated over the volume in the beam, with the
path lengths in three dimensions, and averaged over the azimuth that an area detector covers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.pdf.composition import Composition
from tasks.pdf.tables import F, mass_attenuation

_NODES = 32  # of each quadrature over the volume
_AZIMUTHS = 6  # over a quarter of the ring; the rest follows by symmetry
_ANGLES = 40  # at which factors are integrated; between them a spline is exact to 1e-6
_optimize: Any = scipy.optimize


@dataclass(frozen=True, eq=False)
class AbsorptionFactors:
    """
    Shares of scattered intensity that get out, 0..1; shape (bins,) each.

    Attributes
    ----------
    s_sc, c_sc, c_c
        Scattered by the sample through both, by the container through both, and by the container
        when it is empty.
    transmission
        Of the direct beam through the sample alone, averaged over the beam.
    """

    s_sc: F
    c_sc: F
    c_c: F
    transmission: float

    @property
    def container_scale(self) -> F:
        """What the empty container's pattern is multiplied by before it is subtracted."""
        return self.c_sc / self.c_c


def linear_attenuation(
    composition: Composition, density: float, wavelength: float, packing: float = 1.0
) -> float:
    """
    Attenuation of a material, 1/mm.

    Parameters
    ----------
    composition, density
        What it is; g/cm³.
    wavelength
        In Å.
    packing
        Share of the volume that is filled, for powders.
    """
    if not (density > 0 and 0 < packing <= 1):
        raise DataError(
            f"A density of {density:g} g/cm³ with a packing of {packing:g} cannot be: the density "
            "is above zero, the packing between 0 and 1."
        )
    masses = zip(composition.elements, composition.mass_fractions, strict=True)
    per_mass = sum(share * mass_attenuation(element, wavelength) for element, share in masses)
    return float(per_mass * density * packing / 10)


def capillary(
    two_theta: F,
    mu: float,
    radius: float,
    *,
    container_mu: float = 0.0,
    outer_radius: float | None = None,
    beam_height: float | None = None,
) -> AbsorptionFactors:
    """
    Factors of a cylinder across the beam, with the wall of its container.

    Parameters
    ----------
    two_theta
        Radians, shape (bins,).
    mu, container_mu
        Of the sample as packed, and of the wall, 1/mm.
    radius, outer_radius
        Inner and outer, mm; without an outer one there is no wall.
    beam_height
        Of a flat beam centred on the cylinder, across its axis, mm; as wide as it by default.

    Raises
    ------
    DataError
        If the lengths cannot be.
    """
    outer = radius if outer_radius is None else outer_radius
    if not 0 < radius <= outer or not min(mu, container_mu) >= 0:
        raise DataError(
            f"A capillary of inner radius {radius:g} mm and outer {outer:g} mm, with attenuations "
            f"of {mu:g} and {container_mu:g} 1/mm, cannot be."
        )
    half = min(outer, (beam_height or 2 * outer) / 2)
    sample, wall = _disc(radius, outer, half)
    both = _Cylinder(radius, outer, mu, container_mu)
    empty = _Cylinder(radius, outer, 0.0, container_mu)
    factors = [both.escape(two_theta, sample), np.ones(len(two_theta)), np.ones(len(two_theta))]
    if outer > radius:
        factors[1:] = [both.escape(two_theta, wall), empty.escape(two_theta, wall)]
    return AbsorptionFactors(*factors, transmission=_through(mu, radius, half))


def plate(
    two_theta: F, mu: float, thickness: float, *, window_mu: float = 0.0, window: float = 0.0
) -> AbsorptionFactors:
    """
    Factors of a plate across the beam, seen from behind, with a window on either side.

    Parameters
    ----------
    two_theta
        Radians, shape (bins,), below a quarter turn.
    mu, window_mu
        1/mm.
    thickness, window
        Of the sample and of each window, mm.
    """
    if not thickness > 0 or min(mu, window_mu, window) < 0 or np.max(two_theta) >= np.pi / 2:
        raise DataError(
            f"A plate of {thickness:g} mm with windows of {window:g} mm cannot be corrected: "
            "lengths and attenuations are above zero, and it is seen at less than 90 degrees."
        )
    out = 1 / np.cos(two_theta)
    outside = window_mu * window
    sample = np.exp(-outside * (1 + out)) * _layer(mu * thickness, out)
    front, back = _layer(outside, out), _layer(outside, out)
    behind_front = np.exp(-(mu * thickness + outside) * out)
    before_back = np.exp(-(mu * thickness + outside))
    filled = (front * behind_front + back * before_back) / 2
    empty = (front * np.exp(-outside * out) + back * np.exp(-outside)) / 2
    return AbsorptionFactors(sample, filled, empty, float(np.exp(-mu * thickness)))


def attenuation_from_transmission(
    transmission: float,
    *,
    radius: float | None = None,
    thickness: float | None = None,
    beam_height: float | None = None,
) -> float:
    """
    Attenuation of the sample as packed, 1/mm, from its measured transmission.

    Parameters
    ----------
    transmission
        Of the direct beam, with the container divided out; 0..1.
    radius, beam_height
        Of a capillary and its beam, mm.
    thickness
        Of a plate, mm.

    Raises
    ------
    DataError
        If the transmission cannot be.
    """
    if not 0 < transmission <= 1:
        raise DataError(
            f"A transmission of {transmission:g} cannot be: it is the share of the beam that the "
            "sample lets through, between 0 and 1."
        )
    if thickness is not None:
        return float(-np.log(transmission) / thickness)
    if radius is None:
        raise ValueError("a radius or a thickness is needed")
    half = min(radius, (beam_height or 2 * radius) / 2)

    def apart(mu: float) -> float:
        return _through(mu, radius, half) - transmission

    return float(_optimize.brentq(apart, 0.0, 1e3 / radius)) if transmission < 1 else 0.0


def _layer(depth: float, out: F) -> F:
    """Mean of exp(-x - (depth - x) out) over 0 < x < depth."""
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    inward = depth * (x[:, None] + 1) / 2
    return weights @ np.exp(-inward - (depth - inward) * out) / 2


def _through(mu: float, radius: float, half: float) -> float:
    """Transmission of a cylinder, averaged over a flat beam."""
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    top = np.arcsin(min(half / radius, 1.0))
    angle = top * x
    width = weights * np.cos(angle)
    return float(width @ np.exp(-2 * mu * radius * np.cos(angle)) / width.sum())


Points = tuple[F, F, F]
"""Along the beam, across it, and weight; shape (points,)."""


def _disc(radius: float, outer: float, half: float) -> tuple[Points, Points]:
    """Quadrature over the lit parts of the inner circle and of the ring around it."""
    inner = _strip(0.0, min(radius, half), radius)
    sample = _filled(inner, 0 * inner[0], np.sqrt(radius**2 - inner[0] ** 2))
    beside = _filled(inner, np.sqrt(radius**2 - inner[0] ** 2), np.sqrt(outer**2 - inner[0] ** 2))
    if half <= radius or outer == radius:
        return sample, beside
    rim = _strip(radius, half, outer)
    above = _filled(rim, 0 * rim[0], np.sqrt(np.maximum(outer**2 - rim[0] ** 2, 0)))
    joined = tuple(np.concatenate(pair) for pair in zip(beside, above, strict=True))
    return sample, (joined[0], joined[1], joined[2])


def _strip(low: float, high: float, circle: float) -> tuple[F, F]:
    """Nodes across the beam, dense where the circle ends, and their weights."""
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    first, last = np.arcsin(low / circle), np.arcsin(min(high / circle, 1.0))
    angle = first + (last - first) * (x + 1) / 2
    return circle * np.sin(angle), weights * (last - first) / 2 * circle * np.cos(angle)


def _filled(strip: tuple[F, F], near: F, far: F) -> Points:
    """Fill both sides of the axis, from `near` to `far` along the beam."""
    across, width = strip
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    along = near[:, None] + (far - near)[:, None] * (x + 1) / 2
    weight = (width * (far - near))[:, None] * weights
    height = np.broadcast_to(across[:, None], along.shape)
    return (
        np.r_[along.ravel(), -along.ravel()],
        np.r_[height.ravel(), height.ravel()],
        np.r_[weight.ravel(), weight.ravel()],
    )


@dataclass(frozen=True)
class _Cylinder:
    radius: float
    outer: float
    mu: float
    wall_mu: float

    def escape(self, two_theta: F, points: Points) -> F:
        """Average of what gets in and out again over points and azimuth, shape (bins,)."""
        x, y, weight = points
        weight = weight / weight.sum() * np.exp(-self._depth(x, y, -1.0, 0.0))
        angles = np.linspace(np.min(two_theta), np.max(two_theta), _ANGLES)
        azimuths = (np.arange(_AZIMUTHS) + 0.5) * np.pi / 2 / _AZIMUTHS
        mean = [np.mean([self._out(points, weight, t, p) for p in azimuths]) for t in angles]
        return _spline(angles, np.array(mean, dtype=float), two_theta)

    def _out(self, points: Points, weight: F, two_theta: float, azimuth: float) -> float:
        """Share that leaves at an angle; azimuth 0 is across the axis."""
        x, y, _ = points
        along, across = np.cos(two_theta), np.sin(two_theta) * np.cos(azimuth)
        flat = max(np.hypot(along, across), 1e-9)
        # a point below the axis is the mirror of one above it: both count
        depths = [self._depth(x, side * y, along / flat, across / flat) for side in (1, -1)]
        return float(np.mean([weight @ np.exp(-depth / flat) for depth in depths]))

    def _depth(self, x: F, y: F, dx: float, dy: float) -> NDArray[np.float64]:
        """Optical depth from points outwards in the plane across the axis."""
        middle = -(x * dx + y * dy)
        miss = x**2 + y**2 - middle**2
        end = middle + np.sqrt(np.maximum(self.outer**2 - miss, 0))
        half = np.sqrt(np.maximum(self.radius**2 - miss, 0))
        inside = np.maximum(middle + half, 0) - np.maximum(middle - half, 0)
        return self.mu * inside + self.wall_mu * (end - inside)


def _spline(x: F, y: F, at: F) -> F:
    from scipy.interpolate import CubicSpline  # pyright: ignore[reportMissingTypeStubs]

    smooth: Any = CubicSpline(x, y)
    return np.asarray(smooth(at), dtype=float)
