"""Spectra out of the result files of the XAS flow, for what compares many of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np

from tasks.errors import DataError
from tasks.io.hdf5 import damage_told, open_file
from tasks.io.spectra import F, Mode
from tasks.io.values import moment, plain

ENTRY = "entry"


@dataclass(frozen=True)
class ReducedFacts:
    """
    What a result says of its spectrum.

    Attributes
    ----------
    element, edge, mode
        What was measured.
    low, high
        Range in eV.
    e0, edge_step, edge_step_sigma
        Of the merged spectrum.
    offset, offset_sigma
        eV added to the energies as recorded, and its standard uncertainty; NaN for none.
    table
        Whose foil energies said so; empty for none.
    foil
        Element of the reference foil; empty if the result has none.
    noise
        Standard uncertainty of a point of the absorption.
    sweeps
        How many were merged.
    started_at
        When the scan began, if its file said so.
    """

    element: str
    edge: str
    mode: Mode
    low: float
    high: float
    e0: float
    edge_step: float
    edge_step_sigma: float
    offset: float
    offset_sigma: float
    table: str
    foil: str
    noise: float
    sweeps: int
    started_at: datetime | None


@dataclass(frozen=True)
class Reduced:
    """
    A spectrum that was reduced.

    Attributes
    ----------
    facts
        What the result says of it.
    energy, mu, sigma
        eV, merged absorption and its standard uncertainty, (points,).
    density
        Points measured for each of the grid, (points,).
    foil_energy, foil_mu
        Reference foil on the same scale, (foil points,); empty without one.
    """

    facts: ReducedFacts
    energy: F
    mu: F
    sigma: F
    density: F
    foil_energy: F
    foil_mu: F


def read_reduced(path: Path) -> Reduced:
    """
    Read the spectrum of a result.

    Raises
    ------
    DataError
        The file is damaged, or no result of the XAS flow.
    """
    with damage_told(path), open_file(path) as file:
        energy, mu, sigma = (
            _array(file, f"absorption/{name}") for name in ("energy", "mu", "mu_errors")
        )
        told = f"{ENTRY}/sweeps/density" in file
        has_foil = f"{ENTRY}/energy_scale/foil" in file
        nothing = np.empty(0)
        return Reduced(
            facts=_facts(file, energy, sigma),
            energy=energy,
            mu=mu,
            sigma=sigma,
            density=_array(file, "sweeps/density") if told else np.ones(len(energy)),
            foil_energy=_array(file, "energy_scale/foil_energy") if has_foil else nothing,
            foil_mu=_array(file, "energy_scale/foil_mu") if has_foil else nothing,
        )


def read_recipe(path: Path) -> dict[str, Any]:
    """
    Read the recipe by which a result was made.

    Raises
    ------
    DataError
        The file is damaged, or no result of the XAS flow.
    """
    with damage_told(path), open_file(path) as file:
        return cast(dict[str, Any], json.loads(_text(file, "reduction/recipe")))


def _facts(file: h5py.File, energy: F, sigma: F) -> ReducedFacts:
    return ReducedFacts(
        element=_text(file, "element/symbol"),
        edge=_text(file, "edge/name"),
        mode=cast(Mode, _text(file, "mode")),
        low=float(energy[0]),
        high=float(energy[-1]),
        e0=_number(file, "absorption/e0"),
        edge_step=_number(file, "absorption/edge_step"),
        edge_step_sigma=_number(file, "absorption/edge_step_errors"),
        offset=_number(file, "energy_scale/offset", 0.0),
        offset_sigma=_number(file, "energy_scale/offset_errors", np.nan),
        table=_text(file, "energy_scale/foil_table", ""),
        foil=_text(file, "energy_scale/foil", ""),
        noise=float(np.median(sigma)),
        sweeps=int(np.count_nonzero(_array(file, "sweeps/counts"))),
        started_at=moment(_text(file, "start_time", "")),
    )


def _read(file: h5py.File, name: str) -> Any:
    """Read a dataset; None if it is not there."""
    found = file.get(f"{ENTRY}/{name}")
    return found[()] if isinstance(found, h5py.Dataset) else None


def _array(file: h5py.File, name: str) -> F:
    found = np.asarray(_read(file, name))
    if found.ndim != 1 or not found.size:
        raise _missing(file, name)
    return found.astype(np.float64)


def _text(file: h5py.File, name: str, default: str | None = None) -> str:
    found = plain(_read(file, name))
    if isinstance(found, str):
        return found
    if default is None:
        raise _missing(file, name)
    return default


def _number(file: h5py.File, name: str, default: float | None = None) -> float:
    found = plain(_read(file, name))
    if isinstance(found, int | float):
        return float(found)
    if default is None:
        raise _missing(file, name)
    return default


def _missing(file: h5py.File, name: str) -> DataError:
    return DataError(
        f"{file.filename} holds no '{ENTRY}/{name}': it is no result of the XAS flow. Reduce the "
        "scan again."
    )
