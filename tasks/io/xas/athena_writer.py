"""
Athena projects written: spectra with the parameters by which they were reduced.

A project is a gzipped dump of Perl variables; Athena and Larch open it. Format: Ravel & Newville,
J. Synchrotron Rad. 12 (2005) 537, doi:10.1107/S0909049505012719.
"""

from __future__ import annotations

import gzip
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# the words by which Athena and Larch know a project, whoever wrote it
OPENING = "# Athena project file -- Demeter version 0.9.26"
CLOSING = "1;\n\n# Local Variables:\n# truncate-lines: t\n# End:\n"
END_OF_GROUP = "[record]   # create object and set arrays in ifeffit"
LETTERS = string.ascii_lowercase


@dataclass(frozen=True)
class AthenaGroup:
    """
    One spectrum of a project.

    Attributes
    ----------
    label
        What people see in Athena's list.
    energy, mu
        In eV, and the absorption as measured, not normalised; (points,).
    sigma
        Standard uncertainty of the absorption, (points,), or None.
    element, edge, e0
        Symbol of the absorber, its edge such as ``L3``, and the edge energy in eV.
    parameters
        Athena's own, such as ``bkg_pre1`` or ``fft_kmax``.
    titles
        Lines for people.
    """

    label: str
    energy: NDArray[np.float64]
    mu: NDArray[np.float64]
    element: str
    edge: str
    e0: float
    sigma: NDArray[np.float64] | None = None
    parameters: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    titles: Sequence[str] = ()


def write_athena(path: Path, groups: Sequence[AthenaGroup], program: str = "Dayseye") -> None:
    """
    Write a project.

    Parameters
    ----------
    path
        The file to write; it must not be there.
    groups
        The spectra, in the order of Athena's list.
    program
        The name of who wrote it, for a comment.

    Raises
    ------
    ValueError
        There are no groups, or a value is no number, which Athena cannot hold.
    """
    if not groups:
        raise ValueError("an Athena project needs at least one group")
    # neither the time nor the name goes into the archive: the same project has the same bytes
    with path.open("xb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(f"{OPENING}\n# Written by {program}\n\n".encode())
        for number, group in enumerate(groups):
            packed.write("\n".join([*_lines(number, group), "", ""]).encode())
        packed.write(CLOSING.encode())


def _lines(number: int, group: AthenaGroup) -> list[str]:
    arrays = {"x": group.energy, "y": group.mu}
    if group.sigma is not None:
        arrays["stddev"] = group.sigma
    if not all(np.isfinite(values).all() for values in arrays.values()):
        raise ValueError(f"{group.label}: Athena has no place for values that are no numbers")
    return [
        f"$old_group = '{_name(number)}';",
        f"@args = ({_arguments(number, group)});",
        *(f"@{name} = ({_numbers(values)});" for name, values in arrays.items()),
        END_OF_GROUP,
    ]


def _arguments(number: int, group: AthenaGroup) -> str:
    given: dict[str, float | str] = {
        "label": group.label,
        "tag": _name(number),
        "datagroup": _name(number),
        "datatype": "xmu",
        "is_xmu": 1,
        "bkg_z": group.element,
        "fft_edge": group.edge.lower(),
        "bkg_e0": group.e0,
        "bkg_eshift": 0,
        **group.parameters,
    }
    titles = ",".join(_quoted(title) for title in group.titles)
    pairs = (f"{_quoted(name)},{_quoted(value)}" for name, value in given.items())
    return ",".join([*pairs, f"'titles',[{titles}]"])


def _name(number: int) -> str:
    """Return the name of a group in Athena's manner: four letters, another for each."""
    letters = ""
    for _ in range(4):
        number, place = divmod(number, len(LETTERS))
        letters = LETTERS[place] + letters
    return letters


def _numbers(values: NDArray[np.float64]) -> str:
    return ",".join(f"'{value:.15g}'" for value in values)


def _quoted(value: float | str) -> str:
    """Quote a value as Perl does; a line break would end the line of the dump."""
    text = value if isinstance(value, str) else f"{value:.15g}"
    plain = " ".join(text.split()).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{plain}'"
