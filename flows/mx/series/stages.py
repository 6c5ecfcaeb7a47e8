"""The stages of the flow that merges sweeps: each is one task in the Prefect UI."""

import shutil
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.mx import merging, pictures, results, structure
from flows.mx.blocks import SCRATCH
from flows.mx.found import Reduced, Solved
from flows.mx.series import members, report
from flows.mx.series.recipe import Recipe
from flows.mx.series.types import Members, Result
from flows.mx.series.verdict import judgement
from flows.reduction import Reduction
from tasks.algorithm import Engine


@task(name="read members", cache_policy=NO_CACHE, persist_result=False)
def read_members(run: Reduction, recipe: Recipe) -> Members:
    """Read the observations of all sweeps, and choose those that can be merged."""
    run.stage("read members")
    return members.read_members(run, recipe)


@task(name="scale and merge", cache_policy=NO_CACHE, persist_result=False)
def scale_and_merge(run: Reduction, recipe: Recipe, found: Members) -> Reduced:
    """Determine the symmetry, bring all sweeps to one scale, cut the resolution, merge."""
    run.stage("scale and merge", sweeps=len(found.sweeps))
    engine = Engine()
    with engine.active():
        reduced = merging.merge_sweeps(
            recipe,
            found.known,
            found.sweeps,
            reference=merging.reference_of(recipe, run.claim),
            sample=run.claim.sample or "",
        )
    run.record("scale and merge", engine.records)
    return reduced


@task(name="solve structure", cache_policy=NO_CACHE, persist_result=False)
def solve(run: Reduction, recipe: Recipe, found: Members, reduced: Reduced) -> Solved | None:
    """Place and refine a model, where one is at hand."""
    run.stage("solve structure", sweeps=len(found.sweeps))
    return structure.solve(run, recipe, found.known, reduced, found.wavelength)


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(run: Reduction, result: Result) -> list[str]:
    """Draw statistics and density."""
    run.stage("draw pictures", sweeps=len(result.members.sweeps))
    return [
        *pictures.draw_statistics(run, result.reduced),
        *pictures.draw_structure(run, result.solved),
    ]


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(run: Reduction, recipe: Recipe, result: Result) -> UUID:
    """Write the files, hash them and enter them in the catalogue, all or nothing."""
    run.stage("enter result", sweeps=len(result.members.sweeps))
    rotations = [each.rotation for each in result.members.sweeps]
    results.write_merged(run, result.reduced, result.solved, rotations, result.members.wavelength)
    shutil.rmtree(run.folder / SCRATCH, ignore_errors=True)  # there is none without a structure
    judged = judgement(result)
    return run.enter(
        verdict=judged.verdict,
        reasons=judged.reasons,
        rules_version=judged.rules_version,
        quality=report.quality(result),
        metadata=report.metadata(result),
    )
