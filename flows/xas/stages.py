"""The stages of the XAS flow: each is one task in the Prefect UI."""

import shutil
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.reduction import Reduction
from flows.sources import data_of
from flows.xas import exafs, opening, pictures, report, results
from flows.xas.alignment import align_sweeps as align
from flows.xas.gridding import bring_onto_grid, scratch
from flows.xas.interpretation import interpret
from flows.xas.normalisation import normalise_sweeps
from flows.xas.recipe import Recipe
from flows.xas.types import Alignment, Exafs, Interpreted, Opened, Result, Spectrum, Sweeps
from flows.xas.verdict import judgement
from tasks.algorithm import Engine


@task(name="read spectra", cache_policy=NO_CACHE, persist_result=False)
def read_spectra(run: Reduction, recipe: Recipe) -> Opened:
    """Open the scan; settle mode, element, edge, and where its sweeps begin and end."""
    run.stage("read spectra")
    engine = Engine()
    with engine.active():
        opened = opening.open_scan(recipe, data_of(run.claim))
    run.record("read spectra", engine.records)
    return opened


@task(name="align sweeps", cache_policy=NO_CACHE, persist_result=False)
def align_sweeps(run: Reduction, recipe: Recipe, opened: Opened) -> Alignment:
    """Bring the energies of all sweeps to one scale, by the reference foil."""
    run.stage("align sweeps", element=opened.element, edge=opened.edge, sweeps=opened.shape[0])
    return align(run, recipe, opened)


@task(name="reduce sweeps", cache_policy=NO_CACHE, persist_result=False)
def reduce_sweeps(run: Reduction, recipe: Recipe, opened: Opened, alignment: Alignment) -> Sweeps:
    """Reduce counts to absorption on one grid, without glitches and bad sweeps."""
    run.stage("reduce sweeps", element=opened.element, edge=opened.edge, sweeps=opened.shape[0])
    return bring_onto_grid(run, recipe, opened, alignment)


@task(name="normalise", cache_policy=NO_CACHE, persist_result=False)
def normalise(run: Reduction, recipe: Recipe, opened: Opened, sweeps: Sweeps) -> Spectrum:
    """Merge the sweeps, find the edge, and normalise."""
    run.stage("normalise", element=opened.element, edge=opened.edge, sweeps=len(sweeps.kept))
    return normalise_sweeps(run, recipe, opened, sweeps)


@task(name="extract EXAFS", cache_policy=NO_CACHE, persist_result=False)
def extract_exafs(run: Reduction, recipe: Recipe, spectrum: Spectrum) -> tuple[Exafs | None, str]:
    """Extract chi(k) and chi(R), if the scan goes far enough."""
    run.stage("extract EXAFS", e0=round(spectrum.e0, 2))
    engine = Engine()
    with engine.active():
        found = exafs.extract(recipe, spectrum)
    run.record("extract EXAFS", engine.records)
    return found


@task(name="interpret", cache_policy=NO_CACHE, persist_result=False)
def interpret_spectra(
    run: Reduction,
    recipe: Recipe,
    opened: Opened,
    alignment: Alignment,
    sweeps: Sweeps,
    spectrum: Spectrum,
) -> Interpreted:
    """Fit standards, find principal components, and match with the spectral libraries."""
    run.stage("interpret", e0=round(spectrum.e0, 2))
    return interpret(run, recipe, opened, alignment, sweeps, spectrum)


@task(name="draw pictures", cache_policy=NO_CACHE, persist_result=False)
def draw_pictures(run: Reduction, recipe: Recipe, result: Result) -> list[str]:
    """Draw the spectrum and whatever else there is to see."""
    run.stage("draw pictures", e0=round(result.spectrum.e0, 2))
    return pictures.draw(run, recipe, result)


@task(name="enter result", cache_policy=NO_CACHE, persist_result=False)
def enter_result(run: Reduction, recipe: Recipe, result: Result) -> UUID:
    """Write the files, hash them and enter them in the catalogue, all or nothing."""
    run.stage("enter result", e0=round(result.spectrum.e0, 2))
    results.write(run, recipe, result)
    shutil.rmtree(scratch(run))
    judged = judgement(result)
    return run.enter(
        verdict=judged.verdict,
        reasons=judged.reasons,
        rules_version=judged.rules_version,
        quality=report.quality(result),
        metadata=report.metadata(recipe, result),
    )
