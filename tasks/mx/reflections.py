"""What is known of spots and reflections, as columns of arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntFlag
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F

Ints = NDArray[np.int32]


class Flag(IntFlag):
    """What is special about an integrated reflection."""

    OVERLOADED = 1
    """A pixel of the peak is above the detector's range."""
    INCOMPLETE = 2
    """A pixel of the peak is masked or outside of the detector, or an image is lost."""
    PARTIAL = 4
    """It is cut by the sweep's begin or end."""
    ICE = 8
    """It lies on a ring of ice."""
    NEIGHBOUR = 16
    """A neighbour's peak overlaps with its own."""
    NO_BACKGROUND = 32
    """Too few background pixels are left."""
    NO_PROFILE = 64
    """It has no profile-fitted intensity."""
    OUTLIER = 128
    """Scaling left it out."""
    MISFIT = 256
    """It differs from its profile far more than others do: something else lies on it."""


@dataclass(frozen=True)
class Columns:
    """Arrays that share their first axis."""

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows: a mask, or numbers."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self)(
            **{name: None if value is None else value[rows] for name, value in found.items()}
        )

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Put parts below one another; a column that one part lacks is left out."""
        found: dict[str, Any] = {}
        for name in (each.name for each in fields(cls)):
            columns = [getattr(part, name) for part in parts]
            found[name] = None if any(each is None for each in columns) else np.concatenate(columns)
        return cls(**found)


@dataclass(frozen=True)
class Spots(Columns):
    """
    Strong spots, n of them.

    Attributes
    ----------
    xyz
        Centroid: fast, slow in pixels, image coordinate, (n, 3).
    variance
        Of the centroid, (n, 3), in the same units squared.
    intensity
        Counts above the background, (n,).
    pixels
        How many pixels it has, over all of its images, (n,).
    images
        First and last image (inclusive), (n, 2).
    overloaded
        Whether a pixel is above the detector's range, (n,); None if nobody looked.
    """

    xyz: F
    variance: F
    intensity: F
    pixels: Ints
    images: Ints
    overloaded: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Reflections(Columns):
    """
    Integrated reflections, n of them; intensities are counts, not corrected for anything.

    Attributes
    ----------
    hkl
        Indices, (n, 3).
    xyz
        Where it was predicted: fast, slow in pixels, image coordinate, (n, 3).
    s1
        Wave vector of the diffracted beam, (n, 3), in 1/Angstrom.
    d
        Resolution, (n,), in Angstrom.
    summed, summed_sigma
        Intensity by summation, (n,).
    fitted, fitted_sigma
        Intensity by profile fitting, (n,); NaN where there is none (`Flag.NO_PROFILE`).
    background
        Mean counts per pixel below the peak, (n,).
    correction
        What intensities are multiplied with for Lorentz, polarisation and the sensor's efficiency,
        (n,).
    partiality
        Fraction of the reflection that was recorded, (n,).
    correlation
        Of the peak with its profile, (n,); NaN where there is none.
    observed
        Centroid of the peak where it is strong, else NaN, (n, 3).
    flags
        Of `Flag`, (n,).
    sweep
        Number of the sweep, (n,).
    """

    hkl: Ints
    xyz: F
    s1: F
    d: F
    summed: F
    summed_sigma: F
    fitted: F
    fitted_sigma: F
    background: F
    correction: F
    partiality: F
    correlation: F
    observed: F
    flags: Ints
    sweep: Ints

    def has(self, flag: Flag) -> NDArray[np.bool_]:
        """Tell which ones have a flag, (n,)."""
        return (self.flags & int(flag)) != 0


@dataclass(frozen=True)
class Observations(Columns):
    """
    What scaling starts from: one intensity per reflection, corrected for its geometry.

    Attributes
    ----------
    hkl
        Indices as observed, (n, 3).
    intensity, sigma
        Corrected for Lorentz, polarisation, efficiency and partiality, (n,).
    d
        Resolution, (n,), in Angstrom.
    xyz
        Fast, slow in pixels, image coordinate, (n, 3).
    s1
        Wave vector of the diffracted beam in the crystal's frame, (n, 3): for absorption.
    sweep
        Number of the sweep, (n,).
    flags
        Of `Flag`, (n,).
    """

    hkl: Ints
    intensity: F
    sigma: F
    d: F
    xyz: F
    s1: F
    sweep: Ints
    flags: Ints
