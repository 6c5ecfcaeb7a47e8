"""A frame unrolled: intensity by azimuth and momentum transfer, where rings are straight lines."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.io.powder import F
from tasks.pdf.geometry import Geometry, arrays
from tasks.pdf.integrate import (
    BinMap,
    ErrorModel,
    Mask,
    assemble,
    axis_edges,
    bin_map,
    integrate,
    pixel_weight,
)
from tasks.pdf.response import Dark, Sensor


@dataclass(frozen=True)
class Cake:
    """
    An unrolled frame.

    Attributes
    ----------
    q
        Centres of the bins, 1/Å, (bins,).
    chi
        Centres of the azimuths, rad, (azimuths,).
    intensity, sigma
        Mean and 1 sigma of each cell, (azimuths, bins); NaN where it has no pixel.
    counts
        Pixels of each cell, (azimuths, bins).
    """

    q: F
    chi: F
    intensity: F
    sigma: F
    counts: F


def cake(
    image: NDArray[Any],
    geometry: Geometry,
    mask: Mask,
    bins: tuple[int, int] = (360, 1000),
    *,
    limits: tuple[float, float] | None = None,
    polarisation: float | None = 0.99,
    dark: Dark | F | None = None,
    flat: F | None = None,
    sensor: Sensor | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    error_model: ErrorModel = "azimuthal",
) -> Cake:
    """
    Unroll one frame, every pixel in the one cell that holds its centre.

    Parameters
    ----------
    image
        Raw values, (rows, columns).
    geometry
        Where the detector stands.
    mask
        True for pixels that are left out, (rows, columns).
    bins
        How many azimuths over the whole turn, and how many bins.
    limits
        First and last edge, 1/Å; those of the whole detector when left out.
    polarisation, dark, flat, sensor, lowest, highest, error_model
        As for `tasks.pdf.integrate.make_integrator` and `integrate`.

    Raises
    ------
    DataError
        The geometry is that of another detector.
    """
    shape = (mask.shape[0], mask.shape[1])
    weight = pixel_weight(geometry, shape, polarisation, flat, sensor)
    seen = arrays(geometry, shape)
    q = geometry.q(seen.two_theta)
    q_edges, chi_edges = axis_edges(q, bins[1], limits), np.linspace(-np.pi, np.pi, bins[0] + 1)
    along = bin_map(q, mask, q_edges).bin_of.astype(np.int32)
    around = np.clip(np.searchsorted(chi_edges, seen.chi.ravel(), "right") - 1, 0, bins[0] - 1)
    cells = bins[0] * bins[1]
    cell = np.where(along < bins[1], around * bins[1] + along, cells).astype(np.int32)
    none = np.empty(0)
    made = assemble(none, none, BinMap(cell, cells), weight, dark, lowest, highest)
    found = integrate(made, image, error_model)
    return Cake(
        q=(q_edges[1:] + q_edges[:-1]) / 2,
        chi=(chi_edges[1:] + chi_edges[:-1]) / 2,
        intensity=found.intensity.reshape(bins),
        sigma=found.sigma.reshape(bins),
        counts=found.counts.reshape(bins),
    )
