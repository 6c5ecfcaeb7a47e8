"""Ice in merged data: shells at the rings of ice that do not fit between their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.ice import on_ring, rings

_ON, _BESIDE = 0.0025, (0.004, 0.02)  # 1/Angstrom from a ring


@dataclass(frozen=True)
class Ring:
    """
    A ring of ice in merged data.

    Attributes
    ----------
    d
        In Angstrom.
    count
        Reflections on it.
    excess
        Mean intensity on it over that beside it, less 1.
    z
        The excess over its standard deviation.
    """

    d: float
    count: int
    excess: float
    z: float


@dataclass(frozen=True)
class IceResult:
    """
    Rings of ice in merged data.

    Attributes
    ----------
    rings
        Those that have reflections on and beside them.
    """

    rings: tuple[Ring, ...]

    @property
    def worst(self) -> tuple[Ring, ...]:
        """Rings that stand out, by more than a tenth and five standard deviations."""
        return tuple(each for each in self.rings if abs(each.z) > 5 and abs(each.excess) > 0.1)

    @property
    def warning(self) -> str:
        """For the user; empty where there is nothing to say."""
        if not self.worst:
            return ""
        at = ", ".join(f"{each.d:.2f} Å ({each.excess:+.0%})" for each in self.worst)
        return (
            f"Intensities on rings of ice differ from those beside them: {at}. Look at the images "
            "for ice; leave these shells out if R-free or the maps suffer."
        )


def merged_ice(d: F, e2: F) -> IceResult:
    """
    Compare the shells on rings of ice with those on both sides of them.

    Parameters
    ----------
    d
        Resolution of merged reflections, (n,), in Angstrom.
    e2
        Their intensities over the expected ones (`tasks.mx.expected_intensity`), (n,).
    """
    inverse, clear = 1 / np.asarray(d), ~on_ring(d, _BESIDE[0])
    found: list[Ring] = []
    for ring in rings():
        away = np.abs(inverse - 1 / ring)
        on, beside = e2[away <= _ON], e2[clear & (away < _BESIDE[1])]
        if min(len(on), len(beside)) < 20:
            continue
        mean, around = float(on.mean()), float(beside.mean())
        error = float(np.hypot(beside.std() / len(on) ** 0.5, beside.std() / len(beside) ** 0.5))
        z = (mean - around) / max(error, 1e-9)
        found.append(Ring(float(ring), len(on), mean / max(around, 1e-9) - 1, z))
    return IceResult(tuple(found))
