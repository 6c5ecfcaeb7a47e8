"""The models of an experiment as DIALS' lists hold them, ready for JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.io.diffraction import Beam, Detector, F, Goniometer, Rotation
from tasks.mx.crystal import Crystal

PARALLAX, SIMPLE = "ParallaxCorrectedPxMmStrategy", "SimplePxMmStrategy"


def written_beam(beam: Beam) -> dict[str, Any]:
    """Return a beam as dxtbx writes it."""
    return {
        "__id__": "monochromatic",
        "direction": (-beam.direction).tolist(),
        "wavelength": beam.wavelength,
        "divergence": 0.0,
        "sigma_divergence": 0.0,
        "polarization_normal": beam.polarisation_normal.tolist(),
        "polarization_fraction": beam.polarisation,
        "flux": 0.0,
        "transmission": 1.0,
    }


def _frame(fast: F, slow: F, origin: F) -> dict[str, Any]:
    return {"fast_axis": fast.tolist(), "slow_axis": slow.tolist(), "origin": origin.tolist()}


def written_detector(detector: Detector, saturation: float | None) -> dict[str, Any]:
    """Return a detector of one panel as dxtbx writes it."""
    is_corrected = detector.thickness > 0 and detector.absorption > 0
    common: dict[str, Any] = {
        "raw_image_offset": [0, 0],
        "identifier": "",
        "mask": [],
        "pedestal": 0.0,
    }
    panel = {
        "name": detector.name or "Panel",
        "type": "SENSOR_PAD",
        **_frame(detector.fast, detector.slow, detector.origin),
        "image_size": [detector.shape[1], detector.shape[0]],
        "pixel_size": list(detector.pixel),
        "trusted_range": [0.0, saturation or float(np.iinfo(np.int32).max)],
        "thickness": detector.thickness,
        "material": detector.material,
        "mu": detector.absorption,
        "gain": detector.gain,
        "px_mm_strategy": {"type": PARALLAX if is_corrected else SIMPLE},
        **common,
    }
    root = {
        "name": "",
        "type": "",
        **_frame(np.eye(3)[0], np.eye(3)[1], np.zeros(3)),
        "image_size": [0, 0],
        "pixel_size": [0.0, 0.0],
        "trusted_range": [0.0, 0.0],
        "thickness": 0.0,
        "material": "",
        "mu": 0.0,
        "gain": 1.0,
        "px_mm_strategy": {"type": SIMPLE},
        "children": [{"panel": 0}],
        **common,
    }
    return {"panels": [panel], "hierarchy": root}


def written_goniometer(goniometer: Goniometer) -> dict[str, Any]:
    """Return a goniometer of one or of several axes as dxtbx writes it."""
    if len(goniometer.axes) == 1:
        turn = np.eye(3).ravel().tolist()
        return {
            "rotation_axis": goniometer.axes[0].tolist(),
            "fixed_rotation": turn,
            "setting_rotation": turn,
        }
    return {
        "axes": goniometer.axes.tolist(),
        "angles": goniometer.angles_deg.tolist(),
        "names": list(goniometer.names),
        "scan_axis": goniometer.scan_axis,
    }


def written_scan(rotation: Rotation) -> dict[str, Any]:
    """Return how the sweep turned as dxtbx writes it."""
    return {
        "image_range": [rotation.first_number, rotation.first_number + rotation.images - 1],
        "batch_offset": 0,
        "oscillation": [rotation.start_deg, rotation.width_deg],
        "exposure_time": [0.0] * rotation.images,
        "epochs": [0.0] * rotation.images,
        "valid_image_ranges": {},
    }


def written_crystal(crystal: Crystal) -> dict[str, Any]:
    """Return a crystal as dxtbx writes it."""
    import gemmi

    axes = crystal.direct
    group = gemmi.SpaceGroup(crystal.space_group)
    written: dict[str, Any] = {
        "__id__": "crystal",
        **{f"real_space_{name}": axes[number].tolist() for number, name in enumerate("abc")},
        "space_group_hall_symbol": group.hall,
    }
    if crystal.a_matrices is not None:
        written["A_at_scan_points"] = crystal.a_matrices.reshape(-1, 9).tolist()
    return written


def written_imageset(template: str, images: int) -> dict[str, Any] | None:
    """Return where the images are; None if nobody knows."""
    if not template:
        return None
    kinds: dict[str, Any] = {
        "mask": "",
        "gain": "",
        "pedestal": "",
        "dx": "",
        "dy": "",
        "params": {},
    }
    written = {"__id__": "ImageSequence", "template": template, **kinds}
    if "#" not in template:  # one file holds them all
        written["single_file_indices"] = list(range(images))
    return written
