"""Elements and their edges: names as files write them, energies as xraydb tabulates them."""

from __future__ import annotations

import re
from functools import cache

NAMES = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm"
)
SYMBOLS = tuple(NAMES.split())
EDGES = ("K", "L1", "L2", "L3", "M1", "M2", "M3", "M4", "M5")
ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4", "V": "5"}
LINE = re.compile(r"(?<![A-Za-z])([A-Z][a-z]?)[_ ]?([KLM])([abg]\d?|alpha|beta)(?![a-z])")


def symbol(word: str | None) -> str | None:
    """Return an element's symbol as it is written, such as ``Fe``; None if the word is none."""
    found = (word or "").strip().capitalize()
    return found if found in SYMBOLS else None


def edge(word: str | None) -> str | None:
    """Return an edge's name, such as ``K`` or ``L3`` (also from ``LIII``); None if it is none."""
    found = (word or "").strip().upper().replace("-", "").removesuffix("EDGE").strip()
    if found[:1] in ("L", "M") and found[1:] in ROMAN:
        found = found[0] + ROMAN[found[1:]]
    return found if found in EDGES else None


def first_symbol(text: str | None) -> str | None:
    """Return the element that a text such as ``Cu metal foil`` begins with; None if none."""
    word = re.match(r"\s*([A-Z][a-z]?)(?![A-Za-z])", text or "")
    return symbol(word[1]) if word else None


def line_element(label: str) -> str | None:
    """Return the element of the emission line that a channel is labelled with, as ``Mn_Ka``."""
    found = LINE.search(label)
    return symbol(found[1]) if found else None


@cache
def edge_energies(element: str) -> dict[str, float]:
    """
    Return the energies in eV of an element's K, L and M edges by their names.

    Source: the tables of Elam, Ravel & Sieber, Radiat. Phys. Chem. 63 (2002) 121, in xraydb.
    """
    import xraydb  # slow to import

    edges = xraydb.xray_edges(element)
    return {name: edges[name].energy for name in EDGES if name in edges}
