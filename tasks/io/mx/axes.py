"""Axes that carry one another, as imgCIF's ``_axis`` and NeXus' ``NXtransformations`` tell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import F


def _nowhere() -> F:
    return np.zeros(3)


@dataclass(frozen=True)
class Axis:
    """
    One axis of a stage.

    Attributes
    ----------
    is_rotation
        It turns; otherwise it moves.
    vector
        Its direction when all axes are at zero, (3,); of any length.
    setting
        In degrees or mm.
    offset
        Where it stands on the axis that carries it, (3,), in mm.
    depends_on
        Name of the axis that carries it; empty for the laboratory.
    """

    name: str
    is_rotation: bool
    vector: F
    setting: float = 0.0
    offset: F = field(default_factory=_nowhere)
    depends_on: str = ""

    @property
    def unit(self) -> F:
        """The direction as a unit vector, (3,)."""
        return self.vector / np.linalg.norm(self.vector)


def chain(axes: Mapping[str, Axis], name: str, where: str) -> list[Axis]:
    """
    Return an axis and all that carry it, outwards.

    Raises
    ------
    DataError
        One of them is not described, or they carry one another in a circle.
    """
    found: list[Axis] = []
    while name:
        if name not in axes:
            raise DataError(
                f"{where} names the axis '{name}' but does not describe it: mend the header."
            )
        if len(found) > len(axes):
            raise DataError(f"{where} has axes that carry one another in a circle: mend them.")
        found.append(axes[name])
        name = found[-1].depends_on
    return found


def place(outwards: Iterable[Axis], point: F) -> F:
    """Return where a point on the innermost axis is in the laboratory, (3,)."""
    for axis in outwards:
        if axis.is_rotation:
            point = turned(point, axis.unit, axis.setting) + axis.offset
        else:
            point = point + axis.setting * axis.unit + axis.offset
    return point


def direct(outwards: Iterable[Axis], vector: F) -> F:
    """Return where a direction on the innermost axis points in the laboratory, (3,)."""
    for axis in outwards:
        if axis.is_rotation:
            vector = turned(vector, axis.unit, axis.setting)
    return vector


def turned(vector: F, unit: F, angle_deg: float) -> F:
    """Turn a vector about a unit vector by Rodrigues' formula, (3,)."""
    angle = np.radians(angle_deg)
    along = (unit @ vector) * unit
    return along + np.cos(angle) * (vector - along) + np.sin(angle) * np.cross(unit, vector)
