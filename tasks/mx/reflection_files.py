"""Reflections in files: merged and unmerged MTZ, mmCIF for the PDB, and readers of references.

Written through gemmi (Wojdyr, J. Open Source Softw. 7, 4200 (2022)). Names and types of columns are
CCP4's (https://www.ccp4.ac.uk/html/mtzformat.html).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F, Rotation
from tasks.mx.equivalents import isym, space_group_of
from tasks.mx.merge import Merged
from tasks.mx.scale import Cell, Scaled

if TYPE_CHECKING:
    import gemmi

Ints = NDArray[np.int32]
TYPES = {
    "IMEAN": "J",
    "SIGIMEAN": "Q",
    "N": "I",
    "I(+)": "K",
    "SIGI(+)": "M",
    "N(+)": "I",
    "I(-)": "K",
    "SIGI(-)": "M",
    "N(-)": "I",
    "F": "F",
    "SIGF": "Q",
    "F(+)": "G",
    "SIGF(+)": "L",
    "F(-)": "G",
    "SIGF(-)": "L",
    "DANO": "D",
    "SIGDANO": "Q",
    "FreeR_flag": "I",
    "M/ISYM": "Y",
    "BATCH": "B",
    "I": "J",
    "SIGI": "Q",
    "SCALEUSED": "R",
    "XDET": "R",
    "YDET": "R",
    "ROT": "R",
}
"""Type of each column that is written."""
AMPLITUDES = ("F", "SIGF", "F(+)", "SIGF(+)", "F(-)", "SIGF(-)", "DANO", "SIGDANO")
_INTENSITIES = (("IMEAN", "SIGIMEAN"), ("I", "SIGI"), ("intensity_meas", "intensity_sigma"))
_FREE = ("FreeR_flag", "FREE", "RFREE", "R-free-flags", "pdbx_r_free_flag", "status")
_BATCHES_APART = 1000


@dataclass(frozen=True)
class ReflectionFile:
    """
    What a reflection file holds.

    Attributes
    ----------
    hkl
        (n, 3); of an unmerged file as observed.
    cell, space_group
        Of the crystal.
    wavelength
        In Angstrom; None if the file does not say.
    columns
        By label, (n,) each; NaN where a value is missing. `status` of an mmCIF is 1 for the free
        set and 0 for the rest.
    merged
        Whether each reflection is there once.
    """

    hkl: Ints
    cell: Cell
    space_group: str
    wavelength: float | None
    columns: dict[str, F] = field(repr=False)
    merged: bool = True

    def intensities(self) -> tuple[F, F]:
        """
        Return mean intensities and their sigmas, (n,) each.

        Raises
        ------
        DataError
            There are none.
        """
        for value, sigma in _INTENSITIES:
            if value in self.columns and sigma in self.columns:
                return self.columns[value], self.columns[sigma]
        raise DataError(f"the file holds no mean intensities, only {', '.join(self.columns)}")

    def free(self) -> F | None:
        """Return the column of free-set flags, (n,), or None."""
        return next((self.columns[name] for name in _FREE if name in self.columns), None)


def write_merged_mtz(
    path: Path,
    merged: Merged,
    *,
    wavelength: float,
    amplitudes: Mapping[str, F] | None = None,
    free: Ints | None = None,
    title: str = "",
) -> Path:
    """
    Write merged intensities, and amplitudes and the free set where given.

    Parameters
    ----------
    path
        MTZ file.
    merged
        Merged intensities, n of them.
    wavelength
        In Angstrom.
    amplitudes
        Of `AMPLITUDES`, (n,) each.
    free
        Flags, 0 is free as CCP4 has it, (n,).
    title
        Of the dataset.
    """
    merged_mtz(
        merged, wavelength=wavelength, amplitudes=amplitudes, free=free, title=title
    ).write_to_file(str(path))
    return path


def merged_mtz(
    merged: Merged,
    *,
    wavelength: float,
    amplitudes: Mapping[str, F] | None = None,
    free: Ints | None = None,
    title: str = "",
) -> gemmi.Mtz:
    """Make what `write_merged_mtz` writes."""
    columns: dict[str, NDArray[Any]] = {
        "IMEAN": merged.intensity,
        "SIGIMEAN": merged.sigma,
        "N": merged.count,
        "I(+)": merged.plus,
        "SIGI(+)": merged.plus_sigma,
        "N(+)": merged.plus_count,
        "I(-)": merged.minus,
        "SIGI(-)": merged.minus_sigma,
        "N(-)": merged.minus_count,
    }
    columns |= {name: (amplitudes or {})[name] for name in AMPLITUDES if name in (amplitudes or {})}
    if free is not None:
        columns["FreeR_flag"] = free
    mtz = _empty(merged.cell, merged.space_group, wavelength, title)
    return _filled(mtz, merged.hkl, columns)


def write_unmerged_mtz(
    path: Path,
    scaled: Scaled,
    rotations: Sequence[Rotation],
    *,
    wavelength: float,
    title: str = "",
) -> Path:
    """
    Write scaled observations, outliers left out, for other programs to merge.

    Parameters
    ----------
    path
        MTZ file; batch numbers are image numbers, those of each sweep in thousands of their own.
    scaled
        Scaled observations.
    rotations
        Of each sweep by number.
    wavelength
        In Angstrom.
    title
        Of the dataset.
    """
    unmerged_mtz(scaled, rotations, wavelength=wavelength, title=title).write_to_file(str(path))
    return path


def unmerged_mtz(
    scaled: Scaled, rotations: Sequence[Rotation], *, wavelength: float, title: str = ""
) -> gemmi.Mtz:
    """Make what `write_unmerged_mtz` writes."""
    seen = scaled.observations.take(scaled.kept)
    asymmetric = scaled.symmetry.hkl[scaled.symmetry.of[scaled.kept]]
    image = np.floor(seen.xyz[:, 2]).astype(np.int64)
    offsets = _batch_offsets(rotations)
    angle = np.zeros(len(seen))
    for number, rotation in enumerate(rotations):
        angle = np.where(seen.sweep == number, rotation.angle_deg(seen.xyz[:, 2]), angle)
    last = np.array([each.images - 1 for each in rotations])[seen.sweep]
    columns: dict[str, NDArray[Any]] = {
        "M/ISYM": isym(seen.hkl, asymmetric, scaled.space_group),
        "BATCH": np.clip(image, 0, last) + np.array(offsets)[seen.sweep],
        "I": scaled.intensity[scaled.kept],
        "SIGI": scaled.sigma[scaled.kept],
        "SCALEUSED": 1 / scaled.scale[scaled.kept],
        "XDET": seen.xyz[:, 0],
        "YDET": seen.xyz[:, 1],
        "ROT": angle,
    }
    mtz = _empty(scaled.cell, scaled.space_group, wavelength, title)
    for rotation, offset in zip(rotations, offsets, strict=True):
        for number in range(rotation.images):
            mtz.batches.append(_batch(mtz, rotation, number, offset, wavelength))
    return _filled(mtz, asymmetric, columns)


def write_cif(path: Path, merged: gemmi.Mtz, unmerged: gemmi.Mtz | None = None) -> Path:
    """
    Write mmCIF as the PDB takes it: ``_refln``, and ``_diffrn_refln`` of unmerged data.

    Parameters
    ----------
    path
        mmCIF file.
    merged, unmerged
        See `merged_mtz` and `unmerged_mtz`.
    """
    import gemmi

    converter = gemmi.MtzToCif()
    converter.with_history = False
    path.write_text(converter.write_cif_to_string(merged, unmerged), encoding="utf-8")
    return path


def read_reflection_file(path: Path) -> ReflectionFile:
    """
    Read an MTZ file or an mmCIF of structure factors, by its name's end.

    Raises
    ------
    DataError
        The file is none, is damaged, or holds no reflections.
    """
    try:
        return _read_mtz(path) if path.suffix.lower() == ".mtz" else _read_cif(path)
    except (RuntimeError, ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as reflections: {error}") from error


def _read_mtz(path: Path) -> ReflectionFile:
    import gemmi

    _refuse_cut_off(path)
    mtz = gemmi.read_mtz_file(str(path))
    merged = len(mtz.batches) == 0
    if not merged:
        mtz.switch_to_original_hkl()
    wavelength = next((each.wavelength for each in mtz.datasets if each.wavelength > 0), None)
    columns = {each.label: _doubles(each.array) for each in mtz.columns[3:]}
    return ReflectionFile(
        np.asarray(mtz.make_miller_array(), dtype=np.int32),
        _cell(mtz.cell),
        mtz.spacegroup_name,
        wavelength,
        columns,
        merged,
    )


def _refuse_cut_off(path: Path) -> None:
    """Look for the header where the file's begin says it is: gemmi would search for minutes."""
    with path.open("rb") as file:
        begin = file.read(20)
    if len(begin) < 20 or not begin.startswith(b"MTZ "):
        raise DataError(f"{path.name} is no MTZ file")
    order: Literal["little", "big"] = "big" if begin[8] >> 4 == 1 else "little"
    word = int.from_bytes(begin[4:8], order, signed=True)
    if word == -1:  # more than 2^31 words: the place stands further on
        word = int.from_bytes(begin[12:20], order, signed=True)
    if not 20 < 4 * (word - 1) < path.stat().st_size:
        raise DataError(f"{path.name} ends before its header: it is damaged or not copied whole")


