"""How much light goes where, as patterns over q: what a perfect detector would expect.

The unit is mm2 times (electron radius)2: times the photons per mm2, the polarisation and a pixel's
solid angle, that is counts.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import debye, factors, surroundings
from infra.simulator.pdf.absorption import Capillary
from infra.simulator.pdf.materials import Material
from infra.simulator.pdf.plan import Beam, Sample, ScanPlan

Array = NDArray[np.float64]
ELECTRON = 2.8179403e-12  # radius in mm
PER_MM3 = 1e21  # Å3
STEP = 0.005  # 1/Å
AIR_BEAM = 0.25  # mm2 of beam in the air
TINY = 0.02  # 1/Å, where grids begin


def grid(wavelength: float) -> Array:
    """Return the q of patterns: up to a scattering angle of 75 degrees."""
    return np.arange(TINY, 4 * np.pi / wavelength * np.sin(np.deg2rad(37.5)), STEP)


def capillary(plan: ScanPlan) -> Capillary:
    """Return the capillary that is in the beam, empty or full."""
    sample, wavelength = plan.sample, plan.geometry.wavelength
    outer = sample.diameter / 2
    if sample.container == "none" or plan.kind == "empty":
        inner, wall = outer, 0.0
    else:
        inner = outer - sample.wall
        wall = factors.attenuation(*surroundings.walls(sample.container), wavelength)
    inside = 0.0
    if plan.kind in ("sample", "calibrant"):
        density = sample.packing * sample.phases[0].density
        inside = factors.attenuation(sample.formula, density, wavelength)
    return Capillary(inner, outer, inside, wall)


def volume(sample: Sample, beam: Beam, of: str) -> float:
    """Return how many mm3 of the sample or the wall the beam meets."""
    outer = sample.diameter / 2
    inner = outer if sample.container == "none" else outer - sample.wall
    return np.pi * beam.height * (inner**2 if of == "inside" else outer**2 - inner**2)


@dataclass(frozen=True, eq=False)
class Patterns:
    """What scatters in a frame, over the grid of `q` (bins,), not absorbed yet."""

    q: Array
    sample: Array
    fluorescence: float
    wall: Array
    air: Array


def patterns(plan: ScanPlan, amounts: Array, expansion: float, softening: float) -> Patterns:
    """Return what scatters where the phases have these atomic fractions and are warmed so much."""
    sample, beam, wavelength = plan.sample, plan.beam, plan.geometry.wavelength
    q = grid(wavelength)
    empty = np.zeros(q.shape)
    here, fluorescence = empty, 0.0
    if plan.kind in ("sample", "calibrant"):
        atoms = amplitude(plan)
        warm = [phase.heated(expansion, softening) for phase in sample.phases]
        here = atoms * electron_units(tuple(warm), tuple(amounts.tolist()), wavelength)
        fluorescence = atoms * sum(
            x * phase.fluorescence for phase, x in zip(warm, amounts.tolist(), strict=True)
        )
    with_wall = sample.container != "none" and plan.kind != "empty"
    wall = _wall(plan) if with_wall else empty
    thin = factors.atoms_per_volume(surroundings.AIR, surroundings.AIR_DENSITY) * PER_MM3
    air = AIR_BEAM * beam.air * thin * ELECTRON**2 * _air(wavelength)
    return Patterns(q, here, fluorescence, wall, air)


def amplitude(plan: ScanPlan) -> float:
    """Return what one electron unit per atom of the sample is worth, absorption aside."""
    inside = volume(plan.sample, plan.beam, "inside")
    density = plan.sample.phases[0].number_density * plan.sample.packing
    return inside * density * PER_MM3 * ELECTRON**2


def electron_units(
    phases: tuple[Material, ...], amounts: tuple[float, ...], wavelength: float
) -> Array:
    """Return the sample's scattering per atom in electron units, Compton with it, (bins,)."""
    q = grid(wavelength)
    ordered = sum(
        x * debye.coherent(phase, q, wavelength)
        for phase, x in zip(phases, amounts, strict=True)
        if x
    )
    return ordered + _compton(phases[0].formula, wavelength)


def _wall(plan: ScanPlan) -> Array:
    formula, density = surroundings.walls(plan.sample.container)
    atoms = factors.atoms_per_volume(formula, density) * PER_MM3
    part = volume(plan.sample, plan.beam, "wall") * atoms * ELECTRON**2
    return part * _walls(plan.sample.container, plan.geometry.wavelength)


@lru_cache
def _compton(formula: str, wavelength: float) -> Array:
    return factors.compton(formula, grid(wavelength), wavelength)


@lru_cache
def _walls(container: str, wavelength: float) -> Array:
    return surroundings.wall_scattering(container, grid(wavelength), wavelength)


@lru_cache
def _air(wavelength: float) -> Array:
    return surroundings.air(grid(wavelength), wavelength)
