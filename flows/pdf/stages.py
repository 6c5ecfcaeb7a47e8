"""The stages of the total-scattering flow: each is one task in the Prefect UI."""

import shutil
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.pdf import opening, pictures, report, results
from flows.pdf.background import take_off
from flows.pdf.found import Interpreted, Result
from flows.pdf.images import SCRATCH
from flows.pdf.integration import integrate
from flows.pdf.interpretation import interpret
from flows.pdf.recipe import Recipe
from flows.pdf.transformation import to_curves
from flows.pdf.types import Corrected, Opened, Patterns, Transformed
from flows.pdf.verdict import judgement
from flows.reduction import Reduction
from tasks.algorithm import Engine


@task(name="read images", cache_policy=NO_CACHE, persist_result=False)
def read_images(run: Reduction, recipe: Recipe) -> Opened:
    """Open the scan; settle geometry, wavelength, composition and calibrations."""
    run.stage("read images")
    return opening.open_scan(recipe, run.claim)


@task(name="integrate", cache_policy=NO_CACHE, persist_result=False)
def integrate_frames(run: Reduction, recipe: Recipe, opened: Opened) -> Patterns:
    """Integrate sample and background to I(Q), frames in blocks on the cluster."""
    run.stage("integrate", frames=opened.shape[0])
    return integrate(run, recipe, opened)


@task(name="take off background", cache_policy=NO_CACHE, persist_result=False)
def take_off_background(
    run: Reduction, recipe: Recipe, opened: Opened, patterns: Patterns
) -> Corrected:
    """Normalise to the incident beam and take off the background, with a checked scale."""
    run.stage("take off background", frames=len(patterns.kept))
    engine = Engine()
    with engine.active():
        corrected = take_off(recipe, opened, patterns)
    run.record("take off background", engine.records)
    return corrected


@task(name="transform", cache_policy=NO_CACHE, persist_result=False)
def transform(run: Reduction, recipe: Recipe, opened: Opened, corrected: Corrected) -> Transformed:
    """Bring I(Q) to S(Q), F(Q) and G(r), in each mode that the recipe names."""
    run.stage("transform", frames=len(corrected.frames))
    engine = Engine()
    with engine.active():
        transformed = to_curves(recipe, opened, corrected)
    run.record("transform", engine.records)
    return transformed


@task(name="interpret", cache_policy=NO_CACHE, persist_result=False)
def interpret_curves(
    run: Reduction, recipe: Recipe, opened: Opened, corrected: Corrected, transformed: Transformed
) -> Interpreted:
    """Fit structures; compare the frames of a series with one another."""
    run.stage("interpret", **report.watched(transformed))
    engine = Engine()
    with engine.active():
        found = interpret(recipe, opened, corrected, transformed, run.claim.folders)
    run.record("interpret", engine.records)
    return found


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(run: Reduction, recipe: Recipe, result: Result) -> list[str]:
    """Draw image, patterns and curves."""
    run.stage("draw pictures", **report.watched(result.transformed))
    return pictures.draw(run, recipe, result)


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(run: Reduction, recipe: Recipe, result: Result) -> UUID:
    """Write the files, hash them and enter them in the catalogue, all or nothing."""
    run.stage("enter result", **report.watched(result.transformed))
    results.write(run, recipe, result)
    shutil.rmtree(run.folder / SCRATCH, ignore_errors=True)  # there is none without images
    judged = judgement(result)
    return run.enter(
        verdict=judged.verdict,
        reasons=judged.reasons,
        rules_version=judged.rules_version,
        quality=report.quality(result),
        metadata=report.metadata(recipe, result),
    )
