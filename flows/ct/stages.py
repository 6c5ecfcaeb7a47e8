"""The stages of the CT flow: each is one task in the Prefect UI."""

from dataclasses import replace
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.cluster import dask_client, priority
from flows.ct import pictures, report
from flows.ct.recipe import Recipe
from flows.ct.sources import scan_sources
from flows.ct.types import CheckedScan, Found, Volume
from flows.ct.verdict import judgement
from flows.ct.volume import write_volume
from flows.reduction import Reduction
from tasks.ct.angles import check_angles
from tasks.ct.slab import Axis
from tasks.ct.survey import survey, survey_rows
from tasks.errors import DataError
from tasks.io.frames import check_frames
from tasks.io.scan import Scan, open_scan

MICRO = 1e-6


@task(name="check scan", cache_policy=NO_CACHE, persist_result=False)
def check_scan(run: Reduction, recipe: Recipe) -> CheckedScan:
    """Open the scan, look at frames and angles, settle rows and pixel size."""
    run.stage("check scan")
    sources = scan_sources(run.claim)
    with open_scan(sources.scan) as scan:
        check_frames(scan)
        angles = check_angles(scan.angles, scan.expected_projections, accepted=_is_accepted(run))
        pixel_size, warnings = _pixel_size(recipe, scan.pixel_size)
        return CheckedScan(
            sources=sources,
            shape=scan.shape,
            rows=_rows(recipe, scan.shape[1]),
            angles=scan.angles,
            pixel_size=pixel_size,
            metadata=dict(scan.metadata),
            doubts={
                "angles": tuple(angles.warnings),
                "pixel-size": warnings,
                "frames": _unmatched(scan),
            },
        )


@task(name="find rotation axis", cache_policy=NO_CACHE, persist_result=False)
def survey_scan(run: Reduction, recipe: Recipe, scan: CheckedScan) -> Found:
    """Look at a few rows of every projection for beam and rotation axis."""
    run.stage("find rotation axis")
    rows = survey_rows(*scan.rows, recipe.axis_rows)
    seek = recipe.rotation_axis is None
    future = dask_client().submit(
        survey,
        scan.sources,
        rows,
        recipe.stripe_removal,
        seek,
        cores=1,
        accepted=_is_accepted(run),
        pure=False,
        priority=priority(),
    )
    seen = future.result()
    run.record("find rotation axis", seen.records)
    middle = (scan.shape[1] - 1) / 2
    if seen.axis is None:
        axis = Axis(float(recipe.rotation_axis or 0.0), middle, recipe.axis_slope or 0.0)
    else:
        slope = seen.axis.slope if recipe.axis_slope is None else recipe.axis_slope
        axis = Axis(seen.axis.at(middle), middle, slope)
    run.stage("find rotation axis", rotation_axis=round(axis.column, 2))
    return Found(axis, seen.axis, seen.left_out, seen.warnings)


@task(name="reconstruct volume", cache_policy=NO_CACHE, persist_result=False)
def reconstruct_volume(run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found) -> Volume:
    """Reconstruct slab by slab on the cluster; one writer puts them into the volume."""
    run.stage("reconstruct volume", rotation_axis=round(found.axis.column, 2))
    used = replace(scan, sources=replace(scan.sources, left_out=found.left_out))
    return write_volume(run, recipe, used, found, dask_client())


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(
    run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, volume: Volume
) -> list[str]:
    """Draw the three orthogonal slices, a sinogram, and a sweep of the axis."""
    run.stage("draw pictures", rotation_axis=round(found.axis.column, 2))
    return pictures.draw(run, recipe, scan, found, volume)


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(
    run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, volume: Volume
) -> UUID:
    """Hash the outputs and enter them in the catalogue, all or nothing."""
    run.stage("enter result", rotation_axis=round(found.axis.column, 2))
    judged = judgement(scan, found)
    return run.enter(
        verdict=judged.verdict,
        reasons=judged.reasons,
        rules_version=judged.rules_version,
        quality=report.quality(scan, found, volume),
        metadata=report.metadata(recipe, scan, found, volume),
    )


def _is_accepted(run: Reduction) -> bool:
    """Tell whether a person accepted the scan as it is, with what it lacks."""
    return "accepted" in run.claim.metadata


def _unmatched(scan: Scan) -> tuple[str, ...]:
    if scan.angles_matched:
        return ()
    return (
        "Frames are missing and nothing in the file says which: the last ones are assumed. If the "
        "slices are streaky or turned, repeat the scan with frame numbers.",
    )


def _rows(recipe: Recipe, height: int) -> tuple[int, int]:
    last = min(recipe.last_row or height, height)
    if recipe.first_row >= last:
        raise DataError(
            f"The recipe asks for rows {recipe.first_row} to {last}, but the detector has "
            f"{height}: set first_row below last_row."
        )
    return recipe.first_row, last


def _pixel_size(recipe: Recipe, known: float | None) -> tuple[float | None, tuple[str, ...]]:
    if recipe.pixel_size_um is not None:
        return recipe.pixel_size_um * MICRO, ()
    if known is not None:
        return known, ()
    return None, (
        "The scan does not say its pixel size, so the volume is in 1/pixel: reduce it again with "
        "pixel_size_um for 1/cm.",
    )
