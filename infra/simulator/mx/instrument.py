"""Where things stand: axes, the detector, and which pixel a ray meets.

The laboratory's frame is imgCIF's: x along the main axis, z towards the source, lengths in mm.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import xraydb
from numpy.typing import NDArray

from infra.simulator.mx.plan import Detector, Goniometer, SweepPlan, Vector

Array = NDArray[np.float64]
BEAM = np.array([0.0, 0.0, -1.0])  # which way the photons fly
NORMAL = np.array([0.0, 1.0, 0.0])  # to the plane of polarisation
KEV_ANGSTROM = 12.398419843


def turned(axis: Vector | Array, angle_deg: float) -> Array:
    """Return the matrix of a right-handed turn about an axis, by its quaternion, (3, 3)."""
    unit = np.asarray(axis, dtype=np.float64)
    unit = unit / np.linalg.norm(unit)
    half = np.radians(angle_deg) / 2
    w, (x, y, z) = np.cos(half), np.sin(half) * unit
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def carried(goniometer: Goniometer) -> tuple[Array, Array]:
    """Return the turn by axes inside of the scan axis (3, 3), and that axis in the lab (3,)."""
    inside, outside = np.eye(3), np.eye(3)
    for number, (axis, angle) in enumerate(
        zip(goniometer.axes, goniometer.angles_deg, strict=True)
    ):
        if number < goniometer.scan_axis:
            inside = turned(axis, angle) @ inside
        elif number > goniometer.scan_axis:
            outside = turned(axis, angle) @ outside
    scan = np.array(goniometer.axes[goniometer.scan_axis])
    return outside @ inside, outside @ (scan / np.linalg.norm(scan))


@dataclass(frozen=True)
class Plane:
    """A detector's plane: its first pixel's outer corner, and its unit vectors."""

    origin: Array
    fast: Array
    slow: Array

    @property
    def normal(self) -> Array:
        """Unit vector away from the sample."""
        return np.cross(self.slow, self.fast) * np.sign(
            np.cross(self.slow, self.fast) @ self.origin
        )


def plane_of(detector: Detector, shift: tuple[float, float] = (0, 0), back: float = 0) -> Plane:
    """Return the plane; its centre `shift` mm further along fast and slow, `back` mm further."""
    rows, columns = detector.shape
    fast = detector.centre[0] * columns * detector.pixel + shift[0]
    slow = detector.centre[1] * rows * detector.pixel + shift[1]
    swing = turned((1.0, 0.0, 0.0), detector.two_theta_deg)
    return Plane(
        origin=swing @ np.array([-fast, slow, -(detector.distance + back)]),
        fast=swing @ np.array([1.0, 0.0, 0.0]),
        slow=swing @ np.array([0.0, -1.0, 0.0]),
    )


def claimed_plane(plan: SweepPlan) -> Plane:
    """Return the plane that the headers tell."""
    return plane_of(plan.detector, plan.claims.beam_centre, plan.claims.distance)


def beam_centre(plane: Plane, pixel: float) -> tuple[float, float]:
    """Return where the beam meets a plane, fast and slow in pixels."""
    at = BEAM * (plane.normal @ plane.origin) / (plane.normal @ BEAM) - plane.origin
    return float(at @ plane.fast) / pixel, float(at @ plane.slow) / pixel


@lru_cache(maxsize=16)
def absorption(material: str, wavelength: float) -> float:
    """Return the linear absorption coefficient of a sensor, in 1/mm."""
    density = {"Si": 2.329, "CdTe": 5.85, "GaAs": 5.32}[material]
    return float(xraydb.material_mu(material, 1e3 * KEV_ANGSTROM / wavelength, density)) / 10


@dataclass(frozen=True)
class Seen:
    """Rays where the detector counts them.

    Attributes
    ----------
    x, y
        Mean place along fast and slow in pixels, (n,).
    efficiency
        Share that the sensor absorbs, (n,).
    along
        Unit vectors of the rays seen from the detector: fast, slow and normal, (n, 3).
    depth_sigma
        How much the depth of absorption scatters along the ray, in pixels, (n,).
    """

    x: Array
    y: Array
    efficiency: Array
    along: Array
    depth_sigma: Array


def seen(detector: Detector, plane: Plane, rays: Array, wavelength: float) -> Seen:
    """
    Follow rays into the sensor.

    A photon is absorbed after a path whose distribution falls off exponentially and ends where the
    sensor does; its mean is where the spot stands.

    Parameters
    ----------
    rays
        Unit vectors, (n, 3).
    """
    steep = rays @ plane.normal
    with np.errstate(divide="ignore", invalid="ignore"):
        at = rays * ((plane.normal @ plane.origin) / steep)[:, None] - plane.origin
    at[steep <= 0] = np.nan
    along = np.column_stack([rays @ plane.fast, rays @ plane.slow, steep])
    mu = absorption(detector.sensor, wavelength)
    depth = mu * detector.thickness / np.clip(steep, 1e-3, None)
    through = np.exp(-depth)
    efficiency = 1 - through
    mean = 1 - depth * through / efficiency
    square = 2 - (depth**2 + 2 * depth) * through / efficiency
    pixel = detector.pixel
    return Seen(
        x=(at @ plane.fast + mean / mu * along[:, 0]) / pixel,
        y=(at @ plane.slow + mean / mu * along[:, 1]) / pixel,
        efficiency=efficiency,
        along=along,
        depth_sigma=np.sqrt(np.clip(square - mean**2, 0, None)) / mu / pixel,
    )


def polarised(rays: Array, share: float) -> Array:
    """Return the polarisation factor of rays (unit vectors), for a share polarised along x."""
    field = np.cross(NORMAL, BEAM)
    return share * (1 - (rays @ field) ** 2) + (1 - share) * (1 - (rays @ NORMAL) ** 2)


def flat(detector: Detector) -> Detector:
    """Return the detector swung back to 2theta 0."""
    return replace(detector, two_theta_deg=0.0)


def header_centre(plan: SweepPlan) -> tuple[float, float]:
    """Return the beam centre that headers tell, in pixels: where the beam is at 2theta 0."""
    plane = plane_of(flat(plan.detector), plan.claims.beam_centre, plan.claims.distance)
    return beam_centre(plane, plan.detector.pixel)
