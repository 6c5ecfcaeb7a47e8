"""Principal components of the sweeps: how many things change, and how."""

from flows.xas.recipe import Recipe
from flows.xas.types import Components, Spectrum, Sweeps


def find_components(recipe: Recipe, sweeps: Sweeps, spectrum: Spectrum) -> Components | None:
    """Find the principal components."""
    return None
