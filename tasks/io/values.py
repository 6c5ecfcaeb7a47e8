"""Values out of HDF5 files in the units that the platform uses inside: m, radians, keV, UTC."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.hdf5 import Tree

METRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e-2),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e-3),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre"), 1e-6),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-9),
}
KILOELECTRONVOLTS = {"kev": 1.0, "ev": 1e-3, "mev": 1e3}
RADIANS = {"rad", "radian", "radians"}
DEGREES = {"deg", "degree", "degrees", "°", ""}


def plain(value: Any) -> Any:
    """Turn what HDF5 gives for a scalar (bytes, arrays of one, numpy numbers) into plain Python."""
    if isinstance(value, np.ndarray | np.generic):
        values = cast("NDArray[Any]", value).reshape(-1).tolist()
        value = values[0] if values else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def scalar(tree: Tree, paths: Iterable[str], start: h5py.Group | None = None) -> Any:
    """Return the first of several datasets that is there, as plain Python; None if none is."""
    for path in paths:
        dataset = tree.dataset(path, start)
        if dataset is not None and dataset.size == 1:
            return plain(tree.values(dataset))
    return None


def text(tree: Tree, paths: Iterable[str], start: h5py.Group | None = None) -> str | None:
    """Return the first of several texts that is there and not blank."""
    for path in paths:
        value = scalar(tree, (path,), start)
        words = "" if value is None else str(value).replace("\0", "").strip()
        if words:
            return words
    return None


def whole(tree: Tree, paths: Iterable[str], start: h5py.Group | None = None) -> int | None:
    """Return the first of several counts that is there and above 0."""
    for path in paths:
        value = scalar(tree, (path,), start)
        if isinstance(value, int | float) and value >= 1:
            return int(value)
    return None


def unit(dataset: h5py.Dataset) -> str:
    """Return the dataset's ``units`` attribute, or an empty text."""
    return str(plain(dataset.attrs.get("units", dataset.attrs.get("unit", "")))).strip()


def length(tree: Tree, dataset: h5py.Dataset) -> float | None:
    """
    Return a length in m, or None if it is no positive number.

    Without a unit, a number below 0.001 is in m (the unit that DXchange and NeXus define) and any
    other in micrometres (what beamlines write that leave the unit out).

    Raises
    ------
    DataError
        The unit is unknown.
    """
    value = plain(tree.values(dataset))
    if not isinstance(value, int | float) or not np.isfinite(value) or value <= 0:
        return None
    return to_metres(float(value), unit(dataset), f"{tree.path} at '{dataset.name}'")


def to_metres(value: float, unit: str, where: str) -> float:
    """Convert a length; see `length` for one without a unit."""
    if not unit:
        return value * (1.0 if value < 1e-3 else 1e-6)
    if unit.lower() not in METRES:
        raise DataError(
            f"{where} gives a length in '{unit}', a unit that is not known "
            f"(known: m, cm, mm, um, nm): mend the units attribute."
        )
    return value * METRES[unit.lower()]


def first_length(tree: Tree, paths: Iterable[str], start: h5py.Group | None = None) -> float | None:
    """Return the first of several lengths that is there, in m."""
    for path in paths:
        dataset = tree.dataset(path, start)
        value = length(tree, dataset) if dataset is not None and dataset.size else None
        if value is not None:
            return value
    return None


def energy(tree: Tree, paths: Iterable[str], start: h5py.Group | None = None) -> float | None:
    """Return the photon energy in keV; without a unit, 1000 and more means eV."""
    for path in paths:
        dataset = tree.dataset(path, start)
        value = plain(tree.values(dataset)) if dataset is not None and dataset.size else None
        if dataset is not None and isinstance(value, int | float) and value > 0:
            assumed = 1e-3 if value >= 1000 else 1.0
            return float(value) * KILOELECTRONVOLTS.get(unit(dataset).lower(), assumed)
    return None


def angles(tree: Tree, dataset: h5py.Dataset) -> NDArray[np.float64]:
    """
    Return angles in radians; a dataset without a unit is in degrees.

    Raises
    ------
    DataError
        The unit is neither degrees nor radians, or the values are no numbers.
    """
    values = tree.values(dataset).reshape(-1)
    if values.dtype.kind not in "iuf":
        raise DataError(f"{tree.path} holds no numbers at '{dataset.name}', where angles stand.")
    return to_radians(values.astype(np.float64), unit(dataset), f"{tree.path} at '{dataset.name}'")


def to_radians(values: NDArray[np.float64], unit: str, where: str) -> NDArray[np.float64]:
    """Convert angles in a named unit to radians."""
    if unit.lower() in RADIANS:
        return values
    if unit.lower() in DEGREES:
        return np.deg2rad(values)
    raise DataError(f"{where} gives angles in '{unit}': write degrees or radians as the unit.")


def moment(value: str | None) -> datetime | None:
    """Read an ISO time; one without a zone is taken as UTC, one that is no time as None."""
    if not value:
        return None
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def without_none(**items: Any) -> dict[str, Any]:
    """Keep what is known and can stand in JSON, which has no NaN."""
    known = {key: value for key, value in items.items() if value is not None}
    return {
        key: value
        for key, value in known.items()
        if not (isinstance(value, float) and not math.isfinite(value))
    }
