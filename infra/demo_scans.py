"""What is true about the demo's scans, and whether what was found comes near it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

Figures = Mapping[str, Any]
"""What the catalogue knows of a scan: of its run while that goes on, of its result then."""

AXIS_TOLERANCE = 0.5  # pixels
EDGE_TOLERANCE = 0.5  # eV
FRACTION_TOLERANCE = 0.03
CELL_TOLERANCE = 0.003  # Å
BOND_TOLERANCE = 0.05  # Å
DISTANCE_TOLERANCE = 0.5  # mm
RELATIVE_CELL_TOLERANCE = 0.003


class TrueScan(Protocol):
    """A scan whose truth is known; `claim` says in words how near it must be found.

    One that is to be `refused` is right in quarantine, and nowhere else.
    """

    claim: ClassVar[str]
    refused: ClassVar[bool]

    @property
    def name(self) -> str:
        """Its name in the catalogue."""
        ...

    @property
    def truth(self) -> str:
        """What is true, in a few words."""
        ...

    def found(self, figures: Figures) -> str:
        """Say in a few words what was found up to now."""
        ...

    def is_whole(self, figures: Figures) -> bool:
        """Tell whether a result is about all that was measured."""
        ...

    def fits(self, figures: Figures) -> bool:
        """Tell whether that comes near the truth."""
        ...


@dataclass(frozen=True)
class Tomogram:
    """A CT scan and the column of its rotation axis."""

    name: str
    axis: float
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = f"rotation axis within {AXIS_TOLERANCE} px of the truth"

    @property
    def truth(self) -> str:
        """Its axis."""
        return f"axis {self.axis:.2f}"

    def found(self, figures: Figures) -> str:
        """Say where the axis was found."""
        axis = figures.get("rotation_axis")
        return "" if axis is None else f"axis {axis:.2f}"

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: a scan is taken when it is complete."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Tell whether that is where it is."""
        axis = figures.get("rotation_axis")
        return axis is not None and abs(axis - self.axis) <= AXIS_TOLERANCE


@dataclass(frozen=True)
class Absorption:
    """An XAS scan, its edge energy (eV) and what it consists of."""

    name: str
    e0: float
    fractions: Mapping[str, float]
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = (
        f"edge within {EDGE_TOLERANCE} eV and fractions within {FRACTION_TOLERANCE} of the truth"
    )

    @property
    def truth(self) -> str:
        """Its edge energy and composition."""
        return _said(self.e0, self.fractions)

    def found(self, figures: Figures) -> str:
        """Say which edge energy and composition were found."""
        e0 = figures.get("e0")
        return "" if e0 is None else _said(e0, _fractions(figures, "composition"))

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: a scan is taken when it is complete."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Tell whether both are near the truth."""
        e0 = figures.get("e0")
        near = e0 is not None and abs(e0 - self.e0) <= EDGE_TOLERANCE
        return near and _near(_fractions(figures, "composition"), self.fractions)


@dataclass(frozen=True)
class Evolution:
    """A series of XAS scans, and what the first and the last of them consist of."""

    name: str
    scans: int
    first: Mapping[str, float]
    last: Mapping[str, float]
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = (
        f"fractions of the first and the last scan of a series within {FRACTION_TOLERANCE}"
    )

    @property
    def truth(self) -> str:
        """How the composition changes."""
        return _changed(self.first, self.last)

    def found(self, figures: Figures) -> str:
        """Say how the composition was found to change."""
        first, last = (_fractions(figures, f"composition_{end}") for end in ("first", "last"))
        return _changed(first, last) if first else ""

    def is_whole(self, figures: Figures) -> bool:
        """Tell whether all scans are in it: a series is reduced again as they come."""
        return figures.get("scans") == self.scans

    def fits(self, figures: Figures) -> bool:
        """Tell whether the composition is near the truth at both ends."""
        return _near(_fractions(figures, "composition_first"), self.first) and _near(
            _fractions(figures, "composition_last"), self.last
        )


@dataclass(frozen=True)
class Calibrant:
    """The image of a calibrant, and how far the detector is away (mm)."""

    name: str
    distance: float
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = f"detector distance within {DISTANCE_TOLERANCE} mm of the truth"

    @property
    def truth(self) -> str:
        """Where the detector is."""
        return f"{self.distance:.2f} mm"

    def found(self, figures: Figures) -> str:
        """Say where it was found."""
        distance = figures.get("distance_mm")
        return "" if distance is None else f"{distance:.2f} mm"

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: an image is taken when it is complete."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Tell whether that is where it is."""
        distance = figures.get("distance_mm")
        return distance is not None and abs(distance - self.distance) <= DISTANCE_TOLERANCE


