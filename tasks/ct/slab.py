"""One slab of a volume: from rows on the disk to slices on the disk, on a worker."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tasks.algorithm import Engine, Record
from tasks.ct.reconstruct import reconstruct
from tasks.ct.sinograms import ScanSources, read_sinograms
from tasks.ct.stripes import remove_stripes
from tasks.io.scan import open_scan
from tasks.resources import Resources


@dataclass(frozen=True)
class Axis:
    """
    The rotation axis of a whole volume.

    Attributes
    ----------
    column
        In pixels at row `row`, pixel centres at whole numbers.
    row
        The row that `column` refers to.
    slope
        How far it moves per row, in pixels: the tangent of the tilt.
    """

    column: float
    row: float = 0.0
    slope: float = 0.0

    def at(self, row: float) -> float:
        """Return the column of the axis at a row."""
        return self.column + self.slope * (row - self.row)


@dataclass(frozen=True)
class SlabOrder:
    """
    What a worker needs to reconstruct some rows: references and numbers, never arrays.

    Attributes
    ----------
    sources
        The scan and its calibrations.
    first, last
        First row, and one past the last.
    axis
        The rotation axis.
    pixel_size_cm
        Width of a pixel at the sample, in cm.
    filter
        Name of the reconstruction filter.
    stripe_removal
        "sorting" or "none".
    target
        Where to leave the slices, as raw float32.
    """

    sources: ScanSources
    first: int
    last: int
    axis: Axis
    pixel_size_cm: float
    filter: str
    stripe_removal: str
    target: str


@dataclass(frozen=True)
class SlabResult:
    """
    What a worker brings back.

    Attributes
    ----------
    order
        What was asked.
    shape
        (rows, y, x) of the slices in ``order.target``.
    records
        The algorithms that ran.
    """

    order: SlabOrder
    shape: tuple[int, int, int]
    records: list[Record]

    def slices(self) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
        """Map the slices from the disk, float32, 1/cm."""
        return np.memmap(self.order.target, np.float32, mode="r", shape=self.shape)


def sinograms_of(sources: ScanSources, rows: slice, stripe_removal: str) -> np.ndarray:
    """Read rows as absorbance, without stripes if asked: (rows, projections, columns)."""
    sinograms = read_sinograms(sources, rows)
    return remove_stripes(sinograms) if stripe_removal == "sorting" else sinograms


def reconstruct_slab(order: SlabOrder, cores: int) -> SlabResult:
    """
    Carry out a slab order.

    The slices appear under their final name only when they are whole, so an order that is carried
    out twice (a worker died, a slow one was overtaken) does no harm.

    Parameters
    ----------
    order
        Which rows, and how.
    cores
        How many threads the algorithms may use.

    Returns
    -------
    SlabResult
        Where the slices are, and what ran.
    """
    engine = Engine(replace(Resources.detect(), cores=cores))
    with engine.active():
        rows = slice(order.first, order.last)
        sinograms = sinograms_of(order.sources, rows, order.stripe_removal)
        with open_scan(order.sources.scan) as scan:
            angles = scan.angles[order.sources.used(scan.shape[0])]
        middle = (order.first + order.last - 1) / 2
        slices = reconstruct(
            sinograms, angles, order.axis.at(middle), order.pixel_size_cm, order.filter
        )
    target = Path(order.target)
    beside = target.with_name(f"{target.name}.{os.getpid()}")
    np.asarray(slices, np.float32).tofile(beside)
    beside.replace(target)
    return SlabResult(order, slices.shape, engine.records)


def slab_bytes(projections: int, columns: int, rows: int) -> int:
    """
    Estimate the memory that a slab of so many rows takes on a worker, in bytes.

    Counts, transmission, sinograms and filtered sinograms stand beside the slices. The transform's
    own work space does not grow with the rows: 340 MB were measured for 1,500 x 2,048.
    """
    work_space = 110 * projections * columns
    return work_space + rows * (4 * 4 * projections * columns + 2 * 4 * columns**2)
