"""
Intensities of crystals of random atoms, and how a rotating crystal shows them.

Shares no code with the project but the words (`Observations`, `Crystal`): atoms are summed over the
operators of the space group one by one.
"""

import gemmi
import numpy as np

from tasks.mx.crystal import Crystal
from tasks.mx.reflections import Observations


def crystal_of(cell, symbol="P 1", seed=0):
    """A crystal of a cell, turned at random."""
    fractional = np.array(gemmi.UnitCell(*cell).frac.mat.tolist())
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    turn = turn * np.linalg.det(turn)
    return Crystal(turn @ fractional.T, symbol)


def indices(crystal, d_min):
    """All that the centring allows, to a resolution, both of each Friedel pair."""
    most = [int(length / d_min) + 1 for length in crystal.cell[:3]]
    grid = np.stack(np.meshgrid(*[np.arange(-m, m + 1) for m in most], indexing="ij"), -1)
    hkl = grid.reshape(-1, 3)
    for shift in gemmi.find_spacegroup_by_name(crystal.space_group).operations().cen_ops:
        hkl = hkl[(hkl @ np.array(shift)) % gemmi.Op.DEN == 0]
    d = crystal.resolution(hkl)
    return hkl[(d >= d_min) & np.isfinite(d)].astype(np.int32)


def waves(hkl, place):
    """Sum of exp(2 pi i h x) over atoms, (n,), from the powers along each axis."""
    most = np.abs(hkl).max(axis=0)
    powers = [
        np.exp(2j * np.pi * np.arange(-m, m + 1)[:, None] * place[:, axis])
        for axis, m in enumerate(most)
    ]
    h, k, line = (hkl + most).T
    return np.einsum("na,na,na->n", powers[0][h], powers[1][k], powers[2][line])


def structure_factors(symbol, hkl, crystal, atoms=60, seed=1, b=15.0, copies=(), positions=None):
    """Complex, (n,); copies: fractional shifts at which each atom of the cell stands once more."""
    rng = np.random.default_rng(seed)
    where = rng.random((atoms, 3)) if positions is None else positions
    total = np.zeros(len(hkl), dtype=complex)
    for operator in gemmi.find_spacegroup_by_name(symbol).operations():
        rotation = np.array(operator.rot) / operator.DEN
        shift = np.array(operator.tran) / operator.DEN
        total += waves(hkl, where @ rotation.T + shift)
    for copy in copies:
        total = total * (1 + np.exp(2j * np.pi * (hkl @ np.array(copy))))
    s2 = 1 / crystal.resolution(hkl) ** 2
    return 6 * np.exp(-(b / 4 + 3) * s2) * total


def intensities(symbol, cell, d_min, seed=1, **more):
    """Crystal, indices and true intensities whose mean is 1000 or so."""
    crystal = crystal_of(cell, symbol, seed)
    hkl = indices(crystal, d_min)
    half = hkl[: len(hkl) // 2]  # the grid is symmetric: the rest are their Friedel mates
    truth = np.abs(structure_factors(symbol, half, crystal, seed=seed, **more)) ** 2
    truth = np.concatenate([truth, truth[::-1]])
    return crystal, hkl, truth * 1000 / truth.mean()


def sweep(
    crystal,
    hkl,
    truth,
    *,
    degrees=180.0,
    start=0.0,
    width=0.5,
    wavelength=1.0,
    noise=1.0,
    wrong=0.03,
    drift=0.3,
    decay=0.0,
    number=0,
    seed=2,
):
    """
    Observations in a rotation about x, with counting and proportional errors.

    `noise` scales the counting error, `wrong` is the proportional one, `drift` the amplitude of the
    scale along the sweep, `decay` the B (Å²) lost from its begin to its end.
    """
    rng = np.random.default_rng(seed)
    points = crystal.points(hkl)
    across = np.hypot(points[:, 1], points[:, 2])
    s2 = np.sum(points**2, axis=1)
    cosine = s2 * wavelength / 2 / np.maximum(across, 1e-9)
    zero = np.degrees(np.arctan2(points[:, 1], points[:, 2]))
    with np.errstate(invalid="ignore"):
        half = np.degrees(np.arccos(cosine))
    parts = []
    for sign in (-1, 1):
        angle = (zero + sign * half - start) % 360
        rows = np.flatnonzero(np.isfinite(angle) & (angle < degrees))
        parts.append((rows, angle[rows]))
    rows = np.concatenate([rows for rows, _ in parts])
    z = np.concatenate([angle for _, angle in parts]) / width
    share = z * width / degrees
    scale = (1 + drift * np.sin(3 * share + number)) * np.exp(-decay * share * s2[rows] / 2)
    counts = truth[rows] * scale
    sigma = np.hypot(noise * np.sqrt(np.maximum(counts, 0) + 100), wrong * counts)
    found = counts + sigma * rng.normal(size=len(rows))
    n = len(rows)
    return Observations(
        hkl=hkl[rows].astype(np.int32),
        intensity=found,
        sigma=sigma,
        d=1 / np.sqrt(s2[rows]),
        xyz=np.column_stack([np.zeros(n), np.zeros(n), z]),
        s1=np.zeros((n, 3)),
        sweep=np.full(n, number, dtype=np.int32),
        flags=np.zeros(n, dtype=np.int32),
    )


CELLS = {
    "P 1": (30, 36, 41, 80, 95, 100),
    "P 1 21 1": (30, 36, 41, 90, 98, 90),
    "C 1 2 1": (60, 32, 40, 90, 110, 90),
    "P 21 21 21": (30, 36, 47, 90, 90, 90),
    "P 21 21 2": (30, 36, 47, 90, 90, 90),
    "C 2 2 21": (36, 60, 41, 90, 90, 90),
    "I 2 2 2": (36, 50, 61, 90, 90, 90),
    "P 43": (36, 36, 61, 90, 90, 90),
    "P 43 21 2": (36, 36, 61, 90, 90, 90),
    "I 4": (45, 45, 61, 90, 90, 90),
    "P 31": (40, 40, 50, 90, 90, 120),
    "P 32 2 1": (40, 40, 50, 90, 90, 120),
    "P 31 1 2": (40, 40, 50, 90, 90, 120),
    "P 65": (40, 40, 70, 90, 90, 120),
    "P 61 2 2": (45, 45, 70, 90, 90, 120),
    "R 3:H": (60, 60, 50, 90, 90, 120),
    "R 3 2:H": (60, 60, 50, 90, 90, 120),
    "I 2 3": (60, 60, 60, 90, 90, 90),
    "P 41 3 2": (60, 60, 60, 90, 90, 90),
    "P 21 3": (50, 50, 50, 90, 90, 90),
}
