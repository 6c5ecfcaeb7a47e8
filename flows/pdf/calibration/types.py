"""What the stages of a calibration hand to one another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.pdf.calibration import Calibration
from tasks.pdf.geometry import Geometry, arrays

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Opened:
    """The image of a calibrant, and what is known about it.

    Attributes
    ----------
    image : numpy.ndarray
        Counts, the mean of the frames, (rows, columns).
    mask : numpy.ndarray
        True where a pixel does not count, the same shape.
    frames : int
        How many there were.
    calibrant : str
        Its name.
    wavelength : float
        Å.
    pixel : tuple of float
        Height and width, m.
    metadata : mapping
        What the data say.
    warnings : tuple of str
        Sentences about what is wrong or assumed.
    """

    image: NDArray[Any]
    mask: Mask
    frames: int
    calibrant: str
    wavelength: float
    pixel: tuple[float, float]
    metadata: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """An accepted calibration."""

    opened: Opened
    calibration: Calibration
    geometry: Geometry

    @property
    def two_theta(self) -> Floats:
        """Scattering angle of every pixel of the image, rad."""
        rows, columns = self.opened.image.shape
        return arrays(self.geometry, (rows, columns)).two_theta

    @property
    def misfit_pixels(self) -> float:
        """Root mean square misfit of the control points, in pixels' angle at the middle ring."""
        rings = self.calibration.rings
        middle = rings[len(rings) // 2].two_theta
        per_pixel = self.opened.pixel[0] * np.cos(middle) ** 2 / self.geometry.distance
        return self.calibration.residual_rad / per_pixel
