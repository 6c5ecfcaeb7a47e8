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
