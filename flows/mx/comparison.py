"""Merged intensities beside those of another program."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.mx.reference import Reference, read_reference
from flows.mx.types import Floats
from tasks.errors import DataError
from tasks.mx.crystal import Crystal
from tasks.mx.equivalents import equivalents
from tasks.mx.expected_intensity import fractionalising
from tasks.mx.merge import Merged
from tasks.mx.settings import to_reference_setting

_SHELLS, _FEWEST = 8, 20


@dataclass(frozen=True)
class Agreement:
    """How intensities of a shell agree: limits in Å, reflections in common, correlations.

    ``cc_log`` is that of ln I where both are positive: it is not ruled by the strongest ones.
    """

    d_max: float
    d_min: float
    common: int
    cc: float
    cc_log: float


@dataclass(frozen=True)
class Comparison:
    """Overall, and by shells of equally many reflections from low to high resolution."""

    overall: Agreement
    shells: tuple[Agreement, ...]


def compare(merged: Merged, path: Path) -> Comparison:
    """Compare merged data with those of a file, in its setting; the best indexing counts.

    Raises
    ------
    DataError
        The file cannot be read, is of another lattice, or has hardly a reflection in common.
    """
    reference = read_reference(path)
    found = [_matched(merged, reference, way) for way in _ways(merged, reference)]
    d, ours, theirs = max(found, key=lambda each: _correlation(each[1], each[2]))
    if len(d) < _FEWEST:
        raise DataError(
            f"{path.name} and the merged data have {len(d)} reflections in common: too few to be "
            "compared. Is it of the same crystal form?"
        )
    order = np.argsort(-d)
    parts = np.array_split(order, min(_SHELLS, len(order) // _FEWEST))
    shells = tuple(_agreement(d[part], ours[part], theirs[part]) for part in parts)
    return Comparison(_agreement(d, ours, theirs), shells)


def _ways(merged: Merged, reference: Reference) -> list[NDArray[np.float64]]:
    """Return the matrices that take our indices to the reference's."""
    from tasks.mx.reindex import ambiguities

    crystal = Crystal(fractionalising(merged.cell).T, merged.space_group)
    there, change = to_reference_setting(crystal, reference.cell, reference.space_group)
    return [each @ change for each in ambiguities(there)]


def _matched(
    merged: Merged, reference: Reference, change: NDArray[np.float64]
) -> tuple[Floats, Floats, Floats]:
    """Return d, our and their intensity of what both have."""
    hkl = np.rint(merged.hkl @ change.T).astype(np.int32)
    both = np.concatenate([hkl, reference.hkl])
    of = equivalents(both, reference.space_group).of
    mine, theirs = of[: len(hkl)], of[len(hkl) :]
    _, at, there = np.intersect1d(mine, theirs, return_indices=True)
    return merged.d[at], merged.intensity[at], reference.intensity[there]


def _agreement(d: Floats, ours: Floats, theirs: Floats) -> Agreement:
    positive = (ours > 0) & (theirs > 0)
    logs = _correlation(np.log(ours[positive]), np.log(theirs[positive]))
    return Agreement(float(d.max()), float(d.min()), len(d), _correlation(ours, theirs), logs)


def _correlation(first: Floats, second: Floats) -> float:
    if len(first) < 3:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
