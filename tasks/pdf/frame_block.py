"""A block of frames from the disk to patterns, on a worker."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tasks.algorithm import Engine, Record
from tasks.errors import DataError
from tasks.io.powder import Frames, Pattern, open_powder
from tasks.io.scan import ScanReference
from tasks.io.spectra import F
from tasks.pdf.geometry import Geometry
from tasks.pdf.integrate import ErrorModel, Integrator, Splitting, integrate, make_integrator
from tasks.pdf.response import Dark, Sensor
from tasks.resources import Resources

_MOST_FRAMES = 32  # of a block: the bar moves, and a worker that dies loses little
_BYTES = 3 * 8  # of a pixel of a frame: as read, and as it is worked on
_FIXED = 80  # bytes of a pixel for geometry, weights and bins


@dataclass(frozen=True)
class Setup:
    """
    What all frames of a detector have in common: small, hashable, picklable.

    Attributes
    ----------
    geometry
        Where the detector stands.
    bins
        How many, from `limits[0]` to `limits[1]`, 1/Å; None: over the whole detector.
    mask, dark, flat
        Files (.npy) of what is left out (rows, columns), of mean and variance to take off (2, rows,
        columns), and of the relative yield (rows, columns); empty for none.
    highest
        Counts above which a pixel is saturated.
    """

    geometry: Geometry
    bins: int
    mask: str
    dark: str = ""
    flat: str = ""
    limits: tuple[float, float] | None = None
    polarisation: float | None = 0.99
    splitting: Splitting = "none"
    sensor: Sensor | None = None
    lowest: float = -np.inf
    highest: float = np.inf
    error_model: ErrorModel = "azimuthal"


@dataclass(frozen=True)
class FrameOrder:
    """What a worker needs to integrate frames: which ones, and how; never arrays."""

    data: ScanReference
    first: int
    last: int
    setup: Setup


@dataclass(frozen=True)
class FrameResult:
    """
    What a worker brings back.

    Attributes
    ----------
    first
        Number of the first of the frames.
    q
        1/Å, (bins,).
    intensity, sigma
        (frames, bins).
    checksum
        Of each frame's pixels, (frames,): a detector that stands still repeats itself.
    records
        The algorithms that ran.
    """

    first: int
    q: F
    intensity: F
    sigma: F
    checksum: NDArray[np.int64]
    records: list[Record]


def integrate_frames(order: FrameOrder, cores: int) -> FrameResult:
    """
    Carry out an order; done twice it does no harm.

    Parameters
    ----------
    order
        Which frames, and how.
    cores
        How many threads the algorithms may use.
    """
    engine = Engine(replace(Resources.detect(), cores=cores))
    with engine.active(), open_frames(order.data) as frames:
        read = frames.read(slice(order.first, order.last))
        found = integrate(integrator(order.setup), read, order.setup.error_model)
    checksum = np.array([zlib.crc32(np.ascontiguousarray(each).data) for each in read], np.int64)
    return FrameResult(order.first, found.q, found.intensity, found.sigma, checksum, engine.records)


@lru_cache(maxsize=2)
def integrator(setup: Setup) -> Integrator:
    """Make the integrator of a setup; a process keeps the last two."""
    dark = Dark(*np.load(setup.dark)) if setup.dark else None
    return make_integrator(
        setup.geometry,
        np.load(setup.mask),
        setup.bins,
        limits=setup.limits,
        polarisation=setup.polarisation,
        splitting=setup.splitting,
        dark=dark,
        flat=np.load(setup.flat) if setup.flat else None,
        sensor=setup.sensor,
        lowest=setup.lowest,
        highest=setup.highest,
    )


def frame_orders(
    data: ScanReference, shape: Sequence[int], setup: Setup, memory: float
) -> list[FrameOrder]:
    """
    Cut a scan into blocks of frames that fit into a worker's memory.

    Parameters
    ----------
    data
        Where it stands.
    shape
        Frames, rows and columns.
    setup
        What all blocks have in common.
    memory
        Bytes for one block.

    Returns
    -------
    list of FrameOrder
        In the order of the frames; each has one at least.
    """
    frames, rows, columns = shape
    pixels = rows * columns
    fitting = int((memory - _FIXED * pixels) / (_BYTES * pixels))
    size = max(1, min(_MOST_FRAMES, fitting))
    return [
        FrameOrder(data, first, min(first + size, frames), setup)
        for first in range(0, frames, size)
    ]


def open_frames(reference: ScanReference) -> Frames:
    """
    Open images.

    Raises
    ------
    DataError
        They cannot be read, or it is a 1-D pattern.
    """
    found = open_powder(reference)
    if isinstance(found, Pattern):
        raise DataError(f"{reference.path} is a 1-D pattern where images belong: check its role.")
    return found
