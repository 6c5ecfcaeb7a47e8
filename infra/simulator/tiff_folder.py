"""Folders of TIFF files: projections/, flats/, darks/, angles.txt and scan.json."""

import json
import time
from pathlib import Path

import tifffile

from infra.simulator.hdf5 import BATCHES
from infra.simulator.physics import Counts
from infra.simulator.plan import DARK, FLAT, PROJECTION, Recording, ScanPlan


def write(folder: Path, plan: ScanPlan, recording: Recording) -> Path:
    """Write a scan; angles.txt comes first and announces how many projections will come."""
    path = folder / plan.name
    path.mkdir()
    _describe(path, plan, recording)
    for kind, key in (("darks", DARK), ("flats", FLAT)):
        frames = recording.of(key)
        _write_frames(path / kind, kind[:-1], frames, range(len(frames)))
    numbers = recording.projection_numbers - plan.darks - plan.flats[0]
    _write_frames(
        path / "projections",
        "projection",
        recording.of(PROJECTION),
        [int(number) for number in numbers],
        plan.delivery.seconds,
    )
    return path


def _write_frames(
    folder: Path, name: str, frames: Counts, numbers: range | list[int], seconds: float = 0.0
) -> None:
    if not len(frames):
        return
    folder.mkdir()
    every = -(-len(frames) // BATCHES)
    for count, (number, frame) in enumerate(zip(numbers, frames, strict=True), start=1):
        tifffile.imwrite(folder / f"{name}_{number:05d}.tif", frame)
        if seconds and count % every == 0:
            time.sleep(seconds / BATCHES)


def _describe(path: Path, plan: ScanPlan, recording: Recording) -> None:
    lines = [f"{angle:.6f}" for angle in recording.announced_angles]
    (path / "angles.txt").write_text("\n".join(["# degrees", *lines, ""]))
    description = {
        "uid": plan.uid,
        "started_at": plan.started_at.isoformat() if plan.started_at else None,
        "title": plan.title,
        "sample": plan.sample,
        "proposal": plan.proposal or None,
        "pixel_size_um": plan.geometry.pixel_size * 1e6,
        "energy_keV": plan.beam.energy,
    }
    known = {key: value for key, value in description.items() if value is not None}
    (path / "scan.json").write_text(json.dumps(known, indent=2))
