"""A library as files: an XDI file for each spectrum, and a table of them."""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from catalog.library import SpectrumDetail
from tasks.errors import DataError
from tasks.io.spectra import Facts
from tasks.io.xas.xdi_writer import Column, XdiSpectrum, write_xdi

TABLE = "index.csv"
COLUMNS = (
    "file", "name", "revision", "compound", "formula", "element", "edge", "mode", "origin",
    "licence", "e0", "points", "energy_min", "energy_max", "digest",
)  # fmt: skip


def write(folder: Path, spectra: Iterable[SpectrumDetail]) -> int:
    """Write spectra into a folder, which appears whole or not at all; return how many.

    Raises
    ------
    DataError
        There is something in the folder already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not an empty folder: nothing in it is overwritten.")
    partial = folder.absolute().with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        files = [_write_one(partial, each) for each in spectra]
        with (partial / TABLE).open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(COLUMNS)
            table.writerows(files)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(files)


def _write_one(folder: Path, spectrum: SpectrumDetail) -> list[object]:
    stem = re.sub(r"[^\w.()+-]+", "_", spectrum.name)[:100].lstrip(".") or "spectrum"
    file = folder / f"{stem}.xdi"
    if file.exists():
        file = folder / f"{stem}_{spectrum.id}.xdi"
    write_xdi(file, _as_xdi(spectrum))
    return [file.name, *(getattr(spectrum, column) for column in COLUMNS[1:])]


def _as_xdi(spectrum: SpectrumDetail) -> XdiSpectrum:
    fields = {
        "Sample.stoichiometry": spectrum.formula,
        "Sample.temperature": spectrum.metadata.get("temperature"),
        "Library.name": spectrum.library,
        "Library.spectrum": f"{spectrum.name}, revision {spectrum.revision}",
        "Library.origin": spectrum.origin,
        "Library.licence": spectrum.licence,
        "Library.digest": spectrum.digest,
    }
    label = "mufluor" if spectrum.mode == "fluorescence" else "mutrans"
    return XdiSpectrum(
        energy=np.asarray(spectrum.energy),
        columns=[Column(label, np.asarray(spectrum.mu))],
        facts=Facts(
            element=spectrum.element,
            edge=spectrum.edge,
            sample=spectrum.compound,
            e0=spectrum.e0,
        ),
        fields={name: str(value) for name, value in fields.items() if value},
        comments=["absorption as measured, not normalised"],
    )
