"""Opening the image of a calibrant: its mean, the pixels that count, and what it is of."""

from pathlib import Path
from typing import Any

import numpy as np

from catalog.runs import Claim
from flows.pdf.calibration.recipe import Recipe
from flows.pdf.calibration.types import Floats, Mask, Opened
from flows.sources import data_of
from tasks.errors import DataError
from tasks.io.powder import Frames, Pattern, open_powder

SETTINGS = "beamlines.calibrations.calibrant.recipe"


def open_image(recipe: Recipe, claim: Claim) -> Opened:
    """Open an image and settle calibrant, wavelength and pixel size.

    Raises
    ------
    DataError
        It cannot be read, is no image, or one of these is not known.
    """
    reference = data_of(claim)
    name = Path(reference.path).name
    found = open_powder(reference)
    if isinstance(found, Pattern):
        raise DataError(
            f"{name} is a pattern, and the geometry of a detector is found on images: hand over "
            "the image itself."
        )
    with found as frames:
        facts = frames.facts
        calibrant = recipe.calibrant or facts.calibrant
        wavelength = recipe.wavelength or facts.wavelength
        if not calibrant:
            raise _unknown(name, "of which calibrant it is", "calibrant, as CeO2")
        if wavelength is None:
            raise _unknown(name, "at which wavelength it was taken", "wavelength, in Å")
        image, mask = mean_of(frames)
        return Opened(
            image=image,
            mask=mask,
            frames=frames.shape[0],
            calibrant=calibrant,
            wavelength=wavelength,
            pixel=_pixel(recipe, frames.metadata, name),
            metadata=dict(frames.metadata),
            warnings=tuple(frames.warnings),
        )


def mean_of(frames: Frames) -> tuple[Floats, Mask]:
    """Average frames one by one; a pixel that is bad or saturated in any of them is left out.

    Returns
    -------
    tuple of numpy.ndarray
        The mean, and True where a pixel does not count, both (rows, columns).
    """
    count, rows, columns = frames.shape
    total = np.zeros((rows, columns))
    bad = np.zeros((rows, columns), bool) if frames.valid is None else ~frames.valid
    for number in range(count):
        (frame,) = frames.read(slice(number, number + 1))
        bad |= ~np.isfinite(frame) | (frame < 0) | (frame >= _full(frames))
        total += np.where(bad, 0, frame)
    return total / count, bad


def _full(frames: Frames) -> float:
    if frames.saturation is not None:
        return frames.saturation
    return float(np.iinfo(frames.dtype).max) if frames.dtype.kind in "iu" else np.inf


def _pixel(recipe: Recipe, metadata: dict[str, Any], name: str) -> tuple[float, float]:
    """Return height and width of a pixel, m."""
    told = metadata.get("pixel_size_m")
    if recipe.pixel_um is not None:
        return recipe.pixel_um * 1e-6, recipe.pixel_um * 1e-6
    if told is None:
        raise _unknown(name, "how large its pixels are", "pixel_um, in µm")
    height, width = np.broadcast_to(np.asarray(told, np.float64), 2)
    return float(height), float(width)


def _unknown(name: str, what: str, key: str) -> DataError:
    return DataError(
        f"{name} does not say {what}: give it in {SETTINGS} ({key}), then `dayseye quarantine "
        "recheck` it."
    )