def _read_cif(path: Path) -> ReflectionFile:
    import gemmi

    blocks: Any = gemmi.as_refln_blocks(gemmi.cif.read(str(path)))
    block: Any = next((each for each in blocks if each.default_loop is not None), None)
    if block is None or block.spacegroup is None:
        raise DataError(f"{path.name} holds no reflections with a cell and a space group")
    names = [each for each in block.column_labels() if not each.startswith("index_")]
    columns = {each: _doubles(block.make_float_array(each)) for each in names if each != "status"}
    if "status" in names:
        texts = np.array(list(block.block.find_values("_refln.status")))
        columns["status"] = (texts == "f").astype(np.float64)
    return ReflectionFile(
        np.asarray(block.make_miller_array(), dtype=np.int32),
        _cell(block.cell),
        block.spacegroup.xhm(),
        float(block.wavelength) or None,
        columns,
        block.is_merged(),
    )


def _empty(cell: Cell, space_group: str, wavelength: float, title: str) -> gemmi.Mtz:
    import gemmi

    mtz = gemmi.Mtz(with_base=True)
    mtz.title = title[:70]  # as long as the format allows
    mtz.spacegroup = space_group_of(space_group)
    dataset = mtz.add_dataset("dayseye")
    dataset.wavelength = wavelength
    mtz.set_cell_for_all(gemmi.UnitCell(*cell))
    return mtz


