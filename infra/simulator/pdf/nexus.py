"""NeXus files: a stack of frames in entry/instrument/detector/data, as Eiger writers leave them."""

import time
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from infra.simulator.hdf5 import hidden_until_done, put
from infra.simulator.pdf import facts, surroundings
from infra.simulator.pdf.plan import ScanPlan
from infra.simulator.pdf.scan import Scan
from infra.simulator.xas.growing import open_when_free

DATA = "entry/instrument/detector/data"
MONITOR = "entry/monitor/data"
GAP_BIT = 1  # of a pixel_mask: there is no pixel
CLASSES = {
    "entry": "NXentry",
    "entry/instrument": "NXinstrument",
    "entry/instrument/beam": "NXbeam",
    "entry/instrument/monochromator": "NXmonochromator",
    "entry/instrument/detector": "NXdetector",
    "entry/monitor": "NXmonitor",
    "entry/sample": "NXsample",
    "entry/container": "NXcontainer",
    "entry/data": "NXdata",
}
UNITS = {
    "instrument/beam/incident_wavelength": "angstrom",
    "instrument/monochromator/wavelength": "angstrom",
    "instrument/monochromator/energy": "keV",
    "instrument/detector/count_time": "s",
    "instrument/detector/distance": "m",
    "instrument/detector/x_pixel_size": "m",
    "instrument/detector/y_pixel_size": "m",
    "instrument/detector/sensor_thickness": "m",
    "instrument/detector/beam_center_x": "pixel",
    "instrument/detector/beam_center_y": "pixel",
    "sample/density": "g/cm^3",
    "sample/temperature": "K",
    "container/density": "g/cm^3",
}


def write(folder: Path, plan: ScanPlan, *, seconds: float = 0.0) -> Path:
    """Write a scan as NAME.h5.

    Parameters
    ----------
    seconds
        How long the file grows in everybody's sight, closed after each frame; `end_time` comes
        with the last one. At 0 it appears all at once.
    """
    path = folder / f"{plan.name}.h5"
    if seconds:
        _write(path, plan, seconds / plan.frames)
        return path
    with hidden_until_done(path) as hidden:
        _write(hidden, plan, 0.0)
    return path


def _write(path: Path, plan: ScanPlan, pause: float) -> None:
    scan = Scan(plan)
    with h5py.File(path, "w") as file:
        _describe(file, plan)
        file["entry/instrument/detector/pixel_mask"] = np.where(
            scan.pixels.gaps, np.uint32(GAP_BIT), np.uint32(0)
        )
    for number, frame in enumerate(scan.frames()):
        with open_when_free(path, "r+") as file:
            _append(file, DATA, number, frame.astype(np.uint32))
            if plan.kind not in ("dark", "flat"):
                _append(file, MONITOR, number, np.round(scan.monitor[number]))
        time.sleep(pause)
    with open_when_free(path, "r+") as file:
        file["entry/end_time"] = plan.time_of(plan.frames).isoformat()


def _append(file: h5py.File, name: str, number: int, values: Any) -> None:
    dataset: Any = file[name]
    dataset.resize(number + 1, axis=0)
    dataset[number] = values


def _describe(file: h5py.File, plan: ScanPlan) -> None:
    for name, kind in CLASSES.items():
        file.create_group(name).attrs["NX_class"] = kind
    entry = file.require_group("entry")
    entry.attrs["default"] = "data"
    said = {**_entry(plan), **_instrument(plan), **_sample(plan)}
    there = {name: value for name, value in said.items() if value is not None}
    put(entry, there, {name: unit for name, unit in UNITS.items() if name in there})
    _stack(file, plan)


def _entry(plan: ScanPlan) -> dict[str, object]:
    return {
        "title": plan.title,
        "start_time": plan.time_of(0).isoformat(),
        "entry_identifier_uuid": plan.uid,
        "experiment_identifier": plan.proposal or None,
    }


def _instrument(plan: ScanPlan) -> dict[str, object]:
    place = facts.claimed_geometry(plan)
    column, row = facts.beam_centre(plan)
    return {
        "instrument/name": "simulated total scattering",
        "instrument/beam/incident_wavelength": place.wavelength,
        "instrument/monochromator/wavelength": place.wavelength,
        "instrument/monochromator/energy": facts.energy(plan),
        "instrument/detector/description": "simulated",
        "instrument/detector/count_time": plan.beam.exposure,
        "instrument/detector/saturation_value": plan.detector.saturation,
        "instrument/detector/distance": place.distance,
        "instrument/detector/x_pixel_size": place.pixel2,
        "instrument/detector/y_pixel_size": place.pixel1,
        "instrument/detector/beam_center_x": column,
        "instrument/detector/beam_center_y": row,
        "instrument/detector/sensor_material": plan.detector.sensor,
        "instrument/detector/sensor_thickness": 1e-3 * plan.detector.thickness,
        "instrument/detector/detectorSpecific/nimages": plan.frames,
    }


def _sample(plan: ScanPlan) -> dict[str, object]:
    said = facts.of(plan)
    walls = surroundings.walls(plan.sample.container) if "container" in said else (None, None)
    return {
        "sample/name": said.get("sample", plan.kind),
        "sample/type": plan.kind,
        "sample/chemical_formula": said.get("composition"),
        "sample/density": said.get("density"),
        "sample/packing_fraction": said.get("packing"),
        "sample/temperature": said.get("temperature"),
        "sample/transmission": said.get("transmission"),
        "container/description": said.get("container"),
        "container/chemical_formula": walls[0],
        "container/density": walls[1],
    }


def _stack(file: h5py.File, plan: ScanPlan) -> None:
    shape = plan.geometry.shape
    packing = hdf5plugin.Bitshuffle(cname="lz4")
    stack = file.create_dataset(
        DATA, (0, *shape), np.uint32, maxshape=(None, *shape), chunks=(1, *shape), **packing
    )
    stack.attrs["units"] = "counts"
    if plan.kind not in ("dark", "flat"):
        file.create_dataset(MONITOR, (0,), np.float64, maxshape=(None,))
    file["entry/data"].attrs["signal"] = "data"
    file["entry/data/data"] = h5py.SoftLink(f"/{DATA}")
