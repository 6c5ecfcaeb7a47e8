"""
Crystal structures as users bring them (CIF), with what their symmetry leaves free.

A fit must not break the symmetry: which lengths and angles of the cell are one, and how the tensor
of a site may look, follow from the operations of the space group.
"""

import importlib
import io
import math
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F

_U_START = 0.005  # Å², where the file says nothing
_SAME_PLACE = 1e-3  # fraction of the cell: files give 0.3333 for a third
_CLOSEST = 0.5  # Å, nearer than any bond
_FULL = 1.01  # occupancy of a place, with rounding
_LARGEST = 2000  # atoms of a cell: a fit of more takes hours


@dataclass(frozen=True)
class Site:
    """
    A site of the asymmetric unit and the places that symmetry makes of it.

    Attributes
    ----------
    label, element
        As in the file; the symbol without its charge.
    occupancy
        From 0 to 1.
    u_iso
        Isotropic displacement, Å².
    positions
        Fractional coordinates, shape (places, 3).
    rotations
        Operation that leads to each place, shape (places, 3, 3).
    tensors
        Displacement tensors that the symmetry of the first place allows, shape (free, 3, 3).
    """

    label: str
    element: str
    occupancy: float
    u_iso: float
    positions: F
    rotations: F
    tensors: F


@dataclass(frozen=True)
class Crystal:
    """
    A structure and what its space group leaves free.

    Attributes
    ----------
    name
        Of the file, or the composition.
    space_group
        Its short symbol.
    cell
        a, b, c in Å, then alpha, beta, gamma in degrees, shape (6,).
    free_cell
        Parameters of the cell that are free, each with those that follow it: ``((0, 1), (2,))``
        for a = b, c.
    sites
        Those of the asymmetric unit.
    """

    name: str
    space_group: str
    cell: F
    free_cell: tuple[tuple[int, ...], ...]
    sites: tuple[Site, ...]

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Elements, in the order of the sites."""
        return tuple(dict.fromkeys(site.element for site in self.sites))

    @cached_property
    def atoms(self) -> dict[str, float]:
        """Atoms of the cell by element, occupancies counted."""
        count = dict.fromkeys(self.elements, 0.0)
        for site in self.sites:
            count[site.element] += site.occupancy * len(site.positions)
        return count

    @property
    def volume(self) -> float:
        """Volume of the cell, Å³."""
        return float(math.sqrt(np.linalg.det(metric(self.cell))))

    @property
    def number_density(self) -> float:
        """Atoms per Å³."""
        return sum(self.atoms.values()) / self.volume


def metric(cell: F) -> F:
    """Return the metric tensor of a cell (a, b, c in Å, angles in degrees), shape (3, 3)."""
    cosines = np.cos(np.deg2rad(cell[3:]))
    shape = np.eye(3)
    shape[[1, 0, 0], [2, 2, 1]] = shape[[2, 2, 1], [1, 0, 0]] = cosines
    return shape * np.outer(cell[:3], cell[:3])


def read_structure(source: Path | str, name: str = "") -> Crystal:
    """
    Read a structure from a CIF.

    Parameters
    ----------
    source
        Path of the file, or its text.
    name
        How to call it; the name of the file or the composition when left out.

    Returns
    -------
    Crystal

    Raises
    ------
    DataError
        If there is no such file, or it holds no structure that a curve can be calculated for.
    """
    text, called = _text(source)
    parser, structure = _parse(text, name or called)
    if not len(structure):
        raise DataError(f"{called} lists no atoms: a structure needs _atom_site_label entries.")
    if not re.search(r"(?im)^\s*_cell_length_a\s+\S", text):
        raise DataError(f"{called} gives no cell: a structure needs _cell_length_a and so on.")
    _check_coordinates(parser, called)
    operations = np.stack([operation.R for operation in parser.spacegroup.iter_symops()])
    lattice = structure.lattice
    cell = np.array([lattice.a, lattice.b, lattice.c, lattice.alpha, lattice.beta, lattice.gamma])
    if not np.all(np.isfinite(cell)) or np.any(cell <= 0):
        raise DataError(f"The cell of {called} is {cell.tolist()}: that is none.")
    generators = _generators(parser)
    sites = tuple(
        _site(atom, generator, called)
        for atom, generator in zip(parser.asymmetric_unit, generators, strict=True)
    )
    crystal = Crystal(
        name or called,
        str(parser.spacegroup.short_name),
        cell,
        _free_cell(operations, cell, called),
        sites,
    )
    _check_atoms(crystal)
    return crystal


def find_structure(folder: Path, name: str) -> Path:
    """
    Find a structure that a recipe names in the folder of structures of a beamline.

    Parameters
    ----------
    folder
        That folder.
    name
        Path of the CIF within it; the ending may be left out.

    Raises
    ------
    DataError
        If it would lie outside the folder, or is not there.
    """
    inside = folder.resolve()
    for path in (folder / name, folder / f"{name}.cif"):
        found = path.resolve()
        if not found.is_relative_to(inside):
            raise DataError(f"The structure {name!r} lies outside the folder of structures.")
        if found.is_file():
            return found
    there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.cif"))
    raise DataError(
        f"There is no structure {name!r} in the folder of structures of the beamline; there are "
        f"{', '.join(there[:20]) or 'none at all'}."
    )


def _text(source: Path | str) -> tuple[str, str]:
    if isinstance(source, str) and ("\n" in source or not source.strip()):
        return source, "The structure"
    path = Path(source)
    try:
        return path.read_text(encoding="utf-8", errors="replace"), path.stem
    except OSError as error:
        raise DataError(
            f"The structure {path.name} cannot be read ({error.strerror}): put the CIF into the "
            "folder of structures of the beamline, or correct its name in the recipe."
        ) from error


def _parse(text: str, called: str) -> tuple[Any, Any]:
    diffpy: Any = importlib.import_module("diffpy.structure")
    parser: Any = importlib.import_module("diffpy.structure.parsers").getParser(
        "cif", eps=_SAME_PLACE
    )
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # it prints errors
            structure: Any = parser.parse(text)
    except (
        diffpy.StructureFormatError,
        KeyError,
        TypeError,
        AttributeError,
        ZeroDivisionError,
    ) as error:
        raise DataError(
            f"{called} is no CIF that can be read: {_first_line(error)}. Export it again as a CIF "
            "with a cell, a space group and atom sites."
        ) from error
    if structure is None:
        raise DataError(f"{called} holds no structure: no block of it has _atom_site_label.")
    return parser, structure


def _first_line(error: Exception) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = (lines[0] if lines else type(error).__name__).rstrip(".")
    return re.sub(r"^SyntaxError@char\d+\((.*)\)$", r"\1", line)


def _check_coordinates(parser: Any, called: str) -> None:
    """Refuse sites without a place, which the parser would put at the origin."""
    for name in parser.ciffile.keys():  # noqa: SIM118 - no mapping
        block = parser.ciffile[name]
        for axis in "xyz":
            column = f"_atom_site_fract_{axis}"
            if "_atom_site_label" in block and column in block:
                for label, value in zip(block["_atom_site_label"], block[column], strict=False):
                    if str(value).strip() in ("?", "."):
                        raise DataError(f"{called}: the site {label} has no coordinate {axis}.")


def _generators(parser: Any) -> list[Any]:
    symmetry: Any = importlib.import_module("diffpy.structure.symmetryutilities")
    return [
        symmetry.GeneratorSite(parser.spacegroup, atom.xyz, eps=_SAME_PLACE)
        for atom in parser.asymmetric_unit
    ]


def _site(atom: Any, generator: Any, called: str) -> Site:
    element = re.match(r"[A-Z][a-z]?", str(atom.element))
    if element is None or not _known(element.group()):
        raise DataError(f"{called}: {atom.element!r} of the site {atom.label} is no element.")
    if not 0 < atom.occupancy <= _FULL or not np.all(np.isfinite(atom.xyz)):
        raise DataError(
            f"{called}: the site {atom.label} has the occupancy {atom.occupancy:g} at "
            f"{np.asarray(atom.xyz).tolist()}; it must be above 0 and at most 1, at a known place."
        )
    u_iso = float(atom.Uisoequiv)
    return Site(
        label=str(atom.label),
        element=element.group(),
        occupancy=float(atom.occupancy),
        u_iso=u_iso if 0 < u_iso < 1 else _U_START,
        positions=np.stack(generator.eqxyz) % 1.0,
        rotations=np.stack([operations[0].R for operations in generator.symops]),
        tensors=np.asarray(generator.Uspace, dtype=np.float64),
    )


def _known(element: str) -> bool:
    import xraydb

    try:
        return xraydb.atomic_number(element) > 0
    except ValueError:
        return False


def _free_cell(operations: F, cell: F, called: str) -> tuple[tuple[int, ...], ...]:
    """
    Find which parameters of the cell are free.

    A metric tensor averaged over the group has its symmetry; one that had none before has nothing
    more, so that lengths that came out equal are one, and angles that came out 90 or 120 are fixed.
    """
    start = np.array([3.1, 3.7, 4.3, 81.0, 97.0, 103.0])
    mean = np.mean(np.swapaxes(operations, 1, 2) @ metric(start) @ operations, axis=0)
    lengths = np.sqrt(np.diag(mean))
    cosines = (
        np.array([mean[1, 2], mean[0, 2], mean[0, 1]]) / lengths[[1, 0, 0]] / lengths[[2, 2, 1]]
    )
    general = np.concatenate([lengths, np.rad2deg(np.arccos(cosines))])
    fixed = [k for k in range(3, 6) if np.min(np.abs(general[k] - [60, 90, 120])) < 1e-6]
    free = _tied(general, range(3), fixed) + _tied(general, range(3, 6), fixed)
    wrong = [k for k in fixed if abs(cell[k] - general[k]) > 0.05]
    if wrong or any(np.ptp(cell[list(tied)]) > 2e-3 * cell[tied[0]] for tied in free):
        raise DataError(
            f"The cell of {called}, {', '.join(f'{value:g}' for value in cell)}, does not have the "
            "symmetry of its space group: one of the two is wrong in the file."
        )
    return free


def _tied(general: F, indices: Sequence[int], fixed: list[int]) -> tuple[tuple[int, ...], ...]:
    groups: list[list[int]] = []
    for k in (k for k in indices if k not in fixed):
        same = [group for group in groups if abs(general[group[0]] - general[k]) < 1e-6]
        if same:
            same[0].append(k)
        else:
            groups.append([k])
    return tuple(tuple(group) for group in groups)


def _check_atoms(crystal: Crystal) -> None:
    """Refuse atoms that lie in each other, which a file with a wrong space group has."""
    places = np.concatenate([site.positions for site in crystal.sites])
    owners = np.repeat(np.arange(len(crystal.sites)), [len(s.positions) for s in crystal.sites])
    if len(places) > _LARGEST:
        raise DataError(
            f"{crystal.name} has {len(places)} atoms in its cell; at most {_LARGEST} can be fitted."
        )
    apart = places[:, None] - places
    apart -= np.round(apart)
    squares = np.einsum("ijk,kl,ijl->ij", apart, metric(crystal.cell), apart)
    occupancy = np.array([site.occupancy for site in crystal.sites])[owners]
    near = squares < _CLOSEST**2
    crowded = np.flatnonzero(near @ occupancy > _FULL)
    if len(crowded):
        together: list[int] = owners[np.flatnonzero(near[crowded[0]])].tolist()
        labels = sorted({crystal.sites[k].label for k in together})
        raise DataError(
            f"Atoms of {crystal.name} lie in each other (site {', '.join(labels)}, nearer than "
            f"{_CLOSEST} Å): its space group, coordinates or occupancies are wrong."
        )
