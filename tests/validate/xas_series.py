"""
A series of quick scans with its truth, made from real standards through counts.

Two reactions in a row (Fe2O3 to FeO to Fe), a beam that drifts and has structure, an energy scale
that drifts and differs up and down, a sample that thins out, detectors with Poisson and electronic
noise. Nothing is shared with the code under test.
"""

from dataclasses import dataclass

import numpy as np

E0 = 7112.0
SPACING = 3.13551  # A, Si(111)
HC = 12398.4198  # eV A
WINDOWS = (-145.0, -30.0, 100.0, 600.0)


def columns(path):
    lines = path.read_text(errors="replace").splitlines()
    labels = [
        line.split(":")[1].split()[0].lower() for line in lines if line.startswith("# Column.")
    ]
    rows = np.loadtxt([line for line in lines if not line.startswith("#")])
    return dict(zip(labels, rows.T, strict=False))


def standard(path):
    """Energies and absorption in edge steps, by lines of the generator's own."""
    column = columns(path)
    order = np.argsort(column["energy"])
    energy, mu = column["energy"][order], np.log(column["i0"] / column["itrans"])[order]
    x = energy - E0
    line = np.polyval(np.polyfit(x[(x > -145) & (x < -30)], mu[(x > -145) & (x < -30)], 1), x)
    above = (x > 100) & (x < 600)
    curve = np.polyfit(x[above], (mu - line)[above], 2)
    return energy, (mu - line) / curve[-1]


@dataclass(frozen=True)
class Series:
    """Counts of a series, (sweeps, points), and what they were made of."""

    energy: np.ndarray  # as recorded
    i0: np.ndarray
    i1: np.ndarray
    i2: np.ndarray
    fractions: np.ndarray  # (sweeps, standards)
    drift: np.ndarray  # recorded less true energy, eV


def reaction(sweeps):
    t = np.linspace(0, 1, sweeps)
    first, second = 6.0, 2.5
    start = np.exp(-first * t)
    middle = first / (second - first) * (start - np.exp(-second * t))
    return np.stack([1 - start - middle, middle, start], axis=1)


def series(standards, fractions, seed, points=1200, flux=1e6, electronic=30.0):
    """Sweep a monochromator back and forth over the edge; the first standard is the foil too."""
    rng = np.random.default_rng(seed)
    sweeps = len(fractions)
    t = np.linspace(0, 1, sweeps)
    up = np.arange(sweeps) % 2 == 0
    drift = 0.4 * t + 0.15 * np.sin(6 * np.pi * t) + 0.02 * rng.normal(size=sweeps)
    drift += np.where(up, 0.12, -0.12)
    ends = np.arcsin(HC / (2 * SPACING * np.array([6960.0, 7900.0])))
    turn = np.cos(np.linspace(0, np.pi, points)) * np.where(up, 1, -1)[:, None]
    true = HC / (2 * SPACING * np.sin(ends.mean() + turn * (ends[0] - ends[1]) / 2))
    curves = [np.interp(true, *each) for each in standards]
    sample = sum(fractions[:, k, None] * curve for k, curve in enumerate(curves))
    step = 1.1 * (1 - 0.25 * t)[:, None]
    i0 = flux * (1 + 0.1 * np.sin(true / 50) + 2e-4 * (true - E0))
    i0 *= 1 + 0.02 * np.sin(2.3 * np.arange(sweeps))[:, None]
    i1 = i0 * np.exp(-step * sample - 0.9 * (true / E0) ** -2.7 - 0.2)
    i2 = i1 * np.exp(-1.6 * curves[0] - 0.6 * (true / E0) ** -2.7)
    counted = [rng.poisson(each) + rng.normal(0, electronic, each.shape) for each in (i0, i1, i2)]
    recorded = true + drift[:, None] + 0.01 * rng.normal(size=true.shape)
    return Series(recorded, *counted, fractions, drift)
