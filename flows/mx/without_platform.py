"""The stages of the crystallography flow in one process, without Prefect and the catalogue."""

import shutil

from flows.mx import indexing, integration, merging, opening, pictures, results, spotting, structure
from flows.mx.blocks import SCRATCH
from flows.mx.found import Result
from flows.mx.recipe import Recipe
from flows.reduction import Reduction


def reduce_sweep(run: Reduction, recipe: Recipe) -> Result:
    """Reduce a sweep, write its files and draw its pictures, as `flows.mx.flow` does."""
    run.stage("read images")
    opened = opening.open_sweep(recipe, run.claim)
    run.stage("find spots")
    spotted = spotting.find_spots(run, recipe, opened)
    run.stage("index")
    placed = indexing.place_crystal(run, recipe, opened, spotted)
    run.stage("integrate")
    integrated = integration.integrate(run, recipe, opened, spotted, placed)
    run.stage("scale and merge")
    reduced = merging.reduce_sweep(run, recipe, opened, placed, integrated)
    run.stage("solve structure")
    wavelength = opened.geometry.beam.wavelength
    solved = structure.solve(run, recipe, opened.known, reduced, wavelength)
    result = Result(opened, spotted, placed, integrated, reduced, solved)
    run.stage("write and draw")
    results.write(run, recipe, result)
    pictures.draw(run, recipe, result)
    shutil.rmtree(run.folder / SCRATCH, ignore_errors=True)  # there is none without integration
    return result
