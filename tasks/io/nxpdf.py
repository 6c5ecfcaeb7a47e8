"""
Total scattering in one NeXus file: I(Q), S(Q), F(Q) and G(r), each an NXdata with its errors.

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

Kind = Literal["iq", "sq", "fq", "gr"]


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
    "fq": Labels("Q", "1/angstrom", "F", "1/angstrom", "Reduced structure function F(Q)"),
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


def write_nxpdf(
    path: Path,
    curves: Mapping[Kind, Curve],
    parameters: Mapping[str, Any],
    facts: Facts | None = None,
    *,
    along: Along | None = None,
    inputs: Sequence[str] = (),
) -> None:
    """
    Write the curves of a sample, or of a series.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    curves
        By kind; the last of I(Q), S(Q), F(Q), G(r) that is there is the default plot.
    parameters
        Of the reduction.
    facts
        What is known about the sample and the beam.
    along
        What varies along a series.
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
