"""The measurement of a sweep, image by image; an image is the same however it is asked for."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx import background, paint, reflections
from infra.simulator.mx.pixels import Pixels, pixels_of
from infra.simulator.mx.plan import SweepPlan
from infra.simulator.mx.spots import Spots, grains_of, spots_of
from infra.simulator.mx.truth import Truth

Counts = NDArray[np.int32]
GAP, DEAD = -1, -2  # what pixels say that are not there, or count nothing
HOT = 50.0  # counts of a hot pixel


@dataclass(frozen=True)
class Sweep:
    """A sweep that can be measured; memory holds an image at a time, and all reflections."""

    plan: SweepPlan

    @cached_property
    def truth(self) -> Truth:
        """What is true about it."""
        return reflections.truth_of(self.plan)

    @cached_property
    def pixels(self) -> Pixels:
        """The detector's pixels."""
        return pixels_of(self.plan.detector)

    @cached_property
    def spots(self) -> Spots:
        """Everything that is painted."""
        return spots_of(self.plan, self.truth).join(grains_of(self.plan))

    @cached_property
    def beam(self) -> NDArray[np.float64]:
        """The beam on each image, 1 on average, 0 where the shutter is closed, (images,)."""
        return reflections.beam_of(self.plan)

    def images(self, first: int = 0, last: int | None = None, threads: int = 2) -> Iterator[Counts]:
        """Measure images in turn, (rows, columns) each; memory holds a few."""
        numbers = range(first, self.plan.written if last is None else last)
        background.expected(self.plan)  # what all of them need is made once
        _ = self.spots, self.pixels, self.beam
        with ThreadPoolExecutor(threads) as pool:
            ahead = 2 * threads
            running = deque(pool.submit(self.image, number) for number in numbers[:ahead])
            for number in numbers:
                done = running.popleft().result()
                if number + ahead < numbers.stop:
                    running.append(pool.submit(self.image, number + ahead))
                yield done

    def expected(self, number: int) -> NDArray[np.float32]:
        """Return what the pixels of an image count in the mean, (rows, columns)."""
        image = background.expected(self.plan).copy()
        spots = self.spots
        rows = spots.on(number)
        paint.paint(image, number, rows, spots.xyz, spots.shape, spots.counts)
        image[self.pixels.shadow] = 0.0
        image *= np.float32(self.beam[number])
        image[self.pixels.hot] = HOT
        return image

    def image(self, number: int) -> Counts:
        """Measure an image, (rows, columns); gaps say -1, dead pixels -2."""
        state = np.random.SeedSequence([self.plan.seed, number]).generate_state(1, np.uint64)[0]
        counts = paint.drawn(self.expected(number), state)
        np.minimum(counts, self.plan.detector.saturation + 1, out=counts)
        counts[self.pixels.gaps] = GAP
        counts[self.pixels.dead] = DEAD
        return counts
