"""What is known of the sample: the recipe's word first, then the catalogue's, then the data's."""

import re
from collections.abc import Mapping
from typing import Any

from flows.pdf.recipe import Container, Plate, Recipe
from flows.pdf.types import Sample
from tasks.errors import DataError
from tasks.io.powder import Facts
from tasks.pdf.composition import Composition, parse

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(mm|µm|um)\b")
_WALL = 0.01  # mm, of the capillaries that are sold
_PARTS = ("wall", "capillary", "plate", "window")


def sample_of(recipe: Recipe, known: Mapping[str, Any], facts: Facts) -> Sample:
    """Settle composition, density and container.

    Parameters
    ----------
    recipe : Recipe
        What a person says.
    known : mapping
        What the catalogue knows of the sample: formula, density, container.
    facts : Facts
        What the data say.

    Raises
    ------
    DataError
        The composition does not exist.
    """
    said_by: dict[str, str] = {}
    formula = _first(
        said_by, "composition", recipe.composition, known.get("formula"), facts.composition
    )
    density = _first(said_by, "density", recipe.density, known.get("density"), facts.density)
    name = _first(said_by, "container", "", known.get("container"), facts.container) or ""
    chosen = recipe.plate or recipe.container
    container = chosen or container_of(name)
    if chosen is not None:
        said_by["container"] = "recipe"
    return Sample(
        composition=_composition(formula, said_by.get("composition", "")),
        formula=formula or "",
        density=density,
        container=container,
        container_name=name,
        said_by=said_by,
    )


def container_of(name: str) -> Container | Plate | None:
    """Tell a capillary or a plate from its name.

    Such as 'kapton 1.0 mm', 'quartz 0.7 mm wall 10 um' or 'kapton plate 1.0 mm window 25 um'.

    Returns
    -------
    Container, Plate or None
        None where the name has no material or no diameter.
    """
    lengths = [_millimetres(*found.groups()) for found in _LENGTH.finditer(name)]
    words = _LENGTH.sub(" ", name).replace(",", " ").split()
    material = next((word for word in words if word.lower() not in _PARTS), None)
    if lengths and "plate" in name.lower().split():
        window = lengths[1] if len(lengths) > 1 else 0.0
        return Plate(thickness_mm=lengths[0], window_mm=window, material=material or "kapton")
    if material is None or not lengths:
        return None
    wall = lengths[1] if len(lengths) > 1 else _WALL
    return Container(material=material, diameter_mm=lengths[0], wall_mm=wall)


def _millimetres(number: str, unit: str) -> float:
    return float(number) * (1.0 if unit == "mm" else 1e-3)


def _first(said_by: dict[str, str], what: str, recipe: Any, sample: Any, data: Any) -> Any:
    """Return the first that says something, and keep who it was."""
    for who, value in (("recipe", recipe), ("sample", sample), ("data", data)):
        if value not in (None, ""):
            said_by[what] = who
            return value
    return None


def _composition(formula: str | None, said_by: str) -> Composition | None:
    if formula is None:
        return None
    try:
        return parse(formula)
    except DataError as error:
        who = {"sample": "the catalogue's sample", "data": "the data"}.get(said_by, "the recipe")
        raise DataError(f"{error} It stands in {who}.") from error
