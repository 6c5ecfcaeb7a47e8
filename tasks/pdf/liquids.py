"""
Liquids and glasses: g(r), T(r), the radial distribution function and coordination numbers.

With S(Q) on an absolute scale and the number density rho, G(r) = 4 pi rho r (g(r) - 1). T(r) is
4 pi rho r g(r), the radial distribution function (RDF) r T(r), whose area under the first peak is
the number of nearest neighbours (D. A. Keen, J. Appl. Cryst. 34, 172 (2001), for the functions;
Y. Waseda, *The Structure of Non-Crystalline Materials*, McGraw-Hill 1980, for the ways to count).
With several elements all of them are weighed by what they scatter: see `pair_weight`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.spectra import F

_AVOGADRO = 0.602214076  # g/cm³ over g/mol to atoms per Å³
_LEAST = 0.2  # of the RDF's maximum: a minimum must go below it, seen from the peak


@dataclass(frozen=True)
class RadialFunctions:
    """
    What follows from G(r) and the density.

    Attributes
    ----------
    r
        Å, shape (points,).
    g, g_sigma
        Pair distribution function, 1 far away, and 1 sigma; shape (..., points).
    t, t_sigma
        Total correlation function, Å⁻², shape (..., points).
    rdf, rdf_sigma
        Radial distribution function: atoms per Å of distance; shape (..., points).
    number_density
        Atoms per Å³.
    """

    r: F
    g: F
    g_sigma: F
    t: F
    t_sigma: F
    rdf: F
    rdf_sigma: F
    number_density: float


@dataclass(frozen=True)
class Coordination:
    """
    Nearest neighbours, counted in two ways.

    Attributes
    ----------
    peak, minimum
        Where the RDF has its first maximum and the minimum after it, Å.
    peak_sigma
        1 sigma of the place of the maximum, of the noise.
    to_minimum, to_minimum_sigma
        Area of the RDF up to the minimum. Sigma holds the noise, and that the minimum is known to
        half a resolution, pi/(2 Qmax), only.
    symmetric, symmetric_sigma
        Twice its area up to the maximum: what lies behind may belong to the next shell. Sigma
        likewise.

    Neither sigma holds the errors of density and scale, in proportion to which the numbers grow.
    The two ways bracket what is meant by a shell of neighbours in a liquid.
    """

    peak: float
    minimum: float
    to_minimum: float
    to_minimum_sigma: float
    symmetric: float
    symmetric_sigma: float
    peak_sigma: float


def number_density(density: float, mean_mass: float) -> float:
    """
    Convert a density to atoms per Å³.

    Parameters
    ----------
    density
        g/cm³.
    mean_mass
        Mean mass of an atom, g/mol.
    """
    if not (density > 0 and mean_mass > 0):
        raise DataError(f"A density of {density:g} g/cm³ at {mean_mass:g} g/mol is none.")
    return _AVOGADRO * density / mean_mass


def radial_functions(r: F, big_g: F, sigma: F | None, rho: float) -> RadialFunctions:
    """
    Make g(r), T(r) and the RDF of G(r).

    Parameters
    ----------
    r
        Above 0, Å, shape (points,).
    big_g, sigma
        G(r) on an absolute scale and 1 sigma, Å⁻², shape (..., points).
    rho
        Atoms per Å³.

    Returns
    -------
    RadialFunctions

    Raises
    ------
    DataError
        If the density is not positive or r reaches 0.
    """
    if not rho > 0 or np.any(r <= 0):
        raise DataError(f"g(r) needs a density above 0 (it is {rho:g} atoms per Å³) and r above 0.")
    noise = np.zeros_like(big_g) if sigma is None else sigma
    mean = 4 * math.pi * rho * r
    total = big_g + mean
    return RadialFunctions(r, total / mean, noise / mean, total, noise, r * total, r * noise, rho)


def coordination(radial: RadialFunctions, *, qmax: float, low: float, high: float) -> Coordination:
    """
    Count the nearest neighbours of an atom.

    Parameters
    ----------
    radial
        Of one pattern.
    qmax
        Where S(Q) was cut, 1/Å.
    low
        Where the first shell begins, Å: no atoms are nearer.
    high
        The first peak and the minimum behind it are looked for up to here, Å.

    Returns
    -------
    Coordination

    Raises
    ------
    DataError
        If there is no peak with a minimum behind it in the range.
    """
    r, rdf = radial.r, radial.rdf
    inside = np.flatnonzero((r >= low) & (r <= high))
    if len(inside) < 5 or not np.all(np.isfinite(rdf[inside])):
        raise DataError(f"The RDF has no values to count between {low:g} and {high:g} Å.")
    peak, minimum = _first_shell(r, rdf, inside, qmax)
    begin, half = int(inside[0]), math.pi / qmax / 2
    whole, whole_noise = _area(radial, begin, minimum, qmax)
    first, first_noise = _area(radial, begin, peak, qmax)
    top = _refined(r, rdf, peak)
    first += (top - float(r[peak])) * float(rdf[peak])
    place_sigma = _place_sigma(radial, peak, qmax)
    return Coordination(
        peak=top,
        minimum=_refined(r, rdf, minimum),
        to_minimum=whole,
        to_minimum_sigma=math.hypot(whole_noise, half * float(rdf[minimum])),
        symmetric=2 * first,
        symmetric_sigma=2 * math.hypot(first_noise, float(rdf[peak]) * place_sigma),
        peak_sigma=place_sigma,
    )


def correlated(r: F, sigma: F, qmax: float) -> F:
    """
    Return the covariance of the noise of a curve that holds no Q above Qmax.

    Parameters
    ----------
    r
        Å, shape (points,).
    sigma
        1 sigma of the points, shape (points,).
    qmax
        1/Å.

    Returns
    -------
    ndarray
        Shape (points, points): points that are pi/Qmax apart are independent, nearer ones not.
    """
    return np.outer(sigma, sigma) * np.sinc(qmax / np.pi * (r[:, None] - r))


def pair_weight(fractions: F, scattering: F, first: int, second: int) -> float:
    """
    Return what one neighbour of an element adds to an area of the RDF.

    Parameters
    ----------
    fractions
        Of the atoms, shape (elements,).
    scattering
        Form factor at a small Q or number of electrons, shape (elements,).
    first, second
        The pair: neighbours `second` about an atom `first`.

    Returns
    -------
    float
        Divide the area of a peak that is of this pair alone by it: the number of `second` about
        `first`. Where first and second differ, the peak holds both directions.
    """
    both = 1.0 if first == second else 2.0
    mean = float(fractions @ scattering)
    return float(both * fractions[first] * scattering[first] * scattering[second] / mean**2)


def _first_shell(r: F, rdf: F, inside: NDArray[np.intp], qmax: float) -> tuple[int, int]:
    """First maximum as wide as the resolution that stands out, and the deepest point behind it."""
    near = max(2, int(math.pi / qmax / (r[1] - r[0])))
    least = _LEAST * float(rdf[inside].max())
    for k in inside[1:-1].tolist():
        around = slice(max(inside[0], k - near), min(inside[-1], k + near) + 1)
        if rdf[k] > least and rdf[k] >= rdf[around].max() and k + near < inside[-1]:
            behind = _valley(rdf, k, int(inside[-1]), near)
            if behind is not None:
                return int(k), behind
    raise DataError(
        f"The RDF has no peak with a minimum behind it between {r[inside[0]]:g} and "
        f"{r[inside[-1]]:g} Å: set the range to hold the first shell."
    )


def _valley(rdf: F, peak: int, last: int, near: int) -> int | None:
    for k in range(peak + near, last):
        if rdf[k] <= rdf[peak : min(last, k + near) + 1].min():
            return k
    return None


def _area(radial: RadialFunctions, begin: int, end: int, qmax: float) -> tuple[float, float]:
    """Area of the RDF by trapezoids, and the noise in it."""
    part = slice(begin, end + 1)
    r = radial.r[part]
    steps = np.gradient(r)
    noise = steps @ correlated(r, radial.rdf_sigma[part], qmax) @ steps
    return float(np.trapezoid(radial.rdf[part], r)), math.sqrt(max(0.0, float(noise)))


def _refined(r: F, values: F, k: int) -> float:
    """Vertex of the parabola through a point and its neighbours."""
    if not 0 < k < len(r) - 1:
        return float(r[k])
    before, here, after = values[k - 1 : k + 2]
    bend = before - 2 * here + after
    return float(r[k] + (0.5 * (before - after) / bend * (r[k + 1] - r[k]) if bend else 0.0))


def _place_sigma(radial: RadialFunctions, k: int, qmax: float) -> float:
    """1 sigma of the place of a maximum: noise of the slope over the curvature of the peak."""
    r, reach = radial.r, max(1, int(math.pi / qmax / 4 / (radial.r[1] - radial.r[0])))
    low, high = max(0, k - reach), min(len(r) - 1, k + reach)
    width = float(r[high] - r[low]) / 2
    bend = abs(float(radial.rdf[low] - 2 * radial.rdf[k] + radial.rdf[high])) / width**2
    alike = float(np.sinc(2 * width * qmax / np.pi))  # noise of the two points together
    slope = float(radial.rdf_sigma[k]) * math.sqrt(2 * (1 - alike)) / (2 * width)
    return slope / bend if bend > 0 else width
