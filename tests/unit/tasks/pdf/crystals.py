"""
Simulated total scattering of cubic crystals. Shares no code with the project.

Pairs out to 60 Å, with a Gaussian that lets them fade: the pattern of a large crystal at the
resolution of an instrument. What the fading takes from the mean density lies below Q = 0.5 1/Å.
"""

import numpy as np
import xraydb
import xraylib

FADING = 0.1  # 1/Å
REACH = 60.0  # Å: exp(-(0.1 * 60)² / 2) is 1e-8
NICKEL = (3.524, {"Ni": [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]}, 0.0055)
_X = 0.1996
LAB6 = (
    4.1569,
    {
        "La": [[0, 0, 0]],
        "B": [list(np.roll([x, 0.5, 0.5], turn)) for x in (_X, 1 - _X) for turn in range(3)],
    },
    0.0052,
)


def f0(element, q):
    return xraydb.f0(element, q / (4 * np.pi))


def partial(cell, positions, first, second, q, u, reach=REACH):
    """Sum over second-type neighbours of each first-type atom, sin(Qr)/(Qr), (bins,)."""
    cells = np.arange(-int(reach / cell) - 1, int(reach / cell) + 2)
    lattice = np.stack(np.meshgrid(cells, cells, cells, indexing="ij"), -1).reshape(-1, 3)
    total = np.zeros(len(q))
    for a in np.array(positions[first]):
        counts = {}
        for b in np.array(positions[second]):
            square = cell**2 * ((lattice + b - a) ** 2).sum(axis=1)
            keys, number = np.unique(np.round(square, 6), return_counts=True)
            for key, n in zip(keys, number, strict=True):
                counts[key] = counts.get(key, 0) + n
        r = np.sqrt(np.array(sorted(counts)))
        n = np.array([counts[key] for key in sorted(counts)])
        keep = (r > 0.1) & (r < reach)
        weights = n[keep] * np.exp(-((r[keep] * FADING) ** 2) / 2)
        total += np.sinc(np.outer(q, r[keep]) / np.pi) @ weights
    return total / len(positions[first]) * np.exp(-u * q**2)


def coherent(crystal, q):
    """Coherent intensity per atom, electron units, f0 alone; and S(Q) of Faber and Ziman."""
    cell, positions, u = crystal
    count = {name: len(sites) for name, sites in positions.items()}
    share = {name: n / sum(count.values()) for name, n in count.items()}
    amplitude = {name: f0(name, q) for name in positions}
    square = sum(share[n] * amplitude[n] ** 2 for n in positions)
    mean = sum(share[n] * amplitude[n] for n in positions)
    distinct = sum(
        share[a] * amplitude[a] * amplitude[b] * partial(cell, positions, a, b, q, u)
        for a in positions
        for b in positions
    )
    return square + distinct, 1 + distinct / mean**2


def compton(shares, q, wavelength):
    """Klein and Nishina's cross section over Thomson's, times S(Q), by xraylib's own formulas."""
    energy = 12.398419843 / wavelength
    theta = 2 * np.arcsin(q * wavelength / (4 * np.pi))
    free = np.array([xraylib.DCS_KN(energy, t) / xraylib.DCS_Thoms(t) for t in theta])
    s = [xraydb.atomic_number(name) for name in shares]
    bound = np.array([[xraylib.SF_Compt(z, x / (4 * np.pi)) for x in q] for z in s])
    return free * (np.array(list(shares.values())) @ bound)
