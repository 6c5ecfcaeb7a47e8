"""What detectors make of the light that falls on them; arrays are (sweeps, points)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from infra.simulator.xas.plan import Detectors, Scan
from infra.simulator.xas.truth import Fault

Array = NDArray[np.float64]
SPIKE = 3.0


def count(expected: Array, detectors: Detectors, random: np.random.Generator) -> Array:
    """Return what a chamber reads where it expects so many photons."""
    if not detectors.noise:
        return expected + detectors.dark
    noise = detectors.electronic * random.standard_normal(expected.shape, np.float32)
    return random.poisson(expected) + detectors.dark + noise


def spike(counts: Array, faults: Sequence[Fault], first: int) -> None:
    """Let the electronics jump at single points, in place."""
    for fault in faults:
        if fault.kind == "spike":
            factor = SPIKE if fault.first % 2 else 1 / SPIKE
            counts[fault.sweep - first, fault.first] *= factor


def count_fluorescence(
    line: Array, beam: Array, detectors: Detectors, scan: Scan, random: np.random.Generator
) -> dict[str, Array]:
    """Read the fluorescence.

    A counting channel takes line and scattered beam in; while it is busy with one photon it is
    blind to others: output = input / (1 + input dead time) (Knoll, Radiation Detection and
    Measurement, non-paralysable model).

    Parameters
    ----------
    line
        Photons of the line that all channels together would see.
    beam
        Photons on the sample.

    Returns
    -------
    By name, as a block has them.
    """
    if not detectors.channels:
        return {"ifluor": count(line, detectors, random)}
    photons = random.poisson if detectors.noise else np.asarray
    dwell = scan.seconds / scan.points
    share = line / detectors.channels
    scattered = beam * detectors.efficiency * detectors.scatter / detectors.channels
    signals: dict[str, Array] = {}
    for channel in range(1, detectors.channels + 1):
        taken = np.asarray(photons(share), float)
        rate = (taken + photons(scattered)) / dwell
        live = 1 / (1 + rate * detectors.dead_time)
        signals |= {
            f"ifluor_{channel}": taken * live,
            f"icr_{channel}": rate,
            f"ocr_{channel}": rate * live,
        }
    return signals
