"""Detector images in files of their own (TIFF, CBF, EDF): one file, or the series of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.fingerprint import fingerprint_files
from tasks.io.pdf.describe import described, entry_kind, needs_of
from tasks.io.pdf.header import number_of, pixel_of, told_by
from tasks.io.pdf.image_frames import ImageFrames
from tasks.io.pdf.picture import Picture, look
from tasks.io.pdf.series import Series, series_in
from tasks.io.pdf.sidecar import sidecar_of
from tasks.io.pdf.words import kind_in
from tasks.io.powder import TECHNIQUE, Facts, Frames, ScanReference

NEWEST = 3
FRAMES = ("frames", "acq_nb_frames")
HINTS = {
    "detector_distance_m": ("detector_distance", "detectordistance", "sampledistance"),
    "beam_xy": ("beam_xy",),
    "detector_name": ("detector", "detector_name"),
}


@dataclass(frozen=True)
class ImageReader:
    """Reader of detector images; each series of a folder is a dataset."""

    name: str = "powder_image"
    technique: str = TECHNIQUE
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file or folder; see `tasks.io.scan.Reader`."""
        return [_entry(series, self.name) for series in series_in(path)]

    def open(self, reference: ScanReference) -> Frames:
        """Open one series; without an inner path, the first of the folder."""
        series = _found(reference)
        picture = look(series.files[0])
        sidecar = sidecar_of(series.path, series.name)
        facts = facts_of(series, picture, sidecar)
        metadata = _metadata(facts, picture, sidecar)
        return ImageFrames(reference, series, picture, facts, sidecar, metadata)

    def part(self, path: Path, inner_path: str) -> bytes | None:
        """Return what stands for the content of one series of a folder; None if there is none."""
        for series in series_in(path) if path.is_dir() else ():
            if inner_path and series.name == inner_path:
                return fingerprint_files(series.files, path).encode()
        return None


def _found(reference: ScanReference) -> Series:
    inner = reference.inner_path.strip("/")
    known = series_in(Path(reference.path))
    for series in known:
        if inner in ("", series.name):
            return series
    names = ", ".join(series.name or "its own" for series in known) or "none"
    raise DataError(
        f"{reference.path} holds no series of images '{inner}' (it has: {names}): check the path."
    )


def facts_of(series: Series, picture: Picture, sidecar: dict[str, Any]) -> Facts:
    """Put together what a sidecar, a header and a name tell; the first counts."""
    kind, calibrant = kind_in(series.words)
    if kind == "sample" and series.path.is_dir() and not series.name:
        kind, calibrant = kind_in(series.path.name)
    named: dict[str, Any] = {"kind": kind, "calibrant": calibrant}
    return Facts(**(named | told_by(picture.header) | told_by(sidecar)))


def _entry(series: Series, format_name: str) -> Entry:
    picture = look(series.files[0])
    sidecar = sidecar_of(series.path, series.name)
    facts = facts_of(series, picture, sidecar)
    expected = number_of(sidecar | picture.header, FRAMES) if series.path.is_dir() else None
    uid = sidecar.get("uid") or sidecar.get("scan_uid")
    count, rows, columns = picture.shape
    count = len(series.files) if len(series.files) > 1 else count
    kind, kinds = entry_kind(facts)
    return Entry(
        inner_path=series.name,
        format=format_name,
        present_frames=count,
        uid=str(uid) if uid else None,
        started_at=facts.started_at,
        expected_frames=int(expected[0]) if expected else None,
        kind=kind,
        calibration_kinds=kinds,
        needs=needs_of(facts, sidecar),
        detector=f"{rows} x {columns}",
        needs_quiet=expected is None,
        problem=_problem(series, picture),
        metadata=_metadata(facts, picture, sidecar) | {"frames": count},
    )


def _problem(series: Series, first: Picture) -> str | None:
    """Tell whether one of the images written last is cut short or of another size."""
    newest = sorted(series.files, key=lambda file: file.stat().st_mtime_ns)[-NEWEST:]
    try:
        for file in newest:
            if file != series.files[0]:
                check_alike(series.files[0], first, file, look(file))
    except DataError as error:
        return str(error)
    return None


def check_alike(first: Path, one: Picture, file: Path, other: Picture) -> None:
    """
    Check that two files of a series fit together.

    Raises
    ------
    DataError
        Their images have different sizes, or one of several files holds several frames.
    """
    if one.shape[1:] != other.shape[1:]:
        raise DataError(
            f"{file} has {other.shape[1]} x {other.shape[2]} pixels, but {first.name} of the same "
            f"series has {one.shape[1]} x {one.shape[2]}: put what was taken with another detector "
            f"setting into another folder or under another name."
        )
    if one.shape[0] != 1 or other.shape[0] != 1:
        raise DataError(f"{file}: a series of several files must have one image in each.")


def _metadata(facts: Facts, picture: Picture, sidecar: dict[str, Any]) -> dict[str, Any]:
    hints = {
        name: next((picture.header[key] for key in keys if key in picture.header), None)
        for name, keys in HINTS.items()
    }
    pixel = pixel_of(sidecar) or pixel_of(picture.header)
    told = {name: sidecar.get(name) for name in ("geometry", "proposal", "visit", "scan")}
    return described(facts, pixel_size_m=pixel, **hints, **told)


READER = ImageReader()
