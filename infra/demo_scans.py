"""What is true about the demo's scans, and whether what was found comes near it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

Figures = Mapping[str, Any]
"""What the catalogue knows of a scan: of its run while that goes on, of its result then."""

AXIS_TOLERANCE = 0.5  # pixels
EDGE_TOLERANCE = 0.5  # eV
FRACTION_TOLERANCE = 0.03
SHOWN = 0.01  # of the sample: what there is less of is not shown


class TrueScan(Protocol):
    """A scan whose truth is known; `claim` says in words how near it must be found."""

    technique: ClassVar[str]
    claim: ClassVar[str]

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

    def fits(self, figures: Figures) -> bool:
        """Tell whether that comes near the truth."""
        ...


@dataclass(frozen=True)
class Tomogram:
    """A CT scan and the column of its rotation axis."""

    name: str
    axis: float
    technique: ClassVar[str] = "ct"
    claim: ClassVar[str] = f"rotation axis within {AXIS_TOLERANCE} px of the truth"

    @property
    def truth(self) -> str:
        """Its axis."""
        return f"axis {self.axis:.2f}"

    def found(self, figures: Figures) -> str:
        """Say where the axis was found."""
        axis = figures.get("rotation_axis")
        return "" if axis is None else f"axis {axis:.2f}"

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
    technique: ClassVar[str] = "xas"
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
        return "" if e0 is None else _said(e0, _fractions(figures))

    def fits(self, figures: Figures) -> bool:
        """Tell whether both are near the truth."""
        e0, fractions = figures.get("e0"), _fractions(figures)
        return (
            e0 is not None
            and abs(e0 - self.e0) <= EDGE_TOLERANCE
            and fractions.keys() == self.fractions.keys()
            and all(
                abs(value - self.fractions[name]) <= FRACTION_TOLERANCE
                for name, value in fractions.items()
            )
        )


def _fractions(figures: Figures) -> dict[str, float]:
    return {name: found["fraction"] for name, found in figures.get("composition", {}).items()}


def _said(e0: float, fractions: Mapping[str, float]) -> str:
    """Say an edge energy and a composition, most of it first."""
    ranked = sorted(fractions.items(), key=lambda each: -each[1])
    parts = [f"{share:.0%} {name}" for name, share in ranked if share > SHOWN]
    return f"{e0:.1f} eV  {' '.join(parts)}".rstrip()
