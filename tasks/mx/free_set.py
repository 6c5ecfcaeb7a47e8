"""The free set: reflections that refinement never sees, the same ones for a sample forever.

Each reflection's flag, 0 to 19, follows from the sample's name and its indices alone, so that it
needs no file, no random state and no order of measurement. Reflections that any rotation of the
lattice relates share a flag: twinning or a non-crystallographic symmetry along the lattice would
tell the one what the other is (P. H. Zwart et al., CCP4 Newsletter 42 (2005)). Flags that a
reference brings go first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.mx.crystal import Crystal
from tasks.mx.expected_intensity import fractionalising
from tasks.mx.metric import lattice_rotations
from tasks.mx.reflections import Ints
from tasks.mx.symmetry import keys, laue_rotations, positions, representatives

GROUPS = 20
"""A twentieth of the reflections is one group; group 0 is the free set, as CCP4 has it."""


@dataclass(frozen=True)
class FreeSet:
    """
    Which reflections of a sample are free.

    Attributes
    ----------
    sample
        Its name.
    proper
        Rotations that share a flag, (n, 3, 3), the Laue group's among them.
    laue
        The Laue group's rotations, (n, 3, 3): what the reference's flags are equal under.
    known
        Keys of the reference's reflections, sorted, (m,); empty without a reference.
    known_flags
        (m,).
    """

    sample: str
    proper: Ints
    laue: Ints
    known: NDArray[np.int64]
    known_flags: Ints

    def flags(self, hkl: Ints) -> Ints:
        """Return the flag of each index, 0 to 19, (n,); 0 is free."""
        asymmetric = representatives(hkl, self.proper)
        found = _hashed(self.sample, asymmetric)
        # a mate that the lattice relates may be in the reference where the reflection is not
        for each in (*self.proper, np.eye(3, dtype=np.int32)):
            at = positions(representatives(hkl @ each.T, self.laue), self.known)
            found = np.where(at >= 0, self.known_flags[at] if len(self.known) else 0, found)
        return found.astype(np.int32)

    def free(self, hkl: Ints) -> NDArray[np.bool_]:
        """Tell which indices are free, (n,)."""
        return self.flags(hkl) == 0

    def extended(self, hkl: Ints, flags: Ints, test: int | None = None) -> FreeSet:
        """
        Take over what a reference says, and continue it beyond.

        Parameters
        ----------
        hkl
            In the setting of this free set, (m, 3).
        flags
            As they stand in its file, (m,): CCP4's 0 to 19 with 0 free, or 0 and 1 as phenix
            writes them.
        test
            Value of the free ones; found from how often each occurs by default.

        Raises
        ------
        DataError
            If no value marks a plausible free set.
        """
        free = flags == (free_value(flags) if test is None else test)
        many = len(np.unique(flags)) > 2
        asymmetric = representatives(hkl, self.laue)
        there = np.where(free, 0, flags if many else 1 + _hashed(self.sample, asymmetric) % 19)
        there = np.where(~free & (there == 0), 1 + _hashed(self.sample, asymmetric) % 19, there)
        table, first = np.unique(keys(asymmetric), return_index=True)
        return replace(self, known=table, known_flags=there[first].astype(np.int32))


def free_set(
    sample: str, cell: tuple[float, ...], space_group: str, *, tolerance_deg: float = 3.0
) -> FreeSet:
    """
    Make the free set of a sample.

    Parameters
    ----------
    sample
        Its name: the same name and lattice give the same flags.
    cell, space_group
        Of the first crystal of it.
    tolerance_deg
        How far the lattice may be from a symmetry that then shares flags; generous, since sharing
        harms nothing.
    """
    crystal = Crystal(fractionalising(cell).T, space_group)
    laue = laue_rotations(space_group)
    lattice = lattice_rotations(crystal, tolerance_deg)
    inside = {each.tobytes() for each in lattice}
    proper = lattice if all(each.tobytes() in inside for each in laue) else laue
    none = np.zeros(0, dtype=np.int64)
    return FreeSet(sample, proper, laue, none, none.astype(np.int32))


def free_value(flags: Ints) -> int:
    """
    Find which value of a reference's column marks the free reflections.

    CCP4 numbers equal parts from 0 and takes 0; phenix and others write 1 for the few free ones and
    0 for the rest; some write the reverse.

    Raises
    ------
    DataError
        If no value marks between 0.5 and 20 per cent of them.
    """
    values, counts = np.unique(flags, return_counts=True)
    part = counts / max(int(counts.sum()), 1)
    if len(values) > 2 and 0 in values:
        return 0
    rare = (part > 0.005) & (part < 0.2)
    if rare.sum() != 1:
        told = ", ".join(f"{int(v)}: {p:.1%}" for v, p in zip(values, part, strict=True))
        raise DataError(
            f"The reference's free flags mark no plausible free set ({told}): one value should "
            "mark about 5 % of the reflections. Name the value, or take another reference."
        )
    return int(values[rare][0])


def read_free_flags(path: Path) -> tuple[Ints, Ints]:
    """
    Return the indices and the free flags of a reference MTZ file, (m, 3) and (m,).

    Raises
    ------
    DataError
        If it cannot be read, or has no such column.
    """
    import gemmi

    try:
        mtz = gemmi.read_mtz_file(str(path))
    except (RuntimeError, OSError) as error:
        raise DataError(f"The reference {path} cannot be read as MTZ: {error}.") from error
    column: Any = mtz.rfree_column()
    if column is None:
        raise DataError(
            f"The reference {path} has no column of free flags (columns: "
            f"{', '.join(mtz.column_labels())}): give another file, or none to make a new set."
        )
    flags = np.asarray(column.array, dtype=np.float64)
    known = np.isfinite(flags)
    hkl = np.asarray(mtz.make_miller_array(), dtype=np.int32)
    return hkl[known], flags[known].astype(np.int32)


def _hashed(sample: str, hkl: Ints) -> Ints:
    """Numbers from 0 to 19 that follow from a name and indices, (n,)."""
    seed = int.from_bytes(hashlib.sha256(sample.encode()).digest()[:8], "little")
    mixed = keys(hkl).astype(np.uint64) ^ np.uint64(seed)
    with np.errstate(over="ignore"):  # the finaliser of splitmix64 works modulo 2^64
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(GROUPS)).astype(np.int32)
