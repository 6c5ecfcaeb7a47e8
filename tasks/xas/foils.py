"""
Edge energies of reference foils, and whose they are.

Several values circulate for one foil and differ by up to 3 eV, so a calibration has to say which it
used. Three tables are known here:

``kraft``
    The first inflection point of metal foils, measured on an absolute scale: S. Kraft, J. Stümpel,
    P. Becker, U. Kuetgens, Rev. Sci. Instrum. 67, 681 (1996), doi:10.1063/1.1146657, table I. Only
    values that two independent later uses of the table agree on stand here.
``bearden``
    J. A. Bearden, A. F. Burr, Rev. Mod. Phys. 39, 125 (1967), doi:10.1103/RevModPhys.39.125, as
    reprinted in the *CRC Handbook* and the *X-ray Data Booklet*: levels from emission lines and
    edges of many laboratories, long the usual choice.
``elam``
    W. T. Elam, B. D. Ravel, J. R. Sieber, Radiat. Phys. Chem. 63, 121 (2002),
    doi:10.1016/S0969-806X(01)00227-4, as xraydb holds it: every edge, rounded to 1 eV.
"""

from dataclasses import dataclass
from typing import Any, Literal

import xraydb  # pyright: ignore[reportMissingTypeStubs]

from tasks.errors import DataError

Table = Literal["kraft", "bearden", "elam"]

_xraydb: Any = xraydb

_KRAFT = {
    ("Fe", "K"): 7110.75,
    ("Co", "K"): 7708.78,
    ("Ni", "K"): 8331.49,
    ("Cu", "K"): 8980.48,
    ("Zn", "K"): 9660.76,
    ("Zr", "K"): 17995.88,
    ("Nb", "K"): 18982.97,
    ("Mo", "K"): 20000.36,
    ("Pt", "L3"): 11562.76,
    ("Pt", "L1"): 13880.70,
    ("Au", "L3"): 11919.70,
    ("Pb", "L3"): 13035.07,
}

_BEARDEN = {
    ("Ti", "K"): 4966.4,
    ("V", "K"): 5465.1,
    ("Cr", "K"): 5989.2,
    ("Mn", "K"): 6539.0,
    ("Fe", "K"): 7112.0,
    ("Co", "K"): 7708.9,
    ("Ni", "K"): 8332.8,
    ("Cu", "K"): 8978.9,
    ("Zn", "K"): 9658.6,
    ("Ga", "K"): 10367.1,
    ("Ge", "K"): 11103.1,
    ("As", "K"): 11866.7,
    ("Se", "K"): 12657.8,
    ("Y", "K"): 17038.4,
    ("Zr", "K"): 17997.6,
    ("Nb", "K"): 18985.6,
    ("Mo", "K"): 19999.5,
    ("Ru", "K"): 22117.2,
    ("Rh", "K"): 23219.9,
    ("Pd", "K"): 24350.3,
    ("Ag", "K"): 25514.0,
    ("Cd", "K"): 26711.2,
    ("In", "K"): 27939.9,
    ("Sn", "K"): 29200.1,
    ("Sb", "K"): 30491.2,
}

_CITED = {
    "kraft": "Kraft et al., Rev. Sci. Instrum. 67, 681 (1996)",
    "bearden": "Bearden and Burr, Rev. Mod. Phys. 39, 125 (1967)",
    "elam": "Elam, Ravel and Sieber, Radiat. Phys. Chem. 63, 121 (2002)",
}


@dataclass(frozen=True)
class FoilEnergy:
    """
    The edge energy of a foil and whose it is.

    Attributes
    ----------
    energy
        In eV.
    table, source
        Short name of the table, and the publication.
    """

    element: str
    edge: str
    energy: float
    table: Table
    source: str


def foil_energies(element: str, edge: str) -> tuple[FoilEnergy, ...]:
    """Return every value known for a foil, the most accurate table first; none for no edge."""
    known: dict[Table, float | None] = {
        "kraft": _KRAFT.get((element, edge)),
        "bearden": _BEARDEN.get((element, edge)),
        "elam": _elam(element, edge),
    }
    return tuple(
        FoilEnergy(element, edge, energy, table, _CITED[table])
        for table, energy in known.items()
        if energy is not None
    )


def foil_energy(element: str, edge: str, table: Table | None = None) -> FoilEnergy:
    """
    Look up the edge energy of a foil.

    Parameters
    ----------
    element, edge
        Symbol and edge, such as ``Fe`` and ``K``.
    table
        Whose value; the most accurate that there is when left out.

    Raises
    ------
    DataError
        If no table, or not this one, has the edge.
    """
    known = foil_energies(element, edge)
    if not known:
        raise DataError(
            f"No edge {edge} of {element} is known: check the names of element and edge."
        )
    if table is None:
        return known[0]
    for each in known:
        if each.table == table:
            return each
    values = ", ".join(f"{each.energy:.2f} eV ({each.table})" for each in known)
    raise DataError(
        f"The table {table!r} has no {element} {edge} foil. There are {values}: choose one of them."
    )


def _elam(element: str, edge: str) -> float | None:
    try:
        found = _xraydb.xray_edge(element, edge)
    except ValueError:  # what xraydb raises for a symbol that is no element
        return None
    return None if found is None else float(found.energy)
