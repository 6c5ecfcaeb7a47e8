"""What a sample can be made of: absorption of pure compounds, by formula or from real spectra."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.simulator.xas import models

Array = NDArray[np.float64]
PRE_EDGE, POST_EDGE = (-150.0, -30.0), (100.0, 600.0)  # eV from the edge
MODEL_ENERGY = np.arange(6700.0, 8500.0, 0.1)


@dataclass(frozen=True)
class Standard:
    """A compound; `absorption` (points,) is that of the edge alone, in units of the edge step."""

    name: str
    energy: Array
    absorption: Array

    def at(self, energy: Array) -> Array:
        """Return the absorption at energies in eV; beyond the ends it stays what it is there."""
        return np.interp(energy, self.energy, self.absorption)


def load(names: Sequence[str], folder: Path | None, e0: float) -> list[Standard]:
    """Return standards by name.

    Parameters
    ----------
    names
        Names of models, or of XDI files without their suffix.
    folder
        Where the files are; None takes the models, which are about iron.
    e0
        Edge energy in eV at which the step of a real spectrum is measured.
    """
    if folder is None:
        return [_model(name, e0) for name in names]
    return [_measured(folder / f"{name}.xdi", e0) for name in names]


def _model(name: str, e0: float) -> Standard:
    absorption = models.MODELS[name].absorption(MODEL_ENERGY)
    return Standard(name, MODEL_ENERGY, absorption / _step(MODEL_ENERGY - e0, absorption))


def _measured(path: Path, e0: float) -> Standard:
    columns = read_columns(path)
    order = np.argsort(columns["energy"])
    energy = columns["energy"][order]
    absorption = -np.log(columns["itrans"] / columns["i0"])[order]
    return Standard(path.stem, energy, _of_the_edge(energy, absorption, e0))


def read_columns(path: Path) -> dict[str, Array]:
    """Read the columns of an XDI file by name, lower case."""
    names: dict[int, str] = {}
    with path.open(errors="replace") as lines:
        for line in lines:
            if line.startswith("# Column."):
                number, _, words = line.removeprefix("# Column.").partition(":")
                names[int(number)] = words.split()[0].lower()
    values = np.loadtxt(path, comments="#")
    return {name: values[:, number - 1] for number, name in names.items()}


def _of_the_edge(energy: Array, absorption: Array, e0: float) -> Array:
    """Take a line through the pre-edge away, and divide by the step."""
    above = energy - e0
    before = (above > PRE_EDGE[0]) & (above < PRE_EDGE[1])
    rest = absorption - np.polyval(np.polyfit(above[before], absorption[before], 1), above)
    return rest / _step(above, rest)


def _step(above: Array, absorption: Array) -> float:
    """Return the edge step: a parabola through the absorption behind the edge, at the edge."""
    behind = (above > POST_EDGE[0]) & (above < POST_EDGE[1])
    return float(np.polyfit(above[behind], absorption[behind], 2)[-1])
