"""How large an XAS result will be, before it is made."""

from collections.abc import Mapping
from typing import Any

_GRID_POINTS = 800  # of the energy grid at most, as a rule
_BYTES = 2 * 4 + 3 * 8  # of a point of a sweep: results, and what is mapped meanwhile
_BESIDE = 3_000_000  # pictures, the merged spectrum, EXAFS


def output_bytes(
    detector: str, metadata: Mapping[str, Any], parameters: Mapping[str, Any]
) -> int | None:
    """Estimate the bytes of a result from the number of sweeps.

    Parameters
    ----------
    detector : str
        Nothing of it is needed here.
    metadata : mapping
        Of the scan: ``sweeps``, and ``points`` where the sweeps come as one stream.
    parameters : mapping
        The whole recipe; nothing of it is needed here.

    Returns
    -------
    int or None
        None if the number of sweeps is not known.
    """
    sweeps = metadata.get("sweeps")
    if not isinstance(sweeps, int):
        return None
    points = metadata.get("points")
    if sweeps == 1 and isinstance(points, int):
        sweeps = max(1, points // 500)  # of a stream: sweeps are hardly shorter
    return _BESIDE + sweeps * _GRID_POINTS * _BYTES
