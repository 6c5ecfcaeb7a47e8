"""What the detector adds and takes, from the darks and flats that serve a scan."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flows.pdf.types import Floats, Mask
from tasks.errors import DataError
from tasks.io.powder import Frames, Pattern, open_powder
from tasks.io.scan import ScanReference
from tasks.pdf.response import Dark, make_dark, make_flat

_MOST_DARKS = 50  # frames of one file that are averaged: more change nothing


@dataclass(frozen=True)
class Response:
    """Dark, relative yield and bad pixels of the detector; None where nothing was measured."""

    dark: Dark | None = None
    flat: Floats | None = None
    bad: Mask | None = None
    doubts: tuple[str, ...] = ()


def respond(
    calibrations: Mapping[str, tuple[ScanReference, ...]], exposure: float | None
) -> Response:
    """Average darks, scaled to an exposure in s, and turn flats into the yield of the pixels."""
    dark, doubts = _dark(calibrations["dark"], exposure)
    flats = calibrations["flat"]
    if not flats:
        return Response(dark, doubts=doubts)
    light = np.stack([mean_of(each) for each in flats])
    ground, _ = _dark(calibrations["dark"], _exposure(flats[0]))
    flat, bad = make_flat(light, None if ground is None else ground.mean)
    return Response(dark, flat, bad, doubts)


def mean_of(reference: ScanReference) -> Floats:
    """Average the frames of a file, (rows, columns)."""
    with open_frames(reference) as frames:
        return frames.read(slice(0, _MOST_DARKS)).mean(axis=0, dtype=np.float64)


def _dark(
    references: tuple[ScanReference, ...], exposure: float | None
) -> tuple[Dark | None, tuple[str, ...]]:
    if not references:
        return None, ()
    read: list[np.ndarray] = []
    for reference in references:
        with open_frames(reference) as frames:
            read.append(frames.read(slice(0, _MOST_DARKS)))
    own = _exposure(references[0])
    darks = np.concatenate(read)
    if own and exposure:
        return make_dark(darks, own, exposure), ()
    told = ("The exposure of the darks or of the frames is not known: they are taken to be equal.",)
    return make_dark(darks), told


def _exposure(reference: ScanReference) -> float | None:
    with open_frames(reference) as frames:
        return frames.facts.exposure


def open_frames(reference: ScanReference) -> Frames:
    """Open images.

    Raises
    ------
    DataError
        They cannot be read, or it is a 1-D pattern.
    """
    found = open_powder(reference)
    if isinstance(found, Pattern):
        raise DataError(
            f"{Path(reference.path).name} is a 1-D pattern, but the scan has images: measure both "
            "the same way."
        )
    return found
