"""DIALS' reflection tables (``.refl``), read and written without DIALS."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from pathlib import Path
from typing import Any

import msgpack  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.dials_flex import unpickle

_msgpack: Any = msgpack

MAGIC = "dials::af::reflection_table"
VERSION = 1
TYPES: dict[str, tuple[Any, int]] = {
    "bool": (np.bool_, 1),
    "int": (np.int32, 1),
    "std::size_t": (np.uint64, 1),
    "double": (np.float64, 1),
    "vec2<double>": (np.float64, 2),
    "vec3<double>": (np.float64, 3),
    "mat3<double>": (np.float64, 9),
    "int6": (np.int32, 6),
    "cctbx::miller::index<>": (np.int32, 3),
}
"""Type of a column's numbers and how many one row has."""
SIZES = ("flags", "panel", "partial_id")
REALS = {1: "double", 2: "vec2<double>", 3: "vec3<double>", 9: "mat3<double>"}
WHOLES = {1: "int", 3: "cctbx::miller::index<>", 6: "int6"}


class DialsFlag(IntFlag):
    """What the bits of the column ``flags`` mean."""

    PREDICTED = 1 << 0
    OBSERVED = 1 << 1
    INDEXED = 1 << 2
    USED_IN_REFINEMENT = 1 << 3
    STRONG = 1 << 5
    REFERENCE_SPOT = 1 << 6
    DONT_INTEGRATE = 1 << 7
    INTEGRATED_SUM = 1 << 8
    INTEGRATED_PRF = 1 << 9
    OVERLOADED = 1 << 10
    OVERLAPPED_BG = 1 << 11
    OVERLAPPED_FG = 1 << 12
    IN_POWDER_RING = 1 << 13
    FOREGROUND_INCLUDES_BAD_PIXELS = 1 << 14
    BACKGROUND_INCLUDES_BAD_PIXELS = 1 << 15
    USED_IN_MODELLING = 1 << 16
    CENTROID_OUTLIER = 1 << 17
    FAILED_DURING_BACKGROUND_MODELLING = 1 << 18
    FAILED_DURING_SUMMATION = 1 << 19
    FAILED_DURING_PROFILE_FITTING = 1 << 20
    BAD_REFERENCE = 1 << 21
    USER_EXCLUDED_IN_SCALING = 1 << 22
    OUTLIER_IN_SCALING = 1 << 23
    EXCLUDED_FOR_SCALING = 1 << 24
    EXCLUDED_FOR_REFINEMENT = 1 << 25


def read_reflections(path: Path) -> dict[str, NDArray[Any]]:
    """
    Read a reflection table.

    Parameters
    ----------
    path
        A ``.refl`` file, packed with MessagePack, or pickled by a DIALS of before 2020.

    Returns
    -------
    The columns by DIALS' names, each (n,) or (n, numbers of a row). Columns of other types, such as
    shoeboxes, are left out.

    Raises
    ------
    DataError
        It is no reflection table.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if content.startswith(b"\x80"):  # how a pickle begins
        return unpickle(content, str(path))
    columns = _unpacked(content, path)["data"]
    return {
        name: _array(kind, count, packed)
        for name, (kind, (count, packed)) in columns.items()
        if kind in TYPES
    }


def _unpacked(content: bytes, path: Path) -> dict[str, Any]:
    try:
        magic, _, table = _msgpack.unpackb(content, strict_map_key=False)
    except (ValueError, TypeError, _msgpack.exceptions.UnpackException) as error:
        raise DataError(f"{path} is no reflection table of DIALS ({error}).") from error
    if magic != MAGIC or "data" not in table:
        raise DataError(f"{path} is no reflection table of DIALS: it begins with {magic!r}.")
    return table


def _array(kind: str, count: int, packed: bytes) -> NDArray[Any]:
    dtype, width = TYPES[kind]
    values = np.frombuffer(packed, dtype, count * width).copy()
    if dtype is np.uint64:  # numpy does not combine these with flags and other whole numbers
        values = values.astype(np.int64)
    return values.reshape(count, width) if width > 1 else values


def write_reflections(
    path: Path, columns: Mapping[str, NDArray[Any]], identifiers: Mapping[int, str] | None = None
) -> None:
    """
    Write a reflection table that DIALS reads.

    Parameters
    ----------
    path
        Where to; written anew.
    columns
        By DIALS' names, as `read_reflections` returns them, all of one length.
    identifiers
        Of the experiments, by the numbers in the column ``id``.

    Raises
    ------
    DataError
        The columns differ in length, or one has numbers that the format has no type for.
    """
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise DataError(f"{path} cannot be written: its columns have {sorted(lengths)} rows.")
    data = {name: _packed(name, np.asarray(column)) for name, column in columns.items()}
    table = {"identifiers": dict(identifiers or {}), "nrows": max(lengths, default=0), "data": data}
    path.write_bytes(_msgpack.packb([MAGIC, VERSION, table]))


def _packed(name: str, column: NDArray[Any]) -> list[Any]:
    width = 1 if column.ndim == 1 else int(np.prod(column.shape[1:]))
    kind = _kind(name, column, width)
    if kind is None:
        raise DataError(
            f"The column '{name}' ({column.dtype}, {width} numbers a row) has no type in DIALS' "
            f"tables."
        )
    dtype, _ = TYPES[kind]
    return [kind, [len(column), np.ascontiguousarray(column, dtype).tobytes()]]


def _kind(name: str, column: NDArray[Any], width: int) -> str | None:
    if column.dtype.kind == "b" and width == 1:
        return "bool"
    if column.dtype.kind == "f":
        return REALS.get(width)
    if width == 1 and (name in SIZES or column.dtype.kind == "u"):
        return "std::size_t"
    return WHOLES.get(width) if column.dtype.kind in "iu" else None
