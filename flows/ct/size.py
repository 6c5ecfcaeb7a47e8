"""How large a CT result will be, before it is made."""

import re
from collections.abc import Mapping
from typing import Any

from flows.ct.recipe import Recipe

BYTES = {"float32": 4, "uint16": 2}
BESIDE = 1.1  # pictures, tables, and slabs that wait to be written
_DETECTOR = re.compile(r"(\d+) x (\d+)")


def output_bytes(
    detector: str, metadata: Mapping[str, Any], parameters: Mapping[str, Any]
) -> int | None:
    """Estimate the bytes of a volume from the detector's size and the recipe.

    Parameters
    ----------
    detector : str
        As ``rows x columns``.
    metadata : mapping
        Of the scan; nothing of it is needed here.
    parameters : mapping
        The whole recipe.

    Returns
    -------
    int or None
        None if the detector's size is not known.
    """
    found = _DETECTOR.match(detector)
    if found is None:
        return None
    recipe = Recipe(**parameters)
    height, width = int(found[1]), int(found[2])
    rows = max(0, min(recipe.last_row or height, height) - recipe.first_row)
    return int(BESIDE * rows * width * width * BYTES[recipe.output_type])
