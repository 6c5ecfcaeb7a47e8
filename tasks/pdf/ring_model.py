"""A flat, tilted detector in the beam: where on it a cone of scattering falls."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """
    A detector's plane, described by where the beam meets it.

    The rotations are pyFAI's (J. Kieffer & D. Karkoulis, J. Phys. Conf. Ser. 425, 202012 (2013));
    the point of normal incidence is given up for the beam centre, since that and the tilts then
    hardly depend on each other.

    Attributes
    ----------
    centre1, centre2
        m, where the beam meets the plane, from the corner of the first pixel, along the slow and
        the fast axis.
    distance
        m, from the sample to that point, along the beam.
    rot1, rot2
        rad.
    """

    centre1: float
    centre2: float
    distance: float
    rot1: float = 0.0
    rot2: float = 0.0

    @classmethod
    def from_poni(
        cls, distance: float, poni1: float, poni2: float, rot1: float, rot2: float
    ) -> "Plane":
        """Take over a point of normal incidence and the distance along the normal (m, rad)."""
        return cls(
            poni1 + distance * np.tan(rot2) / np.cos(rot1),
            poni2 - distance * np.tan(rot1),
            distance / (np.cos(rot1) * np.cos(rot2)),
            rot1,
            rot2,
        )

    def poni(self) -> tuple[float, float, float]:
        """Return the distance along the normal and the point of normal incidence, in m."""
        normal = self.distance * np.cos(self.rot1) * np.cos(self.rot2)
        along1 = self.centre1 - normal * np.tan(self.rot2) / np.cos(self.rot1)
        return float(normal), float(along1), float(self.centre2 + normal * np.tan(self.rot1))

    def values(self) -> F:
        """Return the five numbers, for a fit."""
        return np.array([self.centre1, self.centre2, self.distance, self.rot1, self.rot2])

    def at(self, distance: float) -> "Plane":
        """Move the plane along the beam."""
        return replace(self, distance=distance)

    @property
    def tilt(self) -> float:
        """Angle between the plane's normal and the beam, rad."""
        return float(np.arccos(np.cos(self.rot1) * np.cos(self.rot2)))

    def position(self, x1: F, x2: F) -> tuple[F, F, F]:
        """Return where points of the plane (m) are: two axes across the beam and one along."""
        cos1, sin1 = np.cos(self.rot1), np.sin(self.rot1)
        cos2, sin2 = np.cos(self.rot2), np.sin(self.rot2)
        u1, u2 = x1 - self.centre1, x2 - self.centre2
        along = self.distance + u1 * sin2 - u2 * (cos2 * sin1)
        return u1 * cos2 + u2 * (sin1 * sin2), u2 * cos1, along

    def two_theta(self, x1: F, x2: F) -> F:
        """Return 2theta (rad) of points of the plane (m)."""
        t1, t2, t3 = self.position(x1, x2)
        return np.arctan2(np.hypot(t1, t2), t3)

    def azimuth(self, x1: F, x2: F) -> F:
        """Return the angle about the beam (rad, -pi..pi) of points of the plane (m)."""
        t1, t2, _ = self.position(x1, x2)
        return np.arctan2(t1, t2)

    def outward(self, x1: F, x2: F) -> tuple[F, F]:
        """Return the direction in the plane in which 2theta grows, a unit vector for each point."""
        t1, t2, t3 = self.position(x1, x2)
        across, square = t1**2 + t2**2, t1**2 + t2**2 + t3**2
        cos1, sin1 = np.cos(self.rot1), np.sin(self.rot1)
        cos2, sin2 = np.cos(self.rot2), np.sin(self.rot2)
        # the gradient of -cos(2theta) in the plane's axes, without the factor that both share
        along = -across
        g1 = t3 * t1 * cos2 + along * sin2
        g2 = t3 * (t1 * sin1 * sin2 + t2 * cos1) - along * cos2 * sin1
        length = np.hypot(g1, g2) + 1e-12 * square
        return g1 / length, g2 / length


def pixel_centres(shape: tuple[int, ...], pixel: tuple[float, float]) -> tuple[F, F]:
    """Return where pixels are (m), as a column and a row that broadcast to an image."""
    rows = np.arange(shape[0], dtype=np.float64)[:, None]
    columns = np.arange(shape[1], dtype=np.float64)[None, :]
    return (rows + 0.5) * pixel[0], (columns + 0.5) * pixel[1]
