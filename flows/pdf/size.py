"""How large a total-scattering result will be, before it is made."""

from collections.abc import Mapping
from typing import Any

from flows.pdf.recipe import Recipe

_CURVES_IN_Q = 6  # I, its sigma, background taken off, S, F and its sigma
_CURVES_IN_R = 2  # G and its sigma
_NUMBER = 8  # bytes
_BESIDE = 8_000_000  # pictures, and the merged curves as text


def output_bytes(
    detector: str, metadata: Mapping[str, Any], parameters: Mapping[str, Any]
) -> int | None:
    """Estimate the bytes of a result from the number of frames.

    Parameters
    ----------
    detector : str
        Nothing of it is needed: images come out as curves, with one picture and one mask.
    metadata : mapping
        Of the scan: ``frames``; a 1-D pattern has none.
    parameters : mapping
        The whole recipe.

    Returns
    -------
    int
        Large enough as a rule.
    """
    recipe = Recipe(**parameters)
    told = metadata.get("frames")
    frames = told if isinstance(told, int) and recipe.frames == "each" else 1
    r_points = int((recipe.r_max - recipe.r_min) / recipe.r_step) + 1
    modes = len(recipe.modes)
    one = _CURVES_IN_Q * recipe.bins + _CURVES_IN_R * r_points
    return _BESIDE + frames * modes * one * _NUMBER
