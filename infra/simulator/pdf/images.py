"""Single images and folders of numbered ones: TIFF with JSON beside it, EDF with a header."""

import json
import time
from pathlib import Path

import fabio.edfimage
import numpy as np
import tifffile

from infra.simulator.pdf import facts
from infra.simulator.pdf.plan import ScanPlan
from infra.simulator.pdf.scan import Counts, Scan


def write_tiff(folder: Path, plan: ScanPlan, *, seconds: float = 0.0) -> Path:
    """Write a frame as NAME.tif, or several as NAME/NAME_00001.tif and so on.

    A single image has NAME.json beside it, a folder has scan.json in it, which comes first.

    Parameters
    ----------
    seconds
        How long a folder grows.
    """
    path = _place(folder, plan, "tif")
    described = path / "scan.json" if plan.frames > 1 else path.with_suffix(".json")
    described.write_text(json.dumps(facts.of(plan), indent=2))
    for number, frame in enumerate(Scan(plan).frames()):
        tifffile.imwrite(_image(path, plan, number, "tif"), frame)
        time.sleep(seconds / plan.frames)
    return path


def write_edf(folder: Path, plan: ScanPlan, *, seconds: float = 0.0) -> Path:
    """Write a frame as NAME.edf, or several as NAME/NAME_00001.edf and so on, with headers."""
    path = _place(folder, plan, "edf")
    header = {name: str(value) for name, value in facts.of(plan).items() if name != "monitor"}
    scan = Scan(plan)
    for number, frame in enumerate(scan.frames()):
        told = {} if plan.kind in ("dark", "flat") else {"monitor": f"{scan.monitor[number]:.0f}"}
        _save_edf(_image(path, plan, number, "edf"), frame, header | told)
        time.sleep(seconds / plan.frames)
    return path


def _save_edf(path: Path, frame: Counts, header: dict[str, str]) -> None:
    fabio.edfimage.edfimage(data=frame, header=header).write(str(path))


def _place(folder: Path, plan: ScanPlan, suffix: str) -> Path:
    if plan.frames == 1:
        return folder / f"{plan.name}.{suffix}"
    path = folder / plan.name
    path.mkdir()
    return path


def _image(path: Path, plan: ScanPlan, number: int, suffix: str) -> Path:
    if plan.frames == 1:
        return path
    return path / f"{plan.name}_{number + 1:05d}.{suffix}"


def write_mask(folder: Path, plan: ScanPlan, name: str = "mask") -> Path:
    """Write what a careful person masks, gaps, beam stop and dead pixels, as NAME.edf; 1 is out."""
    path = folder / f"{name}.edf"
    pixels = Scan(plan).pixels
    masked = (pixels.gaps | pixels.shadow | pixels.dead).astype(np.uint8)
    fabio.edfimage.edfimage(data=masked, header={"kind": "mask"}).write(str(path))
    return path
