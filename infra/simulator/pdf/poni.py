"""Geometry as a .poni file of version 2.1, as pyFAI writes it."""

import json
from pathlib import Path

from infra.simulator.pdf import facts
from infra.simulator.pdf.plan import ScanPlan

ORIENTATION = 3  # the first pixel is the one at the detector's origin


def write(folder: Path, plan: ScanPlan, name: str = "geometry") -> Path:
    """Write the geometry that is claimed for a plan's scans as NAME.poni."""
    place = facts.claimed_geometry(plan)
    detector = {
        "pixel1": place.pixel1,
        "pixel2": place.pixel2,
        "max_shape": list(place.shape),
        "orientation": ORIENTATION,
    }
    lines = [
        "# simulated geometry",
        "poni_version: 2.1",
        "Detector: Detector",
        f"Detector_config: {json.dumps(detector)}",
        f"Distance: {place.distance!r}",
        f"Poni1: {place.poni1!r}",
        f"Poni2: {place.poni2!r}",
        f"Rot1: {place.rot1!r}",
        f"Rot2: {place.rot2!r}",
        f"Rot3: {place.rot3!r}",
        f"Wavelength: {place.wavelength * 1e-10!r}",
    ]
    path = folder / f"{name}.poni"
    path.write_text("\n".join([*lines, ""]))
    return path
