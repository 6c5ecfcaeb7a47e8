"""What a scan says about itself, as metadata: what is claimed, whether it is so or not."""

from typing import Any

import numpy as np

from infra.simulator.pdf import factors, geometry, scattering
from infra.simulator.pdf.plan import Geometry, ScanPlan
from infra.simulator.pdf.scan import Scan


def claimed_geometry(plan: ScanPlan) -> Geometry:
    """Return the geometry that is handed over with a plan's scans, its wavelength as claimed."""
    place = plan.claims.geometry or plan.geometry
    wavelength = plan.claims.wavelength or plan.geometry.wavelength
    return Geometry(**{**vars(place), "wavelength": wavelength})


def of(plan: ScanPlan) -> dict[str, Any]:
    """Return what the metadata say, as plain values in Å, m, s, g/cm3, K.

    Samples, calibrants and empty capillaries tell what is in the beam; what is unknown is left out.
    """
    said: dict[str, Any] = {
        "kind": plan.kind,
        "uid": plan.uid,
        "title": plan.title,
        "started_at": plan.time_of(0).isoformat(),
        "proposal": plan.proposal or None,
        "wavelength": claimed_geometry(plan).wavelength,
        "exposure": plan.beam.exposure,
        "frames": plan.frames,
        "saturation": plan.detector.saturation,
        "x_pixel_size": claimed_geometry(plan).pixel2,
        "y_pixel_size": claimed_geometry(plan).pixel1,
    }
    if plan.kind not in ("dark", "flat"):
        said |= {
            "monitor": np.round(Scan(plan).monitor).tolist(),
            "transmission": round(scattering.capillary(plan).transmission, 6),
        }
    if plan.kind in ("sample", "calibrant", "container"):
        said["container"] = container(plan)
    if plan.kind in ("sample", "calibrant"):
        said |= _sample(plan)
    return {name: value for name, value in said.items() if value is not None}


def _sample(plan: ScanPlan) -> dict[str, Any]:
    sample = plan.sample
    said = {
        "sample": sample.name,
        "composition": plan.claims.formula or sample.formula,
        "density": round(plan.claims.density or sample.phases[0].density, 4),
        "packing": sample.packing,
        "temperature": sample.temperature,
    }
    return said | ({"calibrant": sample.phases[0].name} if plan.kind == "calibrant" else {})


def container(plan: ScanPlan) -> str | None:
    """Say what the sample is in, if in anything; the diameter is that of the sample."""
    sample = plan.sample
    if sample.container == "none":
        return None
    inner, wall = sample.diameter - 2 * sample.wall, 1e3 * sample.wall
    return f"{sample.container} capillary {inner:g} mm wall {wall:g} um"


def beam_centre(plan: ScanPlan) -> tuple[float, float]:
    """Return the column and the row where the beam would meet the detector, as claimed."""
    place = claimed_geometry(plan)
    ahead = geometry.rotation(place).T @ np.array([0.0, 0.0, 1.0])  # the beam, in its own axes
    row = (ahead[0] / ahead[2] * place.distance + place.poni1) / place.pixel1
    column = (ahead[1] / ahead[2] * place.distance + place.poni2) / place.pixel2
    return float(column), float(row)


def energy(plan: ScanPlan) -> float:
    """Return the claimed photon energy in keV."""
    return factors.HC / claimed_geometry(plan).wavelength
