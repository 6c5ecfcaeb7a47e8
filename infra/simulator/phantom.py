"""An object of ellipsoids whose projections and slices are known exactly.

Geometry (the convention of the whole platform)
-----------------------------------------------
Pixel centres lie at whole numbers: column 0 has its centre at 0.0. A point (x, y, z) of the object,
in pixels from the rotation axis, falls at the angle theta on the detector at

    t = x cos(theta) + y sin(theta),    column = t + axis

so x points to the right (increasing column) at theta = 0, and a positive angle brings +y to the
right at 90 degrees. z counts rows from the middle row and grows downwards, as rows do. A tilted
axis is turned in the plane of the detector about (axis, middle row): with a positive tilt it leans
to the right further down.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# One sample in each quarter of the pixel's width and of its height (the "rotated grid"): as good as
# four samples along either direction at the price of four in all.
SAMPLES = np.array([(-0.375, 0.125), (-0.125, -0.375), (0.125, 0.375), (0.375, -0.125)])


@dataclass(frozen=True)
class Ellipsoid:
    """A homogeneous ellipsoid with one axis along z; where ellipsoids overlap they add up.

    Centre and semi-axes are in pixels, `turn` is the angle of the first semi-axis from x in
    radians, `attenuation` is in 1/cm (negative for a hole).
    """

    attenuation: float
    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    turn: float = 0.0


@dataclass(frozen=True)
class Geometry:
    """Size of the scan and where the rotation axis lies on the detector.

    `axis` is the column of the rotation axis at the middle row, `tilt` is in degrees,
    `pixel_size` in metres, `arc` in degrees: the angles are `arc * k / projections`.
    """

    columns: int = 256
    rows: int = 64
    projections: int = 181
    axis: float = 124.3
    tilt: float = 0.0
    arc: float = 180.0
    pixel_size: float = 20e-6

    @property
    def angles(self) -> Array:
        """Angles of the projections in radians."""
        return np.deg2rad(self.arc) * np.arange(self.projections) / self.projections

    @property
    def radius(self) -> float:
        """Largest radius about the axis, in pixels, that stays in view at every angle and row."""
        lean = abs(np.tan(np.deg2rad(self.tilt))) * self.rows / 2
        return min(self.axis, self.columns - 1 - self.axis) - lean

    def axis_at(self, row: float) -> float:
        """Column of the rotation axis at a row."""
        return self.axis + (row - (self.rows - 1) / 2) * float(np.tan(np.deg2rad(self.tilt)))

    def object_coordinates(self, column: Array, row: Array) -> tuple[Array, Array]:
        """Turn detector positions into (t, z): pixels across and along the rotation axis."""
        across, along = column - self.axis, row - (self.rows - 1) / 2
        sine, cosine = np.sin(np.deg2rad(self.tilt)), np.cos(np.deg2rad(self.tilt))
        return across * cosine - along * sine, across * sine + along * cosine


def sample_object(geometry: Geometry, absorbance: float = 1.5, seed: int = 0) -> list[Ellipsoid]:
    """Make an object without any symmetry: a mirrored or upside-down result cannot pass for it.

    An elliptic body off the axis holds a cavity, a rod that leans, a dense ball at +x and two light
    ones at +y, and some grains from the seed; it is heavier at the bottom.

    Parameters
    ----------
    geometry
        The object fills 0.92 of its radius.
    absorbance
        Of the body alone along its longest chord.
    seed
        For the grains.

    Returns
    -------
    Attenuation in 1/cm, positions in pixels.
    """
    radius = 0.92 * geometry.radius
    height = geometry.rows / 2
    body = absorbance / (2 * 0.88 * radius * geometry.pixel_size * 100)

    def ellipsoid(
        share: float,
        centre: tuple[float, float, float],
        axes: tuple[float, float, float],
        turn: float = 0,
    ) -> Ellipsoid:
        scale = np.array([radius, radius, height])
        x, y, z = (float(v) for v in scale * centre)
        a, b, c = (float(v) for v in scale * axes)
        return Ellipsoid(share * body, (x, y, z), (a, b, c), turn)

    parts = [
        ellipsoid(1.0, (0.05, -0.04, 0.1), (0.72, 0.88, 2.4), 0.3),
        ellipsoid(-0.85, (-0.28, 0.2, 0.0), (0.2, 0.34, 1.8), -0.5),
        ellipsoid(1.2, (0.42, 0.05, 0.2), (0.13, 0.13, 1.5)),
        ellipsoid(0.6, (0.1, 0.5, -0.1), (0.1, 0.1, 1.2)),
        ellipsoid(0.6, (0.33, 0.42, 0.4), (0.07, 0.07, 0.9)),
        ellipsoid(0.9, (0.02, -0.45, 0.0), (0.4, 0.06, 1.6), 0.9),
    ]
    random = np.random.default_rng(seed)
    for _ in range(8):
        distance, direction = 0.55 * np.sqrt(random.uniform()), random.uniform(0, 2 * np.pi)
        size = random.uniform(0.02, 0.06)
        place = (
            distance * np.cos(direction),
            distance * np.sin(direction),
            random.uniform(-0.8, 0.8),
        )
        parts.append(ellipsoid(random.uniform(0.3, 1.0), place, (size, size, 0.5)))
    return parts


def line_integrals(
    parts: list[Ellipsoid], geometry: Geometry, angles: Array, *, samples: Array = SAMPLES
) -> Array:
    """Integrate the attenuation along every ray, exactly.

    The chord of an ellipse is 2ab sqrt(r² - d²)/r² with r² = a² cos² + b² sin² (Kak and Slaney,
    Principles of Computerized Tomographic Imaging, eq. 3.11); at the height z the ellipse of an
    ellipsoid is smaller by k = sqrt(1 - z²/c²), so r² becomes k² r².

    Parameters
    ----------
    angles
        Radians, (n,).
    samples
        Offsets (column, row) inside the pixel, (m, 2).

    Returns
    -------
    Absorbance at every sample of the pixels, (n, m, rows, columns), no unit.
    """
    column = np.arange(geometry.columns) + samples[:, 0, None, None]
    row = np.arange(geometry.rows)[:, None] + samples[:, 1, None, None]
    t, z = geometry.object_coordinates(*np.broadcast_arrays(column, row))
    total = np.zeros((len(angles), *t.shape))
    for part in parts:
        _add(total, part, angles, t, z)
    return geometry.pixel_size * 100 * total


def _add(total: Array, part: Ellipsoid, angles: Array, t: Array, z: Array) -> None:
    """Add one ellipsoid in pixels times 1/cm, angle by angle, only where its shadow falls."""
    (x0, y0, z0), (a, b, c) = part.centre, part.semi_axes
    shrink = 1 - ((z - z0) / c) ** 2
    hit_rows = np.flatnonzero((shrink > 0).any(axis=(0, 2)))
    if not hit_rows.size:
        return
    rows = slice(hit_rows[0], hit_rows[-1] + 1)
    shrink, t = shrink[:, rows], t[:, rows]
    leftmost, rightmost = t.min(axis=(0, 1)), t.max(axis=(0, 1))
    for number, angle in enumerate(angles):
        r2 = (a * np.cos(angle - part.turn)) ** 2 + (b * np.sin(angle - part.turn)) ** 2
        middle = x0 * np.cos(angle) + y0 * np.sin(angle)
        start = int(np.searchsorted(rightmost, middle - np.sqrt(r2)))
        stop = int(np.searchsorted(leftmost, middle + np.sqrt(r2)))
        square = shrink[..., start:stop] * r2
        square -= (t[..., start:stop] - middle) ** 2
        np.sqrt(np.maximum(square, 0, out=square), out=square)
        square *= part.attenuation * 2 * a * b / r2
        total[number, :, rows, start:stop] += square


def projections(parts: list[Ellipsoid], geometry: Geometry) -> Array:
    """Noise-free projections: absorbance averaged over the pixel, (projections, rows, columns)."""
    stack = [line_integrals(parts, geometry, chunk).mean(axis=1) for chunk in _chunks(geometry)]
    return np.concatenate(stack)


def transmission(parts: list[Ellipsoid], geometry: Geometry) -> Array:
    """Share of the beam that each pixel still sees, averaged over the pixel as a detector does.

    Returns
    -------
    (projections, rows, columns), 0 to 1.
    """
    stack = [
        np.exp(-line_integrals(parts, geometry, chunk)).mean(axis=1) for chunk in _chunks(geometry)
    ]
    return np.concatenate(stack)


def _chunks(geometry: Geometry) -> list[Array]:
    """Cut the angles so that the samples of one piece stay below about 64 MB."""
    each = geometry.rows * geometry.columns * len(SAMPLES) * 8
    return np.array_split(geometry.angles, max(1, -(-geometry.projections * each // 2**26)))


def attenuation(parts: list[Ellipsoid], x: Array, y: Array, z: float) -> Array:
    """Attenuation in 1/cm at points of the object, in pixels from the axis and the middle row."""
    total = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for part in parts:
        (x0, y0, z0), (a, b, c) = part.centre, part.semi_axes
        cosine, sine = np.cos(part.turn), np.sin(part.turn)
        u = (x - x0) * cosine + (y - y0) * sine
        v = -(x - x0) * sine + (y - y0) * cosine
        total += part.attenuation * ((u / a) ** 2 + (v / b) ** 2 + ((z - z0) / c) ** 2 <= 1)
    return total
