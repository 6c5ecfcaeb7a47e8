"""What a detector behind a scintillator counts, with everything that goes wrong in it.

counts = Poisson(I0(x, y) drift(t) gain(x) transmission) + dark + N(0, read noise), as uint16.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.simulator.phantom import Array

Counts = NDArray[np.uint16]
SATURATION = 65535


@dataclass(frozen=True)
class Beam:
    """The X-ray beam: counts per pixel at the brightest spot, and how they change with time.

    `drift` is the share of the beam lost over the scan, `dump_at` the place in the scan (0 to 1)
    where the ring loses its beam for `dump_frames` frames; after the refill it is 6 % brighter.
    `energy` is in keV.
    """

    counts: float = 20000.0
    drift: float = 0.02
    dump_at: float | None = None
    dump_frames: int = 1
    energy: float = 25.0

    def profile(self, rows: int, columns: int) -> Array:
        """Return the counts of the open beam, (rows, columns): a hill, its top off the middle."""
        down = np.linspace(-1, 1, rows)[:, None] if rows > 1 else np.zeros((1, 1))
        across = np.linspace(-1, 1, columns)[None, :]
        return self.counts * np.exp(-0.35 * (down - 0.1) ** 2 - 0.25 * (across + 0.15) ** 2)

    def current(self, time: Array, frames: int) -> Array:
        """Ring current at the times 0 (start) to 1 (end) of a scan of so many frames, relative."""
        level = 1 - self.drift * time + 0.003 * np.sin(9 * time)
        if self.dump_at is None:
            return level
        refilled = self.dump_at + self.dump_frames / frames
        level[time >= refilled] *= 1.06
        level[(time >= self.dump_at) & (time < refilled)] = 0
        return level


@dataclass(frozen=True)
class Detector:
    """A camera: its dark level, its noise, and its faults.

    `ring_columns` change their gain by about `ring_strength` after the first flats were taken,
    `dead` and `nonlinear` count pixels, `zingers` is the number of hits by stray gammas per frame.
    `serial_number` draws which columns and pixels: one camera has the same pattern in every scan.
    """

    dark: float = 100.0
    read_noise: float = 3.0
    gain_spread: float = 0.02
    ring_columns: int = 6
    ring_strength: float = 0.01
    dead: int = 6
    nonlinear: int = 6
    zingers: float = 0.5
    noise: bool = True
    serial_number: int = 1


@dataclass(frozen=True)
class Exposure:
    """All frames of a scan; each stack is (n, rows, columns) in counts."""

    projections: Counts
    flats_before: Counts
    flats_after: Counts
    darks: Counts


class Camera:
    """A detector with its own pattern of gains and faults; `seed` draws the noise of a scan."""

    def __init__(self, detector: Detector, rows: int, columns: int, seed: int) -> None:
        self.detector, self.shape = detector, (rows, columns)
        self.random = np.random.default_rng(seed)
        pattern = np.random.default_rng(detector.serial_number)
        self.gain = 1 + detector.gain_spread * pattern.standard_normal(columns)
        self.gain_in_flats = self.gain.copy()
        hit = pattern.choice(columns, min(detector.ring_columns, columns), replace=False)
        self.gain[hit] *= 1 + detector.ring_strength * pattern.choice([-1, 1], hit.size)
        pixels = pattern.permutation(rows * columns)
        self.dead = np.unravel_index(pixels[: detector.dead], self.shape)
        self.nonlinear = np.unravel_index(
            pixels[detector.dead : detector.dead + detector.nonlinear], self.shape
        )

    def expose(self, light: Array, *, before: bool = False) -> Counts:
        """Take frames.

        Parameters
        ----------
        light
            Counts that a perfect detector would expect, (n, rows, columns).
        before
            Before the gains of the ring columns changed (the flats before the scan).
        """
        expected = light * (self.gain_in_flats if before else self.gain)
        index = (slice(None), *self.nonlinear)
        expected[index] *= 1 - 0.4 * expected[index] / SATURATION
        expected[(slice(None), *self.dead)] = 0
        counts = self._noisy(expected) + self.detector.dark
        self._zing(counts)
        np.rint(counts, out=counts)
        return np.clip(counts, 0, SATURATION, out=counts).astype(np.uint16)

    def _noisy(self, expected: Array) -> Array:
        if not self.detector.noise:
            return expected
        read = self.random.standard_normal(expected.shape, dtype=np.float32)
        return self.random.poisson(expected) + self.detector.read_noise * read

    def _zing(self, counts: Array) -> None:
        """Let stray gammas light single pixels of single frames."""
        hits = self.random.poisson(self.detector.zingers * len(counts))
        where = tuple(self.random.integers(0, size, hits) for size in counts.shape)
        counts[where] += self.random.uniform(3000, 40000, hits)


def expose_scan(
    transmission: Array,
    beam: Beam,
    detector: Detector,
    *,
    flats: Sequence[int],
    darks: int,
    seed: int,
) -> Exposure:
    """Take a whole scan: darks, flats, projections, flats.

    Parameters
    ----------
    transmission
        (n, rows, columns), 0 to 1.
    flats
        How many before and how many after the projections.
    darks
        How many.
    """
    frames, rows, columns = transmission.shape
    camera = Camera(detector, rows, columns, seed)
    open_beam = beam.profile(rows, columns)

    def lit(times: Array) -> Array:
        return open_beam * beam.current(times, frames)[:, None, None]

    before, after = flats
    return Exposure(
        darks=camera.expose(np.zeros((darks, rows, columns))),
        flats_before=camera.expose(lit(np.zeros(before)), before=True),
        projections=camera.expose(transmission * lit((np.arange(frames) + 0.5) / frames)),
        flats_after=camera.expose(lit(np.ones(after))),
    )
