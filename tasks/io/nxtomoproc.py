"""
Reconstructed volumes as NXtomoproc files, written slab by slab.

Standard: https://manual.nexusformat.org/classes/applications/NXtomoproc.html. The volume's axes
are (z, y, x): z along the rotation axis, one reconstructed slice for each detector row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.hdf5 import Tree
from tasks.io.values import text

CHUNK_BYTES = 2 * 1024 * 1024
CHUNK_ROWS = 4
DATA = "entry/data/data"
LARGEST = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Scaling:
    """How a uint16 volume is turned back: attenuation = value * scale + offset."""

    scale: float
    offset: float

    @classmethod
    def between(cls, low: float, high: float) -> Scaling:
        """Spread a range of attenuations over the 65,536 values; what lies outside is clipped."""
        if not (np.isfinite(low) and np.isfinite(high) and high > low):
            raise ValueError(f"limits must be finite and rise, not {low} to {high}")
        return cls((high - low) / LARGEST, low)

    def pack(self, slab: NDArray[np.floating]) -> NDArray[np.uint16]:
        """Scale, round and clip."""
        values = np.rint((np.nan_to_num(slab) - self.offset) / self.scale)
        return np.clip(values, 0, LARGEST).astype(np.uint16)

    def unpack(self, values: NDArray[np.uint16]) -> NDArray[np.float32]:
        """Turn back into attenuation."""
        return (values * np.float32(self.scale) + np.float32(self.offset)).astype(np.float32)


class VolumeWriter:
    """
    Writer of one volume; a context manager, used by one process.

    Parameters
    ----------
    path
        File to make; it must not be there.
    shape
        Slices, rows and columns of the volume (z, y, x).
    voxel_size
        Edge of a voxel, in m; None if the scan does not give it.
    recipe
        Parameters of the reduction, as JSON values; stored whole.
    rotation_axis
        Column of the rotation axis; the first column's centre is 0.
    dtype
        ``float32``, or ``uint16`` scaled between `limits`.
    limits
        Attenuations (low, high) that ``uint16`` spans.
    units
        Units of the volume.
    compress
        Whether to use bitshuffle-lz4.
    parameters
        Figures found on the way (confidence, lost frames ...), stored beside the recipe.
    title, source
        Title of the scan, and the path of the raw data.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        voxel_size: float | None,
        recipe: Mapping[str, Any],
        rotation_axis: float,
        *,
        dtype: Literal["float32", "uint16"] = "float32",
        limits: tuple[float, float] | None = None,
        units: str = "1/cm",
        compress: bool = False,
        parameters: Mapping[str, Any] | None = None,
        title: str = "",
        source: str = "",
    ) -> None:
        if dtype == "uint16" and limits is None:
            raise ValueError("a uint16 volume needs limits: the range of attenuation that it spans")
        self.path = path
        self.scaling = Scaling.between(*limits) if dtype == "uint16" and limits else None
        self._file = h5py.File(path, "x", libver="v110", locking=False)
        self._describe(title, source, rotation_axis, recipe, parameters or {})
        self._data = self._create(shape, dtype, units, compress)
        self._axes(shape, voxel_size)

    def _describe(
        self,
        title: str,
        source: str,
        rotation_axis: float,
        recipe: Mapping[str, Any],
        parameters: Mapping[str, Any],
    ) -> None:
        entry = _group(self._file, "entry", "NXentry")
        self._file.attrs["default"] = "entry"
        entry.attrs["default"] = "data"
        entry["definition"] = "NXtomoproc"
        entry["title"] = title
        process = _group(entry, "reconstruction", "NXprocess")
        process["program"] = "dayseye"
        process["version"] = version("dayseye")
        process["date"] = datetime.now(UTC).isoformat()
        process["raw_file"] = source
        process["recipe"] = json.dumps(recipe)
        self._parameters = _group(process, "parameters", "NXparameters")
        self._parameters["rotation_axis"] = rotation_axis
        axis = self._parameters["rotation_axis"].attrs
        axis.update({"units": "pixel", "convention": "the centre of the first column is 0"})
        for name, value in parameters.items():
            self._parameters[name] = (
                value if isinstance(value, int | float | str) else json.dumps(value)
            )

    def _create(
        self, shape: tuple[int, int, int], dtype: str, units: str, compress: bool
    ) -> h5py.Dataset:
        group = _group(self._file, "entry/data", "NXdata")
        group.attrs.update({"signal": "data", "axes": ["z", "y", "x"]})
        filters: Mapping[str, Any] = hdf5plugin.Bitshuffle(cname="lz4") if compress else {}
        chunks = chunk_shape(shape, np.dtype(dtype).itemsize)
        data = group.create_dataset("data", shape, dtype, chunks=chunks, **filters)
        data.attrs["units"] = units
        data.attrs["long_name"] = f"linear attenuation coefficient ({units})"
        if self.scaling:
            data.attrs["scale_factor"] = self.scaling.scale
            data.attrs["add_offset"] = self.scaling.offset
        return data

    def _axes(self, shape: tuple[int, int, int], voxel_size: float | None) -> None:
        """Write the axes: z from the first row, y and x from the rotation axis."""
        group = self._data.parent
        for name, count in zip("zyx", shape, strict=True):
            middle = 0 if name == "z" else count // 2
            group[name] = (np.arange(count) - middle) * (voxel_size or 1.0)
            group[name].attrs["units"] = "m" if voxel_size else "pixel"
        if voxel_size:
            group["voxel_size"] = voxel_size
            group["voxel_size"].attrs["units"] = "m"

    def write(self, start_row: int, slab: NDArray[np.floating]) -> None:
        """
        Write reconstructed slices (slices, rows, columns) from a slice on.

        Raises
        ------
        ValueError
            They do not fit into the volume.
        """
        stop = start_row + len(slab)
        if start_row < 0 or stop > len(self._data) or slab.shape[1:] != self._data.shape[1:]:
            raise ValueError(
                f"slices {start_row} to {stop - 1} of shape {slab.shape[1:]} do not fit into a "
                f"volume of shape {self._data.shape}"
            )
        self._data[start_row:stop] = self.scaling.pack(slab) if self.scaling else slab

    def put(self, name: str, value: float | str) -> None:
        """Add a figure that was found while the volume was written."""
        self._parameters[name] = value

    def close(self) -> None:
        """Close the file and make sure that it is on the disk."""
        self._file.close()
        with self.path.open("rb") as file:
            os.fsync(file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _group(parent: h5py.Group, name: str, nexus_class: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs["NX_class"] = nexus_class
    return group


def chunk_shape(shape: tuple[int, int, int], itemsize: int) -> tuple[int, int, int]:
    """Return chunks of about 2 MiB: a few slices, whole columns, so that slabs and cuts both go."""
    depth = max(1, min(CHUNK_ROWS, shape[0]))
    height = CHUNK_BYTES // (depth * shape[2] * itemsize)
    return depth, max(1, min(shape[1], height)), shape[2]


def read_slice(path: Path, axis: int, index: int) -> NDArray[np.float32]:
    """
    Read one slice of a volume as attenuation.

    Parameters
    ----------
    path
        An NXtomoproc file.
    axis
        0 for a slice across the rotation axis (y, x), 1 for (z, x), 2 for (z, y).
    index
        Number of the slice along that axis.

    Returns
    -------
    The slice as float32, in the volume's units.

    Raises
    ------
    DataError
        The file cannot be read or holds no volume.
    """
    with Tree(path) as tree:
        data = tree.dataset(DATA)
        if data is None or data.ndim != 3:
            raise DataError(f"{path} holds no volume at '{DATA}': it is no result of a reduction.")
        selection: list[Any] = [slice(None)] * 3
        selection[axis] = index
        values = tree.values(data, *selection)
        scale = data.attrs.get("scale_factor")
        if scale is None:
            return values.astype(np.float32, copy=False)
        return Scaling(float(scale), float(data.attrs["add_offset"])).unpack(values)


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the recipe that a volume was made with."""
    with Tree(path) as tree:
        recipe = text(tree, ("entry/reconstruction/recipe",))
    if recipe is None:
        raise DataError(f"{path} carries no recipe: it is no result of a reduction.")
    return json.loads(recipe)
