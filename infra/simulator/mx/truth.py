"""What is true about a simulated sweep, kept away from where it could be read by accident."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Truth:
    """
    A sweep's crystal and each of its reflections that show on the detector, n of them.

    Attributes
    ----------
    a_matrix
        A = U B at zero angles, columns a*, b*, c* in 1/Å, (3, 3).
    cell
        a, b, c in Å and angles in degrees, (6,).
    space_group
        Hermann-Mauguin symbol.
    second_a_matrix
        Of the second lattice; zeros if there is none.
    beam_centre
        Where the beam truly meets the detector, in pixels, (2,).
    hkl, lattice
        Indices (n, 3), and 0 or 1 for the second lattice.
    xyz
        Centre: fast, slow in pixels (the first one's from 0 to 1), image coordinate, (n, 3).
    z_sigma
        Width of rocking in images, (n,).
    shape
        Covariance of the spot: xx, xy, yy in pixels squared, (n, 3).
    d
        Resolution in Å, (n,).
    zeta, lorentz, polarisation, efficiency
        ζ and the factors that `counts` is made with, (n,).
    scale
        What ageing and the crystal's shape make of it at its place in the sweep, (n,).
    squared
        |F|2 of the fresh crystal on the scale of counts (twinned if the crystal is), (n,).
    counts
        Full intensity as it goes into the pixels: squared × Lorentz × polarisation × efficiency ×
        scale, (n,).
    background
        Counts per pixel and image below it, (n,).
    recorded
        Share that falls on images which came, shutter open, (n,).
    pixels
        How many pixels and images its background counts for at best: 1 / Σ p² of its profile p,
        (n,).
    overloaded, lacking
        Whether a pixel is expected above the range, and whether one of its middle is none, (n,).
    part_of, part_image, part
        Row of a reflection, number of an image, and what share of the reflection it has, (m,).
    """

    a_matrix: Array
    cell: Array
    space_group: str
    second_a_matrix: Array
    beam_centre: Array
    hkl: Indices
    lattice: Indices
    xyz: Array
    z_sigma: Array
    shape: Array
    d: Array
    zeta: Array
    lorentz: Array
    polarisation: Array
    efficiency: Array
    scale: Array
    squared: Array
    counts: Array
    background: Array
    recorded: Array
    pixels: Array
    overloaded: Mask
    lacking: Mask
    part_of: Indices
    part_image: Indices
    part: Array

    def __len__(self) -> int:
        """Return how many reflections there are."""
        return len(self.hkl)

    @property
    def sigma(self) -> Array:
        """What a perfect measurement's uncertainty would be, in counts, (n,)."""
        return np.sqrt(np.clip(self.counts, 0, None) + self.pixels * self.background)


def write(folder: Path, name: str, truth: Truth) -> Path:
    """Store the truth as NAME.npz."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    np.savez_compressed(path, **{each.name: getattr(truth, each.name) for each in fields(truth)})
    return path


def read(path: Path) -> Truth:
    """Read the truth that `write` stored."""
    with np.load(path) as stored:
        found = {name: stored[name] for name in stored.files}
    return Truth(**{**found, "space_group": str(found["space_group"])})
