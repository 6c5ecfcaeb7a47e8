"""NXmx files: a master and data files, as the writer of an Eiger leaves them.

NeXus has the frame of McStas, z along the beam and y up: imgCIF's turned by half about y.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from infra.simulator.hdf5 import put
from infra.simulator.mx import instrument
from infra.simulator.mx.plan import SOME_DAY, SweepPlan
from infra.simulator.mx.sweep import Sweep
from infra.simulator.xas.growing import open_when_free

Layout = Literal["vds", "links"]
Array = instrument.Array
Stored = NDArray[np.uint32]
Shape = tuple[int, ...]
TO_MCSTAS = np.array([-1.0, 1.0, -1.0])
GAP_BIT, DEAD_BIT = 1, 2  # of a pixel_mask: there is no pixel; it counts nothing
NONE = np.uint32(2**32 - 1)  # what a pixel says that is none
STACK = "entry/data/data"
DETECTOR = "entry/instrument/detector"
MODULE = f"{DETECTOR}/module"
SWING = f"{DETECTOR}/transformations/two_theta"
AWAY = f"{DETECTOR}/transformations/det_z"
TURNS = "entry/sample/transformations"
CLASSES = {
    "entry": "NXentry",
    "entry/data": "NXdata",
    "entry/source": "NXsource",
    "entry/instrument": "NXinstrument",
    "entry/instrument/beam": "NXbeam",
    DETECTOR: "NXdetector",
    f"{DETECTOR}/transformations": "NXtransformations",
    f"{DETECTOR}/detectorSpecific": "NXcollection",
    MODULE: "NXdetector_module",
    "entry/sample": "NXsample",
    TURNS: "NXtransformations",
}
UNITS = {
    "instrument/beam/incident_wavelength": "angstrom",
    "instrument/detector/x_pixel_size": "m",
    "instrument/detector/y_pixel_size": "m",
    "instrument/detector/sensor_thickness": "m",
    "instrument/detector/detector_distance": "m",
    "instrument/detector/distance": "m",
    "instrument/detector/beam_center_x": "pixel",
    "instrument/detector/beam_center_y": "pixel",
    "instrument/detector/count_time": "s",
    "instrument/detector/frame_time": "s",
}


def files(
    folder: Path, plan: SweepPlan, *, layout: Layout = "vds", per_file: int = 100
) -> Iterator[Path]:
    """
    Write a sweep image after image: NAME_master.h5, and NAME_data_000001.h5 and so on.

    The master comes first and tells how many images are planned. Data files have room for all of
    theirs under a virtual data set, and grow where links alone lead to them; they are closed after
    each image.

    Yields
    ------
    Path
        The master, then each image's data file.
    """
    sweep = Sweep(plan)
    master = folder / f"{plan.name}_master.h5"
    hidden = master.with_name(f".{master.name}")
    with h5py.File(hidden, "w") as file:
        _describe(file, plan, sweep)
        _link(file, plan, layout, per_file)
    hidden.rename(master)
    yield master
    for number, image in enumerate(sweep.images()):
        path = folder / _data_name(plan, number // per_file)
        stored = image.astype(np.uint32)
        stored[image < 0] = NONE
        whole = min(per_file, plan.rotation.images - per_file * (number // per_file))
        room = whole if layout == "vds" else number % per_file + 1
        came = None if number in plan.faults.lost else stored
        _append(path, number % per_file, room, came, image.shape)
        yield path


def write(
    folder: Path,
    plan: SweepPlan,
    *,
    seconds: float = 0.0,
    layout: Layout = "vds",
    per_file: int = 100,
) -> Path:
    """Write a sweep within about so many seconds; return the master."""
    for _ in files(folder, plan, layout=layout, per_file=per_file):
        time.sleep(seconds / plan.written)
    return folder / f"{plan.name}_master.h5"


def _data_name(plan: SweepPlan, number: int) -> str:
    return f"{plan.name}_data_{number + 1:06d}.h5"


def _append(path: Path, row: int, room: int, image: Stored | None, shape: Shape) -> None:
    """Add an image to a data file that has room for so many; leave that alone if it never came."""
    with open_when_free(path, "a") as file:
        dataset: Any = file[STACK] if STACK in file else _stack(file, shape)
        dataset.resize(room, axis=0)
        if image is not None:
            dataset[row] = image


def _stack(file: h5py.File, shape: Shape) -> h5py.Dataset:
    file.create_group("entry").attrs["NX_class"] = "NXentry"
    file.create_group("entry/data").attrs["NX_class"] = "NXdata"
    return file.create_dataset(
        STACK,
        shape=(0, *shape),
        maxshape=(None, *shape),
        chunks=(1, *shape),
        dtype=np.uint32,
        fillvalue=NONE,
        **hdf5plugin.Bitshuffle(nelems=0, cname="lz4"),
    )


def _link(file: h5py.File, plan: SweepPlan, layout: Layout, per_file: int) -> None:
    data, shape = file.require_group("entry/data"), plan.detector.shape
    data.attrs["signal"] = "data" if layout == "vds" else "data_000001"
    images = plan.rotation.images
    stack = h5py.VirtualLayout((images, *shape), np.uint32)
    for number, first in enumerate(range(0, images, per_file)):
        many = min(per_file, images - first)
        name = _data_name(plan, number)
        source = h5py.VirtualSource(name, STACK, (many, *shape))
        stack[first : first + many] = source
        data[f"data_{number + 1:06d}"] = h5py.ExternalLink(name, STACK)
    if layout == "vds":
        data.create_virtual_dataset("data", stack, fillvalue=NONE)


def _describe(file: h5py.File, plan: SweepPlan, sweep: Sweep) -> None:
    for name, kind in CLASSES.items():
        file.create_group(name).attrs["NX_class"] = kind
    file.attrs["default"] = "entry"
    entry = file.require_group("entry")
    entry.attrs["default"] = "data"
    said = {k: v for k, v in {**_entry(plan), **_detector(plan)}.items() if v is not None}
    put(entry, said, {name: unit for name, unit in UNITS.items() if name in said})
    pixels = sweep.pixels
    mask = np.where(pixels.gaps, GAP_BIT, 0) + np.where(pixels.dead, DEAD_BIT, 0)
    file[f"{DETECTOR}/pixel_mask"] = mask.astype(np.uint32)
    _place_detector(file, plan)
    _place_sample(file, plan)


def _entry(plan: SweepPlan) -> dict[str, object]:
    begins = plan.started_at or SOME_DAY
    ends = begins + timedelta(seconds=plan.rotation.images * plan.beam.exposure)
    turned = 2 * plan.beam.polarisation - 1
    return {
        "definition": "NXmx",
        "start_time": begins.isoformat(),
        "end_time_estimated": ends.isoformat(),
        "entry_identifier_uuid": plan.uid,
        "experiment_identifier": plan.proposal or None,
        "source/name": "simulated source",
        "instrument/name": "simulated macromolecular crystallography",
        "instrument/beam/incident_wavelength": plan.beam.wavelength,
        "instrument/beam/incident_polarisation_stokes": [1.0, turned, 0.0, 0.0],
        "sample/name": plan.sample,
        "sample/depends_on": f"/{TURNS}/{plan.goniometer.names[0]}",
        "sample/unit_cell": None if plan.claims.cell is None else list(plan.claims.cell),
        "sample/space_group": plan.claims.space_group or None,
    }


def _detector(plan: SweepPlan) -> dict[str, object]:
    detector = plan.detector
    x, y = instrument.header_centre(plan)
    away = 1e-3 * (detector.distance + plan.claims.distance)
    here = "instrument/detector"
    return {
        f"{here}/description": detector.name,
        f"{here}/type": "HPC",
        f"{here}/depends_on": f"/{AWAY}",
        f"{here}/sensor_material": detector.sensor,
        f"{here}/sensor_thickness": 1e-3 * detector.thickness,
        f"{here}/saturation_value": detector.saturation,
        f"{here}/underload_value": 0,
        f"{here}/bit_depth_readout": 32,
        f"{here}/x_pixel_size": 1e-3 * detector.pixel,
        f"{here}/y_pixel_size": 1e-3 * detector.pixel,
        f"{here}/distance": away,
        f"{here}/detector_distance": away,
        f"{here}/beam_center_x": x,
        f"{here}/beam_center_y": y,
        f"{here}/count_time": plan.beam.exposure,
        f"{here}/frame_time": plan.beam.exposure,
        f"{here}/detectorSpecific/nimages": plan.rotation.images,
        f"{here}/detectorSpecific/ntrigger": 1,
        f"{here}/detectorSpecific/x_pixels_in_detector": detector.shape[1],
        f"{here}/detectorSpecific/y_pixels_in_detector": detector.shape[0],
        f"{here}/module/data_origin": np.array([0, 0]),
        f"{here}/module/data_size": np.array(detector.shape),
        f"{here}/module/data_stride": np.array([1, 1]),
    }


def _axis(
    file: h5py.File,
    path: str,
    value: Any,
    kind: Literal["rotation", "translation"],
    vector: Array,
    after: str,
    offset: Array | None = None,
) -> None:
    """Write an axis of a chain; vectors in imgCIF's frame, lengths in m."""
    made = file.create_dataset(path, data=value)
    made.attrs["transformation_type"] = kind
    made.attrs["units"] = "deg" if kind == "rotation" else "m"
    made.attrs["vector"] = np.asarray(vector) * TO_MCSTAS
    made.attrs["depends_on"] = "." if after == "." else f"/{after}"
    if offset is not None:
        made.attrs["offset"] = offset * TO_MCSTAS
        made.attrs["offset_units"] = "m"


