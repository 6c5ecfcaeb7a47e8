"""What the tables of Elam et al. (Radiat. Phys. Chem. 63 (2002) 121) say about a sample."""

from functools import lru_cache

import numpy as np
import xraydb

from infra.simulator.xas.plan import SeriesPlan

LINES = {"K": "Ka1", "L3": "La1", "L2": "Lb1", "L1": "Lb3"}


def _edge(element: str, edge: str) -> "xraydb.XrayEdge":
    tabled = xraydb.xray_edge(element, edge)
    if tabled is None:
        raise ValueError(f"{element} has no {edge} edge")
    return tabled


@lru_cache
def below_the_edge(element: str, edge: str) -> tuple[float, float]:
    """Return an element's absorption just below an edge, and how it falls.

    Returns
    -------
    The absorption in units of the edge step, and p where it goes with E to the power of -p.
    """
    tabled = _edge(element, edge)
    energies = tabled.energy - np.array([200.0, 20.0])
    far, near = np.log(xraydb.mu_elam(element, energies))
    power = (far - near) / np.log(energies[1] / energies[0])
    return 1 / (tabled.jump_ratio - 1), float(power)


@lru_cache
def over_absorption(plan: SeriesPlan) -> tuple[float, float]:
    """Return how a thick sample of the plan's formula absorbs, in units of its edge step.

    Returns
    -------
    The absorption of the beam by all but the edge, and that of the line on its way out, the
    latter times sin(in) / sin(out). Their sum is alpha: of the norm, fluorescence shows
    norm (1 + alpha) / (norm + alpha).
    """
    sample = plan.sample
    tabled = _edge(plan.element, plan.edge)
    line = xraydb.xray_lines(plan.element)[LINES[plan.edge]].energy
    energies = np.array([tabled.energy - 10, tabled.energy + 10, line])
    before, behind, out = xraydb.material_mu(sample.formula, energies, density=1.0)
    step = behind - before
    ratio = np.sin(np.deg2rad(sample.angle_in)) / np.sin(np.deg2rad(sample.angle_out))
    return float(before / step), float(out * ratio / step)
