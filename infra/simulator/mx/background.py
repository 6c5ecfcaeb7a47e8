"""What lies between the spots: air, solvent, ice and powder, and the grains of ice."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx import instrument
from infra.simulator.mx.pixels import pixels_of
from infra.simulator.mx.plan import SweepPlan

Array = NDArray[np.float64]
Image = NDArray[np.float32]
ICE = (
    (3.897, 1.0),
    (3.669, 0.75),
    (3.441, 0.5),
    (2.671, 0.25),
    (2.249, 0.6),
    (2.072, 0.45),
    (1.948, 0.15),
    (1.918, 0.5),
    (1.883, 0.2),
    (1.721, 0.15),
)
"""d in Å and height of the rings of hexagonal ice, the strongest being 1."""
POWDER = ((4.69, 1.0), (3.32, 0.7), (2.71, 0.9), (2.35, 0.4), (2.10, 0.5), (1.92, 0.3))
ICE_WIDTH = 0.0012  # 1/Å, 1 sigma
SOLVENT = (1 / 3.3, 0.045)  # 1/Å: its place, 1 sigma
AIR = 0.12  # 1/Å at which scattering by air has fallen to a half
BAND = 256  # rows at a time


@lru_cache(maxsize=2)
def expected(plan: SweepPlan) -> Image:
    """Return what each pixel counts on an image without spots, (rows, columns)."""
    detector, plane = plan.detector, instrument.plane_of(plan.detector)
    image = np.zeros(detector.shape, np.float32)
    x = np.arange(detector.shape[1]) + 0.5
    for first in range(0, detector.shape[0], BAND):
        y = np.arange(first, min(first + BAND, detector.shape[0])) + 0.5
        place = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2) * detector.pixel
        rays = plane.origin + place[:, :1] * plane.fast + place[:, 1:] * plane.slow
        image[first : first + len(y)] = at_rays(plan, rays).reshape(len(y), -1)
    image[pixels_of(detector).shadow] = 0.0
    return image


def at_rays(plan: SweepPlan, rays: Array) -> Array:
    """Return the background per pixel and image where rays (n, 3) meet the detector, (n,)."""
    plane = instrument.plane_of(plan.detector)
    length = np.linalg.norm(rays, axis=1)
    unit = rays / length[:, None]
    two_theta = np.arccos(np.clip(unit @ instrument.BEAM, -1, 1))
    s = 2 * np.sin(two_theta / 2) / plan.beam.wavelength
    steep = unit @ plane.normal
    closest = plane.normal @ plane.origin
    solid = (closest / (closest / steep)) ** 2 * steep
    mu = instrument.absorption(plan.detector.sensor, plan.beam.wavelength)
    caught = 1 - np.exp(-mu * plan.detector.thickness / steep)
    factor = solid * caught * instrument.polarised(unit, plan.beam.polarisation)
    return pattern(plan, s) * factor * abs(plan.rotation.width_deg)


def pattern(plan: SweepPlan, s: Array) -> Array:
    """Return the scattering at s = 1/d in 1/Å, per pixel and degree."""
    ground = plan.background
    air = ground.air / (1 + (s / AIR) ** 2)
    solvent = ground.solvent * np.exp(-0.5 * ((s - SOLVENT[0]) / SOLVENT[1]) ** 2)
    rings = ground.ice * _rings(s, ICE)
    if plan.subject == "powder":
        rings = rings + 40 * _rings(s, POWDER)
    return air + solvent + rings


def _rings(s: Array, rings: tuple[tuple[float, float], ...]) -> Array:
    return sum(
        (height * np.exp(-0.5 * ((s - 1 / d) / ICE_WIDTH) ** 2) for d, height in rings),
        np.zeros_like(s),
    )


def grains(plan: SweepPlan) -> tuple[Array, Array]:
    """Draw crystals of ice: their rays (n, 3), and z, its width in images and counts, (n, 3)."""
    random = np.random.default_rng([8, plan.seed])
    number = plan.background.grains * plan.rotation.images
    heights = np.array([height for _, height in ICE])
    ring = random.choice(len(ICE), number, p=heights / heights.sum())
    s = np.array([1 / d for d, _ in ICE])[ring] + ICE_WIDTH * random.standard_normal(number)
    two_theta = 2 * np.arcsin(s * plan.beam.wavelength / 2)
    azimuth = 2 * np.pi * random.random(number)
    rays = np.column_stack(
        [
            np.sin(two_theta) * np.cos(azimuth),
            np.sin(two_theta) * np.sin(azimuth),
            -np.cos(two_theta),
        ]
    )
    z = random.random(number) * plan.rotation.images
    width = 0.2 + random.random(number)
    return rays, np.column_stack([z, width, 1500 * random.exponential(1, number)])
