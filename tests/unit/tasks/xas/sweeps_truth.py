"""Spectra and sweeps that the tests of the reduction know the truth of."""

import functools
import os
from pathlib import Path

import numpy as np
import pytest

E0 = 7112.0
SPACING = 3.13551
HC = 12398.4198
DATA = Path(os.environ.get("DAYSEYE_DATA", Path(__file__).parents[4] / ".." / "shared" / "data"))


def real_data(name):
    path = DATA / "xas" / name
    if not path.exists():
        pytest.skip(f"no real data: {path} is missing; set DAYSEYE_DATA to the folder that has it")
    return path


def spectrum(energy, e0=E0, white_line=0.4, distance=2.2):
    """An edge 1.2 eV wide with a shoulder, a white line and one shell of EXAFS; step 1."""
    above = energy - e0
    rise = 0.5 + np.arctan(above / 1.2) / np.pi
    shoulder = 0.12 * np.exp(-0.5 * ((above + 4) / 1.5) ** 2)
    line = white_line * np.exp(-0.5 * ((above - 6) / 3) ** 2)
    k = np.sqrt(0.2624682917 * np.maximum(above, 0))
    damped = 0.6 * k * np.exp(-0.012 * k**2) * np.sin(2 * distance * k) / (k**2 + 4)
    return rise * (1 + damped / (1 + np.exp((15 - above) / 3))) + shoulder + line


def absorption_of(energy, step=1.1, **more):
    return step * spectrum(energy, **more) + 0.9 * (energy / E0) ** -2.7 + 0.2


def swing(sweeps, points, low=6960.0, high=7900.0):
    """Energies of sweeps up and down whose Bragg angle goes like a cosine; (sweeps, points)."""
    outer, inner = (np.arcsin(HC / (2 * SPACING * energy)) for energy in (low, high))
    angle = (outer + inner) / 2 + (outer - inner) / 2 * np.cos(np.linspace(0, np.pi, points))
    energy = np.tile(HC / (2 * SPACING * np.sin(angle)), (sweeps, 1))
    energy[1::2] = energy[1::2, ::-1]
    return energy


def read_xdi(path):
    """Columns of an XDI file by label, read without the project's own reader."""
    text = path.read_text(errors="replace").splitlines()
    labels = {}
    for line in text:
        if line.lower().startswith("# column."):
            number, label = line[9:].split(":", 1)
            labels[int(number)] = label.split()[0].lower()
    rows = [line.split() for line in text if line.strip() and not line.startswith("#")]
    values = np.array([[float(value) for value in row] for row in rows])
    return {label: values[:, number - 1] for number, label in labels.items()}


def mu_of(columns):
    for name in ("mutrans", "mufluor", "normtrans", "normfluor"):
        if name in columns:
            return columns[name]
    if "itrans" in columns:
        return np.log(columns["i0"] / columns["itrans"])
    return columns["ifluor"] / columns["i0"]


@functools.cache
def library():
    """(name, energy, mu) of every spectrum of the library, in order of energy."""
    found = []
    for path in sorted(real_data("library_xdi").rglob("*.xdi")):
        columns = read_xdi(path)
        energy, first = np.unique(columns["energy"], return_index=True)
        found.append((f"{path.parent.name}/{path.stem}", energy, mu_of(columns)[first]))
    return found


@functools.cache
def standards(dense):
    """Fe metal, FeO and Fe2O3 of the library, with steps of 1, on (points,) energies as bytes."""
    energy, found = np.frombuffer(dense), []
    spectra = {name: (e, mu) for name, e, mu in library()}
    for name in ("Fe/Fe_metal_rt_01", "Fe/FeO_rt_01", "Fe/Fe2O3_rt_01"):
        e, mu = spectra[name]
        pre, post = (e > E0 - 150) & (e < E0 - 30), (e > E0 + 100) & (e < E0 + 600)
        mu = mu - np.polyval(np.polyfit(e[pre] - E0, mu[pre], 1), e - E0)
        step = np.polyval(np.polyfit(e[post] - E0, mu[post], 2), 0)
        found.append(np.interp(energy, e, mu / step))
    return np.array(found)


def quick_series(sweeps, seed=0, points=1200, drifting=True):
    """
    Counts of a reduction Fe2O3 -> FeO -> Fe seen by a quick scan, as at a beamline.

    Poisson noise of 1e6 counts, electronic noise, beam structure with two Bragg glitches that do
    not cancel, an edge step that shrinks, and an energy scale that drifts and has play.
    """
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, sweeps)
    first = np.exp(-6 * time)
    second = 6 / (2.5 - 6) * (np.exp(-6 * time) - np.exp(-2.5 * time))
    weights = np.stack([1 - first - second, second, first], axis=1)
    energy = swing(sweeps, points)
    drift = 0.4 * time + 0.15 * np.sin(6 * np.pi * time) + 0.02 * rng.normal(size=sweeps)
    drift = drifting * (drift + np.where(np.arange(sweeps) % 2 == 0, 0.12, -0.12))
    one_way = standards(energy[0].tobytes())
    pure = np.stack([one_way, one_way[:, ::-1]])[np.arange(sweeps) % 2]
    step = 1.1 * (1 - 0.25 * time)[:, None]
    sample = step * np.einsum("sw,swp->sp", weights, pure) + 0.9 * (energy / E0) ** -2.7 + 0.2
    foil = 1.6 * pure[:, 0] + 0.6 * (energy / E0) ** -2.7
    wave = 1 + 0.1 * np.sin(2 * np.pi * energy / 310) + 2e-4 * (energy - E0)
    for place, width, depth in ((7205.3, 0.6, 0.18), (7391.8, 0.9, 0.10)):
        wave *= 1 - depth * np.exp(-0.5 * ((energy - place) / width) ** 2)
    i0 = 1e6 * wave * (1 + 0.02 * np.sin(2 * np.pi * 0.37 * np.arange(sweeps)))[:, None]
    i1 = i0 * np.exp(-sample) * (1 + 0.01 * (i0 / i0.max() - 0.9))
    return Counts(energy + drift[:, None], i0, i1, i1 * np.exp(-foil), drift, weights, rng)


class Counts:
    """Intensities of a series before they are counted, and the truth behind them."""

    def __init__(self, energy, i0, i1, i2, drift, weights, rng):
        self.energy, self.drift, self.weights, self.rng = energy, drift, weights, rng
        self.i0, self.i1, self.i2 = i0, i1, i2

    def detect(self):
        """Count photons, with electronic noise; (i0, i1, i2)."""
        return tuple(
            self.rng.poisson(np.maximum(x, 0)) + self.rng.normal(0, 30, x.shape)
            for x in (self.i0, self.i1, self.i2)
        )
