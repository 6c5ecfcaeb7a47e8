"""One dataset as a spectrum for a library: sweeps merged, its edge known, nothing normalised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from infra.library_foil import seen_foil
from tasks.errors import DataError
from tasks.io.spectra import F, Facts, Mode, RawSpectra, ScanReference, Spectra, open_spectra
from tasks.io.xas.elements import SYMBOLS, edge_energies
from tasks.xas.absorption import Absorption, absorption
from tasks.xas.dead_time import correct_dead_time
from tasks.xas.identify import Identity, agreement, identify, likely_mode
from tasks.xas.sweeps import find_sweeps

FEWEST, MOST = 10, 50_000_000  # points
WHOLE = 0.9  # of the widest sweep: what covers less was broken off
OFFSET = 35.0  # eV, by which a monochromator may be off
SAY_IT = "Say with --element and --edge what it is."


@dataclass(frozen=True)
class Wish:
    """What a person says about spectra, before what their files say; None where nothing."""

    compound: str | None = None
    formula: str | None = None
    element: str | None = None
    edge: str | None = None
    mode: Mode | None = None
    e0: float | None = None
    origin: str | None = None
    licence: str | None = None

    def given(self) -> dict[str, Any]:
        """Return what was said."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Measured:
    """
    A spectrum with what its file says.

    Attributes
    ----------
    energy
        eV, increasing, (points,).
    mu
        As measured, not normalised, (points,).
    metadata
        What else the file tells, and under ``foil`` where the reference foil's edge was seen.
    doubt
        A sentence if the spectrum does not look like the edge that it is said to have.
    """

    energy: F
    mu: F
    element: str
    edge: str
    mode: Mode
    facts: Facts
    metadata: Mapping[str, Any]
    doubt: str | None


def measure(reference: ScanReference, wish: Wish) -> Measured:
    """
    Read a dataset as one spectrum.

    Raises
    ------
    DataError
        It cannot be read, or it is no spectrum of an edge that somebody knows.
    """
    with open_spectra(reference) as spectra:
        facts, metadata = spectra.facts, spectra.metadata
        blocks = _blocks(spectra)
    mode = wish.mode or facts.mode or likely_mode(blocks[0])
    if mode is None:
        raise DataError("It has neither transmission nor fluorescence: it is no spectrum.")
    sweeps = [absorption(correct_dead_time(block), mode) for block in blocks]
    energy, mu = merged(sweeps)
    shown = identify(energy, mu)
    element, edge = _edge(facts, wish, shown)
    _refuse_outside(energy, element, edge)
    doubt = agreement(shown, element, edge)
    if foil := _foil(sweeps, facts.reference_element or element, edge):
        metadata = {**metadata, "foil": foil}
    return Measured(energy, mu, element, edge, mode, facts, metadata, doubt)


def _blocks(spectra: Spectra) -> list[RawSpectra]:
    """Read a dataset whole; a stream sweep by sweep, from one turn of the monochromator on."""
    sweeps, points = spectra.shape
    if sweeps * points > MOST:
        raise DataError(
            f"It has {sweeps} sweeps of {points} points, too many for one spectrum of a library: "
            "reduce it, and add the result."
        )
    if not spectra.is_stream:
        return [spectra.read()]
    found = find_sweeps(spectra.read().energy[0])
    ends = zip(found.starts[found.whole], found.stops[found.whole], strict=True)
    blocks = [spectra.read(points=slice(int(start), int(stop))) for start, stop in ends]
    if not blocks:
        raise DataError("It holds no whole sweep over its range: measure for longer.")
    return blocks


def merged(blocks: Sequence[Absorption]) -> tuple[F, F]:
    """
    Merge sweeps: each is sorted and interpolated onto the first one's energies, then the mean.

    Points that not all sweeps cover are left out, and so are sweeps that were broken off; points
    at one energy are averaged.

    Raises
    ------
    DataError
        Too few points are left.
    """
    sweeps = [
        _sorted(*sweep) for block in blocks for sweep in zip(block.energy, block.mu, strict=True)
    ]
    sweeps = [sweep for sweep in sweeps if len(sweep[0]) >= FEWEST]
    if not sweeps:
        raise DataError("It has too few points with a reading to be a spectrum.")
    widest = max(np.ptp(energy) for energy, _ in sweeps)
    sweeps = [sweep for sweep in sweeps if np.ptp(sweep[0]) >= WHOLE * widest]
    grid = sweeps[0][0]
    first = max(energy[0] for energy, _ in sweeps)
    last = min(energy[-1] for energy, _ in sweeps)
    grid = grid[(grid >= first) & (grid <= last)]
    return grid, np.mean([np.interp(grid, *sweep) for sweep in sweeps], axis=0)


def _sorted(energy: F, mu: F) -> tuple[F, F]:
    """Return the points with a reading by increasing energy, those at one energy averaged."""
    good = np.isfinite(energy) & np.isfinite(mu)
    grid, place, count = np.unique(energy[good], return_inverse=True, return_counts=True)
    return grid, np.bincount(place, mu[good], minlength=len(grid)) / count


def _foil(sweeps: Sequence[Absorption], element: str, edge: str) -> dict[str, Any] | None:
    """Return what the reference foil tells of the energies; None if it tells nothing."""
    foils = [replace(each, mu=each.reference) for each in sweeps if each.reference is not None]
    try:
        return seen_foil(*merged(foils), element, edge)
    except DataError:  # there is no foil, or too little of it
        return None


def _edge(facts: Facts, wish: Wish, shown: Identity) -> tuple[str, str]:
    """Return element and edge as a person says, else as the file does, else as the spectrum tells.

    Raises
    ------
    DataError
        Nobody says it, and the spectrum does not tell.
    """
    element, edge = wish.element or facts.element, wish.edge or facts.edge
    if element and edge:
        return element, edge
    fitting = [each for each in shown.candidates if edge in (None, each.edge)]
    if element is not None:
        fitting = [each for each in fitting if each.element == element]
    elif shown.best not in fitting:
        fitting = []
    if not fitting:
        raise DataError(f"Its edge is {shown}. {SAY_IT}")
    return fitting[0].element, fitting[0].edge


def _refuse_outside(energy: F, element: str, edge: str) -> None:
    """Refuse a spectrum that does not have the edge that it is said to have.

    Raises
    ------
    DataError
        The edge is outside.
    """
    tabulated = edge_energies(element).get(edge) if element in SYMBOLS else None
    if tabulated is None:
        raise DataError(f"{element} {edge} is no edge that is known. {SAY_IT}")
    if not energy[0] - OFFSET < tabulated < energy[-1] + OFFSET:
        raise DataError(
            f"It is said to be {element} {edge} ({tabulated:g} eV), which it does not reach: it "
            f"goes from {energy[0]:.1f} to {energy[-1]:.1f} eV. {SAY_IT}"
        )
