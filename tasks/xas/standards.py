"""Library spectra made ready to be compared with a measurement: on its grid, in its windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from tasks.io.spectra import F
from tasks.xas.foils import foil_energies
from tasks.xas.noise import point_noise
from tasks.xas.normalise import Windows, normalise
from tasks.xas.rebin import rebin

_LEAST_PRE, _LEAST_POST = 30.0, 60.0  # eV that a standard must cover about the edge


@dataclass(frozen=True)
class Standard:
    """
    A spectrum of a known compound, as it was measured.

    Attributes
    ----------
    key, name, compound
        Identity in the library, name of the spectrum, and what it is of.
    energy, mu
        eV (points,), increasing, and absorption of any scale (points,).
    foil
        Element of the reference foil in the same scan and where its edge was seen, eV; None if
        nobody knows.
    """

    key: str
    name: str
    compound: str
    energy: F
    mu: F
    foil: tuple[str, float] | None = None


@dataclass(frozen=True)
class Prepared:
    """
    Standards on the grid of a measurement, normalised as it is.

    Attributes
    ----------
    standards
        Those that could be made ready.
    inside
        Which points of the measurement's grid all of them cover, bool, (points,).
    windows
        For standards and measurement alike.
    norm, flat
        (standards, covered points).
    noise
        Of a point over the edge step, (standards,).
    calibrated
        Whether the energies of each were put on the measurement's scale, bool, (standards,).
    refused
        Why others could not be used, one sentence each.
    """

    standards: tuple[Standard, ...]
    inside: Any
    windows: Windows
    norm: F
    flat: F
    noise: F
    calibrated: Any
    refused: tuple[str, ...]


def foil_of(metadata: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return what the metadata of a library spectrum tell of its reference foil."""
    told = cast(Mapping[str, Any], metadata.get("foil") or {})
    if "element" not in told or "energy" not in told:
        return None
    return str(told["element"]), float(told["energy"])


def prepare(
    standards: Sequence[Standard],
    energy: F,
    e0: float,
    windows: Windows,
    edge: str,
    table: str = "",
) -> Prepared:
    """
    Bring standards onto a grid and normalise them through windows that all of them cover.

    Standards that are normalised otherwise than the data bias the fractions: by 0.05 where the
    windows differ, against 0.003 where they are the same.

    Parameters
    ----------
    standards
        As measured.
    energy
        Grid of the measurement, eV, (points,).
    e0, windows
        Of the measurement; the windows shrink to what all cover.
    edge
        The edge, for the foils.
    table
        Whose foil energies the measurement was calibrated against; empty for none.
    """
    moved = [_moved(each, edge, table) for each in standards]
    usable = [each for each, _ in moved if not _why_not(each, e0)]
    refused = tuple(why for each, _ in moved if (why := _why_not(each, e0)))
    known = np.array([done for each, done in moved if not _why_not(each, e0)], np.bool_)
    low = max([energy[0], *(each.energy[0] for each in usable)])
    high = min([energy[-1], *(each.energy[-1] for each in usable)])
    inside = (energy >= low) & (energy <= high)
    grid = energy[inside]
    shared = _shared(windows, float(grid[0] - e0), float(grid[-1] - e0))
    if not usable:
        empty = np.empty((0, len(grid)))
        return Prepared((), inside, shared, empty, empty, np.empty(0), known, refused)
    mu = np.concatenate([rebin(each.energy, each.mu[None], grid).mu for each in usable])
    found = normalise(grid, mu, e0, shared)
    noise = np.array([_noise(each, e0) for each in usable]) / np.abs(np.asarray(found.edge_step))
    norm, flat = np.asarray(found.norm), np.asarray(found.flat)
    return Prepared(tuple(usable), inside, shared, norm, flat, noise, known, refused)


def _moved(standard: Standard, edge: str, table: str) -> tuple[Standard, bool]:
    """Put a standard on the scale of the table, if its own foil was seen."""
    if not table or standard.foil is None:
        return standard, False
    element, seen = standard.foil
    for edge_of_foil in dict.fromkeys((edge, "K", "L3", "L2", "L1")):
        for foil in foil_energies(element, edge_of_foil):
            if foil.table == table and abs(foil.energy - seen) < 20:
                return replace(standard, energy=standard.energy + foil.energy - seen), True
    return standard, False


def _why_not(standard: Standard, e0: float) -> str | None:
    first, last = standard.energy[0], standard.energy[-1]
    if first <= e0 - _LEAST_PRE and last >= e0 + _LEAST_POST:
        return None
    return (
        f"{standard.name} reaches from {first:.0f} to {last:.0f} eV, which is too little about "
        f"the edge at {e0:.0f} eV."
    )


def _shared(windows: Windows, low: float, high: float) -> Windows:
    """Shrink windows to a range, eV relative to the edge."""
    pre1, norm2 = max(windows.pre1, low), min(windows.norm2, high)
    pre2 = windows.pre2 if windows.pre2 > pre1 + 5 else (pre1 - 15) / 2
    norm1 = min(windows.norm1, norm2 / 2)
    nnorm = windows.nnorm if norm2 - norm1 > 300 else min(windows.nnorm, 1)
    return replace(windows, pre1=pre1, pre2=pre2, norm1=norm1, norm2=norm2, nnorm=nnorm)


def _noise(standard: Standard, e0: float) -> float:
    """Return the noise of a point of a standard, in units of its absorption."""
    found = point_noise(standard.energy, standard.mu[None], e0)
    value = float(np.fmax(found.xanes[0], found.exafs[0]))
    return value if np.isfinite(value) else 0.0
