"""
Tell whether the nearest spectrum of a library is the same compound, or whether there is none.

The misfit (see `tasks.xas.match`) of two scans of one compound is hardly ever as large as that of
two compounds: on logarithmic axes the odds fall as a straight line. So an entry's odds against
"none of these" are ``(tolerance / misfit) ** steepness``, and the odds of all compounds and of
*no match* make probabilities. Both figures were found on transmission scans of As, Cd, Eu, Se, Sr,
V and W compounds of the XAS Data Library (https://github.com/XraySpectroscopy/XASDataLibrary,
public domain): there, with and without 1 % of noise, 4 % of the scans whose compound was left out
of the library matched another, and 2 % of those whose compound was in it had no match. Scans in
fluorescence with over-absorption differ more: at the sulfur K edge of the same library 3 of 4 have
no match, rather than a wrong name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.arrays import Host
from tasks.xas.match import Match

TOLERANCE = 0.014
"""Misfit in edge steps at which a compound is as likely as none of the library."""

STEEPNESS = 5.0
"""How fast the odds fall with the misfit."""

_LEAST = 1e-4  # of the edge step: no misfit is known better


@dataclass(frozen=True)
class Candidate:
    """
    A compound of the library and its nearest entry.

    Attributes
    ----------
    compound
        Its name.
    confidence
        Probability that the spectrum is of this compound.
    entry
        Place of the nearest entry in the library.
    misfit
        See `tasks.xas.match.Match`.
    shift
        By how much the entry was moved, eV.
    votes
        Most points that the committee gave to one of its entries.
    """

    compound: str
    confidence: float
    entry: int
    misfit: float
    shift: float
    votes: int


@dataclass(frozen=True)
class Answer:
    """
    What a spectrum is, as far as the library can tell.

    Attributes
    ----------
    compound
        Name of the best candidate, or None for *no match*.
    no_match
        Probability that it is none of the library.
    candidates
        Most probable first.
    reason
        A sentence for the user.
    """

    compound: str | None
    no_match: float
    candidates: tuple[Candidate, ...]
    reason: str


def answers(
    found: Match,
    compounds: Sequence[str],
    tolerance: float = TOLERANCE,
    steepness: float = STEEPNESS,
) -> list[Answer]:
    """
    Name each spectrum, with a confidence, or say that there is no match.

    Parameters
    ----------
    found
        How far the entries of the library are.
    compounds
        Name of the compound of each entry; several entries may be of one compound.
    tolerance, steepness
        See the module.

    Returns
    -------
    list of Answer
        One for each spectrum.
    """
    return [
        _answer(found, row, compounds, tolerance, steepness) for row in range(len(found.misfit))
    ]


def _answer(
    found: Match, row: int, compounds: Sequence[str], tolerance: float, steepness: float
) -> Answer:
    seen = np.maximum(np.hypot(found.misfit[row], found.resolution[row]), _LEAST)
    odds: Host = (tolerance / seen) ** steepness
    nearest = {name: _nearest(odds, compounds, name) for name in dict.fromkeys(compounds)}
    total = 1.0 + sum(float(odds[entry]) for entry in nearest.values())
    candidates = [
        Candidate(
            compound=name,
            confidence=float(odds[entry]) / total,
            entry=entry,
            misfit=float(found.misfit[row, entry]),
            shift=float(found.shift[row, entry]),
            votes=max(int(found.votes[row, i]) for i in _entries(compounds, name)),
        )
        for name, entry in nearest.items()
    ]
    candidates.sort(key=lambda each: each.confidence, reverse=True)
    matched = bool(candidates) and candidates[0].confidence > 1 / total
    return Answer(
        compound=candidates[0].compound if matched else None,
        no_match=1 / total,
        candidates=tuple(candidates),
        reason=_reason(candidates, matched, tolerance),
    )


def _entries(compounds: Sequence[str], name: str) -> list[int]:
    return [entry for entry, compound in enumerate(compounds) if compound == name]


def _nearest(odds: Host, compounds: Sequence[str], name: str) -> int:
    return max(_entries(compounds, name), key=lambda entry: float(odds[entry]))


def _reason(candidates: list[Candidate], matched: bool, tolerance: float) -> str:
    if not candidates:
        return "No match: the library holds no spectrum of this element and edge."
    best = candidates[0]
    if not matched:
        return (
            f"No match: {best.compound} is nearest, but differs by {best.misfit:.3f} of the edge "
            f"step; repeats of one compound are within {tolerance:g}."
        )
    favourite = max(candidates, key=lambda each: each.votes)
    opinion = (
        "the metrics agree"
        if favourite.votes == best.votes
        else f"but most metrics prefer {favourite.compound}"
    )
    return (
        f"{best.compound}, with a confidence of {100 * best.confidence:.0f} %: it differs by "
        f"{best.misfit:.4f} of the edge step, and {opinion}."
    )
