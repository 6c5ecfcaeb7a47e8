"""The stages of a calibration: each is one task in the Prefect UI."""

import math
import time
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE

from catalog.runs import MadeCalibration
from flows.pdf.calibration import opening, pictures, report, results
from flows.pdf.calibration.recipe import Recipe, Start
from flows.pdf.calibration.types import Opened, Result
from flows.pdf.calibration.verdict import judgement
from flows.reduction import Reduction
from tasks.errors import DataError
from tasks.io.pdf.describe import HC
from tasks.pdf.calibrate import calibrate
from tasks.pdf.geometry import Geometry
from tasks.records import Record, package_versions

ALGORITHM, VERSION = "pdf.calibrate", "1"


@task(name="read image", cache_policy=NO_CACHE, persist_result=False)
def read_image(run: Reduction, recipe: Recipe) -> Opened:
    """Open the image; settle calibrant, wavelength and pixel size."""
    run.stage("read image")
    return opening.open_image(recipe, run.claim)


@task(name="find rings", cache_policy=NO_CACHE, persist_result=False)
def find_rings(run: Reduction, recipe: Recipe, opened: Opened) -> Result:
    """Find the geometry from the rings, and accept it only if they bear it out.

    Raises
    ------
    DataError
        It was not accepted: nothing is passed on.
    """
    run.stage("find rings", frames=opened.frames)
    began = time.perf_counter()
    found = calibrate(
        opened.image,
        opened.calibrant,
        opened.pixel,
        wavelength=opened.wavelength,
        start=_start(recipe, opened),
        mask=opened.mask,
        refine_wavelength=recipe.refine_wavelength,
        orientation=recipe.orientation,
    )
    run.record("find rings", [_record(recipe, opened, time.perf_counter() - began)])
    if not found.accepted:
        raise DataError(
            f"{found.reason} No geometry was made of {run.claim.dataset_name}: measure the "
            f"calibrant again, or mend {opening.SETTINGS} and `dayseye quarantine recheck` it."
        )
    return Result(opened, found, found.trusted())


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(run: Reduction, result: Result) -> list[str]:
    """Draw the image with its rings, and the residual of each."""
    run.stage("draw pictures", rings=len(result.calibration.rings))
    return pictures.draw(run, result)


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(run: Reduction, recipe: Recipe, result: Result) -> UUID:
    """Enter the geometry as a calibration: the data that wait for one go on."""
    run.stage("enter result", rings=len(result.calibration.rings))
    results.write(run, recipe, result)
    judged = judgement(result)
    return run.enter(
        verdict=judged.verdict,
        reasons=judged.reasons,
        rules_version=judged.rules_version,
        quality=report.quality(result),
        metadata=report.metadata(result),
        calibration=MadeCalibration(
            results.GEOMETRY, results.FORMAT, energy_kev=HC / result.geometry.wavelength
        ),
    )


def _start(recipe: Recipe, opened: Opened) -> Geometry | None:
    return None if recipe.start is None else geometry_of(recipe.start, recipe, opened)


def geometry_of(start: Start, recipe: Recipe, opened: Opened) -> Geometry:
    """Turn where a detector is thought to stand into a geometry."""
    rows, columns = opened.image.shape
    middle = rows * opened.pixel[0] / 2, columns * opened.pixel[1] / 2
    told = start.poni1_mm, start.poni2_mm
    poni1, poni2 = (m if mm is None else 1e-3 * mm for mm, m in zip(told, middle, strict=True))
    return Geometry(
        distance=1e-3 * start.distance_mm,
        poni1=poni1,
        poni2=poni2,
        rot1=math.radians(start.rot1_deg),
        rot2=math.radians(start.rot2_deg),
        rot3=0.0,
        pixel1=opened.pixel[0],
        pixel2=opened.pixel[1],
        wavelength=opened.wavelength,
        shape=(rows, columns),
        orientation=recipe.orientation,
    )


def _record(recipe: Recipe, opened: Opened, seconds: float) -> Record:
    return Record(
        algorithm=ALGORITHM,
        version=VERSION,
        implementation="reference",
        device="cpu",
        packages=package_versions(["scipy", "pyFAI"]),
        parameters={
            "calibrant": opened.calibrant,
            "wavelength": opened.wavelength,
            "pixel": list(opened.pixel),
            "orientation": recipe.orientation,
            "refine_wavelength": recipe.refine_wavelength,
            "start": recipe.start and recipe.start.model_dump(mode="json"),
        },
        rejected={},
        seconds=seconds,
    )
