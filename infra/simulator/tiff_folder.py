"""Folders of TIFF files: projections/, flats/, flats_after/, darks/, angles.txt and scan.json."""

import json
import time
from collections.abc import Iterable
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
    flats, before = recording.of(FLAT), recording.flats_before
    _write_frames(path / "darks", recording.of(DARK))
    _write_frames(path / "flats", flats[:before])
    _write_frames(
        path / "projections",
        recording.of(PROJECTION),
        recording.numbers_of(PROJECTION).tolist(),
        plan.delivery.seconds,
    )
    _write_frames(path / "flats_after", flats[before:])
    return path


def _write_frames(
    folder: Path, frames: Counts, numbers: Iterable[int] | None = None, seconds: float = 0.0
) -> None:
    if not len(frames):
        return
    folder.mkdir()
    every = -(-len(frames) // BATCHES)
    for count, (number, frame) in enumerate(
        zip(numbers or range(len(frames)), frames, strict=True), start=1
    ):
        tifffile.imwrite(folder / f"{folder.name}_{number:05d}.tif", frame)
        if seconds and count % every == 0:
            time.sleep(seconds / BATCHES)


def _describe(path: Path, plan: ScanPlan, recording: Recording) -> None:
    angles = recording.projection_angles
    if len(angles):
        lines = [f"{angle:.6f}" for angle in angles]
        (path / "angles.txt").write_text("\n".join(["# degrees", *lines, ""]))
    description = {
        "uid": plan.uid,
        "started_at": plan.started_at.isoformat() if plan.started_at else None,
        "title": plan.title,
        "sample": plan.sample,
        "proposal": plan.proposal or None,
        "pixel_size_um": plan.geometry.pixel_size * 1e6,
        "energy_keV": plan.beam.energy,
        "flats": len(recording.of(FLAT)),
        "darks": len(recording.of(DARK)),
    }
    known = {key: value for key, value in description.items() if value is not None}
    (path / "scan.json").write_text(json.dumps(known, indent=2))
