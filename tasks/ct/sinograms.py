"""Rows of a scan as sinograms: read by reference, corrected with the flats and darks."""

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from tasks.arrays import Host
from tasks.ct.flat_field import minus_log, normalise
from tasks.ct.zingers import remove_zingers
from tasks.errors import DataError
from tasks.io.scan import Scan, ScanReference, open_scan


@dataclass(frozen=True)
class ScanSources:
    """
    A scan and the calibrations that serve it; small enough to travel to a worker.

    Attributes
    ----------
    scan
        The projections.
    flats, darks
        Other scans that hold them, in order of time; empty if they are in the scan itself.
    flat_positions
        When each of those scans was taken: 0 at this scan's begin, 1 at its end.
    left_out
        Indices of projections that are there but cannot be used, such as those without beam.
    """

    scan: ScanReference
    flats: tuple[ScanReference, ...] = ()
    darks: tuple[ScanReference, ...] = ()
    flat_positions: tuple[float, ...] = ()
    left_out: tuple[int, ...] = ()

    def used(self, projections: int) -> Host:
        """Return the indices of the projections that are used."""
        return np.setdiff1d(np.arange(projections), np.asarray(self.left_out, int))


def read_transmission(sources: ScanSources, rows: slice) -> Host:
    """
    Read rows of the projections, divide out beam and detector, remove zingers.

    Parameters
    ----------
    sources
        The scan and its calibrations.
    rows
        Which detector rows.

    Returns
    -------
    numpy.ndarray
        Transmission, float32, shape (projections, rows, columns).

    Raises
    ------
    DataError
        A file cannot be read, or flats do not fit the projections.
    """
    with ExitStack() as stack:
        scan = stack.enter_context(open_scan(sources.scan))
        used = sources.used(scan.shape[0])
        projections = scan.projections(rows)[used]
        flats, times = _flats(sources, scan, rows, stack)
        darks = _darks(sources, scan, rows, stack)
        _check_shapes(sources, projections, flats, darks)
        transmission = normalise(projections, flats, darks, times, scan.positions[used])
        return remove_zingers(transmission)


def read_sinograms(sources: ScanSources, rows: slice) -> Host:
    """
    Read rows of a scan as absorbance.

    Parameters
    ----------
    sources
        The scan and its calibrations.
    rows
        Which detector rows.

    Returns
    -------
    numpy.ndarray
        Absorbance, float32, shape (rows, projections, columns), contiguous.

    Raises
    ------
    DataError
        A file cannot be read, or flats do not fit the projections.
    """
    absorbance = minus_log(read_transmission(sources, rows))
    return np.ascontiguousarray(absorbance.transpose(1, 0, 2))


def _flats(sources: ScanSources, scan: Scan, rows: slice, stack: ExitStack) -> tuple[Host, Host]:
    if not sources.flats:
        return scan.flats(rows), scan.flat_positions
    blocks = [stack.enter_context(open_scan(flats)).flats(rows) for flats in sources.flats]
    times = sources.flat_positions or (0.0,) * len(blocks)
    each = [np.full(len(block), time) for block, time in zip(blocks, times, strict=True)]
    return np.concatenate(blocks), np.concatenate(each)


def _darks(sources: ScanSources, scan: Scan, rows: slice, stack: ExitStack) -> Host:
    if not sources.darks:
        return scan.darks(rows)
    opened = [stack.enter_context(open_scan(darks)) for darks in sources.darks]
    return np.concatenate([each.darks(rows) for each in opened])


def _check_shapes(sources: ScanSources, projections: Host, flats: Host, darks: Host) -> None:
    for kind, frames in (("flats", flats), ("darks", darks)):
        if len(frames) and frames.shape[1:] != projections.shape[1:]:
            raise DataError(
                f"The {kind} for {sources.scan.path} have {frames.shape[1:]} pixels in these rows "
                f"but its projections {projections.shape[1:]}: they were taken with another "
                "detector setting. Link other ones."
            )
