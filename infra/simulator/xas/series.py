"""The measurement of a series, block by block; a sweep is the same however it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.simulator.xas import detectors, kinetics, physics, standards, truth
from infra.simulator.xas.plan import SeriesPlan

Array = NDArray[np.float64]
BLOCK = 64


@dataclass(frozen=True)
class Block:
    """Some sweeps in a row.

    Attributes
    ----------
    first
        Number of the first sweep.
    signals
        By name, each (sweeps, points): `energy` as recorded, in eV, `i0`, `itrans`, `irefer` and
        `ifluor` in counts; with counting detectors instead of the last `ifluor_1` in counts and
        `icr_1`, `ocr_1` (input and output rates) in counts/s, and so on for each channel.
    """

    first: int
    signals: dict[str, Array]

    def __len__(self) -> int:
        return len(self.signals["energy"])

    def pieces(self, size: int) -> Iterator["Block"]:
        """Cut the block into pieces of so many sweeps, the last one shorter."""
        for start in range(0, len(self), size):
            cut = {name: values[start : start + size] for name, values in self.signals.items()}
            yield Block(self.first + start, cut)


class Series:
    """A series that can be measured; memory holds a block at a time."""

    def __init__(self, plan: SeriesPlan) -> None:
        self.plan = plan
        self.truth = truth.of(plan)
        self._parts = standards.load(plan.names, plan.standards, plan.e0)
        (self._foil,) = standards.load([plan.foil], plan.standards, plan.e0)
        self._warmth = kinetics.progress(plan)

    def blocks(self, size: int = BLOCK) -> Iterator[Block]:
        """Measure all, in pieces of at most so many sweeps."""
        for number in range(-(-self.plan.sweeps // BLOCK)):
            yield from self.block(number).pieces(size)

    def block(self, number: int) -> Block:
        """Measure one block."""
        plan = self.plan
        random = np.random.default_rng([plan.seed, 1, number])
        sweeps = np.arange(number * BLOCK, min((number + 1) * BLOCK, plan.sweeps))
        energy = physics.true_energy(
            plan.scan, plan.e0, self.truth.upwards[sweeps], self.truth.phase[sweeps]
        )
        recorded = physics.recorded_energy(
            plan.scale, plan.e0, energy, self.truth.offset[sweeps], random
        )
        signals = {"energy": recorded, **self._detect(sweeps, energy, random)}
        return Block(int(sweeps[0]), signals)

    def _detect(
        self, sweeps: NDArray[np.int64], energy: Array, random: np.random.Generator
    ) -> dict[str, Array]:
        plan, first = self.plan, int(sweeps[0])
        faults = [fault for fault in self.truth.faults if first <= fault.sweep <= sweeps[-1]]
        light = physics.disturb(faults, first, energy.shape)
        edge = physics.composition(
            self._parts, self.truth.fractions[sweeps], self._warmth[sweeps], plan, energy
        )
        steps = self.truth.edge_step[sweeps]
        before = physics.intensity(plan.beam, plan.e0, energy, sweeps) * light.before
        absorbed = steps[:, None] * edge + physics.background(plan, energy, steps)
        wrong = 1 + plan.detectors.nonlinearity * (before / plan.beam.counts - 0.9)
        behind = before * light.shutter * light.through * np.exp(-absorbed) * wrong
        last = behind * np.exp(-physics.foil(plan, self._foil, energy))
        emitted = before * light.shutter * physics.fluorescence(plan, energy, edge)
        transmitted = detectors.count(behind, plan.detectors, random)
        detectors.spike(transmitted, faults, first)
        return {
            "i0": detectors.count(before, plan.detectors, random),
            "itrans": transmitted,
            "irefer": detectors.count(last, plan.detectors, random),
            **detectors.count_fluorescence(
                emitted, before * light.shutter, plan.detectors, plan.scan, random
            ),
        }