def _place_detector(file: h5py.File, plan: SweepPlan) -> None:
    detector = plan.detector
    plane = instrument.plane_of(
        instrument.flat(detector), plan.claims.beam_centre, plan.claims.distance
    )
    x = np.array([1.0, 0.0, 0.0])
    _axis(file, SWING, [detector.two_theta_deg], "rotation", x, ".")
    away = -1e-3 * plane.origin[2]
    _axis(file, AWAY, [away], "translation", np.array([0, 0, -1.0]), SWING)
    corner = 1e-3 * np.array([plane.origin[0], plane.origin[1], 0.0])
    _axis(file, f"{MODULE}/module_offset", 0.0, "translation", x, AWAY, corner)
    step, nowhere = 1e-3 * detector.pixel, np.zeros(3)
    for name, vector in (("fast", plane.fast), ("slow", plane.slow)):
        path = f"{MODULE}/{name}_pixel_direction"
        _axis(file, path, step, "translation", vector, f"{MODULE}/module_offset", nowhere)


def _place_sample(file: h5py.File, plan: SweepPlan) -> None:
    goniometer, turn = plan.goniometer, plan.rotation
    begins = turn.start_deg + turn.width_deg * np.arange(turn.images)
    for number, name in enumerate(goniometer.names):
        outer = number + 1 < len(goniometer.names)
        after = f"{TURNS}/{goniometer.names[number + 1]}" if outer else "."
        scans = number == goniometer.scan_axis
        value = begins if scans else [goniometer.angles_deg[number]]
        vector = np.array(goniometer.axes[number])
        _axis(file, f"{TURNS}/{name}", value, "rotation", vector, after)
    name = goniometer.names[goniometer.scan_axis]
    file[f"{TURNS}/{name}_end"] = begins + turn.width_deg
    file[f"{TURNS}/{name}_increment_set"] = np.full(turn.images, turn.width_deg)
    data: Any = file["entry/data"]
    data[name] = h5py.SoftLink(f"/{TURNS}/{name}")
