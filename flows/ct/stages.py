"""The stages of the CT flow: each is one task in the Prefect UI."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.cluster import dask_client
from flows.ct import report
from flows.ct.recipe import Recipe
from flows.ct.sources import scan_sources
from flows.ct.volume import Volume, slab_orders, write_volume
from flows.reduction import Reduction
from tasks.ct.angles import check_angles
from tasks.ct.rotation_axis import RotationAxis
from tasks.ct.sinograms import ScanSources
from tasks.ct.slab import Axis
from tasks.ct.survey import survey, survey_rows
from tasks.errors import DataError
from tasks.io.frames import check_frames
from tasks.io.scan import open_scan

MICRO = 1e-6


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
    pixel_size : float
        In m, at the sample.
    metadata : dict
        What the file says about the scan.
    warnings : tuple of str
        Sentences for the user.
    """

    sources: ScanSources
    shape: tuple[int, int, int]
    rows: tuple[int, int]
    angles: NDArray[np.float64]
    pixel_size: float
    metadata: dict[str, Any]
    warnings: tuple[str, ...] = ()


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


@task(name="check scan", cache_policy=NO_CACHE, persist_result=False)
def check_scan(run: Reduction, recipe: Recipe) -> CheckedScan:
    """Open the scan, look at frames and angles, settle rows and pixel size."""
    run.stage("check scan")
    sources = scan_sources(run.claim)
    with open_scan(sources.scan) as scan:
        check_frames(scan)
        angles = check_angles(scan.angles, scan.expected_projections)
        pixel_size, warnings = _pixel_size(recipe, scan.pixel_size)
        return CheckedScan(
            sources=sources,
            shape=scan.shape,
            rows=_rows(recipe, scan.shape[1]),
            angles=scan.angles,
            pixel_size=pixel_size,
            metadata=dict(scan.metadata),
            warnings=(*angles.warnings, *warnings),
        )


@task(name="find rotation axis", cache_policy=NO_CACHE, persist_result=False)
def survey_scan(run: Reduction, recipe: Recipe, scan: CheckedScan) -> Found:
    """Look at a few rows of every projection: is there beam, and where is the axis?"""
    run.stage("find rotation axis")
    rows = survey_rows(*scan.rows, recipe.axis_rows)
    seek = recipe.rotation_axis is None
    future = dask_client().submit(
        survey, scan.sources, rows, recipe.stripe_removal, seek, cores=1, pure=False
    )
    seen = future.result()
    run.record("find rotation axis", seen.records)
    middle = (scan.shape[1] - 1) / 2
    if seen.axis is None:
        axis = Axis(column=float(recipe.rotation_axis or 0.0), row=middle)
    else:
        axis = Axis(column=seen.axis.value, row=middle, slope=seen.axis.slope)
    run.stage("find rotation axis", rotation_axis=round(axis.column, 2))
    return Found(axis, seen.axis, seen.left_out, seen.warnings)


@task(name="reconstruct volume", cache_policy=NO_CACHE, persist_result=False)
def reconstruct_volume(run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found) -> Volume:
    """Reconstruct slab by slab on the cluster; one writer puts them into the volume."""
    run.stage("reconstruct volume", rotation_axis=round(found.axis.column, 2))
    client = dask_client()
    sources = replace(scan.sources, left_out=found.left_out)
    orders = slab_orders(run, recipe, scan, replace(found), sources, client)
    return write_volume(run, recipe, scan, found, orders, client)


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(
    run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, volume: Volume
) -> list[str]:
    """Draw the three orthogonal slices, a sinogram, and a sweep of the axis."""
    run.stage("draw pictures", rotation_axis=round(found.axis.column, 2))
    return report.draw(run, recipe, scan, found, volume)


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(
    run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, volume: Volume
) -> UUID:
    """Hash the outputs and enter them in the catalogue, all or nothing."""
    run.stage("enter result", rotation_axis=round(found.axis.column, 2))
    verdict, reasons = report.verdict(scan, found)
    return run.enter(
        verdict=verdict,
        reasons=reasons,
        quality=report.quality(scan, found, volume),
        metadata=report.metadata(recipe, scan, found, volume),
    )


def _rows(recipe: Recipe, height: int) -> tuple[int, int]:
    last = min(recipe.last_row or height, height)
    if recipe.first_row >= last:
        raise DataError(
            f"The recipe asks for rows {recipe.first_row} to {last}, but the detector has "
            f"{height}: set first_row below last_row."
        )
    return recipe.first_row, last


def _pixel_size(recipe: Recipe, known: float | None) -> tuple[float, tuple[str, ...]]:
    if recipe.pixel_size_um is not None:
        return recipe.pixel_size_um * MICRO, ()
    if known is not None:
        return known, ()
    return 0.01, (
        "The scan does not say its pixel size: the volume is in 1/pixel, written as if a pixel "
        "were 1 cm. Set pixel_size_um and reduce again for 1/cm.",
    )
