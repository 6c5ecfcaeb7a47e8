"""
Total scattering in one NeXus file: I(Q), S(Q), F(Q) and G(r), each an NXdata with its errors.

Liquids have g(r), T(r) and the radial distribution function beside them; what was found frame by
frame, such as shares of phases, is a table.

There is no application definition for pair distribution functions; the curves are NXdata groups
(https://manual.nexusformat.org/classes/base_classes/NXdata.html) beside an NXprocess that holds the
parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from tasks.io.nexus_groups import group, put, write_process
from tasks.io.pdf.describe import HC
from tasks.io.powder import F, Facts

Kind = Literal["iq", "sq", "sq_iterated", "fq", "gofr", "tofr", "rdf", "gr"]


@dataclass(frozen=True)
class Labels:
    """What a curve's arrays are called."""

    axis: str
    axis_unit: str
    name: str
    unit: str
    title: str


LABELS: dict[Kind, Labels] = {
    "iq": Labels("Q", "1/angstrom", "I", "arbitrary units", "Integrated intensity I(Q)"),
    "sq": Labels("Q", "1/angstrom", "S", "", "Total-scattering structure function S(Q)"),
    "sq_iterated": Labels("Q", "1/angstrom", "S", "", "S(Q) normalised by G(r) at low r"),
    "fq": Labels("Q", "1/angstrom", "F", "1/angstrom", "Reduced structure function F(Q)"),
    "gofr": Labels("r", "angstrom", "g", "", "Pair distribution function g(r)"),
    "tofr": Labels("r", "angstrom", "T", "1/angstrom^2", "Total correlation function T(r)"),
    "rdf": Labels("r", "angstrom", "RDF", "1/angstrom", "Radial distribution function"),
    "gr": Labels("r", "angstrom", "G", "1/angstrom^2", "Pair distribution function G(r)"),
}


@dataclass(frozen=True)
class Curve:
    """
    One curve, or a series on one axis.

    Attributes
    ----------
    axis
        Q in 1/Angstrom or r in Angstrom, (points,).
    values, sigma
        (points,) or (curves, points); sigma is 1 standard uncertainty.
    """

    axis: F
    values: F
    sigma: F | None = None


@dataclass(frozen=True)
class Along:
    """What varies along a series: such as temperature, (curves,), in a unit."""

    name: str
    values: F
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """
    Quantities in rows and columns with names.

    Attributes
    ----------
    title
        What it holds.
    row_name, rows
        What the rows are of, and their numbers, (rows,).
    column_name, columns
        What the columns are of, and their names.
    values
        (rows, columns) or (rows,), by name; the first is the one to plot.
    """

    title: str
    row_name: str
    rows: F
    column_name: str
    columns: Sequence[str]
    values: Mapping[str, F]


def write_nxpdf(
    path: Path,
    curves: Mapping[Kind, Curve],
    parameters: Mapping[str, Any],
    facts: Facts | None = None,
    *,
    along: Along | None = None,
    tables: Mapping[str, Table] | None = None,
    inputs: Sequence[str] = (),
) -> None:
    """
    Write the curves of a sample, or of a series.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    curves
        By kind; the last of them, G(r) if it is there, is the default plot.
    parameters
        Of the reduction.
    facts
        What is known about the sample and the beam.
    along
        What varies along a series.
    tables
        What was found beside the curves, by name.
    inputs
        Paths of the raw data.

    Raises
    ------
    ValueError
        There is no curve, or arrays do not fit together.
    """
    kinds: list[Kind] = [kind for kind in LABELS if kind in curves]
    if not kinds:
        raise ValueError("there is no curve to write")
    with h5py.File(path, "x") as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry"
        entry = group(file, "entry", "NXentry")
        entry.attrs["default"] = kinds[-1]
        _describe(entry, facts or Facts())
        process = write_process(entry, "reduction", parameters)
        process["raw_files"] = list(inputs) or [""]
        for kind in kinds:
            _write(entry, kind, curves[kind], along)
        for name, table in (tables or {}).items():
            _write_table(entry, name, table)


def _describe(entry: h5py.Group, facts: Facts) -> None:
    if facts.title:
        entry["title"] = facts.title
    if facts.started_at:
        entry["start_time"] = facts.started_at.isoformat()
    sample = group(entry, "sample", "NXsample")
    for name, value in (("name", facts.sample), ("chemical_formula", facts.composition)):
        if value:
            sample[name] = value
    if facts.density is not None:
        put(sample, "density", facts.density, units="g/cm^3")
    if facts.temperature is not None:
        put(sample, "temperature", facts.temperature, units="K")
    if facts.wavelength is not None:
        beam = group(group(entry, "instrument", "NXinstrument"), "beam", "NXbeam")
        put(beam, "incident_wavelength", facts.wavelength, units="angstrom")
        put(beam, "incident_energy", HC / facts.wavelength, units="keV")


def _write(entry: h5py.Group, kind: Kind, curve: Curve, along: Along | None) -> None:
    labels = LABELS[kind]
    if curve.values.shape[-1:] != curve.axis.shape:
        raise ValueError(f"the {kind} has {curve.values.shape} values on {curve.axis.shape}")
    data = group(entry, kind, "NXdata")
    data.attrs["signal"] = labels.name
    data.attrs["interpretation"] = "spectrum"
    data["title"] = labels.title
    put(data, labels.axis, np.asarray(curve.axis), units=labels.axis_unit)
    put(data, labels.name, curve.values, units=labels.unit, long_name=labels.title)
    if curve.sigma is not None:
        put(data, f"{labels.name}_errors", curve.sigma, units=labels.unit)
    if curve.values.ndim == 1:
        data.attrs["axes"] = [labels.axis]
    elif along is not None:
        put(data, along.name, np.asarray(along.values), units=along.unit)
        data.attrs["axes"] = [along.name, labels.axis]
    else:
        data.attrs["axes"] = [".", labels.axis]


def _write_table(entry: h5py.Group, name: str, table: Table) -> None:
    shape = (len(table.rows), len(table.columns))
    data = group(entry, name, "NXdata")
    data.attrs["signal"] = next(iter(table.values))
    data.attrs["axes"] = [table.row_name, table.column_name]
    data["title"] = table.title
    put(data, table.row_name, np.asarray(table.rows))
    data[table.column_name] = list(table.columns)
    for key, values in table.values.items():
        if values.shape not in (shape, shape[:1]):
            raise ValueError(f"{key} of {name} has {values.shape} values instead of {shape}")
        put(data, key, values)
