"""A first look at a scan: a few rows of every projection, before anything large is read."""

from dataclasses import dataclass, replace

import numpy as np

from tasks.algorithm import Engine, Record
from tasks.arrays import Host
from tasks.ct.beam import brightness, without_beam
from tasks.ct.flat_field import minus_log
from tasks.ct.rotation_axis import RotationAxis, find_rotation_axis
from tasks.ct.sinograms import ScanSources, read_transmission
from tasks.ct.stripes import remove_stripes
from tasks.errors import DataError
from tasks.io.scan import open_scan
from tasks.resources import Resources

_MOST_LEFT_OUT = 0.01  # of the projections, as for frames that were lost


@dataclass(frozen=True)
class Survey:
    """
    What the first look found.

    Attributes
    ----------
    axis
        The rotation axis; None if it was not sought.
    left_out
        Indices of the projections that are there but have no beam.
    warnings
        Sentences for the user.
    records
        The algorithms that ran.
    """

    axis: RotationAxis | None
    left_out: tuple[int, ...]
    warnings: tuple[str, ...]
    records: list[Record]


def survey_rows(first: int, last: int, count: int) -> list[int]:
    """Choose rows, evenly spread, away from the first and last where frames are often dim."""
    edges = np.linspace(first, last, count + 1)
    return sorted({int(row) for row in (edges[:-1] + edges[1:]) / 2})


def survey(
    sources: ScanSources,
    rows: list[int],
    stripe_removal: str,
    seek_axis: bool,
    cores: int,
    *,
    accepted: bool = False,
) -> Survey:
    """
    Look for projections without beam and, if asked, for the rotation axis.

    Parameters
    ----------
    sources
        The scan and its calibrations.
    rows
        Detector rows to look at.
    stripe_removal
        "sorting" or "none".
    seek_axis
        Whether to look for the rotation axis.
    cores
        How many threads the algorithms may use.
    accepted
        Whether a person accepted the scan as it is: projections without beam are left out, however
        many they are.

    Returns
    -------
    Survey
        What was found.

    Raises
    ------
    DataError
        The beam was away for more than 1 % of the projections, or the rows hold no numbers.
    """
    engine = Engine(replace(Resources.detect(), cores=cores))
    with engine.active():
        transmission = np.concatenate(
            [read_transmission(sources, slice(row, row + 1)) for row in rows], axis=1
        )
        dark = without_beam(brightness(transmission))
        warnings = _judge(sources, dark, len(transmission), accepted)
        axis = None
        if seek_axis:
            lit = np.delete(transmission, dark, axis=0)
            axis = _axis(sources, lit, tuple(dark.tolist()), rows, stripe_removal)
    return Survey(axis, tuple(dark.tolist()), warnings, engine.records)


def _axis(
    sources: ScanSources,
    transmission: Host,
    left_out: tuple[int, ...],
    rows: list[int],
    stripe_removal: str,
) -> RotationAxis:
    sinograms = np.ascontiguousarray(minus_log(transmission).transpose(1, 0, 2))
    if stripe_removal == "sorting":
        sinograms = remove_stripes(sinograms)
    with open_scan(sources.scan) as scan:
        angles = np.delete(scan.angles, left_out)
    return find_rotation_axis(sinograms, angles, np.asarray(rows))


def _judge(sources: ScanSources, dark: Host, projections: int, accepted: bool) -> tuple[str, ...]:
    """Warn of a few projections without beam, refuse many unless they were accepted."""
    if not len(dark):
        return ()
    frames = ", ".join(str(frame) for frame in dark[:5]) + (" ..." if len(dark) > 5 else "")
    sentence = f"{len(dark)} of {projections} projections have no beam (frames {frames})"
    if len(dark) > _MOST_LEFT_OUT * projections and not (accepted and len(dark) < projections):
        raise DataError(
            f"{sources.scan.path}: {sentence}, more than {_MOST_LEFT_OUT:.0%}. "
            "The beam was away or the shutter closed: repeat the scan."
        )
    return (f"{sentence}; they are left out.",)
