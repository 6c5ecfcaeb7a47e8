"""What can be in the beam: crystals, and a glass, as atoms in a cell.

Every element of a cell sits on one orbit, so that one atom of each stands for all.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from infra.simulator.pdf import factors

Array = NDArray[np.float64]
Position = tuple[float, ...]
Atoms = tuple[tuple[str, Position], ...]


@dataclass(frozen=True)
class Material:
    """A powder of spherical crystallites, or a glass.

    Attributes
    ----------
    a, c
        Cell in Å; the second axis is as long as the first, all angles are right.
    atoms
        Elements and their fractional positions, the whole cell.
    u
        Isotropic displacement per element in Å2.
    radius
        Of a crystallite in Å; of a glass, how far its order reaches.
    fluorescence
        In electron units per atom, what the detector's threshold leaves of it.
    spread
        Of a glass: distances scatter by this share of themselves, and not by thermal motion.
    """

    name: str
    formula: str
    a: float
    c: float
    atoms: Atoms
    u: tuple[tuple[str, float], ...]
    radius: float = 50.0
    fluorescence: float = 1.0
    spread: float | None = None

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements, once each."""
        return tuple(dict.fromkeys(element for element, _ in self.atoms))

    @property
    def number_density(self) -> float:
        """Atoms per Å3."""
        return len(self.atoms) / (self.a**2 * self.c)

    @property
    def density(self) -> float:
        """In g/cm3."""
        return factors.mass_density(self.formula, self.number_density)

    def heated(self, expansion: float, softening: float) -> "Material":
        """Return the material with its lengths and displacements grown by these shares."""
        longer = 1 + expansion
        return replace(
            self,
            a=self.a * longer,
            c=self.c * longer,
            radius=self.radius * longer,
            u=tuple((element, u * (1 + softening)) for element, u in self.u),
        )


def _orbit(element: str, positions: list[Position], shifts: list[Position]) -> Atoms:
    """Put an element at every position, each shifted in turn."""
    places = (np.array(shifts)[:, None] + np.array(positions)).reshape(-1, 3) % 1.0
    return tuple((element, tuple(place)) for place in places.tolist())


PRIMITIVE: list[Position] = [(0, 0, 0)]
BODY: list[Position] = [(0, 0, 0), (0.5, 0.5, 0.5)]
FACE: list[Position] = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
BORON = 0.1993
OXYGEN = 0.09


def _cubic(
    name: str, formula: str, a: float, atoms: Atoms, u: dict[str, float], fluorescence: float = 1.0
) -> Material:
    return Material(name, formula, a, a, atoms, tuple(u.items()), fluorescence=fluorescence)


NICKEL = _cubic("Ni", "Ni", 3.5240, _orbit("Ni", [(0, 0, 0)], FACE), {"Ni": 0.0055})
SILICON = _cubic(
    "Si",
    "Si",
    5.4310,
    _orbit("Si", [(0, 0, 0), (0.25, 0.25, 0.25)], FACE),
    {"Si": 0.0060},
    fluorescence=0.0,
)
CERIA = _cubic(
    "CeO2",
    "CeO2",
    5.4117,
    _orbit("Ce", [(0, 0, 0)], FACE) + _orbit("O", [(0.25,) * 3, (0.75,) * 3], FACE),
    {"Ce": 0.0030, "O": 0.0060},
)
HEXABORIDE = _cubic(
    "LaB6",
    "LaB6",
    4.1569,
    _orbit("La", [(0, 0, 0)], PRIMITIVE)
    + _orbit(
        "B",
        [
            (0.5, 0.5, BORON),
            (0.5, 0.5, -BORON),
            (0.5, BORON, 0.5),
            (0.5, -BORON, 0.5),
            (BORON, 0.5, 0.5),
            (-BORON, 0.5, 0.5),
        ],
        PRIMITIVE,
    ),
    {"La": 0.0050, "B": 0.0045},
)
FERRITE = _cubic("ferrite", "Fe", 2.8665, _orbit("Fe", [(0, 0, 0)], BODY), {"Fe": 0.0045})
AUSTENITE = _cubic("austenite", "Fe", 3.5910, _orbit("Fe", [(0, 0, 0)], FACE), {"Fe": 0.0055})
ALUMINIUM = _cubic(
    "Al", "Al", 4.0495, _orbit("Al", [(0, 0, 0)], FACE), {"Al": 0.0105}, fluorescence=0.0
)
CRISTOBALITE = Material(
    # beta-cristobalite as Wright & Leadbetter (Phil. Mag. 31 (1975) 1391) describe it, I-42d
    "cristobalite",
    "SiO2",
    5.042,
    7.131,
    _orbit("Si", [(0, 0, 0), (0, 0.5, 0.25)], BODY)
    + _orbit(
        "O",
        [
            (OXYGEN, 0.25, 0.125),
            (-OXYGEN, 0.75, 0.125),
            (0.75, OXYGEN, 0.875),
            (0.25, -OXYGEN, 0.875),
        ],
        BODY,
    ),
    (("Si", 0.0060), ("O", 0.0100)),
    fluorescence=0.0,
)
SILICA = replace(CRISTOBALITE, name="SiO2 glass", radius=6.0, spread=0.031)
"""Vitreous silica has the density of beta-cristobalite and its first diffraction peak where that
has its 111 reflection: the model is the crystal, with distances that scatter more and more."""

MATERIALS = {
    each.name: each
    for each in (
        NICKEL,
        ALUMINIUM,
        SILICON,
        CERIA,
        HEXABORIDE,
        FERRITE,
        AUSTENITE,
        CRISTOBALITE,
        SILICA,
    )
}
