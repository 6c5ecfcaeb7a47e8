"""The reference foil that was measured with a spectrum: where its edge was seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.io.xas.elements import EDGES
from tasks.xas.calibrate import Inflection, first_inflection
from tasks.xas.foils import foil_energies
from tasks.xas.identify import identify

SURE = 0.5  # eV: an edge that is seen less well tells nothing of the energies
OFF = 5.0  # eV: no calibrated monochromator is farther off; then it is another compound's edge
STEP, CLEAR = 0.05, 5.0  # least edge step of a foil, and that over the noise of a point
RISE = (-3.0, 15.0)  # eV from the inflection point to the steepest one of the largest step
KEPT = (-30.0, 55.0)  # eV about the edge: enough to align other foils with it
BESIDE = (5.0, 30.0)  # eV from the edge, where its step is measured


def seen_foil(energy: F, mu: F, element: str, edge: str) -> dict[str, Any] | None:
    """
    Find the edge of a reference foil.

    Channels that are called reference also hold no foil but what the sample leaves there, oxides,
    and beams that break off; those are not taken for a foil.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        Absorption behind the sample, (points,).
    element
        Of the foil.
    edge
        Of the sample; other edges of the foil's element are looked for after it.

    Returns
    -------
    ``element``, ``edge``, ``energy`` of the first inflection point and its ``sigma`` in eV, and the
    ``spectrum`` about it (``energy``, ``mu``); None if there is no such foil.
    """
    shown = identify(energy, mu)
    for name in dict.fromkeys((edge, *EDGES)):
        tabulated = [each.energy for each in foil_energies(element, name)]
        if not tabulated or not shown.names(element, name):
            continue
        try:
            found = first_inflection(energy, mu, near=tabulated[0])
        except DataError:  # this edge is not in the scan
            continue
        offset = min(abs(found.energy - each) for each in tabulated)
        is_foot = RISE[0] < shown.energy - found.energy < RISE[1]
        is_sure = offset < OFF and found.sigma < SURE
        if is_foot and is_sure and _is_step(energy, mu, found.energy):
            return _told(energy, mu, element, name, found)
    return None


def _is_step(energy: F, mu: F, at: float) -> bool:
    """Whether absorption rises at an edge as it does in a foil, and clearly."""
    near, far = BESIDE
    before = (energy > at - far) & (energy < at - near)
    after = (energy > at + near) & (energy < at + far)
    if not before.any() or not after.any():
        return False
    noise = float(np.median(np.abs(np.diff(mu, 2))))
    return bool(mu[after].mean() - mu[before].mean() > max(STEP, CLEAR * noise))


def _told(energy: F, mu: F, element: str, edge: str, found: Inflection) -> dict[str, Any]:
    kept = (energy > found.energy + KEPT[0]) & (energy < found.energy + KEPT[1])
    return {
        "element": element,
        "edge": edge,
        "energy": round(found.energy, 3),
        "sigma": round(found.sigma, 3),
        "spectrum": {
            "energy": np.round(energy[kept], 4).tolist(),
            "mu": np.round(mu[kept], 6).tolist(),
        },
    }
