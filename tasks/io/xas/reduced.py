"""Spectra out of the result files of the XAS flow, for what compares many of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from tasks.errors import DataError
from tasks.io.hdf5 import Tree, damage_told
from tasks.io.spectra import F, Mode
from tasks.io.values import moment, scalar, text

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


def read_facts(path: Path) -> ReducedFacts:
    """
    Read what a result says of its spectrum.

    Raises
    ------
    DataError
        The file is damaged, or no result of the XAS flow.
    """
    with damage_told(path), Tree(path) as tree:
        energy, counts = _array(tree, "absorption/energy"), _array(tree, "sweeps/counts")
        return ReducedFacts(
            element=_text(tree, "element/symbol"),
            edge=_text(tree, "edge/name"),
            mode=cast(Mode, _text(tree, "mode")),
            low=float(energy[0]),
            high=float(energy[-1]),
            e0=_number(tree, "absorption/e0"),
            edge_step=_number(tree, "absorption/edge_step"),
            edge_step_sigma=_number(tree, "absorption/edge_step_errors"),
            offset=_number(tree, "energy_scale/offset", 0.0),
            offset_sigma=_number(tree, "energy_scale/offset_errors", np.nan),
            table=text(tree, (f"{ENTRY}/energy_scale/foil_table",)) or "",
            foil=text(tree, (f"{ENTRY}/energy_scale/foil",)) or "",
            noise=float(np.median(_array(tree, "absorption/mu_errors"))),
            sweeps=int(np.count_nonzero(counts)),
            started_at=moment(text(tree, (f"{ENTRY}/start_time",))),
        )


def read_absorption(path: Path) -> tuple[F, F, F]:
    """
    Read energy in eV, absorption and its standard uncertainty, (points,) each.

    Raises
    ------
    DataError
        The file is damaged, or no result of the XAS flow.
    """
    with damage_told(path), Tree(path) as tree:
        return (
            _array(tree, "absorption/energy"),
            _array(tree, "absorption/mu"),
            _array(tree, "absorption/mu_errors"),
        )


def read_foil(path: Path) -> tuple[F, F]:
    """
    Read energy in eV and absorption of the reference foil, (points,) each, on the result's scale.

    Raises
    ------
    DataError
        The file is damaged, or holds no foil.
    """
    with damage_told(path), Tree(path) as tree:
        return _array(tree, "energy_scale/foil_energy"), _array(tree, "energy_scale/foil_mu")


def read_recipe(path: Path) -> dict[str, Any]:
    """
    Read the recipe by which a result was made.

    Raises
    ------
    DataError
        The file is damaged, or no result of the XAS flow.
    """
    with damage_told(path), Tree(path) as tree:
        return cast(dict[str, Any], json.loads(_text(tree, "reduction/recipe")))


def _array(tree: Tree, name: str) -> F:
    found = tree.dataset(f"{ENTRY}/{name}")
    if found is None or found.ndim != 1 or not found.size:
        raise _missing(tree, name)
    return tree.values(found).astype(np.float64)


def _text(tree: Tree, name: str) -> str:
    found = text(tree, (f"{ENTRY}/{name}",))
    if found is None:
        raise _missing(tree, name)
    return found


def _number(tree: Tree, name: str, default: float | None = None) -> float:
    found = scalar(tree, (f"{ENTRY}/{name}",))
    if isinstance(found, int | float):
        return float(found)
    if default is None:
        raise _missing(tree, name)
    return default


def _missing(tree: Tree, name: str) -> DataError:
    return DataError(
        f"{tree.path} holds no '{ENTRY}/{name}': it is no result of the XAS flow. Reduce the scan "
        "again."
    )
