"""
XAS against xraylarch: time per spectrum, and how well the results agree.

All get the same simulated spectra of 600 points (three standards mixed, noise, backgrounds that
drift). Ours reduces a batch of them, xraylarch one after another, as many as take about as long.
Rounds alternate, so that a busy machine slows both; times are CPU times of this process, whose
libraries use one thread. The last lines say whether the goals hold.

Run it with ``python tests/benchmarks/bench_xas.py [SPECTRA]``.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as on the platform's workers

import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tasks.algorithm import Engine
from tasks.xas.align import align
from tasks.xas.background import autobk
from tasks.xas.edge import find_e0
from tasks.xas.fourier import transform
from tasks.xas.lcf import fit
from tasks.xas.normalise import Windows, normalise
from tasks.xas.over_absorption import correct_over_absorption, over_absorption_alpha
from tasks.xas.units import e_to_k, k_to_e

E0 = 7112.0
WINDOWS = Windows(-150.0, -30.0, 100.0, 600.0, 2)
LARCH_WINDOWS = {"pre1": -150, "pre2": -30, "norm1": 100, "norm2": 600, "nnorm": 2}
FEW = 20  # spectra that xraylarch does in a round
ROUNDS = 5
SAMPLE, ANGLES = "Fe2O3(SiO2)10", (45.0, 45.0)
SHIFTS = (-2.0, 2.0)  # eV


def spectra(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Energies (600,) and absorption (count, 600)."""
    above = k_to_e(np.linspace(2.3, 14.23, 369), E0)
    grid = np.r_[np.arange(6950, 7092, 2.0), np.arange(7092, 7132, 0.25), above]
    standards = standards_on(grid, STANDARDS)
    rng = np.random.default_rng(1)
    parts = rng.dirichlet(np.ones(3), count)
    steps = rng.uniform(0.6, 1.2, (count, 1))
    background = 0.5 - 3e-4 * (grid - E0) * (1 + 0.1 * rng.uniform(size=(count, 1)))
    mu = steps * (parts @ standards) + background + rng.normal(0, 0.001, (count, len(grid)))
    return grid, mu


STANDARDS = ((7112.0, 1.5, 0.2, 2.2), (7119.0, 2.0, 0.5, 1.7), (7123.0, 2.2, 0.7, 1.5))
"""Edge energy in eV, width in eV, white line, distance of the first shell in Å."""

OTHERS = ((7117.0, 1.7, 0.3, 2.0), (7121.0, 1.6, 1.0, 1.6), (7125.0, 2.0, 0.6, 1.9))
"""Standards that are in no spectrum."""


def standards_on(grid: np.ndarray, which) -> np.ndarray:
    return np.stack([standard(grid, *each) for each in which])


def standard(grid: np.ndarray, edge: float, width: float, white: float, distance: float):
    """An edge with a white line and a first shell; its step is one."""
    rise = 0.5 + np.arctan((grid - edge) / width) / np.pi
    peak = white * np.exp(-(((grid - edge - 5) / 4) ** 2))
    k = np.maximum(e_to_k(grid, edge), 0.0)
    shell = 0.5 * np.sin(2 * k * distance) * np.exp(-0.01 * k**2) * k / (1 + 0.12 * k**3)
    return rise * (1 + shell) + peak


@dataclass
class Step:
    """
    One step of the reduction, by both.

    `ours` takes all spectra, `larch` the place of one; `apart` takes the results of both for the
    first few spectra and says in words how they agree, and whether well enough.
    """

    name: str
    ours: Callable[[], Any]
    larch: Callable[[int], Any]
    apart: Callable[[Any, list[Any]], tuple[str, bool]]
    goal: float
    few: int = FEW
    times: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "larch": []})

    def ratio(self) -> float:
        return float(np.median(self.times["larch"]) / np.median(self.times["ours"]))


def steps(grid: np.ndarray, mu: np.ndarray) -> list[Step]:
    """Prepare what each step needs, so that only its own work is timed."""
    return [
        edge(grid, mu),
        pre_edge(grid, mu),
        background(grid, mu),
        fourier(grid, mu),
        over_absorption(grid, mu),
        alignment(grid, mu),
        *lcf(grid, mu),
    ]


def groups(grid: np.ndarray, mu: np.ndarray) -> list[Any]:
    """Some spectra as xraylarch keeps them, normalised."""
    from larch import Group
    from larch.xafs import pre_edge as larch_pre_edge

    made = [Group(energy=grid, mu=each.copy()) for each in mu[:FEW]]
    for group in made:
        larch_pre_edge(group, e0=E0, **LARCH_WINDOWS)
    return made