@dataclass(frozen=True)
class Crystal:
    """Total scattering of a cubic crystal, and its cell (Å), in the mean where it is heated."""

    name: str
    structure: str
    cell: float
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = f"cell from G(r) within {CELL_TOLERANCE} Å of the truth"

    @property
    def truth(self) -> str:
        """Its cell."""
        return f"{self.structure} {self.cell:.4f} Å"

    def found(self, figures: Figures) -> str:
        """Say which cell was found."""
        cell = self._cell(figures)
        return "" if cell is None else f"{self.structure} {cell:.4f} Å"

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: a scan is taken when it is complete."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Tell whether it is near the truth."""
        cell = self._cell(figures)
        return cell is not None and abs(cell - self.cell) <= CELL_TOLERANCE

    def _cell(self, figures: Figures) -> float | None:
        fitted = figures.get("structures", {}).get(self.structure)
        return fitted["a"]["value"] if fitted else None


@dataclass(frozen=True)
class Glass:
    """Total scattering of a glass, and its bond (Å)."""

    name: str
    bond: float
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = f"bond of a glass within {BOND_TOLERANCE} Å of the truth"

    @property
    def truth(self) -> str:
        """Its bond."""
        return f"bond {self.bond:.2f} Å"

    def found(self, figures: Figures) -> str:
        """Say where the largest peak of G(r) is."""
        peak = figures.get("largest_peak_angstrom")
        return "" if peak is None else f"bond {peak:.2f} Å"

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: a scan is taken when it is complete."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Tell whether that is the bond."""
        peak = figures.get("largest_peak_angstrom")
        return peak is not None and abs(peak - self.bond) <= BOND_TOLERANCE


@dataclass(frozen=True)
class Diffraction:
    """A sweep of a crystal, its space group and cell (Å and degrees)."""

    name: str
    space_group: str
    cell: tuple[float, ...]
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = (
        f"cell within {RELATIVE_CELL_TOLERANCE:.1%} of the truth, and its space group"
    )

    @property
    def truth(self) -> str:
        """Its space group and axes."""
        return _crystal(self.space_group, self.cell)

    def found(self, figures: Figures) -> str:
        """Say which were found."""
        group = figures.get("space_group")
        return _crystal(str(group), self._cell(figures)) if group else ""

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: a sweep is taken when it is complete."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Tell whether they are near the truth; mirror images of a group look alike."""
        found, groups = self._cell(figures), str(figures.get("space_groups", "")).split(" or ")
        return self.space_group in groups and all(
            abs(value / true - 1) <= RELATIVE_CELL_TOLERANCE
            for value, true in zip(found, self.cell, strict=True)
        )

    def _cell(self, figures: Figures) -> tuple[float, ...]:
        names = ("a", "b", "c", "alpha", "beta", "gamma")
        return tuple(float(figures.get(name) or 0) for name in names)


@dataclass(frozen=True)
class EmptyLoop:
    """A sweep without a crystal in the beam."""

    name: str
    refused: ClassVar[bool] = False
    claim: ClassVar[str] = "empty loop, told by its images"

    @property
    def truth(self) -> str:
        """Say that there is none."""
        return "no crystal"

    def found(self, figures: Figures) -> str:
        """Say what the images show."""
        return str(figures.get("seen", ""))

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: a sweep is taken when it is complete."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Tell whether it was noticed."""
        return figures.get("seen") == "no spots"


@dataclass(frozen=True)
class Overexposed:
    """A scan that nothing can be made of."""

    name: str
    refused: ClassVar[bool] = True
    claim: ClassVar[str] = "scan that is overexposed, in quarantine with a sentence"

    @property
    def truth(self) -> str:
        """Say that it is refused."""
        return "overexposed"

    def found(self, figures: Figures) -> str:
        """Say nothing: its state says it."""
        return ""

    def is_whole(self, figures: Figures) -> bool:
        """Say yes: there is one image."""
        return True

    def fits(self, figures: Figures) -> bool:
        """Say no: no result of it can be right."""
        return False


def _fractions(figures: Figures, name: str) -> dict[str, float]:
    return {compound: found["fraction"] for compound, found in figures.get(name, {}).items()}


def _near(found: Mapping[str, float], true: Mapping[str, float]) -> bool:
    return found.keys() == true.keys() and all(
        abs(value - true[name]) <= FRACTION_TOLERANCE for name, value in found.items()
    )


def _changed(first: Mapping[str, float], last: Mapping[str, float]) -> str:
    """Say how much there is in the first and the last scan of what changes most."""
    most = max(first, key=lambda name: abs(last[name] - first[name]))
    return f"{first[most]:.0%} to {last[most]:.0%} {most}"


def _said(e0: float, fractions: Mapping[str, float]) -> str:
    """Say an edge energy, and what there is most of."""
    if not fractions:
        return f"{e0:.1f} eV"
    most = max(fractions, key=lambda name: fractions[name])
    return f"{e0:.1f} eV  {fractions[most]:.0%} {most}"


def _crystal(space_group: str, cell: tuple[float, ...]) -> str:
    """Say a space group and its axes."""
    return f"{space_group}  " + " ".join(f"{each:.2f}" for each in cell[:3])
