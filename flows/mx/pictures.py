"""The pictures of a crystallography run: strip chart, detector, statistics, density."""

import shutil

import numpy as np

from flows.mx.found import Reduced, Result, Solved
from flows.mx.recipe import Recipe
from flows.mx.types import Floats
from flows.reduction import Reduction
from tasks.io.diffraction import open_images
from tasks.mx.detector_picture import draw_detector
from tasks.mx.grid_scan import draw_grid_scan
from tasks.mx.merging_pictures import draw_along, draw_resolution, draw_wilson
from tasks.mx.strip_chart import draw_strip_chart

PNG = "image/png"


def draw(run: Reduction, recipe: Recipe, result: Result) -> list[str]:
    """Draw all pictures of a run into its folder.

    Returns
    -------
    list of str
        Their file names, the most telling one first.
    """
    drawn = [_detector(run, result), _strip_chart(run, result)]
    grid = result.spotted.grid
    if grid is not None:
        draw_grid_scan(run.output("grid_scan.png", "preview", PNG), grid, run.claim.dataset_name)
        drawn.insert(0, "grid_scan.png")
    if result.reduced is not None:
        drawn = [*draw_statistics(run, result.reduced), *drawn]
    return [*drawn, *draw_structure(run, result.solved)]


def draw_structure(run: Reduction, solved: Solved | None) -> list[str]:
    """Keep the pictures of a structure, if there is one."""
    if solved is None or solved.structure is None:
        return []
    drawn: list[str] = []
    for name, path in solved.structure.pictures.items():
        shutil.copyfile(path, run.output(f"{name}.png", "preview", PNG))
        drawn.append(f"{name}.png")
    return drawn


def draw_statistics(run: Reduction, reduced: Reduced) -> list[str]:
    """Draw how far the data reach, their scales, and Wilson's plot."""
    title = f"{run.claim.dataset_name}   {reduced.symmetry.space_group}"
    names = ("resolution.png", "scales.png", "wilson_plot.png")
    resolution, scales, wilson = (run.output(name, "preview", PNG) for name in names)
    draw_resolution(resolution, reduced.statistics, reduced.cut, title)
    draw_along(scales, reduced.scaled, title)
    b = reduced.figures.get("wilson_b_angstrom2")
    draw_wilson(wilson, reduced.merged, title, b=b if isinstance(b, float) else None)
    return list(names)


def _strip_chart(run: Reduction, result: Result) -> str:
    draw_strip_chart(
        run.output("strip_chart.png", "preview", PNG),
        result.spotted.figures,
        result.opened.shape[0],
        run.claim.dataset_name,
    )
    return "strip_chart.png"


def _detector(run: Reduction, result: Result) -> str:
    """Draw the image with the most spots, beside what the crystal predicts there."""
    figures = result.spotted.figures
    number = int(figures.image[np.argmax(figures.spots)])
    with open_images(result.opened.data) as images:
        image, mask = images.read(slice(number, number + 1))[0], images.mask
        shown = number + images.geometry.rotation.first_number
    placed = result.placed
    refined = placed.refined if placed is not None else None
    spots = result.spotted.spots
    seen = (spots.images[:, 0] <= number) & (number <= spots.images[:, 1])
    reflections = result.integrated.reflections if result.integrated is not None else None
    draw_detector(
        run.output("detector.png", "preview", PNG),
        image,
        mask,
        result.opened.geometry if refined is None else refined.geometry,
        spots.xyz[seen, :2],
        None if reflections is None else _on_image(reflections.xyz, number),
        title=f"{run.claim.dataset_name}   image {shown}",
    )
    return "detector.png"


def _on_image(xyz: Floats, number: int) -> Floats:
    """Return fast and slow of what has its centre on an image, or within half of the next ones."""
    on = np.abs(xyz[:, 2] - number - 0.5) < 1.0
    return xyz[on, :2]
