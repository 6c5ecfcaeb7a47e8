"""I(Q) of sample and background, from images or from patterns that come integrated."""

from flows.pdf.images import integrate_images
from flows.pdf.one_dimensional import read_pattern
from flows.pdf.recipe import Recipe
from flows.pdf.types import Opened, Patterns
from flows.reduction import Reduction


def integrate(run: Reduction, recipe: Recipe, opened: Opened) -> Patterns:
    """Integrate images frame by frame, or read what is a pattern already."""
    if not opened.is_image:
        return read_pattern(recipe, opened)
    return integrate_images(run, recipe, opened)
