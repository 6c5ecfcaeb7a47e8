"""What a sample is described by, and whether given values can be that."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from catalog.errors import CatalogError

TEXTS = ("formula", "container", "sequence")
NUMBERS = {"density": "g/cm³", "thickness": "mm"}
CELL = ("a", "b", "c", "alpha", "beta", "gamma")
"""Lengths in Å and angles in degrees."""
SAMPLE_FIELDS = ("formula", "density", "thickness", "container", "cell", "sequence")


def checked_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a sample in the form that the catalogue keeps.

    Parameters
    ----------
    given : mapping
        Any of formula, density (g/cm³), thickness (mm), container, cell (six numbers, as a list,
        a text or a table: a, b, c in Å, alpha, beta, gamma in degrees) and sequence. None or an
        empty text takes a value away.

    Raises
    ------
    CatalogError
        A name or a value is not allowed; the sentence says what is.
    """
    return {name: _checked(name, value) for name, value in given.items()}


def _checked(name: str, value: object) -> Any:
    if name not in SAMPLE_FIELDS:
        raise CatalogError(f"A sample has no {name!r}; it has: name, {', '.join(SAMPLE_FIELDS)}.")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if name in NUMBERS:
        return _positive(f"{name} (in {NUMBERS[name]})", value)
    if name == "cell":
        return _cell(value)
    return str(value).strip()


def _cell(value: object) -> dict[str, float]:
    numbers: list[object] = []
    if isinstance(value, str):
        numbers = list(value.replace(",", " ").split())
    elif isinstance(value, Mapping):
        table = cast("Mapping[str, object]", value)
        numbers = [table.get(name) for name in CELL]
    elif isinstance(value, Sequence):
        numbers = list(cast("Sequence[object]", value))
    if len(numbers) != len(CELL):
        raise CatalogError(
            f"A cell is six numbers ({' '.join(CELL)}: Å and degrees), not {value!r}."
        )
    return {name: _positive(f"cell {name}", each) for name, each in zip(CELL, numbers, strict=True)}


def _positive(what: str, value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not (math.isfinite(number) and number > 0):
        raise CatalogError(f"{what} must be a number above 0, not {value!r}.")
    return number
