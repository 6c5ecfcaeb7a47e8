"""
Azimuthal integration: many frames of one detector to patterns, with their uncertainties.

The intensity of a bin is that of pyFAI's current engines: the sum of the signal over the sum of the
normalisation, I = Σ c v / Σ c w, where v is what a pixel has above its dark, w the product of solid
angle, polarisation, flat field and the sensor's yield, and c the share of the pixel in the bin. A
pixel that is not valid in a frame is in neither sum of that frame.

Its uncertainty comes from the scatter of the pixels about the mean of their bin ("azimuthal"):

    sigma² = (Σ c (v - w I)² - Σ c w² (ΔI)² / 12) / (Σ c w)² / (1 - Σ c w² / (Σ c w)²)

or from the counts ("poisson"), for detectors that count photons, with at least one count in a bin:

    sigma² = Σ c (v + dark + var(dark)) / (Σ c w)²

Three things differ from pyFAI. The last factor of the first makes it unbiased for few pixels. Its
term with ΔI, by how much the pattern rises from bin to bin, takes off what is no noise: pixels in
the flank of a line differ since they lie at different angles within their bin (a uniform spread has
the variance 1/12). And where pixels are split c stands in place of c²: neighbouring bins then share
noise, and only so do sums over bins, such as a Fourier transform, get their variance when bins are
taken as independent.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.powder import F
from tasks.pdf.geometry import Geometry, arrays, extent
from tasks.pdf.response import Dark, Sensor, oblique_yield
from tasks.pdf.sums import bin_sums, split_sums

Mask = NDArray[np.bool_]
ErrorModel = Literal["azimuthal", "poisson"]
Splitting = Literal["none", "bbox"]
AxisUnit = Literal["q", "tth"]

_LEAST = 1e-6  # pixels in a bin: less is rounding
_NOISE = 0.25  # of the scatter is noise, however steep the pattern looks


@dataclass(frozen=True)
class BinMap:
    """
    Every pixel in one bin.

    Attributes
    ----------
    bin_of
        Bin of each pixel, (pixels,); `bins` means none. uint16 wherever it suffices.
    bins
        How many bins there are.
    """

    bin_of: NDArray[Any]
    bins: int


@dataclass(frozen=True)
class SplitMatrix:
    """
    Every pixel shared among neighbouring bins: a sparse matrix, column by column.

    Attributes
    ----------
    first
        First bin of each pixel, (pixels,).
    start
        Where the shares of each pixel begin, (pixels + 1,); none for a pixel that is left out.
    share
        Part of the pixel in its first bin, the one after, and so on, (shares,).
    bins
        How many bins there are.
    """

    first: NDArray[Any]
    start: NDArray[np.int32]
    share: NDArray[np.float32]
    bins: int


@dataclass(frozen=True)
class Integrator:
    """
    All that frames of one detector, mask and correction have in common; make it once.

    Attributes
    ----------
    q, tth
        Centres of the bins, 1/Å and rad, (bins,).
    pixels
        Where each pixel goes.
    weight
        Normalisation of each pixel, (pixels,).
    dark, dark_variance
        What to take off a frame, and its variance, (pixels,).
    lowest, highest
        Values outside are not valid in their frame.
    shape
        Rows and columns of a frame.
    whole
        Of all pixels that are not masked: sums of c w, c w², c and c (dark + var(dark)), (4, bins).
    """

    q: F
    tth: F
    pixels: BinMap | SplitMatrix
    weight: NDArray[np.float32]
    dark: NDArray[np.float32] | None
    lowest: float | None
    highest: float | None
    shape: tuple[int, int]
    whole: F


@dataclass(frozen=True)
class Integrated:
    """
    Patterns of some frames.

    Attributes
    ----------
    q, tth
        Centres of the bins, 1/Å and rad, (bins,).
    intensity
        (frames, bins); NaN in bins without pixels.
    sigma
        1 sigma, (frames, bins); NaN in bins without pixels, or azimuthal with fewer than two.
    counts
        Pixels in each bin, (frames, bins); parts of pixels, where they are split.
    """

    q: F
    tth: F
    intensity: F
    sigma: F
    counts: F


def make_integrator(
    geometry: Geometry,
    mask: Mask,
    bins: int,
    *,
    unit: AxisUnit = "q",
    limits: tuple[float, float] | None = None,
    polarisation: float | None = 0.99,
    splitting: Splitting = "none",
    dark: Dark | F | None = None,
    flat: F | None = None,
    sensor: Sensor | None = None,
    lowest: float | None = None,
    highest: float | None = None,
) -> Integrator:
    """
    Prepare the integration of frames.

    Parameters
    ----------
    geometry
        Where the detector stands.
    mask
        True for pixels that are left out of every frame, (rows, columns).
    bins
        How many bins.
    unit
        Bins of equal width in q or in the scattering angle.
    limits
        First and last edge, 1/Å or rad; those of the whole detector when left out, so that the
        axis does not depend on the mask.
    polarisation
        (I_h - I_v) / (I_h + I_v); None corrects nothing.
    splitting
        Share pixels among bins by the box around them, or give each to one bin.
    dark
        What to take off each frame, (rows, columns).
    flat
        Relative yield of the pixels, (rows, columns).
    sensor
        Corrected for its yield at oblique incidence.
    lowest, highest
        Values outside are not valid in their frame; neither are those that are no numbers.

    Raises
    ------
    DataError
        The geometry is that of another detector, or dark or flat do not fit.
    """
    shape = mask.shape
    weight = pixel_weight(geometry, shape, polarisation, flat, sensor)
    to_axis = geometry.q if unit == "q" else np.asarray
    middle = to_axis(arrays(geometry, shape).two_theta)
    edges = axis_edges(middle, bins, limits)
    if splitting == "none":
        pixels = bin_map(middle, mask, edges)
    else:
        pixels = split_matrix(*extent(geometry, shape, unit), mask, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    turn = geometry.wavelength / 4 / np.pi
    tth = 2 * np.arcsin(np.clip(centres * turn, -1, 1)) if unit == "q" else centres
    q = centres if unit == "q" else geometry.q(centres)
    return assemble(q, tth, pixels, weight, dark, lowest, highest)


def pixel_weight(
    geometry: Geometry,
    shape: tuple[int, int],
    polarisation: float | None = 0.99,
    flat: F | None = None,
    sensor: Sensor | None = None,
) -> F:
    """Return what one count of signal stands for at each pixel, (rows, columns)."""
    seen = arrays(geometry, shape)
    weight = seen.solid_angle.copy()
    if polarisation is not None:
        weight *= seen.polarisation(polarisation)
    if sensor is not None:
        weight *= oblique_yield(seen.path, sensor.transmission(geometry.wavelength))
    if flat is not None:
        weight *= _fitting(flat, shape, "flat field")
    return weight


def axis_edges(values: F, bins: int, limits: tuple[float, float] | None) -> F:
    """Return the edges of bins of equal width, (bins + 1,), over the values unless limited."""
    low, high = limits or (float(values.min()), float(np.nextafter(values.max(), np.inf)))
    if not (bins > 0 and high > low):
        raise DataError(
            f"{bins} bins from {low:g} to {high:g} cannot be made: name a number above zero and "
            f"limits that rise."
        )
    return np.linspace(low, high, bins + 1)


def bin_map(values: F, mask: Mask, edges: F) -> BinMap:
    """
    Find the bin of each pixel's centre.

    Parameters
    ----------
    values
        Where the pixels lie on the axis, of any shape.
    mask
        True for pixels in no bin, the same shape.
    edges
        Of bins of equal width, (bins + 1,).
    """
    bins = len(edges) - 1
    place = (values.ravel() - edges[0]) * (bins / (edges[-1] - edges[0]))
    inside = (place >= 0) & (place < bins) & ~mask.ravel()
    small = np.uint16 if bins < 2**16 else np.int32
    return BinMap(np.where(inside, place, bins).astype(small), bins)


def split_matrix(low: F, high: F, mask: Mask, edges: F) -> SplitMatrix:
    """
    Share pixels among the bins that they cover, in proportion.

    Parameters
    ----------
    low, high
        Between which values each pixel lies on the axis, of any shape; the angle zero is at zero.
    mask
        True for pixels in no bin, the same shape.
    edges
        Of bins of equal width, (bins + 1,). What lies outside is lost.
    """
    from tasks.pdf.kernels import fill_shares

    bins = len(edges) - 1
    scale = bins / (edges[-1] - edges[0])
    begin, end = ((each.ravel() - edges[0]) * scale for each in (low, high))
    used = (end > 0) & (begin < bins) & ~mask.ravel()
    zero = -edges[0] * scale
    first = np.where(used, np.clip(np.floor(np.maximum(begin, zero)), 0, bins - 1), 0)
    first = first.astype(np.int32)
    last = np.where(used, np.clip(np.ceil(end) - 1, first, bins - 1), -1).astype(np.int32)
    start = np.zeros(len(first) + 1, np.int32)
    np.cumsum(np.where(used, last - first + 1, 0), out=start[1:])
    share = np.empty(start[-1], np.float32)
    fill_shares(begin, end, zero, first, start, share)
    small = np.uint16 if bins < 2**16 else np.int32
    return SplitMatrix(first.astype(small), start, share, bins)


def assemble(
    q: F,
    tth: F,
    pixels: BinMap | SplitMatrix,
    weight: F,
    dark: Dark | F | None,
    lowest: float | None,
    highest: float | None,
) -> Integrator:
    """
    Put an integrator together; sums over all pixels that are not masked are made here, once.

    Parameters
    ----------
    q, tth
        Centres of the bins, (bins,).
    pixels
        Where each pixel goes.
    weight
        Normalisation, (rows, columns).
    dark
        What to take off each frame, (rows, columns).
    lowest, highest
        Values outside are not valid in their frame.
    """
    shape = (weight.shape[0], weight.shape[1])
    good = np.isfinite(weight) & (weight > 0)
    flat = np.where(good, weight, 0.0).astype(np.float32).ravel()
    mean, noise = (dark.mean, dark.variance) if isinstance(dark, Dark) else (dark, None)
    taken = None if mean is None else _fitting(mean, shape, "dark").astype(np.float32).ravel()
    made = Integrator(q, tth, pixels, flat, taken, lowest, highest, shape, np.empty(0))
    ground = np.zeros(flat.size) if taken is None else taken.astype(np.float64)
    ground = ground if noise is None else ground + _fitting(noise, shape, "dark").ravel()
    of_dark = _sums(replace(made, dark=None, lowest=None, highest=None), ground[None])[0, 0]
    nothing = np.full((1, flat.size), np.nan, np.float32)  # so that every pixel is counted missing
    return replace(made, whole=np.vstack([_sums(made, nothing)[0, 3:], of_dark]))


def integrate(
    integrator: Integrator, frames: NDArray[Any], error_model: ErrorModel = "azimuthal"
) -> Integrated:
    """
    Integrate frames; they run in parallel on the cores of the active engine.

    Parameters
    ----------
    integrator
        What they have in common.
    frames
        Raw values, (frames, rows, columns), or one image.
    error_model
        Where the uncertainty comes from; the module has the formulas.

    Raises
    ------
    DataError
        The frames are of another size.
    """
    if frames.shape[-2:] != integrator.shape:
        raise DataError(_other_shape("frames", frames.shape[-2:], integrator.shape))
    azimuthal = error_model == "azimuthal"
    sums = _sums(integrator, frames.reshape(-1, integrator.weight.size), squares=azimuthal)
    signal, square, product, *missing = np.moveaxis(sums, 1, 0)
    norm, norm2, counts = integrator.whole[:3, None] - np.stack(missing)
    with np.errstate(divide="ignore", invalid="ignore"):
        there = counts > _LEAST
        norm = np.where(there, norm, np.nan)
        intensity = signal / norm
        if azimuthal:
            scatter = square - 2 * intensity * product + intensity**2 * norm2
            rise = np.nan_to_num(np.gradient(intensity, axis=1))
            scatter = np.maximum(scatter - norm2 * rise**2 / 12, _NOISE * scatter)
            free = 1 - norm2 / norm**2
            variance = np.maximum(scatter, 0) / np.where(free > _LEAST, free, np.nan)
        else:
            of_dark = integrator.whole[3] * counts / integrator.whole[2]
            variance = np.maximum(signal + of_dark, 1.0)
    return Integrated(integrator.q, integrator.tth, intensity, np.sqrt(variance) / norm, counts)


def _sums(integrator: Integrator, frames: NDArray[Any], squares: bool = False) -> F:
    pixels, limits = integrator.pixels, (integrator.lowest, integrator.highest)
    rest = (integrator.weight, pixels.bins, *limits, integrator.dark, squares)
    if isinstance(pixels, BinMap):
        return bin_sums(frames, pixels.bin_of, *rest)
    return split_sums(frames, pixels.first, pixels.start, pixels.share, *rest)


def _fitting(image: F, shape: tuple[int, ...], name: str) -> F:
    if image.shape != shape:
        raise DataError(_other_shape(name, image.shape, shape))
    return np.asarray(image, np.float64)


def _other_shape(name: str, has: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return (
        f"The {name} has {' x '.join(map(str, has))} pixels where {' x '.join(map(str, wanted))} "
        f"belong: it is of another detector or binning. Choose the one of this detector."
    )
