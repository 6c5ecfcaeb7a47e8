"""Library spectra made ready to be compared with a measurement: on its grid, in its windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.xas.align import align
from tasks.xas.foils import foil_energies
from tasks.xas.noise import point_noise
from tasks.xas.normalise import Windows, normalise
from tasks.xas.rebin import rebin

_LEAST_PRE, _LEAST_POST = 30.0, 60.0  # eV that a standard must cover about the edge
_ANOTHER = 20.0  # eV: a foil's edge that is farther from the tabulated one is of another edge
_FIRST, _LAST = (0.5, 0.75, 1.5, 2.0), (0.0, 0.15, 0.3)  # to where the post-edge window may move
_FOILS = 0.01  # eV by which two foils of one element agree at best


@dataclass(frozen=True)
class Foil:
    """
    A reference foil, as it was seen in one scan with a spectrum.

    Attributes
    ----------
    element
        Its symbol.
    energy, sigma
        First inflection point of its edge and 1 sigma of that, eV.
    spectrum
        Energies, eV, and absorption about the edge, each (points,); None if nobody kept them.
    """

    element: str
    energy: float
    sigma: float
    spectrum: tuple[F, F] | None = None


@dataclass(frozen=True)
class Scale:
    """
    What the energies of a measurement hang on.

    Attributes
    ----------
    edge
        That of the sample, at which its foil is sought first.
    table, sigma
        Whose foil energies they were calibrated against, empty for none; and 1 sigma of that, eV.
    foil
        As it stands on this scale; None if there was none.
    """

    edge: str
    table: str = ""
    sigma: float = 0.0
    foil: Foil | None = None


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
        The reference foil in the same scan; None if nobody knows.
    """

    key: str
    name: str
    compound: str
    energy: F
    mu: F
    foil: Foil | None = None


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
    scale_sigma
        How well the energies of each are known on the measurement's scale, 1 sigma in eV,
        (standards,); NaN where no foil ties them together.
    step_sigma
        1 sigma of the edge step of each against the others', by the choice of windows, relative,
        (standards,).
    refused
        Why others could not be used, one sentence each.
    """

    standards: tuple[Standard, ...]
    inside: Any
    windows: Windows
    norm: F
    flat: F
    noise: F
    scale_sigma: F
    step_sigma: F
    refused: tuple[str, ...]


def foil_of(metadata: Mapping[str, Any]) -> Foil | None:
    """Return what the metadata of a library spectrum tell of its reference foil."""
    told = cast(Mapping[str, Any], metadata.get("foil") or {})
    if "element" not in told or "energy" not in told:
        return None
    spectrum = told.get("spectrum")
    return Foil(
        str(told["element"]),
        float(told["energy"]),
        float(told.get("sigma") or 0.0),
        spectrum and (np.array(spectrum["energy"]), np.array(spectrum["mu"])),
    )


def prepare(
    standards: Sequence[Standard],
    energy: F,
    e0: float,
    windows: Windows,
    scale: Scale,
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
    scale
        What the measurement's energies hang on.
    """
    moved = [_moved(each, scale) for each in standards]
    usable = [each for each, _ in moved if not _why_not(each, e0)]
    refused = tuple(why for each, _ in moved if (why := _why_not(each, e0)))
    known = np.array([sigma for each, sigma in moved if not _why_not(each, e0)])
    low = max([energy[0], *(each.energy[0] for each in usable)])
    high = min([energy[-1], *(each.energy[-1] for each in usable)])
    inside = (energy >= low) & (energy <= high)
    grid = energy[inside]
    shared = _shared(windows, float(grid[0] - e0), float(grid[-1] - e0))
    if not usable:
        empty = np.empty((0, len(grid)))
        none = np.empty(0)
        return Prepared((), inside, shared, empty, empty, none, known, none, refused)
    mu = np.concatenate([rebin(each.energy, each.mu[None], grid).mu for each in usable])
    found = normalise(grid, mu, e0, shared)
    noise = np.array([_noise(each, e0) for each in usable]) / np.abs(np.asarray(found.edge_step))
    norm, flat = np.asarray(found.norm), np.asarray(found.flat)
    steps = _step_sigma(grid, mu, e0, shared)
    return Prepared(tuple(usable), inside, shared, norm, flat, noise, known, steps, refused)


def _moved(standard: Standard, scale: Scale) -> tuple[Standard, float]:
    """Put a standard on the measurement's scale as well as the foils allow; and 1 sigma in eV."""
    if standard.foil is None:
        return standard, np.nan
    found = _by_spectrum(standard.foil, scale.foil) or _by_table(standard.foil, scale)
    if found is None:
        return standard, np.nan
    shift, sigma = found
    return replace(standard, energy=standard.energy + shift), max(sigma, _FOILS)


def _by_spectrum(theirs: Foil, ours: Foil | None) -> tuple[float, float] | None:
    """Compare two foils point by point, which is better than any point of them."""
    if ours is None or ours.element != theirs.element:
        return None
    if ours.spectrum is None or theirs.spectrum is None:
        return None
    energy, reference = ours.spectrum
    mu = rebin(theirs.spectrum[0], theirs.spectrum[1][None], energy).mu
    try:
        found = align(energy, mu, reference, ours.energy)
    except DataError:  # too few points in common
        return None
    if found.at_border[0] or not np.isfinite(found.shift[0]):
        return None
    return float(found.shift[0]), float(found.sigma[0])


def _by_table(theirs: Foil, scale: Scale) -> tuple[float, float] | None:
    """Move an edge to where the measurement's table has it."""
    for edge in dict.fromkeys((scale.edge, "K", "L3", "L2", "L1")):
        for foil in foil_energies(theirs.element, edge):
            if foil.table == scale.table and abs(foil.energy - theirs.energy) < _ANOTHER:
                return foil.energy - theirs.energy, float(np.hypot(theirs.sigma, scale.sigma))
    return None


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


def _step_sigma(energy: F, mu: F, e0: float, windows: Windows) -> F:
    """
    Find how far the edge steps of standards move against one another with the windows.

    The amount of an element is what its edge step says, and that is only known as well as the
    absorption of an atom can be told from what its neighbours make of it.
    """
    span = windows.norm2 - windows.norm1
    others = [
        replace(windows, norm1=windows.norm1 * first, norm2=windows.norm2 - last * span)
        for first in _FIRST
        for last in _LAST
    ]
    steps = np.stack([np.asarray(normalise(energy, mu, e0, each).edge_step) for each in others])
    used = np.asarray(normalise(energy, mu, e0, windows).edge_step)
    relative = steps / steps.mean(axis=1, keepdims=True) * used.mean() / used
    return np.sqrt(np.mean((relative - 1) ** 2, axis=0))


def _noise(standard: Standard, e0: float) -> float:
    """Return the noise of a point of a standard, in units of its absorption."""
    found = point_noise(standard.energy, standard.mu[None], e0)
    value = float(np.fmax(found.xanes[0], found.exafs[0]))
    return value if np.isfinite(value) else 0.0
