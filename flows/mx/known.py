"""What is known of the crystal: the recipe's word first, then the catalogue's, then the data's."""

from collections.abc import Mapping
from typing import Any

from catalog.samples import CELL
from flows.mx.recipe import Recipe
from flows.mx.types import Cell, Known
from tasks.io.diffraction import Facts


def known_of(recipe: Recipe, sample: Mapping[str, Any], facts: Facts) -> Known:
    """Settle cell, space group and sequence.

    Parameters
    ----------
    recipe : Recipe
        What a person says.
    sample : mapping
        What the catalogue knows of the sample: cell and sequence.
    facts : Facts
        What the data say.
    """
    said_by: dict[str, str] = {}
    cell = _first(
        said_by,
        "cell",
        None if recipe.cell is None else recipe.cell.values,
        _cell(sample.get("cell")),
        facts.cell,
    )
    space_group = _first(said_by, "space_group", recipe.space_group, "", facts.space_group) or ""
    sequence = _first(said_by, "sequence", "", sample.get("sequence"), "") or ""
    return Known(cell, space_group, sequence, said_by)


def _cell(told: Mapping[str, float] | None) -> Cell | None:
    if told is None:
        return None
    a, b, c, alpha, beta, gamma = (float(told[name]) for name in CELL)
    return a, b, c, alpha, beta, gamma


def _first(said_by: dict[str, str], what: str, recipe: Any, sample: Any, data: Any) -> Any:
    """Return the first that says something, and keep who it was."""
    for who, value in (("recipe", recipe), ("sample", sample), ("data", data)):
        if value not in (None, ""):
            said_by[what] = who
            return value
    return None
