"""What a sample consists of: formulas to fractions of atoms, density to atoms per volume."""

import re
from dataclasses import dataclass

import numpy as np

from tasks.errors import DataError
from tasks.pdf.tables import LAST_ELEMENT, F, atomic_mass, atomic_number, xraydb

_AVOGADRO = 0.602214076  # atoms per mole and Å³ in a cm³
_PART = re.compile(r"(\d*\.?\d+)?\s*(\S.*)")


@dataclass(frozen=True, eq=False)
class Composition:
    """
    Elements and how many of all atoms each makes.

    Attributes
    ----------
    elements
        Symbols, by atomic number.
    fractions
        Of atoms, summing to one; shape (elements,).
    """

    elements: tuple[str, ...]
    fractions: F

    @property
    def mass(self) -> float:
        """Mean mass of a mole of atoms, g."""
        return float(self.fractions @ [atomic_mass(element) for element in self.elements])

    @property
    def mass_fractions(self) -> F:
        """Share of each element in the mass, shape (elements,)."""
        masses = np.array([atomic_mass(element) for element in self.elements])
        return self.fractions * masses / self.mass

    def number_density(self, density: float) -> float:
        """Atoms per Å³ at a density in g/cm³."""
        return density / self.mass * _AVOGADRO

    def mean(self, values: F) -> F:
        """Average over the atoms of values of shape (elements, ...)."""
        return np.tensordot(self.fractions, values, axes=1)


def parse(formula: str) -> Composition:
    """
    Read a formula or a mixture of formulas.

    Parameters
    ----------
    formula
        ``LaB6``, ``(SiO2)0.7(Na2O)0.3``, ``0.7 SiO2 + 0.3 Na2O``, ``CuSO4·5H2O``. Numbers count
        formula units or atoms, not grams.

    Returns
    -------
    Composition
        Fractions of atoms; deuterium counts as hydrogen.

    Raises
    ------
    DataError
        If it is empty, cannot be read, or names what is not an element with a form factor.
    """
    atoms: dict[str, float] = {}
    for part in re.split(r"[·•∙*+,;]", formula):
        for element, count in _atoms(part, formula).items():
            atoms[element] = atoms.get(element, 0.0) + count
    present = sorted((name for name in atoms if atoms[name] > 0), key=atomic_number)
    if not present or not np.all(np.isfinite(list(atoms.values()))):
        raise DataError(f"The composition {formula!r} holds no atoms: write it like LaB6.")
    if beyond := [name for name in present if atomic_number(name) > LAST_ELEMENT]:
        raise DataError(
            f"The composition {formula!r} holds {beyond[0]}, for which there are no form factors."
        )
    counts = np.array([atoms[name] for name in present])
    return Composition(tuple(present), counts / counts.sum())


def _atoms(part: str, formula: str) -> dict[str, float]:
    """Count the atoms of one term, ``5H2O``."""
    found = _PART.fullmatch(part.strip())
    try:
        times, unit = found.groups() if found else (None, "")
        atoms: dict[str, float] = xraydb().chemparse(unit) if unit else {}
    except (ValueError, TypeError) as error:
        raise _unreadable(formula) from error
    if not atoms:
        raise _unreadable(formula)
    return {name: float(count) * float(times or 1) for name, count in atoms.items()}


def _unreadable(formula: str) -> DataError:
    return DataError(
        f"The composition {formula!r} does not exist: write symbols of elements and numbers, like "
        "LaB6 or (SiO2)0.7(Na2O)0.3, without charges, capital letters as in the periodic table."
    )
