"""Density that a model does not explain, as blobs of the difference map."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.mx.structure.result import Blob

_CUTOFF = 3.0  # sigmas of the map
_SMALLEST = 2.0  # cubic Angstrom
_SEEN = 12.0  # Angstrom around a blob where residues are looked for


def find_blobs(
    difference: Any, structure: Any, at_most: int = 20, cutoff: float = _CUTOFF
) -> tuple[Blob, ...]:
    """
    List the positive blobs of a difference map.

    Parameters
    ----------
    difference
        Fo-Fc, ``gemmi.FloatGrid``.
    structure
        ``gemmi.Structure`` that it belongs to.
    at_most
        How many.
    cutoff
        In sigmas of the map.

    Returns
    -------
    tuple of Blob
        The one with most electrons first.
    """
    import gemmi

    sigma = float(np.std(np.array(difference.array)))
    search: Any = gemmi.NeighborSearch(structure[0], structure.cell, _SEEN).populate(
        include_h=False
    )
    found: list[Blob] = []
    for blob in gemmi.find_blobs_by_flood_fill(
        difference, cutoff * sigma, min_volume=_SMALLEST, min_score=0, min_peak=0
    ):
        position, nearest, distance = _beside(search, structure, blob.centroid)
        found.append(
            Blob(position, blob.score, blob.peak_value / sigma, blob.volume, nearest, distance)
        )
    found.sort(key=lambda blob: -blob.electrons)
    return tuple(found[:at_most])


def _beside(
    search: Any, structure: Any, point: Any
) -> tuple[tuple[float, float, float], str, float]:
    """Return the image of a point that is nearest to the model, the residue there, how far."""
    mark = search.find_nearest_atom(point)
    if mark is None:
        return (point.x, point.y, point.z), "none", float("nan")
    found = mark.to_cra(structure[0])
    here = structure.cell.find_nearest_pbc_position(
        found.atom.pos, point, mark.image_idx, inverse=True
    )
    name = f"{found.chain.name} {found.residue.seqid} {found.residue.name}"
    return (here.x, here.y, here.z), name, float(here.dist(found.atom.pos))
