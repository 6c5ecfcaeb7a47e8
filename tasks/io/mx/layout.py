"""
Pixels between the modules of a detector, which its images may hold as zeros.

Modules and gaps as DECTRIS publishes them (technical specifications of PILATUS, EIGER and EIGER2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Family:
    """Detectors of the same modules: rows and columns of a module and of the gaps between them."""

    module: tuple[int, int]
    gap: tuple[int, int]

    def gaps(self, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Return which pixels of a detector lie between modules; None if it has others."""
        lines = [self._line(length, axis) for axis, length in enumerate(shape)]
        rows, columns = lines
        if rows is None or columns is None:
            return None
        return rows[:, None] | columns[None, :]

    def _line(self, length: int, axis: int) -> NDArray[np.bool_] | None:
        module, gap = self.module[axis], self.gap[axis]
        count, rest = divmod(length + gap, module + gap)
        if rest or count < 1:
            return None
        return np.arange(length) % (module + gap) >= module


FAMILIES = (
    Family((195, 487), (17, 7)),  # PILATUS
    Family((514, 1030), (37, 10)),  # EIGER
    Family((512, 1028), (38, 12)),  # EIGER2
)


def gaps_of(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of a detector of some rows and columns lie between modules, as shaped."""
    for family in FAMILIES:
        gaps = family.gaps(shape)
        if gaps is not None:
            return gaps
    return np.zeros(shape, dtype=np.bool_)
