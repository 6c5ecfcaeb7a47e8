"""What is painted: each reflection as one or several Gaussian spots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infra.simulator.mx import background, instrument
from infra.simulator.mx.paint import REACH
from infra.simulator.mx.plan import SweepPlan
from infra.simulator.mx.truth import Truth

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """A part of a profile: its share, place (pixels, degrees of turn), and how much wider."""

    share: float
    x: float = 0.0
    y: float = 0.0
    turn_deg: float = 0.0
    wider: float = 1.0


PROFILES = {
    "gaussian": (Part(1.0),),
    "double": (Part(0.6, -0.72, 0.4, -0.02), Part(0.4, 1.08, -0.6, 0.03)),
    "tail": (Part(0.7, -0.36, -0.18), Part(0.3, 0.84, 0.42, 0.0, 1.8)),
}
"""Each one's centre of mass is at zero."""


@dataclass(frozen=True)
class Spots:
    """
    Gaussian spots, n of them.

    Attributes
    ----------
    xyz
        Centre in pixels and images, and width in images, (n, 4).
    shape
        Covariance xx, xy, yy in pixels squared, (n, 3).
    counts
        In all images, (n,).
    """

    xyz: Array
    shape: Array
    counts: Array

    def join(self, other: Spots) -> Spots:
        """Return these and others."""
        return Spots(
            np.vstack([self.xyz, other.xyz]),
            np.vstack([self.shape, other.shape]),
            np.concatenate([self.counts, other.counts]),
        )

    def on(self, image: int) -> NDArray[np.int64]:
        """Return which ones show on an image."""
        reach = REACH * self.xyz[:, 3]
        return np.flatnonzero(
            (self.xyz[:, 2] + reach > image) & (self.xyz[:, 2] - reach < image + 1)
        )


def spots_of(plan: SweepPlan, truth: Truth) -> Spots:
    """Return the spots of all reflections."""
    made = Spots(np.zeros((0, 4)), np.zeros((0, 3)), np.zeros(0))
    for part in PROFILES[plan.crystal.profile]:
        moved = np.array([part.x, part.y, part.turn_deg / plan.rotation.width_deg])
        xyz = np.column_stack([truth.xyz + moved, part.wider * truth.z_sigma])
        made = made.join(Spots(xyz, part.wider**2 * truth.shape, part.share * truth.counts))
    return made


def grains_of(plan: SweepPlan) -> Spots:
    """Return the spots that grains of ice make."""
    rays, drawn = background.grains(plan)
    plane = instrument.plane_of(plan.detector)
    seen = instrument.seen(plan.detector, plane, rays, plan.beam.wavelength)
    there = np.isfinite(seen.x)
    xyz = np.column_stack([seen.x, seen.y, drawn[:, :2]])[there]
    shape = np.tile([1.2, 0.0, 1.2], (len(xyz), 1))
    return Spots(xyz, shape, drawn[there, 2])


def covariance(plan: SweepPlan, rays: Array, two_theta: Array, seen: instrument.Seen) -> Array:
    """
    Return the spots' covariance: xx, xy, yy in pixels squared, (n, 3).

    The crystal's size and the divergence widen all ways, mosaicity along the ring, dispersion
    across it; each seen on the detector along the ray. The depth of absorption widens along it.
    """
    detector, beam = plan.detector, plan.beam
    plane = instrument.plane_of(detector)
    along = seen.along
    slant = along[:, :2] / along[:, 2:]
    path = (plane.normal @ plane.origin) / along[:, 2]
    ring = np.cross(rays, instrument.BEAM)
    ring /= np.linalg.norm(ring, axis=1, keepdims=True)
    out = np.cross(ring, rays)
    round_ = np.hypot(plan.crystal.size, np.radians(beam.divergence_deg) * path)
    mosaic = np.radians(plan.crystal.mosaicity_deg) * 2 * np.sin(two_theta / 2) * path
    spread = 2 * beam.dispersion * np.tan(two_theta / 2) * path
    total = np.tile([detector.psf**2, 0.0, detector.psf**2], (len(rays), 1))
    total += _outer(along[:, :2] * seen.depth_sigma[:, None])
    total += _outer(slant * (round_ / detector.pixel)[:, None])
    total += (round_**2 / detector.pixel**2)[:, None] * np.array([1.0, 0.0, 1.0])
    for vector, width in ((ring, mosaic), (out, spread)):
        seen_from = np.column_stack([vector @ plane.fast, vector @ plane.slow])
        landed = seen_from - slant * (vector @ plane.normal)[:, None]
        total += _outer(landed * (width / detector.pixel)[:, None])
    return total


def _outer(vectors: Array) -> Array:
    x, y = vectors[:, 0], vectors[:, 1]
    return np.column_stack([x * x, x * y, y * y])
