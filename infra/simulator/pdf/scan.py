"""The measurement of a scan, frame by frame; a frame is the same however it is asked for."""

from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import absorption, evolution, geometry, pixels, scattering
from infra.simulator.pdf.absorption import Capillary
from infra.simulator.pdf.geometry import View
from infra.simulator.pdf.pixels import Pixels
from infra.simulator.pdf.plan import Geometry, ScanPlan
from infra.simulator.pdf.scattering import Patterns

Array = NDArray[np.float64]
Counts = NDArray[np.int32]
GAP = -1  # what pixels say that are not there
FLAT_FIELD = 5e4  # counts per s of a flat field
PARTS = ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))  # of a pixel


class Scan:
    """A scan that can be measured; memory holds a frame at a time.

    Attributes
    ----------
    plan
        What is measured.
    history
        The beam, the sample and what goes wrong, frame by frame.
    """

    def __init__(self, plan: ScanPlan) -> None:
        self.plan = plan
        self.history = evolution.history(plan)

    @cached_property
    def pixels(self) -> Pixels:
        """The detector's pixels."""
        return pixels.of(self.plan)

    @property
    def monitor(self) -> Array:
        """What the monitor counts in each frame, (frames,)."""
        plan = self.plan
        return plan.beam.monitor * plan.beam.exposure * plan.claims.monitor * self.history.beam

    def frames(self) -> Iterator[Counts]:
        """Measure all frames, (rows, columns) each."""
        for number in range(self.plan.frames):
            yield self.frame(number)

    def frame(self, number: int) -> Counts:
        """Measure a frame, (rows, columns); gaps say -1."""
        while number in self.plan.faults.stalls and number:
            number -= 1
        random = np.random.default_rng([self.plan.seed, 1, number])
        expected = self.expected(number)
        pixels.heat(self.pixels.hot, expected, random)
        counts = random.poisson(np.where(self.pixels.dead, 0.0, expected))
        counts = np.minimum(counts, self.plan.detector.saturation)
        return np.where(self.pixels.gaps, GAP, counts).astype(np.int32)

    def expected(self, number: int) -> Array:
        """Return what pixels count on average in a frame, the dead and the hot like others."""
        detector, exposure = self.plan.detector, self.plan.beam.exposure
        light = self._light(number)
        return (self.pixels.response * light + detector.dark) * exposure

    def _light(self, number: int) -> Array:
        if self.plan.kind == "dark":
            return np.zeros(self.plan.geometry.shape)
        if self.plan.kind == "flat":
            return np.full(self.plan.geometry.shape, FLAT_FIELD)
        flux = self.plan.beam.photons * self.plan.faults.light * self.history.beam[number]
        state = self.history.at(number)
        scattered = self._scattered(scattering.patterns(self.plan, *state))
        leak = np.where(self.pixels.shadow, self.plan.detector.leak, 1.0)
        return flux * leak * scattered

    def _scattered(self, parts: Patterns) -> Array:
        """Return what comes to the pixels per photon and mm2."""
        plan, seen = self.plan, view_of(self.plan)
        inside, wall, air = _absorbed(plan)
        sample = pixel_mean(plan.geometry, parts.q, parts.sample) * inside
        if plan.sample.texture:
            sample *= 1 + plan.sample.texture * np.cos(2 * seen.azimuth)
        if plan.sample.grains:
            sample *= 1 + pixels.spots(
                plan, geometry.momentum(seen.two_theta, plan.geometry.wavelength)
            )
        around = pixel_mean(plan.geometry, parts.q, parts.wall) * wall
        around += pixel_mean(plan.geometry, parts.q, parts.air) * air
        polarised = seen.polarisation * (sample + around)
        return seen.solid_angle * seen.efficiency * (polarised + parts.fluorescence * inside)


def view_of(plan: ScanPlan) -> View:
    """Return what the pixels of a plan's detector see."""
    return _view(plan.geometry, plan.detector, plan.beam.polarisation)


_view = lru_cache(maxsize=4)(geometry.view)


@lru_cache(maxsize=4)
def _pixel_bins(place: Geometry) -> tuple[tuple[NDArray[np.intp], Array], ...]:
    """Return for four parts of each pixel the bin of the patterns' grid, and how far within."""
    found = []
    for shift in PARTS:
        q = geometry.momentum(geometry.two_theta(geometry.pixels(place, shift)), place.wavelength)
        at = np.maximum((q - scattering.TINY) / scattering.STEP, 0.0)
        found.append((at.astype(np.intp), at % 1.0))
    return tuple(found)


def pixel_mean(place: Geometry, q: Array, pattern: Array) -> Array:
    """Return the mean of a pattern over each pixel, (rows, columns)."""
    result = np.zeros(place.shape)
    for index, within in _pixel_bins(place):
        near = np.minimum(index, len(q) - 2)
        result += (1 - within) * pattern[near] + within * pattern[near + 1]
    return result / len(PARTS)


def _absorbed(plan: ScanPlan) -> tuple[Array, Array, float]:
    """Return how much of what sample, wall and air scatter gets out; the first two as images."""
    tube = scattering.capillary(plan)
    seen = view_of(plan)
    inside, wall = _absorption(tube, seen)
    return inside, wall, tube.transmission


@lru_cache(maxsize=4)
def _absorption(tube: Capillary, seen: View) -> tuple[Array, Array]:
    inside = absorption.factor(tube, seen.two_theta, seen.azimuth, "inside")
    if tube.outer == tube.inner:
        return inside, inside
    return inside, absorption.factor(tube, seen.two_theta, seen.azimuth, "wall")
