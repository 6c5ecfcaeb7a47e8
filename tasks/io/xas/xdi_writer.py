"""
XDI 1.0 written: one spectrum in a text file that other programs read.

Specification: https://github.com/XraySpectroscopy/XAS-Data-Interchange
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.io.spectra import Facts

FIELD = re.compile(r"[A-Za-z_]\w*\.[\w-]+")
LABEL = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True)
class Column:
    """One column beside the energy, such as ``mutrans``, ``norm`` or ``sigma``."""

    label: str
    values: NDArray[np.float64]
    unit: str = ""


@dataclass(frozen=True)
class XdiSpectrum:
    """
    What an XDI file is made of.

    Attributes
    ----------
    energy
        In eV, (points,).
    columns
        Each (points,); standard uncertainties stand in a column ``sigma``.
    facts
        Element, edge, d-spacing, sample, start and edge energy for the header.
    fields
        Further fields such as ``Facility.name``.
    comments
        Lines for people.
    """

    energy: NDArray[np.float64]
    columns: Sequence[Column]
    facts: Facts = field(default_factory=Facts)
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    comments: Sequence[str] = ()


def write_xdi(path: Path, spectrum: XdiSpectrum, program: str = "Dayseye") -> None:
    """
    Write a spectrum.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    spectrum
        What to write.
    program
        The name of who wrote it, for the first line.

    Raises
    ------
    ValueError
        A field or label is none that XDI knows, or a value is no number, which XDI cannot hold.
    """
    values = np.column_stack([spectrum.energy, *(each.values for each in spectrum.columns)])
    if not np.isfinite(values).all():
        raise ValueError("XDI has no place for values that are no numbers")
    with path.open("x", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _header(spectrum, program))
        for row in values:
            # as many digits as it takes to read the same number again
            file.write("  ".join(repr(float(value)) for value in row) + "\n")


def _header(spectrum: XdiSpectrum, program: str) -> list[str]:
    labels = ["energy", *(each.label for each in spectrum.columns)]
    units = ["eV", *(each.unit for each in spectrum.columns)]
    for label in labels:
        if not LABEL.fullmatch(label):
            raise ValueError(f"{label!r} cannot be the label of a column: it must be one word")
    columns = {
        f"Column.{number}": f"{label} {unit}".strip()
        for number, (label, unit) in enumerate(zip(labels, units, strict=True), 1)
    }
    fields = columns | _known(spectrum.facts) | dict(spectrum.fields)
    return [
        f"# XDI/1.0 {program}",
        *(_field(name, value) for name, value in fields.items()),
        "# ///",
        *(f"# {line}" for text in spectrum.comments for line in text.splitlines()),
        "#" + "-" * 40,
        "# " + "  ".join(labels),
    ]


def _known(facts: Facts) -> dict[str, str]:
    known = {
        "Element.symbol": facts.element,
        "Element.edge": facts.edge,
        "Element.reference": facts.reference_element,
        "Mono.d_spacing": None if facts.d_spacing is None else f"{facts.d_spacing:.8g}",
        "Sample.name": facts.sample,
        "Scan.start_time": facts.started_at.isoformat() if facts.started_at else None,
        "Scan.edge_energy": None if facts.e0 is None else f"{facts.e0:.8g}",
    }
    return {name: value for name, value in known.items() if value}


def _field(name: str, value: str) -> str:
    if not FIELD.fullmatch(name):
        raise ValueError(f"{name!r} is no field of XDI: write a family and a name, as Sample.name")
    return f"# {name}: {' '.join(value.split())}"