def edge(grid, mu):
    from larch.xafs import find_e0 as larch_find_e0

    def apart(ours, larch):
        points = [np.abs(grid - e0).argmin() for e0 in ours[:FEW]]
        theirs = [np.abs(grid - e0).argmin() for e0 in larch]
        off = np.abs(np.subtract(points, theirs))
        same = f"same grid point in {np.sum(off == 0)} of {FEW}, at most {off.max()} off"
        return same, bool(np.mean(off == 0) >= 0.9)

    return Step(
        "edge energy", lambda: find_e0(grid, mu), lambda i: larch_find_e0(grid, mu[i]), apart, 3
    )


def pre_edge(grid, mu):
    from larch.xafs import pre_edge as larch_pre_edge

    made = groups(grid, mu)

    def theirs(i):
        larch_pre_edge(made[i], e0=E0, **LARCH_WINDOWS)
        return made[i]

    def apart(ours, larch):
        norm = max(np.abs(ours.norm[i] - each.norm).max() for i, each in enumerate(larch))
        flat = max(np.abs(ours.flat[i] - each.flat).max() for i, each in enumerate(larch))
        return f"normalised {norm:.0e}, flattened {flat:.0e}", max(norm, flat) < 1e-9

    return Step("normalise, flatten", lambda: normalise(grid, mu, E0, WINDOWS), theirs, apart, 50)


def background(grid, mu):
    from larch.xafs import autobk as larch_autobk

    made, step = groups(grid, mu), normalise(grid, mu, E0, WINDOWS).edge_step

    def theirs(i):
        larch_autobk(made[i], rbkg=1.0, kweight=1, ek0=E0)
        return made[i]

    def apart(ours, larch):
        weight = ours.k**2
        errors = [
            np.linalg.norm(weight * (ours.chi[i] - each.chi)) / np.linalg.norm(weight * each.chi)
            for i, each in enumerate(larch)
        ]
        said = f"k²chi, relative rms: median {np.median(errors):.0e}, at most {max(errors):.0e}"
        return said, max(errors) < 1e-4

    return Step("background (autobk)", lambda: autobk(grid, mu, E0, step), theirs, apart, 300)


def fourier(grid, mu):
    from larch.xafs import xftf

    step = normalise(grid, mu, E0, WINDOWS).edge_step
    fine, made = autobk(grid, mu, E0, step), groups(grid, mu)
    options = {"kmin": 3.0, "kmax": 12.0, "dk": 4.0, "kweight": 2, "window": "kaiser"}

    def theirs(i):
        xftf(fine.k, fine.chi[i], group=made[i], rmax_out=10, **options)
        return made[i]

    def apart(ours, larch):
        errors = [
            np.abs(ours.chi_r[i] - each.chir).max() / each.chir_mag.max()
            for i, each in enumerate(larch)
        ]
        return f"chi(R), relative: at most {max(errors):.0e}", max(errors) < 1e-10

    return Step(
        "transform (xftf)", lambda: transform(fine.k, fine.chi, **options), theirs, apart, 10
    )


def over_absorption(grid, mu):
    """On normalised spectra: xraylarch would also stretch what lies below the edge."""
    from larch import Group
    from larch.xafs import fluo_corr

    norm = normalise(grid, mu, E0, WINDOWS).norm
    made = [Group(energy=grid, mu=each) for each in norm[:FEW]]

    def ours():
        alpha = over_absorption_alpha(SAMPLE, "Fe", "K", *ANGLES)
        return normalise(grid, correct_over_absorption(norm, alpha), E0, WINDOWS)

    def theirs(i):
        fluo_corr(grid, norm[i], SAMPLE, "Fe", made[i], "K", "Ka", *ANGLES, e0=E0, **LARCH_WINDOWS)
        return made[i]

    def apart(ours, larch):
        worst = max(np.abs(ours.norm[i] - each.norm_corr).max() for i, each in enumerate(larch))
        return f"corrected {worst:.0e} (its step is that of all elements)", worst < 5e-3

    return Step("over-absorption", ours, theirs, apart, 10)


