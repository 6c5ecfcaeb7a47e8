"""Opening a sweep: what it is, how it was measured, and what is known of its crystal."""

from catalog.runs import Claim
from flows.mx.known import known_of
from flows.mx.recipe import Grid, Recipe
from flows.mx.types import Opened
from flows.sources import data_of
from tasks.errors import DataError
from tasks.io.diffraction import Images, open_images


def open_sweep(recipe: Recipe, claim: Claim) -> Opened:
    """Open a sweep and settle its images, the crystal's cell and reference data.

    Raises
    ------
    DataError
        It cannot be read, has none of the images that the recipe wants, or the recipe names a
        file that is not there.
    """
    reference = data_of(claim)
    with open_images(reference) as images:
        wanted = _wanted(recipe, images)
        return Opened(
            data=reference,
            shape=images.shape,
            images=wanted,
            lost=tuple(each for each in images.lost_images if each in wanted),
            geometry=images.geometry,
            saturation=images.saturation,
            known=known_of(recipe, claim.sample_facts, images.facts),
            grid=_grid(recipe, images),
            title=images.facts.title or images.facts.sample,
            metadata=dict(images.metadata),
            doubts={"reading": tuple(images.warnings)},
        )


def _grid(recipe: Recipe, images: Images) -> Grid | None:
    if recipe.grid is not None or images.facts.grid is None:
        return recipe.grid
    rows, columns = images.facts.grid
    return Grid(rows=rows, columns=columns)


def _wanted(recipe: Recipe, images: Images) -> range:
    """Return which images are used: those that the recipe wants and that have come."""
    first_number, planned = images.geometry.rotation.first_number, images.shape[0]
    first = 0 if recipe.first_image is None else recipe.first_image - first_number
    stop = planned if recipe.last_image is None else recipe.last_image - first_number + 1
    wanted = range(max(first, 0), min(stop, planned))
    there = sorted(set(wanted) - set(images.lost_images))
    if not there:
        raise DataError(
            f"None of the images is there: the sweep has numbers {first_number} to "
            f"{first_number + planned - 1}, of which {len(images.lost_images)} are lost. Look at "
            "the files, or at first_image and last_image in the recipe."
        )
    return range(there[0], there[-1] + 1)  # an aborted sweep goes as far as it goes
