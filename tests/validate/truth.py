"""
Simulated CT scans with known truth. Shares no code with the project: it must be able to be wrong.

The sample is a stack of ellipses per detector row, so its projections and its image are analytic.
A point (x, y) of the sample, in pixels from the rotation axis, is seen at angle t in column
``axis + x cos t + y sin t``, and column k covers ``k - 0.5 .. k + 0.5``.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Ellipse:
    """Attenuation in 1/cm, half axes, centre and its shift per detector row in pixels, turn."""

    mu: float
    a: float
    b: float
    x: float
    y: float
    turn: float = 0.0
    lean_x: float = 0.0
    lean_y: float = 0.0

    def centre(self, height):
        return self.x + self.lean_x * height, self.y + self.lean_y * height


@dataclass(frozen=True)
class Truth:
    columns: int
    rows: int
    angles: np.ndarray
    axis: float  # of the middle row
    tilt: float  # columns per row
    pixel_size_cm: float
    ellipses: tuple[Ellipse, ...] = field(repr=False)

    def height(self, row):
        return row - (self.rows - 1) / 2

    def axis_of(self, row):
        return self.axis + self.tilt * self.height(row)

    def absorbance(self, row, angles=None):
        """Line integrals (angles, columns), averaged over each column: 8 samples a pixel."""
        angles = self.angles if angles is None else angles
        total = np.zeros((len(angles), self.columns))
        for offset in (np.arange(8) - 3.5) / 8:
            u = np.arange(self.columns)[None, :] - self.axis_of(row) + offset
            for e in self.ellipses:
                x, y = e.centre(self.height(row))
                r2 = (e.a * np.cos(angles - e.turn)) ** 2 + (e.b * np.sin(angles - e.turn)) ** 2
                d = u - (x * np.cos(angles) + y * np.sin(angles))[:, None]
                chord = 2 * e.a * e.b * np.sqrt(np.maximum(r2[:, None] - d * d, 0)) / r2[:, None]
                total += e.mu * self.pixel_size_cm * chord / 8
        return total

    def image(self, row, samples=4):
        """Attenuation (y, x) in 1/cm, averaged over each pixel; the axis is pixel columns // 2."""
        fine = (np.arange(self.columns * samples) + 0.5) / samples - 0.5 - self.columns // 2
        image = np.zeros((fine.size, fine.size))
        for e in self.ellipses:
            image += e.mu * _inside(e, fine, self.height(row))
        n = self.columns
        return image.reshape(n, samples, n, samples).mean((1, 3))

    def eroded(self, row, index, margin):
        """Pixels (y, x) inside ellipse `index` by more than `margin` and clear of all others."""
        grid = np.arange(self.columns) - self.columns // 2.0
        height = self.height(row)
        mask = _inside(self.ellipses[index], grid, height, -margin)
        for other, e in enumerate(self.ellipses):
            if other > index:
                mask &= ~_inside(e, grid, height, margin)
        return mask


def _inside(e, grid, height, grow=0.0):
    x, y = e.centre(height)
    dx, dy = grid[None, :] - x, grid[:, None] - y
    c, s = np.cos(e.turn), np.sin(e.turn)
    along, across = dx * c + dy * s, -dx * s + dy * c
    return (along / (e.a + grow)) ** 2 + (across / (e.b + grow)) ** 2 <= 1


def random_sample(rng, columns, pixel_size_cm, absorbance=1.5, fill=0.36, pieces=14):
    """An asymmetric body with holes and grains; `fill` is its largest half axis over columns."""
    body = fill * columns
    mu = absorbance / (2 * body * pixel_size_cm)
    offset = rng.uniform(-0.05, 0.05, 2) * columns
    lean = rng.uniform(-0.05, 0.05, 2)
    ellipses = [Ellipse(mu, body, body * rng.uniform(0.7, 0.9), *offset, rng.uniform(0, 3), *lean)]
    for _ in range(pieces):
        a = body * rng.uniform(0.03, 0.16)
        distance, direction = body * rng.uniform(0.05, 0.55), rng.uniform(0, 2 * np.pi)
        ellipses.append(
            Ellipse(
                mu * rng.choice([-0.9, -0.5, 0.5, 1.0, 1.5]),
                a,
                a * rng.uniform(0.4, 1.0),
                offset[0] + distance * np.cos(direction),
                offset[1] + distance * np.sin(direction),
                rng.uniform(0, 3),
                *lean,
            )
        )
    return tuple(ellipses)


@dataclass(frozen=True)
class Counts:
    """What a detector would write: uint16 (n, rows, columns) and when the flats were taken."""

    projections: np.ndarray
    flats: np.ndarray
    darks: np.ndarray
    flat_positions: np.ndarray


def measure(
    truth,
    rng,
    counts=20_000,
    drift=0.05,
    rings=0.01,
    zingers=2e-5,
    dead_columns=0,
    flats=10,
    dark_level=100,
    read_noise=3.0,
):
    """
    Expose a scan with flats before and after: Poisson counts, drift, gains, zingers.

    `counts` per pixel in the open beam; `drift` the fraction of beam lost from start to end;
    `rings` the spread of column gains that change after the first flats.
    """
    n, shape = len(truth.angles), (truth.rows, truth.columns)
    profile = 1 + 0.2 * np.cos(np.linspace(-1.2, 1.2, truth.columns))[None, :] * np.ones(shape)
    gain = 1 + 0.05 * rng.standard_normal(shape)
    shift = 1 + rings * rng.standard_normal(shape) * (rng.random(shape) < 0.1)
    alive = np.ones(shape)
    alive[:, rng.choice(truth.columns, dead_columns, replace=False)] = 0

    def expose(transmission, fraction, gains):
        mean = counts * profile * (1 - drift * fraction)[:, None, None] * gains * transmission
        frames = rng.poisson(mean * alive) + dark_level
        return frames + read_noise * rng.standard_normal(frames.shape)

    absorbance = np.stack([truth.absorbance(row) for row in range(truth.rows)], axis=1)
    projections = expose(np.exp(-absorbance), np.arange(n) / max(n - 1, 1), gain * shift)
    hit = rng.random(projections.shape) < zingers
    projections[hit] += counts * rng.uniform(0.5, 3, hit.sum())
    ends = np.r_[np.zeros(flats), np.ones(flats)]
    before_after = np.concatenate(
        [
            expose(np.ones((flats, *shape)), np.zeros(flats), gain),
            expose(np.ones((flats, *shape)), np.ones(flats), gain * shift),
        ]
    )
    darks = dark_level + read_noise * rng.standard_normal((10, *shape))

    def digitise(frames):
        return np.clip(np.rint(frames), 0, 65535).astype(np.uint16)

    return Counts(digitise(projections), digitise(before_after), digitise(darks), ends)
