"""Which pixels there are: modules, gaps, dead and hot ones, and the shadow of the beam stop."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx import instrument
from infra.simulator.mx.plan import Detector

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Pixels:
    """Masks of the detector's pixels, (rows, columns)."""

    gaps: Mask
    dead: Mask
    hot: Mask
    shadow: Mask

    @property
    def masked(self) -> Mask:
        """What the file marks as no pixel."""
        return self.gaps | self.dead


@lru_cache(maxsize=4)
def pixels_of(detector: Detector) -> Pixels:
    """Return the pixels of a detector."""
    random = np.random.default_rng([3, detector.seed])
    rows, columns = (
        np.arange(size) % (module + gap) >= module
        for size, module, gap in zip(detector.shape, detector.module, detector.gap, strict=True)
    )
    gaps = rows[:, None] | columns[None, :]
    dead = random.random(detector.shape) < detector.dead
    hot = random.random(detector.shape) < detector.hot
    x, y = instrument.beam_centre(instrument.plane_of(detector), detector.pixel)
    away = np.hypot(
        np.arange(detector.shape[0])[:, None] + 0.5 - y,
        np.arange(detector.shape[1])[None, :] + 0.5 - x,
    )
    return Pixels(gaps, dead & ~gaps, hot & ~gaps & ~dead, away * detector.pixel < detector.stop)
