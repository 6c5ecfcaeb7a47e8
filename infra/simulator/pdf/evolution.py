"""How the beam and the sample change from frame to frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from infra.simulator.pdf.plan import ScanPlan

Array = NDArray[np.float64]
DUMPED = 0.003  # of the beam, what a monitor still says without it


@dataclass(frozen=True, eq=False)
class History:
    """A scan's course.

    Attributes
    ----------
    beam
        1 being the whole beam, (frames,).
    amounts
        Of the phases, as atomic fractions, (frames, phases).
    expansion, softening
        How much longer and softer the sample is, as shares, (frames,).
    """

    beam: Array
    amounts: Array
    expansion: Array
    softening: Array

    def at(self, number: int) -> tuple[Array, float, float]:
        """Return the sample in a frame: amounts, expansion, softening."""
        return self.amounts[number], float(self.expansion[number]), float(self.softening[number])


def history(plan: ScanPlan) -> History:
    """Return a scan's course."""
    progress = np.linspace(0, 1, plan.frames) if plan.frames > 1 else np.zeros(1)
    random = np.random.default_rng([plan.seed, 2])
    beam = 1 - plan.beam.drift * progress
    beam *= 1 + plan.beam.wobble * random.standard_normal(plan.frames)
    beam[list(plan.faults.dumps)] = DUMPED
    return History(
        beam,
        _amounts(plan, progress),
        plan.evolution.expansion * progress,
        plan.evolution.softening * progress,
    )


def _amounts(plan: ScanPlan, progress: Array) -> Array:
    amounts = np.zeros((plan.frames, len(plan.sample.phases)))
    amounts[:, 0] = 1.0
    if len(plan.sample.phases) > 1:
        turned = expit((progress - plan.evolution.middle) / plan.evolution.width)
        amounts[:, 0] -= turned
        amounts[:, -1] += turned
    return amounts
