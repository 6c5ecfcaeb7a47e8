"""Sweeps of CBF images, plain or gzipped, one image in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import TECHNIQUE, Facts, Geometry, Images, ScanReference
from tasks.io.entry import Entry
from tasks.io.fingerprint import fingerprint_files
from tasks.io.mx.cbf_geometry import Placed, geometry_of
from tasks.io.mx.cbf_header import CbfHeader
from tasks.io.mx.cif import number
from tasks.io.mx.describe import described
from tasks.io.mx.layout import gaps_of
from tasks.io.mx.series import Series, series_in
from tasks.io.pdf.cbf import load, look

ANGLE_TOLERANCE = 0.1
"""Share of an image's width by which the last image may begin elsewhere than planned."""


@dataclass(frozen=True)
class CbfSeriesReader:
    """Reader of numbered CBF images; each sweep of a folder is a dataset."""

    name: str = "cbf_series"
    technique: str = TECHNIQUE
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a folder or file; see `tasks.io.scan.Reader`."""
        return [_entry(series, self.name) for series in series_in(path)]

    def open(self, reference: ScanReference) -> Images:
        """Open one sweep; without an inner path, the first of the folder."""
        return CbfImages(reference, _found(reference))

    def part(self, path: Path, inner_path: str) -> bytes | None:
        """Return what stands for the content of one sweep of a folder; None if there is none."""
        for series in series_in(path) if path.is_dir() and "#" in inner_path else ():
            if series.template == inner_path:
                return fingerprint_files(list(series.files.values()), path).encode()
        return None


def _found(reference: ScanReference) -> Series:
    known = series_in(Path(reference.path))
    for series in known:
        if reference.inner_path in ("", series.template):
            return series
    names = ", ".join(series.template for series in known) or "none"
    raise DataError(
        f"{reference.path} holds no sweep '{reference.inner_path}' (it has: {names}): check the "
        f"path."
    )


def _entry(series: Series, format_name: str) -> Entry:
    metadata: dict[str, Any] = {}
    facts, problem, detector = Facts(), None, ""
    told: dict[str, Any] = {}
    expected = None
    try:
        told = series.sidecar
        header = CbfHeader(look(series.files[series.first_number]))
        detector = f"{header.cbf.shape[0]} x {header.cbf.shape[1]}"
        facts = _facts(header, series)
        expected = _announced(header, series)
        placed = geometry_of(header, max(series.planned, expected or 0), series.first_number)
        metadata = described(facts, placed.geometry)
    except DataError as error:
        problem = str(error)
    return Entry(
        inner_path=series.template,
        format=format_name,
        present_frames=len(series.files),
        uid=str(told["uid"]) if told.get("uid") else None,
        expected_frames=expected,
        started_at=facts.started_at,
        detector=detector,
        needs_quiet=True,
        problem=problem,
        metadata=metadata | {"images": len(series.files)},
        stored_bytes=series.stored_bytes if series.template else None,
    )


def _announced(header: CbfHeader, series: Series) -> int | None:
    """Return how many images there shall be, as the sidecar or the header tells it."""
    told = series.sidecar.get("frames")
    if isinstance(told, int) and told > 0:
        return told
    frames = int(number(header.row("diffrn_scan"), "frames"))
    return frames if frames > 1 else None  # 1 is what templates of single images say


def _facts(header: CbfHeader, series: Series) -> Facts:
    sample = series.sidecar.get("sample")
    facts = replace(header.facts, title=series.title)
    return replace(facts, sample=str(sample)) if sample else facts


class CbfImages:
    """A `tasks.io.diffraction.Images` of numbered files, as they are there when it is opened."""

    def __init__(self, reference: ScanReference, series: Series) -> None:
        self.reference = reference
        self._series, self._files = series, dict(series.files)
        header = CbfHeader(look(series.files[series.first_number]))
        images = max(series.planned, _announced(header, series) or 0)
        placed = geometry_of(header, images, series.first_number)
        self.geometry: Geometry = placed.geometry
        self.facts: Facts = _facts(header, series)
        self.saturation = header.saturation
        self.warnings: tuple[str, ...] = tuple(
            [*placed.warnings, *self._leave_out_unfinished(), *self._check_last(placed)]
        )
        self.metadata: dict[str, Any] = described(self.facts, self.geometry)
        first = load(self._files[min(self._files)])
        self.mask: NDArray[np.bool_] = gaps_of(self.geometry.detector.shape) | (first < 0)
        planned = range(series.first_number, series.first_number + images)
        self.lost_images = tuple(
            image for image, each in enumerate(planned) if each not in self._files
        )

    def _leave_out_unfinished(self) -> Sequence[str]:
        """Leave out the last image if it is not whole: it is being written, or never will be."""
        last = max(self._files)
        if last == min(self._files):
            return ()
        try:
            load(self._files[last])
        except DataError as error:
            del self._files[last]
            return (f"The last image is not whole and counts as lost: {error}",)
        return ()

    def _check_last(self, placed: Placed) -> Sequence[str]:
        """Check that the last image begins at the angle that the first one promises."""
        rotation = placed.geometry.rotation
        last = max(self._files)
        header = CbfHeader(look(self._files[last]))
        if header.cbf.shape != self.geometry.detector.shape:
            raise DataError(
                f"{self._files[last]} has {header.cbf.shape[0]} x {header.cbf.shape[1]} pixels, "
                f"but the first image of the sweep has {self.shape[1]} x {self.shape[2]}: put what "
                f"was taken with another setting under another name."
            )
        start = geometry_of(header).geometry.rotation.start_deg
        planned = float(rotation.angle_deg(np.array(last - rotation.first_number)))
        off = (start - planned + 180) % 360 - 180
        if abs(off) <= max(abs(rotation.width_deg) * ANGLE_TOLERANCE, 1e-3):
            return ()
        return (
            f"{self._files[last].name} begins at {start:g} degrees, but {planned:g} follow from "
            f"the first image and its width of {rotation.width_deg:g}: the first one is believed.",
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of images from the first to the last, rows and columns."""
        return self.geometry.rotation.images, *self.geometry.detector.shape

    def read(self, images: slice = slice(None)) -> NDArray[np.int32]:
        """Read some images; see `tasks.io.diffraction.Images`."""
        numbers = range(self.shape[0])[images]
        stack = np.full((len(numbers), *self.shape[1:]), -1, np.int32)
        for image, place in zip(stack, numbers, strict=True):
            file = self._files.get(self.geometry.rotation.first_number + place)
            if file is not None:
                np.maximum(load(file), -1, out=image)
        return stack

    def close(self) -> None:
        """Close nothing: each file is open only while it is read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


READER = CbfSeriesReader()
