"""Debye's equation (Ann. Phys. 351 (1915) 809) for a powder of spherical crystallites.

How often a distance occurs in a sphere, taken over all places of its centre, is how often it
occurs in the infinite crystal, times a polynomial in the distance (Glatter & Kratky, *Small Angle
X-ray Scattering*, 1982): no pair of atoms has to be looked at twice. The sphere's own small-angle
scattering is left out, as a powder of real crystallites has none that oscillates.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import finufft
import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import factors
from infra.simulator.pdf.materials import Atoms, Material

Array = NDArray[np.float64]
Pair = tuple[str, str]
PRECISION = 1e-9
ROUNDING = 1e-2  # Å, distances of a glass that count as the same
INVISIBLE = 7.0  # standard deviations times q, from which a distance is not seen


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of one pair of elements, and how often they occur.

    Attributes
    ----------
    r
        In units of a.
    count
        Neighbours of the second element that an atom of the first has there, in the infinite
        crystal.
    """

    r: Array
    count: Array


@lru_cache(maxsize=32)
def _distances(atoms: Atoms, ratio: float, reach: float) -> dict[Pair, Distances]:
    """List the distances up to `reach`, in units of a, where c / a is `ratio`."""
    size = np.array([1.0, 1.0, ratio])
    steps = [np.arange(-n, n + 1) for n in np.ceil(reach / size).astype(int) + 1]
    cells = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    places: dict[str, list[Array]] = {}
    for element, place in atoms:
        places.setdefault(element, []).append(np.array(place))
    return {
        (one, other): _from(places[one][0], places[other], cells, size, reach)
        for one in places
        for other in places
    }


def _from(origin: Array, places: list[Array], cells: Array, size: Array, reach: float) -> Distances:
    found: list[Array] = []
    for place in places:
        r = np.linalg.norm((cells + place - origin) * size, axis=1)
        found.append(r[(r > 1e-6) & (r < reach)])
    r, count = np.unique(np.round(np.concatenate(found), 8), return_counts=True)
    return Distances(r.astype(np.float64), count.astype(np.float64))


def partials(material: Material, q: Array) -> dict[Pair, Array]:
    """Return the sums over pairs of elements, per atom of the whole.

    Parameters
    ----------
    q
        1/Å, (bins,).

    Returns
    -------
    By pair of elements P (bins,), so that the coherent scattering per atom is <f^2> plus the sum
    of f_i f_j P_ij over all pairs, i and j in either order.
    """
    of_element = factors.composition(material.formula)
    known = _distances(material.atoms, material.c / material.a, 2 * material.radius / material.a)
    return {
        pair: of_element[pair[0]]
        * (
            _sum_over(material, pair, _scaled(found, material.a), q)
            - of_element[pair[1]] * _average(material, q)
        )
        for pair, found in known.items()
    }


def _scaled(found: Distances, a: float) -> Distances:
    return replace(found, r=found.r * a)


def _sum_over(material: Material, pair: Pair, found: Distances, q: Array) -> Array:
    if material.spread:
        weight = found.count * _order(found.r / material.radius)
        return _blurred(found.r, weight, material.spread, q)
    weight = found.count * _within_sphere(found.r / material.radius)
    u = dict(material.u)
    waves: Any = finufft.nufft1d3(found.r, (weight / found.r).astype(complex), q, eps=PRECISION)
    return waves.imag / q * np.exp(-0.5 * (u[pair[0]] + u[pair[1]]) * q**2)


def _blurred(r: Array, weight: Array, spread: float, q: Array) -> Array:
    _, which = np.unique(np.round(r / ROUNDING), return_inverse=True)
    total = np.bincount(which, weights=weight)
    r = np.bincount(which, weights=weight * r) / total
    result = np.zeros(q.shape)
    for each, count in zip(r, total, strict=True):
        x = q[q * each * spread < INVISIBLE]
        damped = np.exp(-0.5 * (x * each * spread) ** 2)
        result[: len(x)] += count * np.sin(x * each) / (x * each) * damped
    return result


def _within_sphere(r: Array) -> Array:
    """Return the share of the pairs at a distance, in radii, of which both are in the sphere."""
    return np.where(r < 2, 1 - 0.75 * r + r**3 / 16, 0.0)


def _order(r: Array) -> Array:
    """Return how much order a glass has at a distance, in units of its reach.

    A Gaussian, as nothing else leaves an intensity that is positive everywhere.
    """
    return np.exp(-(r**2))


def _average(material: Material, q: Array) -> Array:
    """Return the sum over distances of a body that is the same everywhere."""
    if material.spread:
        r = np.arange(0.005, 5, 0.01) * material.radius
        weight = r * _order(r / material.radius) * 0.01 * material.radius
        return 4 * np.pi * material.number_density * (np.sin(np.outer(q, r)) @ weight) / q
    x = q * material.radius
    amplitude = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    return material.number_density * 4 / 3 * np.pi * material.radius**3 * amplitude**2


@lru_cache(maxsize=64)
def _coherent(material: Material, wavelength: float, first: float, last: float, bins: int) -> Array:
    q = np.linspace(first, last, bins)
    f = {each: factors.amplitude(each, q, wavelength) for each in material.elements}
    pairs = partials(material, q)
    alone = factors.mean_square(material.formula, q, wavelength)
    together = sum((f[a] * f[b].conj()).real * p for (a, b), p in pairs.items())
    # the blur of a glass, and the end of a crystallite, reach below 0 at the smallest angles
    return np.maximum(alone + together, 0.0)


def coherent(material: Material, q: Array, wavelength: float) -> Array:
    """Return the coherent scattering per atom in electron units, on an even grid q (bins,)."""
    return _coherent(material, wavelength, float(q[0]), float(q[-1]), len(q))


def structure_factor(material: Material, q: Array, wavelength: float) -> Array:
    """Return S(Q) of Faber and Ziman (Phil. Mag. 11 (1965) 153), on an even grid q (bins,)."""
    alone = factors.mean_square(material.formula, q, wavelength)
    square = factors.mean(material.formula, q, wavelength) ** 2
    return 1 + (coherent(material, q, wavelength) - alone) / square
