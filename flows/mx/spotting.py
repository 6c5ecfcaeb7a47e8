"""Strong spots of a sweep, image block by image block on the cluster, and what they show."""

from dataclasses import dataclass

import numpy as np

from flows.mx.blocks import Block, blocks_of
from flows.mx.dials import spots_by_dials
from flows.mx.recipe import Recipe
from flows.mx.types import Doubts, Opened, Spotted
from flows.reduction import Reduction
from tasks.algorithm import Engine, Record, merge_records
from tasks.io.diffraction import open_images
from tasks.mx.grid_scan import GridScan, describe, grid_scan
from tasks.mx.image_figures import ImageFigures, spots_and_figures
from tasks.mx.seen import Seen, what_is_seen
from tasks.mx.spots import SpotParts, join_blocks

_DARK = 0.2  # of the usual number of spots or intensity: the shutter was closed, the beam away
_FEW = 5  # spots an image, below which their number says nothing of the shutter


@dataclass(frozen=True)
class SpotBlock:
    """What one block of images gave."""

    parts: SpotParts
    figures: ImageFigures
    records: tuple[Record, ...]


def find_spots(run: Reduction, recipe: Recipe, opened: Opened) -> Spotted:
    """Find the spots of all images, and tell whether they are those of a crystal."""
    blocks = list(run.work_through("Spots", search, blocks_of(run, opened)))
    blocks.sort(key=lambda block: int(block.figures.image[0]))
    run.record("find spots", merge_records([r for block in blocks for r in block.records]))
    if recipe.program == "dials":
        spots = spots_by_dials(run, opened)
    else:
        spots = join_blocks([block.parts for block in blocks], opened.geometry.detector.gain)
    figures = ImageFigures.join([block.figures for block in blocks])
    with open_images(opened.data) as images:
        mask = images.mask
    smallest = {"smallest_volume": 0.0} if recipe.small_molecule else {}
    seen = what_is_seen(figures, spots, opened.geometry, mask, **smallest)
    dark = tuple(dark_images(figures))
    grid = _grid(opened, figures)
    doubts = _doubts(opened, figures, seen, dark if grid is None else ())
    return Spotted(spots, figures, seen, dark, grid, _end(seen, grid), doubts)


def _grid(opened: Opened, figures: ImageFigures) -> GridScan | None:
    if opened.grid is None:
        return None
    shape = (opened.grid.rows, opened.grid.columns)
    return grid_scan(figures, shape, snake=opened.grid.snake)


def _end(seen: Seen, grid: GridScan | None) -> str:
    """Say why nothing is indexed, if nothing is."""
    if grid is not None:
        return describe(grid)
    return "" if seen.kind == "diffraction" else seen.sentences[0]


def search(block: Block, cores: int = 1) -> SpotBlock:
    """Find the spots of a block of images; runs on a worker."""
    engine = Engine()
    with engine.active(), open_images(block.data) as images:
        parts, figures = spots_and_figures(
            images.read(slice(block.first, block.stop)),
            images.mask,
            images.geometry,
            images.saturation,
            block.first,
            images.geometry.detector.gain,
        )
    return SpotBlock(parts, figures, tuple(engine.records))


def _doubts(opened: Opened, figures: ImageFigures, seen: Seen, dark: tuple[int, ...]) -> Doubts:
    """Say what is odd about images: ice, overloads, some without beam, lost ones."""
    said: list[str] = []
    if opened.lost:
        said.append(f"{len(opened.lost)} of {len(opened.images)} images are lost.")
    if len(dark):
        said.append(
            f"{len(dark)} images have hardly any spots beside their neighbours (the first is "
            f"number {dark[0] + opened.geometry.rotation.first_number}): was the shutter closed? "
            "They do not count."
        )
    overloaded = float((figures.overloaded > 0).mean())
    if overloaded > 0.1:
        said.append(
            f"{overloaded:.0%} of the images have overloaded pixels: the strongest reflections "
            "are lost; a second sweep with an attenuated beam gives them."
        )
    ice = seen.sentences if seen.ice else ()
    return {"images": tuple(said), "ice": tuple(each for each in ice if "ice" in each)}


def dark_images(figures: ImageFigures) -> list[int]:
    """Return the images, from 0 in the sweep, that have next to no spots or intensity."""
    usual = float(np.median(figures.spots))
    total = np.nan_to_num(figures.total)
    faint = total < _DARK * np.median(total)
    if usual >= _FEW:
        faint |= figures.spots < _DARK * usual
    return [int(image) for image in figures.image[faint]]
