"""Pixels that do not say what they see: gaps, dead and hot ones, the beam stop's shadow, spots."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import geometry
from infra.simulator.pdf.plan import Detector, Geometry, ScanPlan

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
ARM = 0.3  # half of the arm's width, in radii of the beam stop
HOT = (3.0, 300.0)  # times the median of the image
SPOT_WIDTH = 1.2  # pixels, standard deviation
SPOT_Q = (2.0, 15.0)  # 1/Å
SPOT_HEIGHT = (5.0, 60.0)  # times what is there


@dataclass(frozen=True, eq=False)
class Pixels:
    """Which pixels are wrong, each (rows, columns), and how well the others count."""

    gaps: Mask
    dead: Mask
    hot: Mask
    shadow: Mask
    response: Array

    @property
    def bad(self) -> Mask:
        """All that should be left out."""
        return self.gaps | self.dead | self.hot | self.shadow


def of(plan: ScanPlan) -> Pixels:
    """Return the pixels of a plan's detector; they are the same in all of its scans."""
    detector, shape = plan.detector, plan.geometry.shape
    random = np.random.default_rng(detector.seed)
    kind = random.random(shape)
    response = 1 + detector.uneven * random.standard_normal(shape)
    gaps = _gaps(detector, shape)
    dead = (kind < detector.dead) & ~gaps
    hot = (kind > 1 - detector.hot) & ~gaps
    lit = plan.kind in ("dark", "flat")
    shadow = np.zeros(shape, bool) if lit else _shadow(plan.geometry, detector)
    return Pixels(gaps, dead, hot, shadow, response)


def _gaps(detector: Detector, shape: tuple[int, int]) -> Mask:
    row, column = (np.arange(n) % (detector.module + detector.gap) for n in shape)
    return (row >= detector.module)[:, None] | (column >= detector.module)


def _shadow(place: Geometry, detector: Detector) -> Mask:
    """Return where the beam stop is, as far away as the detector, and its arm along the rows."""
    where = geometry.pixels(place)
    up, right = where[:2] / where[2] * place.distance
    arm = (right < 0) & (np.abs(up) < ARM * detector.stop)
    return (np.hypot(up, right) < detector.stop) | arm


def heat(hot: Mask, image: Array, random: np.random.Generator) -> None:
    """Let the hot pixels of an expected image count what they like."""
    low, high = np.log(HOT)
    typical = max(float(np.median(image)), 1.0)
    image[hot] = typical * np.exp(random.uniform(low, high, int(hot.sum())))


def spots(plan: ScanPlan, q: Array) -> Array:
    """Return how many times as much as from the powder comes from single grains as well."""
    random = np.random.default_rng([plan.seed, 3])
    result = np.zeros(q.shape)
    where = np.flatnonzero((q > SPOT_Q[0]) & (q < SPOT_Q[1]))
    index = np.indices(q.shape)
    for place in random.choice(where, plan.sample.grains, replace=False):
        row, column = divmod(int(place), q.shape[1])
        near = np.s_[max(row - 6, 0) : row + 7, max(column - 6, 0) : column + 7]
        away = (index[0][near] - row) ** 2 + (index[1][near] - column) ** 2
        result[near] += random.uniform(*SPOT_HEIGHT) * np.exp(-0.5 * away / SPOT_WIDTH**2)
    return result
