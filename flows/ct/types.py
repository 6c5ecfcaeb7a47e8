"""What the stages of the CT flow hand to one another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.ct.rotation_axis import RotationAxis
from tasks.ct.sinograms import ScanSources
from tasks.ct.slab import Axis

CM_PER_M = 100.0


@dataclass(frozen=True)
class CheckedScan:
    """A scan that can be reduced.

    Attributes
    ----------
    sources : ScanSources
        Where it stands.
    shape : tuple of int
        (projections, rows, columns).
    rows : tuple of int
        First row to reduce, and one past the last.
    angles : numpy.ndarray
        Radians, one per projection.
    pixel_size : float or None
        In m, at the sample; None if nobody knows it.
    metadata : dict
        What the file says about the scan.
    doubts : mapping of str to tuple of str
        Sentences for the user, by the rule of the verdict that they belong to.
    """

    sources: ScanSources
    shape: tuple[int, int, int]
    rows: tuple[int, int]
    angles: NDArray[np.float64]
    pixel_size: float | None
    metadata: dict[str, Any]
    doubts: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def warnings(self) -> tuple[str, ...]:
        """All sentences."""
        return tuple(sentence for each in self.doubts.values() for sentence in each)


@dataclass(frozen=True)
class Found:
    """The rotation axis in use, where it comes from, and what else the survey found.

    Attributes
    ----------
    axis : Axis
        Used for the volume.
    sought : RotationAxis or None
        What the search found; None when a person set the axis.
    left_out : tuple of int
        Projections without beam.
    warnings : tuple of str
        Sentences for the user.
    """

    axis: Axis
    sought: RotationAxis | None
    left_out: tuple[int, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def certain(self) -> bool:
        """Whether a person set the axis or the methods agree."""
        return self.sought is None or self.sought.agreed

    @property
    def summary(self) -> str:
        """One line that tells the axis and how it was found."""
        if self.sought is None:
            return f"Rotation axis {self.axis.column:.2f} px, set by a person."
        agreed = "methods agree" if self.sought.agreed else "methods disagree: check"
        return (
            f"Rotation axis {self.axis.column:.2f} px, confidence "
            f"{self.sought.confidence:.2f} ({agreed})."
        )


@dataclass(frozen=True)
class Volume:
    """A volume on the disk.

    Attributes
    ----------
    path : Path
        The NXtomoproc file.
    shape : tuple of int
        (z, y, x).
    units : str
        "1/cm", or "1/pixel" where the pixel size is not known.
    noise : float
        Standard deviation between neighbouring slices in the middle of the volume, over the
        square root of two, in `units`.
    """

    path: Path
    shape: tuple[int, int, int]
    units: str
    noise: float
