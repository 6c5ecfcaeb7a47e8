"""What the catalogue learns of a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.io.diffraction import Facts, Geometry
from tasks.io.pdf.describe import HC
from tasks.io.values import without_none


def described(facts: Facts, geometry: Geometry, **more: Any) -> dict[str, Any]:
    """Return facts and geometry as JSON values, under the names that the catalogue knows."""
    rotation, detector = geometry.rotation, geometry.detector
    return without_none(
        title=facts.title or None,
        sample=facts.sample or None,
        energy_keV=HC / geometry.beam.wavelength,
        wavelength_A=geometry.beam.wavelength,
        started_at=facts.started_at.isoformat() if facts.started_at else None,
        exposure_time_s=facts.exposure,
        flux=facts.flux,
        transmission=facts.transmission,
        temperature_K=facts.temperature,
        images=rotation.images,
        oscillation_deg=rotation.width_deg,
        start_angle_deg=rotation.start_deg,
        scan_axis=geometry.goniometer.names[geometry.goniometer.scan_axis],
        grid=list(facts.grid) if facts.grid else None,
        kind=_kind(facts, geometry),
        space_group=facts.space_group or None,
        cell=list(facts.cell) if facts.cell else None,
        detector_name=detector.name or None,
        detector_distance_mm=round(detector.distance, 4),
        two_theta_deg=_two_theta(geometry),
        **more,
    )


def _kind(facts: Facts, geometry: Geometry) -> str:
    if facts.grid:
        return "grid scan"
    return "rotation" if geometry.rotation.width_deg else "stills"


def _two_theta(geometry: Geometry) -> float | None:
    """Return the angle between the beam and the detector's normal; None below 0.5 degrees."""
    cosine = float(np.clip(geometry.detector.normal @ geometry.beam.direction, -1.0, 1.0))
    angle = float(np.degrees(np.arccos(cosine)))
    return round(angle, 3) if angle > 0.5 else None
