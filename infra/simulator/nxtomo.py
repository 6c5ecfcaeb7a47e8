"""NXtomo entries, alone or several in a file, with their frames inside or in a linked file."""

import time
from pathlib import Path

import h5py

from infra.simulator import hdf5
from infra.simulator.plan import Recording, ScanPlan


def write(folder: Path, plan: ScanPlan, recording: Recording) -> Path:
    """Write a scan into a file of its own."""
    path = folder / f"{plan.name}.nxs"
    if plan.delivery.way == "linked":
        return _write_linked(path, plan, recording)
    if plan.delivery.way == "slow":
        write_entry(path, "entry", plan, recording)
        return path
    with hdf5.hidden_until_done(path) as hidden:
        write_entry(hidden, "entry", plan, recording)
    return path


def write_entry(path: Path, name: str, plan: ScanPlan, recording: Recording) -> None:
    """Add an entry to a file that may be there already."""
    with h5py.File(path, "a") as file:
        entry = _describe(file, name, plan, recording)
        entry["data/data"] = h5py.SoftLink(f"/{name}/instrument/detector/data")
        hdf5.append(entry, "instrument/detector/data", recording.frames, plan.delivery.seconds)
        entry["instrument/detector/sequence_number"] = recording.numbers


def frames_name(plan: ScanPlan) -> str:
    """Name the file of frames that belongs to the master file of a plan."""
    return f"{plan.name}-frames.hdf"


def write_master(path: Path, plan: ScanPlan, recording: Recording) -> None:
    """Write the master file, whose frames are a link to a file that need not be there yet."""
    with h5py.File(path, "w") as file:
        entry = _describe(file, "entry", plan, recording)
        link = h5py.ExternalLink(frames_name(plan), "/entry/frames")
        entry["instrument/detector/data"] = link
        entry["instrument/detector/sequence_number"] = recording.numbers
        entry["data/data"] = h5py.SoftLink("/entry/instrument/detector/data")


def write_frames(folder: Path, plan: ScanPlan, recording: Recording) -> Path:
    """Write the file of frames that belongs to the master file of a plan."""
    path = folder / frames_name(plan)
    with hdf5.hidden_until_done(path) as hidden, h5py.File(hidden, "w") as file:
        hdf5.append(file, "entry/frames", recording.frames)
    return path


def _write_linked(path: Path, plan: ScanPlan, recording: Recording) -> Path:
    with hdf5.hidden_until_done(path) as hidden:
        write_master(hidden, plan, recording)
    time.sleep(plan.delivery.seconds)
    write_frames(path.parent, plan, recording)
    return path


def _describe(file: h5py.File, name: str, plan: ScanPlan, recording: Recording) -> h5py.Group:
    """Write all of an entry but its frames; keys and angles announce how many will come."""
    entry = file.create_group(name)
    for path, nexus_class in {
        "": "NXentry",
        "instrument": "NXinstrument",
        "instrument/detector": "NXdetector",
        "instrument/beam": "NXbeam",
        "sample": "NXsample",
        "data": "NXdata",
    }.items():
        entry.require_group(path or "/" + name).attrs["NX_class"] = nexus_class
    started = plan.started_at.isoformat() if plan.started_at else None
    metres = plan.geometry.pixel_size
    hdf5.put(
        entry,
        {
            "definition": "NXtomo",
            "title": plan.title,
            "entry_identifier_uuid": plan.uid,
            "experiment_identifier": plan.proposal or None,
            "start_time": started,
            "instrument/detector/image_key": recording.planned_keys,
            "instrument/detector/x_pixel_size": metres,
            "instrument/detector/y_pixel_size": metres,
            "instrument/beam/incident_energy": plan.beam.energy,
            "sample/name": plan.sample,
            "sample/rotation_angle": recording.planned_angles,
        },
        {
            "instrument/detector/x_pixel_size": "m",
            "instrument/detector/y_pixel_size": "m",
            "instrument/beam/incident_energy": "keV",
            "sample/rotation_angle": "degree",
        },
    )
    for link, target in {
        "rotation_angle": "sample/rotation_angle",
        "image_key": "instrument/detector/image_key",
    }.items():
        entry[f"data/{link}"] = h5py.SoftLink(f"/{name}/{target}")
    return entry
