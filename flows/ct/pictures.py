"""The pictures of a CT run: three orthogonal slices, a sinogram, a sweep of the rotation axis."""

from dataclasses import replace

import numpy as np

from flows.ct.recipe import Recipe
from flows.ct.types import CM_PER_M, CheckedScan, Found, Volume
from flows.reduction import Reduction
from tasks.algorithm import Engine
from tasks.ct.pictures import draw_axis_sweep, draw_sinogram, draw_slices, sweep_offsets
from tasks.ct.reconstruct import reconstruct
from tasks.ct.slab import sinograms_of
from tasks.io.nxtomoproc import read_slice
from tasks.resources import Resources

PNG = "image/png"


def draw(
    run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, volume: Volume
) -> list[str]:
    """Draw all pictures of a run into its folder.

    Parameters
    ----------
    run, recipe, scan, found, volume
        What the stages before handed on.

    Returns
    -------
    list of str
        Their file names, the most telling one first.
    """
    name = run.claim.dataset_name
    z, y, x = (length // 2 for length in volume.shape)
    draw_slices(
        run.output("slices.png", "preview", PNG),
        *(read_slice(volume.path, axis, index) for axis, index in enumerate((z, y, x))),
        pixel_size=scan.pixel_size,
        units=volume.units,
        title=f"{name}   rotation axis {found.axis.column:.2f}",
    )
    engine = Engine(replace(Resources.detect(), cores=1))
    with engine.active():
        _draw_row(run, recipe, scan, found, scan.rows[0] + z)
    run.record("draw pictures", engine.records)
    return ["slices.png", "sinogram.png", "axis_sweep.png"]


def _draw_row(run: Reduction, recipe: Recipe, scan: CheckedScan, found: Found, row: int) -> None:
    """Draw the sinogram of one row, and its slice about several axes."""
    sources = replace(scan.sources, left_out=found.left_out)
    sinogram = sinograms_of(sources, slice(row, row + 1), recipe.stripe_removal)
    angles = scan.angles[sources.used(scan.shape[0])]
    axis = found.axis.at(row)
    draw_sinogram(
        run.output("sinogram.png", "preview", PNG),
        sinogram[0],
        angles,
        axis,
        row=row,
        title=run.claim.dataset_name,
    )
    tried = [axis + offset for offset in sweep_offsets(scan.shape[2])]
    pixel_size_cm = scan.pixel_size * CM_PER_M if scan.pixel_size else 1.0
    slices = [
        np.asarray(reconstruct(sinogram, angles, column, pixel_size_cm, recipe.filter))[0]
        for column in tried
    ]
    draw_axis_sweep(
        run.output("axis_sweep.png", "preview", PNG),
        slices,
        tried,
        axis,
        row=row,
        title=run.claim.dataset_name,
    )
