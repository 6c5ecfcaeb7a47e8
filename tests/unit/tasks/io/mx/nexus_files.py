"""Small NXmx files and DECTRIS masters, written by hand as acquisitions write them."""

from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

ROWS, COLUMNS = 40, 60
PIXEL = 0.1  # mm
START, WIDTH, DISTANCE = 10.0, 0.1, 150.0
CENTRE = (31.0, 19.5)  # pixels


def counts(images: int, rows: int = ROWS, columns: int = COLUMNS, dtype: Any = np.uint16) -> Any:
    """Images whose pixels hold ten times their image's number plus their place in a row."""
    numbers = np.arange(images, dtype=dtype)[:, None, None] * 10
    return numbers + (np.arange(columns, dtype=dtype) % 7) + np.zeros((rows, 1), dtype)


def group(file: h5py.File, path: str, nx_class: str) -> h5py.Group:
    made = file.require_group(path)
    made.attrs["NX_class"] = nx_class
    return made


def with_unit(file: h5py.File, path: str, value: Any, units: str) -> None:
    file.create_dataset(path, data=value).attrs["units"] = units


def axis(
    file: h5py.File,
    path: str,
    value: Any,
    kind: str,
    vector: Any,
    carrier: str = ".",
    offset: Any = None,
) -> None:
    made = file.create_dataset(path, data=value)
    made.attrs["transformation_type"] = kind
    made.attrs["units"] = "deg" if kind == "rotation" else "mm"
    made.attrs["vector"] = np.array(vector, float)
    made.attrs["depends_on"] = carrier
    if offset is not None:
        made.attrs["offset"] = np.array(offset, float)
        made.attrs["offset_units"] = "mm"


def data_file(path: Path, images: Any, inner: str = "entry/data/data", first: int = 1) -> Path:
    """Write the images of one external file, packed as DECTRIS packs them."""
    with h5py.File(path, "w") as file:
        made = file.create_dataset(
            inner, data=images, chunks=(1, *images.shape[1:]), **hdf5plugin.Bitshuffle(cname="lz4")
        )
        made.attrs["image_nr_low"] = first
        made.attrs["image_nr_high"] = first + len(images) - 1
    return path


def describe(file: h5py.File, **changes: Any) -> None:
    """Write beam and detector of a file without any transformations."""
    group(file, "entry", "NXentry")
    file["entry/start_time"] = "2026-03-01T12:00:00Z"
    group(file, "entry/instrument", "NXinstrument")
    group(file, "entry/instrument/beam", "NXbeam")
    with_unit(file, "entry/instrument/beam/incident_wavelength", 0.9795, "angstrom")
    group(file, "entry/instrument/detector", "NXdetector")
    group(file, "entry/sample", "NXsample")
    group(file, "entry/data", "NXdata")
    values = {
        "description": "EIGER2 test",
        "detector_number": "E-01",
        "sensor_material": "Si",
        "sensor_thickness": (0.45e-3, "m"),
        "x_pixel_size": (PIXEL * 1e-3, "m"),
        "y_pixel_size": (PIXEL * 1e-3, "m"),
        "detector_distance": (DISTANCE * 1e-3, "m"),
        "beam_center_x": (CENTRE[0], "pixel"),
        "beam_center_y": (CENTRE[1], "pixel"),
        "count_time": (0.02, "s"),
        "saturation_value": np.int64(60000),
    }
    for name, value in (values | changes).items():
        if isinstance(value, tuple):
            with_unit(file, f"entry/instrument/detector/{name}", *value)
        elif value is not None:
            file[f"entry/instrument/detector/{name}"] = value


def place(file: h5py.File, images: int, *, swapped: bool = False, two_theta: float = 0.0) -> None:
    """Write the chains of detector and sample; omega turns, chi and phi stand."""
    file["entry/definition"] = "NXmx"
    base = "/entry/instrument/detector/transformations"
    group(file, base, "NXtransformations")
    axis(file, f"{base}/two_theta", [two_theta], "rotation", (-1, 0, 0))
    axis(file, f"{base}/det_z", [DISTANCE], "translation", (0, 0, 1), f"{base}/two_theta")
    module = "/entry/instrument/detector/module"
    group(file, module, "NXdetector_module")
    size = (COLUMNS, ROWS) if swapped else (ROWS, COLUMNS)
    file[f"{module}/data_size"] = np.array(size)
    file[f"{module}/data_origin"] = np.array((0, 0))
    corner = (CENTRE[0] * PIXEL, CENTRE[1] * PIXEL, 0.0)
    axis(file, f"{module}/module_offset", 0.0, "translation", (1, 0, 0), f"{base}/det_z", corner)
    for name, vector in (("fast", (-1, 0, 0)), ("slow", (0, -1, 0))):
        path = f"{module}/{name}_pixel_direction"
        axis(file, path, PIXEL, "translation", vector, f"{module}/module_offset", (0, 0, 0))
    sample = "/entry/sample/transformations"
    group(file, sample, "NXtransformations")
    file["entry/sample/depends_on"] = f"{sample}/phi"
    axis(file, f"{sample}/phi", [30.0], "rotation", (-1, 0, 0), "chi")
    axis(file, f"{sample}/chi", [-45.0], "rotation", (0, 0, 1), f"{sample}/omega")
    axis(file, f"{sample}/omega", START + WIDTH * np.arange(images), "rotation", (-1, 0, 0))


def master(path: Path, files: list[Path], planned: int, **changes: Any) -> Path:
    """Write a DECTRIS master with external links to files, some of which may not be there."""
    with h5py.File(path, "w") as file:
        describe(file, **changes)
        file["entry/instrument/detector/detectorSpecific/nimages"] = planned
        file["entry/instrument/detector/detectorSpecific/ntrigger"] = 1
        for number, each in enumerate(files, 1):
            file[f"entry/data/data_{number:06d}"] = h5py.ExternalLink(each.name, "entry/data/data")
    return path


def virtual(path: Path, files: list[Path], each: int, *, images: int, **more: Any) -> Path:
    """Write an NXmx file whose images are mapped from other files."""
    with h5py.File(path, "w") as file:
        describe(file)
        place(file, images, **more)
        layout = h5py.VirtualLayout((images, ROWS, COLUMNS), np.uint16)
        for number, source in enumerate(files):
            first = number * each
            count = min(each, images - first)
            mapped = h5py.VirtualSource(source.name, "entry/data/data", (count, ROWS, COLUMNS))
            layout[first : first + count] = mapped if number else mapped[:count]
        file["entry/data"].attrs["signal"] = "data"
        file["entry/data"].create_virtual_dataset("data", layout)
    return path
