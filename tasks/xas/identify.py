"""
Which element and edge a spectrum shows, told from the energy of its largest step.

An edge moves with the element's valence, mostly upwards and by less than 20 eV, and monochromators
are off by some eV, so that several tabulated edges may fit. They are ranked by how far they are
off, how often they are measured, and whether the other edges of the element are seen where they
fall into the scan. What stays ambiguous is listed, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.io.spectra import F, Mode, RawSpectra
from tasks.io.xas.elements import SYMBOLS, edge_energies
from tasks.xas.steps import FEWEST, Steps, clarity, rising

USUAL_OFFSET, SPREAD = 4.0, 7.0
FARTHEST = 35.0
NONE = 0.01
"""Weight of all that is not thought of: a step without a likely edge near it stays untold."""
SURE, LISTED = 0.8, 0.05
"""A candidate with this share of all weight is the one, or is listed at all."""
SEEN, NOT_SEEN = 0.25, 0.12
"""Share of the step that another edge of the element has if it is there, and if it is not."""

EDGE_WEIGHT = {"K": 1.0, "L3": 1.0, "L2": 0.1, "L1": 0.05}
RARE_EARTHS = ("Sc", *SYMBOLS[SYMBOLS.index("La") : SYMBOLS.index("Hf")])
RARELY = {
    **dict.fromkeys(("He", "Ne", "Ar", "Kr", "Xe", "Rn"), 0.02),
    **dict.fromkeys(("Po", "At", "Fr", "Ra", "Ac", "Pa", "Np", "Pu", "Am", "Cm"), 0.02),
    **dict.fromkeys((*RARE_EARTHS, "Tl", "Os", "Cs", "Rb", "Ga", "In", "Te", "Hf", "Th"), 0.3),
    **dict.fromkeys(("Tc", "Pm"), 0.02),
}
"""How often elements are measured, against the others; a rough order, not a statistic."""


@dataclass(frozen=True)
class Candidate:
    """
    An edge that a step may be.

    Attributes
    ----------
    energy
        Tabulated, in eV.
    offset
        How far the step lies above it, in eV.
    share
        Of all candidates' weight.
    """

    element: str
    edge: str
    energy: float
    offset: float
    share: float

    def __str__(self) -> str:
        return f"{self.element} {self.edge} ({self.energy:g} eV)"


@dataclass(frozen=True)
class Identity:
    """
    What a spectrum shows.

    Attributes
    ----------
    energy
        Of the steepest point of the largest step, in eV.
    candidates
        Edges that it may be, the likeliest first; at most five.
    """

    energy: float
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate | None:
        """The edge, if there is no doubt about it."""
        first = self.candidates[0] if self.candidates else None
        return first if first is not None and first.share >= SURE else None

    def names(self, element: str, edge: str | None = None) -> bool:
        """Whether an element (and edge) is among the candidates."""
        return any(
            each.element == element and edge in (None, each.edge) for each in self.candidates
        )

    @property
    def listed(self) -> str:
        """The candidates that count, in words: the one, or those between which it is not told."""
        kept = [each for each in self.candidates if each.share >= LISTED]
        return " or ".join(map(str, [self.best] if self.best else kept)) or "no edge"

    def __str__(self) -> str:
        if self.best is not None:
            return f"{self.best}, by its step at {self.energy:.1f} eV"
        return f"not told by its step at {self.energy:.1f} eV, which fits {self.listed}"


def identify(energy: F, mu: F) -> Identity:
    """
    Tell element and edge of a spectrum.

    Parameters
    ----------
    energy
        In eV, (points,), in any order.
    mu
        Absorption of any scale, (points,).

    Returns
    -------
    Its candidates; none if no tabulated edge is near, or the spectrum has fewer than five points.

    Notes
    -----
    Edge energies: Elam, Ravel & Sieber, Radiat. Phys. Chem. 63 (2002) 121, as in xraydb.
    """
    energy, mu = rising(energy, mu)
    if len(energy) < FEWEST:
        return Identity(float("nan"), ())
    steps = Steps(energy, mu)
    found = steps.steepest(steps.largest())
    spacing = float(np.gradient(energy)[np.argmin(np.abs(energy - found))])
    weights = {
        (element, edge, tabulated): weight
        for element in SYMBOLS
        for edge, tabulated in edge_energies(element).items()
        if (weight := _weight(element, edge, found - tabulated, spacing)) > 0
    }
    weights = {key: weight * _partners(steps, key[0], key[1]) for key, weight in weights.items()}
    total = sum(weights.values()) + NONE
    ranked = sorted(weights.items(), key=lambda each: -each[1])[:5]
    return Identity(
        found,
        tuple(
            Candidate(element, edge, tabulated, found - tabulated, weight / total)
            for (element, edge, tabulated), weight in ranked
        ),
    )


def agreement(
    identity: Identity, element: str | None, edge: str | None, who: str = "file"
) -> str | None:
    """
    Say if what a file, or who else, says about a spectrum disagrees with what the spectrum shows.

    Returns
    -------
    A sentence, or None if they agree or one of them says nothing.
    """
    if element is None or np.isnan(identity.energy) or identity.names(element, edge):
        return None
    stated = f"{element} {edge}" if edge else element
    return (
        f"The {who} says {stated}, but the largest step of the spectrum, at {identity.energy:.1f} "
        f"eV, fits {identity.listed}."
    )


def likely_mode(raw: RawSpectra) -> Mode | None:
    """
    Tell how a sample was measured, where several channels are there: by the clearer step.

    Parameters
    ----------
    raw
        Some sweeps, of which the first is looked at.

    Returns
    -------
    None if there is neither transmission nor fluorescence.
    """
    clearest: dict[Mode, float] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        if "transmission" in raw.mu:
            clearest["transmission"] = clarity(raw.energy[0], raw.mu["transmission"][0])
        elif raw.i0 is not None and raw.i1 is not None:
            clearest["transmission"] = clarity(raw.energy[0], np.log(raw.i0[0] / raw.i1[0]))
        if "fluorescence" in raw.mu:
            clearest["fluorescence"] = clarity(raw.energy[0], raw.mu["fluorescence"][0])
        elif raw.i0 is not None and raw.fluorescence is not None:
            counts = raw.fluorescence[:, 0].sum(axis=0)
            clearest["fluorescence"] = clarity(raw.energy[0], counts / raw.i0[0])
    return max(clearest, key=lambda mode: clearest[mode]) if clearest else None


def _weight(element: str, edge: str, offset: float, spacing: float) -> float:
    if abs(offset) > FARTHEST + spacing:
        return 0.0
    spread = SPREAD + spacing
    fits = float(np.exp(-0.5 * ((offset - USUAL_OFFSET) / spread) ** 2))
    return fits * EDGE_WEIGHT.get(edge, 0.02) * RARELY.get(element, 1.0)


def _partners(steps: Steps, element: str, edge: str) -> float:
    """Weigh a candidate by whether the other L edges of its element are in the scan."""
    if not edge.startswith("L"):
        return 1.0
    others = {
        name: energy
        for name, energy in edge_energies(element).items()
        if name.startswith("L") and name != edge and steps.covers(energy)
    }
    if edge != "L3" and "L3" in others:
        return 0.02  # its step would be the larger one
    if "L2" not in others:
        return 1.0
    ratio = steps.near(others["L2"]) / max(steps.at(steps.largest()), 1e-12)
    if ratio > SEEN:
        return 5.0
    return 0.02 if ratio < NOT_SEEN else 1.0
