"""The stages of the XAS series flow: each is one task in the Prefect UI."""

import shutil
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.reduction import Reduction
from flows.xas.gridding import scratch
from flows.xas.normalisation import normalise_sweeps
from flows.xas.series import gridding, interpretation, members, pictures, report, results
from flows.xas.series.recipe import Recipe
from flows.xas.series.types import Explained, Gridded, Members, Result
from flows.xas.series.verdict import judgement
from flows.xas.types import Spectrum


@task(name="read members", cache_policy=NO_CACHE, persist_result=False)
def read_members(run: Reduction, recipe: Recipe) -> Members:
    """Look at the results of all scans, and choose those that can be compared."""
    run.stage("read members")
    return members.read_members(run, recipe)


@task(name="bring onto one grid", cache_policy=NO_CACHE, persist_result=False)
def bring_onto_grid(run: Reduction, found: Members) -> Gridded:
    """Bring the absorption of all scans onto one grid, and compare their energy scales."""
    run.stage("bring onto one grid", scans=len(found.kept))
    return gridding.bring_onto_grid(run, found)


@task(name="normalise", cache_policy=NO_CACHE, persist_result=False)
def normalise(run: Reduction, found: Members, gridded: Gridded) -> Spectrum:
    """Normalise all scans, and their mean, through the same windows."""
    opened = gridded.opened
    run.stage("normalise", element=opened.element, edge=opened.edge, scans=len(found.kept))
    return normalise_sweeps(run, found.recipe, opened, gridded.sweeps)


@task(name="interpret", cache_policy=NO_CACHE, persist_result=False)
def interpret_series(
    run: Reduction, recipe: Recipe, found: Members, gridded: Gridded, spectrum: Spectrum
) -> Explained:
    """Fit standards to all scans, and find how many components they need."""
    run.stage("interpret", scans=len(found.kept))
    return interpretation.interpret(run, recipe, found, gridded, spectrum)


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(run: Reduction, result: Result) -> list[str]:
    """Draw the composition against time, and whatever else there is to see."""
    run.stage("draw pictures", scans=len(result.members.kept))
    return pictures.draw(run, result)


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(run: Reduction, recipe: Recipe, result: Result) -> UUID:
    """Write the files, hash them and enter them in the catalogue, all or nothing."""
    run.stage("enter result", scans=len(result.members.kept))
    results.write(run, recipe, result)
    shutil.rmtree(scratch(run))
    judged = judgement(result)
    return run.enter(
        verdict=judged.verdict,
        reasons=judged.reasons,
        rules_version=judged.rules_version,
        quality=report.quality(result),
        metadata=report.metadata(result),
    )