def alignment(grid, mu):
    """Foils moved by up to 2 eV against the same foil."""
    from larch import Group
    from larch.xafs import energy_align
    from larch.xafs import pre_edge as larch_pre_edge

    foil = standard(grid, *STANDARDS[0])
    rng = np.random.default_rng(2)
    truth = rng.uniform(*SHIFTS, len(mu))
    moved = np.stack([np.interp(grid + shift, grid, foil) for shift in truth])
    moved += rng.normal(0, 0.002, moved.shape)
    reference = Group(energy=grid, mu=foil)
    larch_pre_edge(reference, e0=E0, **LARCH_WINDOWS)

    def theirs(i):
        group = Group(energy=grid, mu=moved[i].copy())
        larch_pre_edge(group, e0=E0, **LARCH_WINDOWS)
        return energy_align(group, reference)

    def apart(ours, larch):
        error = np.sqrt(np.mean((ours.shift - truth) ** 2))
        theirs = np.sqrt(np.mean((np.array(larch) - truth[:FEW]) ** 2))
        return f"error {error:.4f} eV rms, xraylarch {theirs:.4f} eV", error < 0.02

    return Step("align to the foil", lambda: align(grid, moved, foil, E0), theirs, apart, 1000)


def lcf(grid, mu):
    """Three standards at once, and up to three out of six; all through the same windows."""
    norm = normalise(grid, mu, E0, WINDOWS).norm
    known = normalise(grid, standards_on(grid, STANDARDS + OTHERS), E0, WINDOWS).norm
    inside = (grid >= E0 - 20) & (grid <= E0 + 60)
    return [
        fit_of(grid, norm, known[:3], inside, "fit of 3 standards", 1000),
        fit_of(grid, norm, known, inside, "fit of 3 out of 6", 10_000, few=2, most=3),
    ]


def fit_of(grid, norm, known, inside, name, goal, few=FEW, most=None):
    from larch import Group
    from larch.math import lincombo_fit, lincombo_fitall

    made = [Group(energy=grid, norm=each) for each in norm[:few]]
    standards = [Group(energy=grid, norm=row, filename=f"{i}") for i, row in enumerate(known)]
    bounds = {"minvals": [0] * len(known), "maxvals": [1] * len(known)}
    options = bounds | {"arrayname": "norm", "xmin": E0 - 20, "xmax": E0 + 60}

    def theirs(i):
        if most is None:
            return lincombo_fit(made[i], standards, **options)
        return lincombo_fitall(made[i], standards, max_ncomps=most, **options)[0]

    def apart(ours, larch):
        weights = [[each.weights.get(f"{j}", 0) for j in range(len(known))] for each in larch]
        off = np.abs(ours.weights[:few] - weights).max(axis=1)
        excess = max(ours.chi2[i] / each.chisqr - 1 for i, each in enumerate(larch))
        said = f"weights: median {np.median(off):.0e}, at most {off.max():.0e}"
        return f"{said}; chi² above theirs {max(excess, 0):.0e}", excess < 1e-9 and np.median(
            off
        ) < 1e-6

    def ours():
        return fit(norm[:, inside], known[:, inside], max_standards=most)

    return Step(name, ours, theirs, apart, goal, few)


def measure(step: Step, count: int) -> tuple[str, bool]:
    """Time both in turn; the first round warms up and compares the results."""
    said, well = "", False
    for turn in range(ROUNDS + 1):
        start = time.process_time()
        ours = step.ours()
        between = time.process_time()
        larch = [step.larch(i) for i in range(step.few)]
        end = time.process_time()
        if turn == 0:
            said, well = step.apart(ours, larch)
            continue
        step.times["ours"].append((between - start) / count)
        step.times["larch"].append((end - between) / step.few)
    return said, well


def main(count: int) -> int:
    """Measure, print a table, and return 0 if all goals are met."""
    console = Console()
    if importlib.util.find_spec("larch") is None:
        console.print("xraylarch is not installed here, so nothing was compared.")
        return 0
    warnings.simplefilter("ignore")  # xraylarch's own, of its dependencies
    grid, mu = spectra(count)
    table = Table(title=f"{count:,} spectra of {len(grid)} points; ms of CPU per spectrum")
    for heading in ("step", "xraylarch", "dayseye", "ratio", "goal", "agreement"):
        table.add_column(heading, justify="left" if heading in ("step", "agreement") else "right")
    kept = True
    with Engine().active():
        for step in steps(grid, mu):
            said, well = measure(step, count)
            larch, ours = (1e3 * float(np.median(step.times[name])) for name in ("larch", "ours"))
            table.add_row(
                step.name,
                f"{larch:.2f}",
                f"{ours:.4f}",
                f"{step.ratio():,.0f}",
                f"{step.goal:,.0f}",
                said if well else f"{said} [bold](too far)",
            )
            kept &= well and step.ratio() >= step.goal
    console.print(table)
    console.print(f"all goals of speed and agreement met: {kept}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(*(map(int, sys.argv[1:]) if sys.argv[1:] else (5000,))))