def _filled(mtz: gemmi.Mtz, hkl: Ints, columns: Mapping[str, NDArray[Any]]) -> gemmi.Mtz:
    for name in columns:
        mtz.add_column(name, TYPES[name])
    mtz.set_data(np.column_stack([hkl, *columns.values()]).astype(np.float32))
    mtz.sort(5 if "BATCH" in columns else 3)
    mtz.update_reso()
    return mtz


def _batch_offsets(rotations: Sequence[Rotation]) -> list[int]:
    """Return the number of each sweep's first batch; sweeps begin at thousands."""
    found: list[int] = []
    begin = 0
    for rotation in rotations:
        found.append(begin + rotation.first_number)
        begin = -(-(found[-1] + rotation.images) // _BATCHES_APART) * _BATCHES_APART
    return found


def _batch(
    mtz: gemmi.Mtz, rotation: Rotation, number: int, offset: int, wavelength: float
) -> gemmi.Mtz.Batch:
    """Make an image's header. The orientation is left out: its frame is that of CCP4's MOSFLM."""
    import gemmi

    batch = gemmi.Mtz.Batch()
    batch.number = offset + number
    batch.dataset_id = mtz.datasets[-1].id
    batch.cell = mtz.cell
    batch.wavelength = wavelength
    for place, value in ((12, 1), (14, 2), (15, 1), (17, 1), (19, 1)):  # crystals, 3-D data, axes
        batch.ints[place] = value
    begin, end = rotation.angle_deg(np.array([number, number + 1])).tolist()
    for place, value in ((36, begin), (37, end), (47, end - begin)):
        batch.floats[place] = value
    batch.axes = ["PHI"]
    return batch


def _cell(cell: gemmi.UnitCell) -> Cell:
    return cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma


def _doubles(values: NDArray[Any]) -> F:
    return np.array(values, dtype=np.float64)
