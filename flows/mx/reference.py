"""Reference data: the setting, the indexing and the free set that a sample's data keep."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flows.mx.types import Cell, Floats
from tasks.errors import DataError
from tasks.mx.reflection_files import ReflectionFile, read_reflection_file


@dataclass(frozen=True)
class Reference:
    """Merged data that somebody reduced before.

    Attributes
    ----------
    name : str
        Of the file.
    hkl : numpy.ndarray
        (n, 3).
    intensity : numpy.ndarray
        (n,).
    flags_of : numpy.ndarray
        Those that have a free flag, (m, 3).
    flags : numpy.ndarray
        Free flags as they stand in the file, (m,).
    cell : tuple of float
        Å and degrees.
    space_group : str
        Hermann-Mauguin symbol.
    """

    name: str
    hkl: NDArray[np.int32]
    intensity: Floats
    flags_of: NDArray[np.int32]
    flags: NDArray[np.int32]
    cell: Cell
    space_group: str


def read_reference(path: Path) -> Reference:
    """Read an MTZ file or an mmCIF of structure factors.

    Raises
    ------
    DataError
        It cannot be read, or has neither intensities nor amplitudes.
    """
    file = read_reflection_file(path)
    intensity = _intensities(file, path)
    there = np.isfinite(intensity)
    free = file.free()
    flagged = np.zeros(len(file.hkl), np.bool_) if free is None else np.isfinite(free)
    flags = np.zeros(0) if free is None else free[flagged]
    return Reference(
        name=path.name,
        hkl=file.hkl[there],
        intensity=intensity[there],
        flags_of=file.hkl[flagged],
        flags=flags.astype(np.int32),
        cell=file.cell,
        space_group=file.space_group,
    )


def _intensities(file: ReflectionFile, path: Path) -> Floats:
    """Return intensities, or the squares of amplitudes where there are only these."""
    try:
        return file.intensities()[0]
    except DataError:
        for name in ("F", "FP", "F_meas_au", "FOBS"):
            if name in file.columns:
                return file.columns[name] ** 2
    raise DataError(
        f"The reference {path.name} has neither intensities nor amplitudes: name another file."
    )
