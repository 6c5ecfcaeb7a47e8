"""When reflections cross the Ewald sphere, how long they take, and how bright they are.

A crystal turned about an axis e at constant speed lets a reciprocal-lattice point cross the sphere
at the speed |ζ| sin 2θ / λ, with ζ = e · (s1 × s0) / |s1 × s0|: what its rotation records is the
integrated reflecting power, and goes with the inverse of that speed (Lorentz's factor).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx import instrument, structure
from infra.simulator.mx.plan import SweepPlan
from infra.simulator.mx.structure import Array, Indices

BLIND = 0.03  # |ζ| below which a point only grazes the sphere; no such reflection is made
REACH = 4.5  # sigma of rocking to which a reflection beyond the sweep's ends still shows


@dataclass(frozen=True)
class Crossings:
    """
    Crossings of the sphere, n of them.

    Attributes
    ----------
    hkl
        Indices, (n, 3).
    z
        Image coordinate, (n,).
    rays
        Unit vectors of the diffracted beams, (n, 3).
    zeta
        ζ, (n,).
    d
        Resolution in Å, (n,).
    """

    hkl: Indices
    z: Array
    rays: Array
    zeta: Array
    d: Array

    @property
    def two_theta(self) -> Array:
        """Scattering angle in rad, (n,)."""
        return np.arccos(np.clip(self.rays @ instrument.BEAM, -1, 1))

    @property
    def lorentz(self) -> Array:
        """Lorentz's factor, (n,)."""
        return 1 / (np.abs(self.zeta) * np.sin(self.two_theta))


def orientation(seed: int) -> Array:
    """Draw a rotation, uniformly, (3, 3)."""
    w, x, y, z = _unit(np.random.default_rng([5, seed]).standard_normal(4))
    return instrument.turned(
        np.array([x, y, z]), 2 * np.degrees(np.arctan2(np.hypot(np.hypot(x, y), z), w))
    )


def a_matrix(plan: SweepPlan, lattice: int = 0) -> Array:
    """Return A = U B of a lattice at zero angles, columns a*, b*, c* in 1/Å, (3, 3)."""
    cell = structure.model_of(plan.crystal).cell
    upright = orientation(plan.crystal.orientation_seed) @ np.array(cell.frac.mat.tolist()).T
    if lattice == 0:
        return upright
    axis = _unit(np.random.default_rng([6, plan.crystal.orientation_seed]).standard_normal(3))
    return instrument.turned(axis, plan.crystal.second_deg) @ upright


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)


def rocking_deg(plan: SweepPlan, found: Crossings) -> Array:
    """Return the width of rocking (1 sigma) in degrees of turn, (n,)."""
    beam = plan.beam
    spread = np.degrees(beam.dispersion * np.tan(found.two_theta / 2))
    still = np.sqrt(plan.crystal.mosaicity_deg**2 + beam.divergence_deg**2 + spread**2)
    return still / np.abs(found.zeta)


def crossings(plan: SweepPlan, hkl: Indices, lattice: int = 0) -> Crossings:
    """Find all crossings that show during the sweep, both of each reflection and every turn."""
    wavelength, turn = plan.beam.wavelength, plan.rotation
    inside, axis = instrument.carried(plan.goniometer)
    points = hkl @ (inside @ a_matrix(plan, lattice)).T * wavelength
    along = points @ axis
    across = points - along[:, None] * axis
    up = np.cross(axis, points)
    cosine, sine = across @ instrument.BEAM, up @ instrument.BEAM
    wanted = -0.5 * np.sum(points**2, axis=1) - along * (axis @ instrument.BEAM)
    reach = np.hypot(cosine, sine)
    rows = np.flatnonzero(np.abs(wanted) < reach)
    middle = np.arctan2(sine, cosine)[rows]
    half = np.arccos(wanted[rows] / reach[rows])
    found: list[Crossings] = []
    for angle in (middle - half, middle + half):
        turned = across[rows] * np.cos(angle)[:, None] + up[rows] * np.sin(angle)[:, None]
        rays = turned + along[rows, None] * axis + instrument.BEAM
        normal = np.cross(rays, instrument.BEAM)
        zeta = normal @ axis / np.linalg.norm(normal, axis=1)
        d = wavelength / np.linalg.norm(points[rows], axis=1)
        first = (np.degrees(angle) - turn.start_deg) / turn.width_deg
        found.append(Crossings(hkl[rows], first, rays, zeta, d))
    return _during(plan, _join(found))


def _during(plan: SweepPlan, found: Crossings) -> Crossings:
    """Keep what shows during the sweep, once for each turn."""
    period = abs(360 / plan.rotation.width_deg)
    found = take(found, np.flatnonzero(np.abs(found.zeta) > BLIND))
    reach = REACH * rocking_deg(plan, found) / abs(plan.rotation.width_deg)
    parts: list[Crossings] = []
    last = plan.rotation.images
    first = np.ceil((-reach - found.z) / period)
    for more in range(int(np.ceil((last + 2 * reach.max(initial=0)) / period)) + 1):
        z = found.z + (first + more) * period
        rows = np.flatnonzero(z < last + reach)
        part = take(found, rows)
        parts.append(Crossings(part.hkl, z[rows], part.rays, part.zeta, part.d))
    return _join(parts)


def take(found: Crossings, rows: NDArray[Any]) -> Crossings:
    """Return some crossings: a mask, or numbers."""
    return Crossings(
        found.hkl[rows], found.z[rows], found.rays[rows], found.zeta[rows], found.d[rows]
    )


def _join(parts: list[Crossings]) -> Crossings:
    return Crossings(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("hkl", "z", "rays", "zeta", "d")
        )
    )
