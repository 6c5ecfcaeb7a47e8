"""Facts as the metadata of an entry, and units of energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tasks.io.powder import Facts
from tasks.io.values import without_none

HC = 12.398419843320026
"""h c in keV Angstrom, of the exact constants of the SI."""


def described(facts: Facts, **more: Any) -> dict[str, Any]:
    """Return facts as JSON values, under the names that the catalogue knows."""
    return without_none(
        title=facts.title or None,
        sample=facts.sample or None,
        energy_keV=None if facts.wavelength is None else HC / facts.wavelength,
        wavelength_A=facts.wavelength,
        exposure_time_s=facts.exposure,
        transmission=facts.transmission,
        composition=facts.composition or None,
        density=facts.density,
        container=facts.container or None,
        temperature_K=facts.temperature,
        calibrant=facts.calibrant or None,
        started_at=facts.started_at.isoformat() if facts.started_at else None,
        powder_kind=facts.kind,
        **more,
    )


def entry_kind(facts: Facts) -> tuple[Literal["raw", "calibration"], tuple[str, ...]]:
    """Return the kind of an entry and the calibrations that it holds."""
    if facts.kind == "sample":
        return "raw", ()
    return "calibration", (facts.kind,)


def needs_of(facts: Facts, told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what images wait for: the geometry, unless they are a calibration or bring it."""
    return () if facts.kind != "sample" or told.get("geometry") else ("geometry",)
