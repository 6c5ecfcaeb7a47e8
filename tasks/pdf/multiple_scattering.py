"""
What is scattered twice within a sample, in electron units beside what is scattered once.

The usual approximation for X-rays (B. E. Warren and R. L. Mozzi, Acta Cryst. 21, 459 (1966);
C. W. Dwiggins and D. A. Park, Acta Cryst. A 27, 264 (1971)): the two events do not interfere, and
each follows the angular law of free atoms, <f²> + Compton, with the state of polarisation carried
from the first to the second. All three legs are dimmed by the sample. The integral over pairs of
points is that over a first point, a direction and a distance, in which the 1 / distance² of a pair
cancels. Directions are drawn about the beam and about the detector alike, since the first or the
second event is mostly a small deflection.

Left out: that a photon has less energy after a Compton event, what is scattered in the wall of a
container, and three events and more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tasks.errors import DataError
from tasks.pdf.composition import Composition
from tasks.pdf.scattering import compton, mean_square_form_factor
from tasks.pdf.tables import F

_ELECTRON_RADIUS = 2.8179403e-5  # Å
_MM = 1e7  # Å
_POINTS = 8192  # first points; a few thousandths are left of the result
_NODES = 24  # scattering angles; a spline runs between them
_STEPS = 2000  # of the table of the angular law
_LAST_Q = 75.0  # 1/Å, where the tables of form factors end

Law = Callable[[F], F]
"""Intensity that an atom scatters, by the cosine of the angle, without polarisation."""


class Shape(Protocol):
    """A convex sample; x is along the beam, z the axis of a cylinder; mm."""

    def lit(self, u: F, v: F) -> tuple[F, F]:
        """Return points in the beam, (3, points), and their weights, for u and v in 0..1."""
        ...

    def reach(self, points: F, direction: F) -> F:
        """Return the distance to the surface, (points,); both are (3, points)."""
        ...


@dataclass(frozen=True)
class Cylinder:
    """
    A long cylinder across the beam.

    Attributes
    ----------
    radius
        mm.
    beam_height
        Of a flat beam centred on it, across its axis, mm; as wide as it by default.
    """

    radius: float
    beam_height: float | None = None

    def lit(self, u: F, v: F) -> tuple[F, F]:
        """Fill the strip of the circle that the beam meets."""
        half = min(1.0, (self.beam_height or 2 * self.radius) / 2 / self.radius)
        angle = np.arcsin(half) * (2 * u - 1)
        x = self.radius * np.cos(angle) * (2 * v - 1)
        return np.array([x, self.radius * np.sin(angle), 0 * x]), np.cos(angle) ** 2

    def reach(self, points: F, direction: F) -> F:
        """Go as far as the circle allows."""
        return _to_circle(points[:2], direction[:2], self.radius)


@dataclass(frozen=True)
class Plate:
    """
    A round plate across a narrow beam through its centre.

    Attributes
    ----------
    thickness, width
        mm; how wide it is decides how far photons run within it.
    """

    thickness: float
    width: float

    def lit(self, u: F, v: F) -> tuple[F, F]:
        """Fill the line of the beam."""
        return np.array([self.thickness * u, 0 * u, 0 * u]), np.ones(len(u))

    def reach(self, points: F, direction: F) -> F:
        """Go to the face or to the rim, whichever comes first."""
        half = self.thickness / 2
        face = (half - np.sign(direction[0]) * (points[0] - half)) / np.maximum(
            np.abs(direction[0]), 1e-12
        )
        return np.minimum(face, _to_circle(points[1:], direction[1:], self.width / 2))


def double_scattering(
    q: F,
    composition: Composition,
    *,
    wavelength: float,
    number_density: float,
    mu: float,
    shape: Shape,
) -> F:
    """
    Intensity of what is scattered twice, per atom, electron units.

    Parameters
    ----------
    q
        1/Å, shape (bins,), increasing.
    composition, number_density
        Of the sample as packed; atoms per Å³.
    wavelength
        In Å.
    mu
        Attenuation of the sample as packed, 1/mm.
    shape
        A `Cylinder` or a `Plate`.

    Returns
    -------
    numpy.ndarray
        Shape (bins,), smooth. It stands beside <f²> + Compton once the intensity is corrected for
        polarisation and for the absorption of what is scattered once. The beam counts as
        unpolarised, which averages over the azimuth make of it nearly.

    Raises
    ------
    DataError
        If density, attenuation or range of Q cannot be.
    """
    possible = number_density > 0 and 0 <= mu < np.inf
    if not (possible and 0 <= q[0] < q[-1] <= 4 * np.pi / wavelength):
        raise DataError(
            f"Double scattering of {number_density:g} atoms per Å³ with an attenuation of {mu:g} "
            f"1/mm up to Q = {q[-1]:g} 1/Å at {wavelength:g} Å cannot be computed: check density, "
            "transmission and wavelength."
        )
    nodes = np.linspace(float(q[0]), float(q[-1]), _NODES)
    two_theta = 2 * np.arcsin(nodes * wavelength / (4 * np.pi))
    twice = second_order(two_theta, shape, mu, _free_atoms(composition, wavelength))
    return _spline(nodes, number_density * _ELECTRON_RADIUS**2 * _MM * twice, q)


def second_order(two_theta: F, shape: Shape, mu: float, law: Law, *, thomson: bool = True) -> F:
    """
    Double scattering at some angles, for scatterers of unit strength.

    Parameters
    ----------
    two_theta
        Radians, shape (angles,).
    shape, mu
        Of the sample; mm and 1/mm.
    law
        Of either event.
    thomson
        Whether events polarise; without, they follow the law alone.

    Returns
    -------
    numpy.ndarray
        Shape (angles,): times scatterers per mm³ and their cross section per unit of the law it
        is the intensity in units of the law, as the law is that of what is scattered once.
    """
    cosines, total, table = _tabulated(law)
    numbers = _spread(_POINTS, 6)
    first, weight = shape.lit(numbers[0], numbers[1])
    incoming = np.zeros_like(first)
    incoming[0] = 1
    weight = weight * np.exp(-mu * shape.reach(first, -incoming))
    # equal steps of u are equal shares of what is scattered
    deflection = np.asarray(np.interp(numbers[2], table, cosines), dtype=float)
    turn, azimuth = 2 * np.pi * numbers[3], 2 * np.pi * numbers[4]
    about_beam = _turned(np.zeros(1), azimuth, deflection, turn)
    found = np.empty(len(two_theta))
    for i, angle in enumerate(two_theta):
        out = _turned(np.array([angle]), azimuth, np.ones(1), turn)
        about_detector = _turned(np.array([angle]), azimuth, deflection, turn)
        once = weight @ np.exp(-mu * shape.reach(first, out))
        twice = 0.0
        for between in (about_beam, about_detector):
            share = _both_events(between, out, law, total, thomson=thomson)
            far, passed = _stop(shape.reach(first, between), mu, numbers[5])
            second = first + far * between
            twice += weight @ (share * passed * np.exp(-mu * shape.reach(second, out)))
        found[i] = twice / once
    return found


def _both_events(between: F, out: F, law: Law, total: float, *, thomson: bool) -> F:
    """
    Scatter into `between` and on into `out`, over the density of directions; (points,).

    Directions are drawn by the law about either end; together their density is the sum of both.
    Polarisation is relative to that of one event.
    """
    c1, c12, c = between[0], np.sum(between * out, axis=0), out[0]
    one, two = law(c1), law(c12)
    share = total * one * two / (one + two)
    if not thomson:
        return share
    return share * (c1**2 + c12**2 + (c - c1 * c12) ** 2) / (1 + c**2)


def _stop(reach: F, mu: float, u: F) -> tuple[F, F]:
    """Draw a distance by how the beam fades, and return it with the integral of what is left."""
    depth = np.maximum(mu * reach, 1e-9)
    lost = -np.expm1(-depth)
    return reach * -np.log1p(-u * lost) / depth, reach * lost / depth


def _turned(two_theta: F, azimuth: F, deflection: F, turn: F) -> F:
    """
    Directions about that of the detector, (3, points).

    Parameters
    ----------
    two_theta, azimuth
        Of the detector, radians.
    deflection, turn
        Cosine of the angle from there, and the angle around it.
    """
    c, s = np.cos(two_theta), np.sin(two_theta)
    away = np.sqrt(1 - deflection**2)
    up, aside = away * np.cos(turn), away * np.sin(turn)
    along, across = c * deflection - s * up, s * deflection + c * up
    y = across * np.cos(azimuth) - aside * np.sin(azimuth)
    z = across * np.sin(azimuth) + aside * np.cos(azimuth)
    return np.array([along + 0 * y, y, z])


def _tabulated(law: Law) -> tuple[F, float, F]:
    """Return cosines, the integral of a law over all directions, and its share below each."""
    angle = np.pi * (1 - np.linspace(0, 1, _STEPS) ** 2)  # dense near the beam
    cosines = np.cos(angle)
    middle = (law(cosines[1:]) + law(cosines[:-1])) / 2
    below = np.concatenate([[0.0], np.cumsum(middle * np.diff(cosines))])
    return cosines, float(2 * np.pi * below[-1]), below / below[-1]


def _free_atoms(composition: Composition, wavelength: float) -> Law:
    """Law of a composition: <f²> + Compton."""
    s = np.linspace(0, 1, _STEPS)
    q = 4 * np.pi / wavelength * s
    table = mean_square_form_factor(composition, np.minimum(q, _LAST_Q), wavelength)
    table = table + compton(composition, q, wavelength)

    def law(cosine: F) -> F:
        half_sine = np.sqrt(np.maximum(1 - cosine, 0) / 2)
        return np.asarray(np.interp(half_sine, s, table), dtype=float)

    return law


def _to_circle(points: F, direction: F, radius: float) -> F:
    """Distance to a circle from within it, along the way in space; points and direction (2, n)."""
    flat = np.maximum(np.sum(direction**2, axis=0), 1e-18)
    middle = np.sum(points * direction, axis=0)
    room = np.maximum(radius**2 - np.sum(points**2, axis=0), 0)
    return np.asarray((np.sqrt(middle**2 + flat * room) - middle) / flat, dtype=float)


def _spread(count: int, dimensions: int) -> F:
    """Fill the unit cube evenly: multiples of roots of primes, modulo one; (dimensions, count)."""
    roots = np.sqrt(np.array([2, 3, 5, 7, 11, 13][:dimensions], dtype=float))
    return np.asarray((roots[:, None] * (np.arange(count) + 0.5)) % 1, dtype=float)


def _spline(x: F, y: F, at: F) -> F:
    from scipy.interpolate import CubicSpline  # pyright: ignore[reportMissingTypeStubs]

    smooth: Any = CubicSpline(x, y)
    return np.asarray(smooth(at), dtype=float)
