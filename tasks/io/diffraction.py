"""Single-crystal diffraction sweeps as the flows see them, whatever their format.

Lengths on the detector are in mm, wavelengths and cells in Angstrom, angles in degrees where a
name says ``_deg``. The laboratory's frame is imgCIF's: x along the goniometer's main axis where the
file does not say otherwise, z from the sample towards the source, y completes a right-handed frame.
Positions on the detector are (x, y) = (fast, slow) in pixels, the centre of the first pixel at
(0.5, 0.5); z counts images, the first one from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.scan import ScanReference, open_dataset

__all__ = [
    "TECHNIQUE",
    "Beam",
    "Detector",
    "F",
    "Facts",
    "Geometry",
    "Goniometer",
    "Images",
    "Rotation",
    "ScanReference",
    "open_images",
]

F = NDArray[np.float64]
TECHNIQUE = "mx"


@dataclass(frozen=True)
class Beam:
    """
    The incident beam.

    Attributes
    ----------
    wavelength
        In Angstrom.
    direction
        Unit vector in which the photons fly, (3,).
    polarisation
        Fraction of the intensity that is polarised in the plane, 0.5 (none) to 1.
    polarisation_normal
        Unit vector normal to the plane of polarisation, (3,).
    """

    wavelength: float
    direction: F = field(default_factory=lambda: np.array([0.0, 0.0, -1.0]))
    polarisation: float = 0.99
    polarisation_normal: F = field(default_factory=lambda: np.array([0.0, 1.0, 0.0]))

    @property
    def s0(self) -> F:
        """Wave vector of the incident beam, (3,), in 1/Angstrom."""
        return self.direction / self.wavelength


@dataclass(frozen=True)
class Detector:
    """
    A flat detector.

    Attributes
    ----------
    origin
        Outer corner of the first pixel, (3,), in mm.
    fast, slow
        Unit vectors along its rows and columns of pixels, (3,).
    pixel
        Size of a pixel along fast and slow, in mm.
    shape
        Rows (slow) and columns (fast).
    thickness
        Of the sensor, in mm; 0 if unknown: then there is no parallax to correct.
    material
        Of the sensor, such as ``Si`` or ``CdTe``.
    absorption
        Linear absorption coefficient of the sensor at the wavelength, in 1/mm; 0 if unknown.
    gain
        Counts per photon.
    name
        Maker and model, as the file tells them.
    """

    origin: F
    fast: F
    slow: F
    pixel: tuple[float, float]
    shape: tuple[int, int]
    thickness: float = 0.0
    material: str = "Si"
    absorption: float = 0.0
    gain: float = 1.0
    name: str = ""

    @property
    def normal(self) -> F:
        """Unit vector normal to the detector, away from the sample, (3,)."""
        normal = np.cross(self.fast, self.slow)
        return normal if normal @ self.origin > 0 else -normal

    @property
    def distance(self) -> float:
        """From the sample to the detector's plane, in mm."""
        return float(self.normal @ self.origin)


@dataclass(frozen=True)
class Goniometer:
    """
    The axes that carry the crystal.

    Attributes
    ----------
    axes
        Unit vectors at zero angles, (axes, 3), from the crystal outwards: the first is turned by
        all that follow.
    angles_deg
        At the sweep's start, (axes,); that of the scan axis is not used: `Rotation` has it.
    scan_axis
        Number of the axis that turns.
    names
        Such as ``phi``, ``chi``, ``omega``.
    """

    axes: F = field(default_factory=lambda: np.array([[1.0, 0.0, 0.0]]))
    angles_deg: F = field(default_factory=lambda: np.zeros(1))
    scan_axis: int = 0
    names: tuple[str, ...] = ("omega",)


@dataclass(frozen=True)
class Rotation:
    """
    How the sweep turned.

    Attributes
    ----------
    start_deg, width_deg
        Angle of the scan axis where the first image begins, and turn per image (may be negative;
        0 for a still).
    images
        How many there are, lost ones included.
    first_number
        Of the first image, as the file names count.
    """

    start_deg: float
    width_deg: float
    images: int
    first_number: int = 1

    def angle_deg(self, z: F) -> F:
        """Return the angle of the scan axis at image coordinates, of any shape."""
        return self.start_deg + np.asarray(z, dtype=np.float64) * self.width_deg


@dataclass(frozen=True)
class Geometry:
    """All that places a reflection: beam, detector, goniometer and how the sweep turned."""

    beam: Beam
    detector: Detector
    goniometer: Goniometer
    rotation: Rotation

    def with_beam(self, **changed: Any) -> Geometry:
        """Return the same with another beam."""
        return replace(self, beam=replace(self.beam, **changed))

    def with_detector(self, **changed: Any) -> Geometry:
        """Return the same with another detector."""
        return replace(self, detector=replace(self.detector, **changed))


@dataclass(frozen=True)
class Facts:
    """
    What a file says of the measurement; None (or an empty text) where it says nothing.

    Attributes
    ----------
    exposure
        Seconds per image.
    flux, transmission
        Photons per second, and fraction of the beam that the attenuators let through.
    space_group, cell
        Expected ones, where the acquisition knows them: a Hermann-Mauguin symbol, and a, b, c in
        Angstrom with alpha, beta, gamma in degrees.
    grid
        Rows and columns of a grid scan; None where it is a rotation.
    """

    exposure: float | None = None
    flux: float | None = None
    transmission: float | None = None
    temperature: float | None = None
    sample: str = ""
    title: str = ""
    started_at: datetime | None = None
    space_group: str = ""
    cell: tuple[float, float, float, float, float, float] | None = None
    grid: tuple[int, int] | None = None


class Images(Protocol):
    """
    A sweep's images, opened read-only; a context manager.

    Attributes
    ----------
    geometry
        As the file tells it.
    mask
        (rows, columns), True where the file or the detector's layout says that a pixel is none:
        gaps between modules, dead pixels.
    saturation
        Counts above which a pixel is overloaded; None if the file does not say.
    lost_images
        Image coordinates, from 0, of images that are not there (yet).
    warnings
        Sentences about what is wrong or assumed, though the images can be read.
    """

    reference: ScanReference
    geometry: Geometry
    facts: Facts
    metadata: dict[str, Any]
    warnings: tuple[str, ...]
    mask: NDArray[np.bool_]
    saturation: float | None
    lost_images: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of images planned, rows and columns."""
        ...

    def read(self, images: slice = slice(None)) -> NDArray[np.int32]:
        """
        Read some images, (images, rows, columns).

        Pixels that a value of the file marks as none (the largest of its type, -1, -2) are -1;
        overloaded ones keep their count. A lost image is -1 throughout.

        Raises
        ------
        DataError
            The bytes cannot be read.
        """
        ...

    def close(self) -> None:
        """Close the files."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_images(reference: ScanReference) -> Images:
    """
    Open a sweep's images read-only with the reader of their format.

    Raises
    ------
    StillBeingWritten
        A writer holds the file.
    DataError
        They cannot be read, or no installed reader knows their format.
    """
    return cast("Images", open_dataset(reference, TECHNIQUE))
