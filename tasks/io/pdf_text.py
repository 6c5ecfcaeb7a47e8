"""
Curves as column text that other programs read: ``.chi .iq .sq .fq .gr``, ``.gofr .tofr .rdf``.

The header is a section ``[DEFAULT]`` of ``key = value`` lines with a label line (``#L``) above the
table, which is what diffpy's parsers and PDFgui look for; pdffit2 skips such a header only where
the first line begins with ``History``. A G(r) with uncertainties has the columns r, G, dr and dG,
as these programs take them; the others have axis, value and uncertainty. Tables of what was found
frame by frame have the same header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tasks.io.powder import F, Unit

Kind = Literal["chi", "iq", "sq", "fq", "gr", "gofr", "tofr", "rdf"]
KEY = re.compile(r"[A-Za-z_]\w*")
AXES: dict[Unit, tuple[str, str]] = {
    "q_1/angstrom": ("Q(1/A)", "QA"),
    "q_1/nm": ("Q(1/nm)", "Qnm"),
    "tth_deg": ("2theta(deg)", "twotheta"),
    "tth_rad": ("2theta(rad)", ""),
}
"""Label of an axis, and what PDFgetX3 calls it (``dataformat``)."""
VALUES: dict[Kind, str] = {
    "chi": "I(arb.units)",
    "iq": "I(arb.units)",
    "sq": "S",
    "fq": "F(1/A)",
    "gr": "G(1/A^2)",
    "gofr": "g",
    "tofr": "T(1/A^2)",
    "rdf": "RDF(1/A)",
}
OF_R: tuple[Kind, ...] = ("gr", "gofr", "tofr", "rdf")
"""Curves against r in Angstrom."""


def write_columns(
    path: Path,
    kind: Kind,
    columns: Sequence[F],
    header: Mapping[str, Any],
    *,
    unit: Unit = "q_1/angstrom",
) -> None:
    """
    Write a curve; points without a number, such as bins without pixels, are left out.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    kind
        What the curve is: an integrated pattern (``chi``), I(Q), S(Q), F(Q), G(r), g(r), T(r) or
        the radial distribution function.
    columns
        Axis, values and, if known, their standard uncertainty, each (points,).
    header
        What belongs to it, by keys such as ``composition``, ``wavelength`` (Angstrom), ``qmax``
        (1/Angstrom), in the order in which it is to stand. What is None is left out.
    unit
        Of the axis of a pattern; r is in Angstrom.

    Raises
    ------
    ValueError
        There are not two or three columns of one length, a key is no word, or no point is left.
    """
    labels, table = _table(kind, columns, unit)
    _write(path, labels, table, _header(kind, header, unit))


def write_table(path: Path, columns: Mapping[str, F], header: Mapping[str, Any]) -> None:
    """
    Write columns of numbers under their names.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    columns
        By name, each (rows,). Blanks in a name become underscores.
    header
        As for `write_columns`.

    Raises
    ------
    ValueError
        There is no column, they differ in length, or a key is no word.
    """
    if len({len(each) for each in columns.values()}) != 1:
        raise ValueError("a table has columns of one length")
    table = np.column_stack(list(columns.values())).astype(np.float64)
    known = {"version": f"dayseye-{version('dayseye')}"} | _known(header)
    _write(path, ["_".join(name.split()) for name in columns], table, known)


def _write(
    path: Path, labels: Sequence[str], table: NDArray[np.float64], header: Mapping[str, Any]
) -> None:
    lines = [
        f"History written by dayseye {version('dayseye')}",
        "[DEFAULT]",
        "",
        *(f"{key} = {_word(value)}" for key, value in header.items()),
        "",
        "# End of config " + "-" * 62,
        "",
        "#### start data",
        "#S 1",
        "#L " + "  ".join(labels),
    ]
    with path.open("x", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
        np.savetxt(file, table, fmt="%.9g")


def _table(kind: Kind, columns: Sequence[F], unit: Unit) -> tuple[list[str], NDArray[np.float64]]:
    if len(columns) not in (2, 3) or len({len(each) for each in columns}) != 1:
        raise ValueError("a curve has an axis, values and perhaps uncertainties, of one length")
    axis = "r(A)" if kind in OF_R else AXES[unit][0]
    labels = [axis, VALUES[kind], f"d{VALUES[kind]}"][: len(columns)]
    table = np.column_stack(columns).astype(np.float64)
    table = table[np.isfinite(table[:, :2]).all(axis=1)]
    if not len(table):
        raise ValueError(f"no point of the {kind} is a number")
    if kind == "gr" and len(columns) == 3:
        labels.insert(2, "dr(A)")
        table = np.insert(table, 2, 0.0, axis=1)
    return labels, table


def _header(kind: Kind, header: Mapping[str, Any], unit: Unit) -> dict[str, Any]:
    own: dict[str, Any] = {
        "version": f"dayseye-{version('dayseye')}",
        "outputtype": kind,
        "mode": "xray",
    }
    if kind in ("chi", "iq") and AXES[unit][1]:
        own["dataformat"] = AXES[unit][1]
    return own | _known(header)


def _known(header: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what is known, if its keys are words."""
    known = {key: value for key, value in header.items() if value is not None}
    for key in known:
        if not KEY.fullmatch(key):
            raise ValueError(f"{key!r} cannot be a key of a header: it must be one word")
    return known


def _word(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        return " ".join(_word(each) for each in cast("Sequence[object]", value))
    return " ".join(str(value).split())
