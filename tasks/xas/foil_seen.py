"""
Which foil stands behind the sample, if any: what its channel shows counts, not that it is there.

Detectors behind the sample are recorded whether or not a foil stands before them, and often the
foil is not of the sample's element: beamlines choose one whose edge lies near.
"""

from dataclasses import dataclass

import numpy as np

from tasks.io.spectra import F
from tasks.xas.identify import identify
from tasks.xas.steps import FEWEST, Steps, clarity, rising

_CLEAR = 20.0  # times the noise from point to point: what the step of a foil exceeds
_STANDS_OUT = 2.0  # times the largest fall: a detector's own structure falls as it rises


@dataclass(frozen=True)
class FoilSeen:
    """
    What the channel behind the foil shows.

    Attributes
    ----------
    element
        Of the foil; None where there is none to be trusted.
    reason
        Why there is none, in words for the user.
    """

    element: str | None
    reason: str = ""


def foil_seen(energy: F, reference: F, element: str, named: str | None = None) -> FoilSeen:
    """
    Tell the foil from its spectrum.

    Parameters
    ----------
    energy
        In eV, (points,), in any order.
    reference
        Absorption between the detectors before and behind the foil, (points,).
    element
        The sample's: what a foil is most likely made of.
    named
        What the foil is said to be.

    Returns
    -------
    FoilSeen
        With the element that is named, unless the spectrum says otherwise.
    """
    if not _has_edge(energy, reference):
        return FoilSeen(None, "the channel behind the reference foil shows no edge")
    seen = identify(energy, reference)
    if named is not None:
        told = f"the reference foil is said to be {named}, but its edge at {seen.energy:.1f} eV"
        return (
            FoilSeen(named) if seen.names(named) else FoilSeen(None, f"{told} fits {seen.listed}")
        )
    if seen.names(element):
        return FoilSeen(element)
    if seen.best is not None:
        return FoilSeen(seen.best.element)
    return FoilSeen(
        None, f"the edge of the reference foil, at {seen.energy:.1f} eV, fits {seen.listed}"
    )


def _has_edge(energy: F, reference: F) -> bool:
    if clarity(energy, reference) < _CLEAR:
        return False
    energy, reference = rising(energy, reference)
    if len(energy) < FEWEST:
        return False
    rise = Steps(energy, reference).rise(energy)
    return bool(np.max(rise) > -_STANDS_OUT * np.min(rise))
