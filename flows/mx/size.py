"""How large a crystallography result will be, before it is made."""

from collections.abc import Mapping
from typing import Any

_REFLECTION = 400  # bytes, unmerged, in all files together
_PER_DEGREE = 2500  # reflections of an ordinary protein
_BESIDE = 30_000_000  # pictures, merged data, maps


def output_bytes(
    detector: str, metadata: Mapping[str, Any], parameters: Mapping[str, Any]
) -> int | None:
    """Estimate the bytes of a result from how far the crystal turned.

    Parameters
    ----------
    detector : str
        Nothing of it is needed: images come out as reflections, with a few pictures.
    metadata : mapping
        Of the sweep: ``images`` and ``oscillation_deg``.
    parameters : mapping
        The whole recipe; nothing of it matters much.

    Returns
    -------
    int
        Large enough as a rule.
    """
    images, width = metadata.get("images"), metadata.get("oscillation_deg")
    if isinstance(images, int) and isinstance(width, int | float):
        turned = abs(images * width)
    else:
        turned = 360.0
    return int(_BESIDE + turned * _PER_DEGREE * _REFLECTION)
