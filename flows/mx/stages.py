"""The stages of the crystallography flow: each is one task in the Prefect UI."""

import shutil
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.mx import indexing, integration, merging, opening, pictures, report, results, spotting
from flows.mx import structure as structures
from flows.mx.blocks import SCRATCH
from flows.mx.found import Reduced, Result, Solved
from flows.mx.recipe import Recipe
from flows.mx.types import Integrated, Opened, Placed, Spotted
from flows.mx.verdict import judgement
from flows.reduction import Reduction


@task(name="read images", cache_policy=NO_CACHE, persist_result=False)
def read_images(run: Reduction, recipe: Recipe) -> Opened:
    """Open the sweep; settle its images and what is known of the crystal."""
    run.stage("read images")
    return opening.open_sweep(recipe, run.claim)


@task(name="find spots", cache_policy=NO_CACHE, persist_result=False)
def find_spots(run: Reduction, recipe: Recipe, opened: Opened) -> Spotted:
    """Find the spots of all images, blocks of them on the cluster."""
    run.stage("find spots", images=len(opened.images))
    return spotting.find_spots(run, recipe, opened)


@task(name="index", cache_policy=NO_CACHE, persist_result=False)
def index_spots(run: Reduction, recipe: Recipe, opened: Opened, spotted: Spotted) -> Placed | None:
    """Find the lattice of the spots, and refine it with the geometry."""
    run.stage("index", spots=len(spotted.spots))
    return indexing.place_crystal(run, recipe, opened, spotted)


@task(name="integrate", cache_policy=NO_CACHE, persist_result=False)
def integrate_reflections(
    run: Reduction, recipe: Recipe, opened: Opened, spotted: Spotted, placed: Placed | None
) -> Integrated | None:
    """Integrate all reflections, blocks of images on the cluster."""
    run.stage("integrate", **report.watched(placed))
    return integration.integrate(run, recipe, opened, spotted, placed)


@task(name="scale and merge", cache_policy=NO_CACHE, persist_result=False)
def scale_and_merge(
    run: Reduction,
    recipe: Recipe,
    opened: Opened,
    placed: Placed | None,
    integrated: Integrated | None,
) -> Reduced | None:
    """Determine the symmetry, scale, cut the resolution, merge."""
    run.stage("scale and merge", **report.watched(placed))
    return merging.reduce_sweep(run, recipe, opened, placed, integrated)


@task(name="solve structure", cache_policy=NO_CACHE, persist_result=False)
def solve(run: Reduction, recipe: Recipe, opened: Opened, reduced: Reduced | None) -> Solved | None:
    """Place and refine a model, where one is at hand."""
    run.stage("solve structure")
    wavelength = opened.geometry.beam.wavelength
    return structures.solve(run, recipe, opened.known, reduced, wavelength)


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(run: Reduction, recipe: Recipe, result: Result) -> list[str]:
    """Draw strip chart, detector, statistics and maps."""
    run.stage("draw pictures", **report.watched(result.placed))
    return pictures.draw(run, recipe, result)


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(run: Reduction, recipe: Recipe, result: Result) -> UUID:
    """Write the files, hash them and enter them in the catalogue, all or nothing."""
    run.stage("enter result", **report.watched(result.placed))
    results.write(run, recipe, result)
    shutil.rmtree(run.folder / SCRATCH, ignore_errors=True)  # there is none without integration
    judged = judgement(result)
    return run.enter(
        verdict=judged.verdict,
        reasons=judged.reasons,
        rules_version=judged.rules_version,
        quality=report.quality(result),
        metadata=report.metadata(recipe, result),
    )
