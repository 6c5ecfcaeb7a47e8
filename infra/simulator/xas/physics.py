"""From a composition to the light on the detectors, for a block of sweeps.

Arrays are (sweeps, points) unless they say otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.simulator.xas import tables
from infra.simulator.xas.plan import BRAGG, Beam, EnergyScale, Scan, SeriesPlan
from infra.simulator.xas.standards import Standard
from infra.simulator.xas.truth import Fault

Array = NDArray[np.float64]
MATRIX_DECAY = 2.8
REFILL_DEPTH, BUBBLE = 0.3, 0.3


def true_energy(scan: Scan, e0: float, upwards: NDArray[np.bool_], phase: Array) -> Array:
    """Return the energy of each point in eV, the crystal swinging as a cosine of time."""
    ends = np.arcsin(BRAGG / (2 * scan.d_spacing * (e0 + np.array([scan.start, scan.stop]))))
    time = (np.arange(scan.points) + 0.5 + phase[:, None]) * np.pi / scan.points
    swing = 0.5 * (ends[0] - ends[1]) * np.where(upwards, 1.0, -1.0)[:, None]
    angle = ends.mean() + swing * np.cos(time)
    return BRAGG / (2 * scan.d_spacing * np.sin(angle))


def recorded_energy(
    scale: EnergyScale, e0: float, true: Array, offset: Array, random: np.random.Generator
) -> Array:
    """Return what the encoder says of energies, with its offset at the edge per sweep, in eV."""
    reading = scale.reading * random.standard_normal(true.shape, np.float32)
    return e0 + (true - e0) * (1 + scale.stretch) + offset[:, None] + reading


def intensity(beam: Beam, e0: float, energy: Array, sweeps: NDArray[np.int64]) -> Array:
    """Return the counts that a perfect chamber would expect before the sample."""
    above = energy - e0
    spectrum = 1 + beam.waves * np.sin(2 * np.pi * above / 310.0) + beam.slope * above
    for where, width, depth in beam.glitches:
        near = np.abs(above - where) < 6 * width
        spectrum[near] *= 1 + depth * np.exp(-0.5 * ((above[near] - where) / width) ** 2)
    return beam.counts * spectrum * (1 + beam.wobble * np.sin(2 * np.pi * 0.37 * sweeps))[:, None]


def composition(
    standards: Sequence[Standard], amounts: Array, warmth: Array, plan: SeriesPlan, energy: Array
) -> Array:
    """Return the absorption of the edge in units of the edge step.

    With `expansion` the warm share of each compound has longer bonds: its features move
    towards the edge as (E - E0) R² = const (Natoli, Springer Ser. Chem. Phys. 27 (1983) 43).
    """
    mixed = np.zeros(energy.shape)
    for standard, amount in zip(standards, amounts.T, strict=True):
        mixed += amount[:, None] * standard.at(energy)
    if plan.sample.expansion:
        longer = plan.e0 + (energy - plan.e0) * (1 + plan.sample.expansion) ** 2
        for standard, amount in zip(standards, amounts.T, strict=True):
            change = standard.at(longer) - standard.at(energy)
            mixed += (amount * warmth)[:, None] * change
    return mixed


def background(plan: SeriesPlan, energy: Array, steps: Array) -> Array:
    """Return the absorption in transmission by all but the edge, as Victoreen's powers."""
    ratio = energy / plan.e0
    own, power = tables.below_the_edge(plan.element, plan.edge)
    rest = plan.sample.matrix * ratio**-MATRIX_DECAY + plan.sample.windows
    return steps[:, None] * own * ratio**-power + rest


def foil(plan: SeriesPlan, standard: Standard, energy: Array) -> Array:
    """Return the absorption of the reference foil."""
    detectors = plan.detectors
    rest = detectors.foil_rest * (energy / plan.e0) ** -MATRIX_DECAY
    return detectors.foil_step * standard.at(energy) + rest


def fluorescence(plan: SeriesPlan, energy: Array, edge: Array) -> Array:
    """Return which share of the beam a thick sample gives back in the line, over-absorbed."""
    beam, line = tables.over_absorption(plan)
    rest = beam * (energy / plan.e0) ** -MATRIX_DECAY + line
    emitting = np.maximum(edge, 0)  # a real spectrum scatters about 0 before the edge
    return plan.detectors.efficiency * emitting / (rest + emitting)


@dataclass(frozen=True)
class Light:
    """What faults leave of the light: before the sample, and through it."""

    before: Array
    shutter: Array
    through: Array


def disturb(faults: Sequence[Fault], first: int, shape: tuple[int, int]) -> Light:
    """Return what is left of the light in the sweeps from `first` on, 1 being all of it."""
    light = Light(np.ones(shape), np.ones(shape), np.ones(shape))
    for fault in faults:
        place = (fault.sweep - first, slice(fault.first, fault.first + fault.points))
        if fault.kind in ("dump", "no_beam"):
            light.before[place] = 0.0
        elif fault.kind == "closed":
            light.shutter[place] = 0.0
        elif fault.kind == "refill":
            light.before[place] = 1 - REFILL_DEPTH * np.linspace(1, 0, fault.points)
        elif fault.kind == "bubble":
            light.through[place] = BUBBLE
    return light
