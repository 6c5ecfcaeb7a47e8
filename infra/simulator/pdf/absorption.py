"""Absorption in a filled capillary (Paalman & Pings, J. Appl. Phys. 33 (1962) 2635), in 3-D.

The capillary stands along axis 1 and the beam bathes all of it. What is scattered along the
capillary has a longer way out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

Array = NDArray[np.float64]
RINGS, TURNS = 16, 36
ANGLES = np.deg2rad(np.linspace(0, 75, 26))
AZIMUTHS = np.deg2rad(np.linspace(0, 90, 10))


@dataclass(frozen=True)
class Capillary:
    """Radii in mm, and attenuation in 1/mm, of the inside and the wall."""

    inner: float
    outer: float
    mu_inside: float
    mu_wall: float

    @property
    def transmission(self) -> float:
        """How much of a thin beam gets through the middle."""
        wall = 2 * (self.outer - self.inner) * self.mu_wall
        return float(np.exp(-2 * self.inner * self.mu_inside - wall))


def factor(capillary: Capillary, angle: Array, azimuth: Array, where: str) -> Array:
    """Return which share of the light scattered `inside` or in the `wall` gets there and out.

    Parameters
    ----------
    angle, azimuth
        Scattering angle, and the angle about the beam from across the capillary, in rad, (...).
    """
    table = RegularGridInterpolator((ANGLES, AZIMUTHS), _table(capillary, where))
    folded = np.abs(np.arcsin(np.clip(np.sin(azimuth), -1, 1)))
    return table(np.stack([np.minimum(angle, ANGLES[-1]), folded], axis=-1))


def _table(capillary: Capillary, where: str) -> Array:
    within = (0.0, capillary.inner) if where == "inside" else (capillary.inner, capillary.outer)
    points, area = _points(*within)
    angle, azimuth = np.meshgrid(ANGLES, AZIMUTHS, indexing="ij")
    across, along_beam = np.sin(angle) * np.cos(azimuth), np.cos(angle)
    level = np.hypot(across, along_beam)[..., None]  # how much of a way lies across the capillary
    out = np.stack([across, along_beam], axis=-1)[..., None, :] / level[..., None]
    depth = _depth(capillary, points, out) / level
    depth = depth + _depth(capillary, points, np.array([0.0, -1.0]))
    return np.exp(-depth) @ area / area.sum()


def _points(inner: float, outer: float) -> tuple[Array, Array]:
    """Return points of a ring across the capillary, (points, 2), and the area each stands for."""
    edges = np.linspace(inner, outer, RINGS + 1)
    radius = np.sqrt(0.5 * (edges[1:] ** 2 + edges[:-1] ** 2))
    turn = (np.arange(TURNS) + 0.5) * 2 * np.pi / TURNS
    circle = np.stack([np.sin(turn), np.cos(turn)], axis=-1)
    points = (radius[:, None, None] * circle).reshape(-1, 2)
    return points, np.repeat(np.diff(edges**2), TURNS)


def _depth(capillary: Capillary, points: Array, way: Array) -> Array:
    """Return the optical depth ahead of points (points, 2) on a way (..., 2) across."""
    along = (points * way).sum(axis=-1)
    inside = _ahead(along, (points**2).sum(axis=-1), capillary.inner)
    whole = _ahead(along, (points**2).sum(axis=-1), capillary.outer)
    return capillary.mu_inside * inside + capillary.mu_wall * (whole - inside)


def _ahead(along: Array, square: Array, radius: float) -> Array:
    """Return how far a way ahead lies in a circle, from its component and square of the place."""
    half = np.sqrt(np.maximum(along**2 + radius**2 - square, 0.0))
    return np.maximum(half - along, 0.0) - np.maximum(-half - along, 0.0)
