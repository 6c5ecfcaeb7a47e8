"""Opening a scan: what it is, how it was measured, and what serves it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from catalog.runs import Claim
from flows.pdf.axis import needs_wavelength, unit_of
from flows.pdf.recipe import Recipe
from flows.pdf.sample import sample_of
from flows.pdf.types import Opened
from flows.sources import data_of, references
from tasks.errors import DataError
from tasks.io.pdf.describe import described
from tasks.io.powder import Facts, Frames, Pattern, open_powder
from tasks.io.scan import ScanReference
from tasks.pdf.geometry import Geometry, check_detector, read_poni

ROLES = ("dark", "flat", "empty", "container", "mask", "geometry")
_SAME_WAVELENGTH = 0.005  # relative: what calibrations of one beam differ by


def open_scan(recipe: Recipe, claim: Claim) -> Opened:
    """Open a scan and settle geometry, wavelength, composition and calibrations.

    Raises
    ------
    DataError
        It cannot be read, its geometry is missing or of another detector, its wavelength is not
        known or not the geometry's, or its composition does not exist.
    """
    reference = data_of(claim)
    found = open_powder(reference)
    calibrations = {role: references(claim, role) for role in ROLES}
    if isinstance(found, Pattern):
        return _pattern(recipe, claim, reference, found, calibrations)
    with found as frames:
        return _images(recipe, claim, reference, frames, calibrations)


Calibrations = dict[str, tuple[ScanReference, ...]]


def _pattern(
    recipe: Recipe,
    claim: Claim,
    reference: ScanReference,
    pattern: Pattern,
    calibrations: Calibrations,
) -> Opened:
    unit = unit_of(recipe, pattern, reference)
    wavelength, doubts = _wavelength(recipe, pattern.facts, None)
    if wavelength is None and needs_wavelength(unit):
        raise DataError(
            f"{Path(reference.path).name} is against 2θ and nothing says the wavelength: give it "
            "in the recipe or the beamline's settings (wavelength, in Å)."
        )
    return Opened(
        data=reference,
        shape=(1, 1, len(pattern.x)),
        wavelength=wavelength,
        geometry=None,
        sample=sample_of(recipe, claim.sample_facts, pattern.facts),
        calibrations=calibrations,
        title=pattern.facts.title or pattern.facts.sample,
        metadata=_metadata(pattern.facts, {"axis_unit": unit}),
        doubts={"reading": pattern.warnings, "geometry": doubts},
    )


def _images(
    recipe: Recipe,
    claim: Claim,
    reference: ScanReference,
    frames: Frames,
    calibrations: Calibrations,
) -> Opened:
    geometry = _geometry(recipe, frames, calibrations["geometry"])
    wavelength, doubts = _wavelength(recipe, frames.facts, geometry.wavelength)
    return Opened(
        data=reference,
        shape=frames.shape,
        wavelength=wavelength,
        geometry=geometry if wavelength is None else replace(geometry, wavelength=wavelength),
        sample=sample_of(recipe, claim.sample_facts, frames.facts),
        calibrations=calibrations,
        title=frames.facts.title or frames.facts.sample,
        metadata=_metadata(frames.facts, frames.metadata),
        doubts={"reading": tuple(frames.warnings), "geometry": doubts},
    )


def _geometry(recipe: Recipe, frames: Frames, references: tuple[ScanReference, ...]) -> Geometry:
    known = recipe.wavelength or frames.facts.wavelength
    told = frames.metadata.get("geometry")
    if references:
        geometry = read_poni(Path(references[0].path), known)
    elif told:
        geometry = _in_words(told, known)
    else:
        raise DataError(
            "There is no geometry for these images: put a .poni beside them, or measure a "
            "calibrant, and say in the beamline's settings that they need it "
            '(needs = ["geometry"]).'
        )
    geometry = geometry.oriented(recipe.orientation)
    check_detector(geometry, frames.shape[1:], _pixel(frames.metadata))
    return geometry


def _in_words(told: Any, wavelength: float | None) -> Geometry:
    """Read what a sidecar says in the words of a .poni."""
    if isinstance(told, Mapping):
        pairs = {
            str(key): json.dumps(value) if isinstance(value, Mapping) else value
            for key, value in told.items()
        }
        told = "".join(f"{key}: {value}\n" for key, value in pairs.items())
    with TemporaryDirectory() as folder:
        path = Path(folder, "geometry of the sidecar.poni")
        path.write_text(str(told))
        return read_poni(path, wavelength)


def _pixel(metadata: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return height and width of a pixel in m, where the data name them."""
    told = metadata.get("pixel_size_m")
    return (float(told[0]), float(told[1])) if isinstance(told, (list, tuple)) else None


def _wavelength(
    recipe: Recipe, facts: Facts, calibrated: float | None
) -> tuple[float | None, tuple[str, ...]]:
    """Settle the wavelength: the recipe's, else the calibrated one, else the data's."""
    told = facts.wavelength
    chosen = recipe.wavelength or calibrated or told
    if told is None or chosen is None or abs(chosen - told) <= _SAME_WAVELENGTH * told:
        return chosen, ()
    if recipe.wavelength is None:
        raise DataError(
            f"The geometry was calibrated at {chosen:.5g} Å, but the data were taken at "
            f"{told:.5g} Å: calibrate at this wavelength, or say in the recipe which one holds."
        )
    return chosen, (
        f"The recipe's wavelength of {chosen:.5g} Å is used; the data say {told:.5g} Å.",
    )


def _metadata(facts: Facts, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {**described(facts), **metadata}
