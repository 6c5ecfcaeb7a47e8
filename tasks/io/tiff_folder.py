"""
Folders of TIFF images, one projection each, with an angles file and, often, flats and darks.

Projections, flats and darks are told apart by sub-folder or by the begin of the file's name
(``proj``, ``flat`` or ``white``, ``dark``); what begins otherwise is a projection. Angles stand in
``angles.txt`` or ``theta.txt`` (one a line, in degrees unless a comment says ``radians``) or in
``scan.json``, which may also give uid, started_at, title, sample, proposal, energy_keV,
pixel_size_um, and ``flats`` and ``darks``, the numbers of images to expect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
import tifffile
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.frames import match_frames, positions
from tasks.io.scan import Scan, ScanReference
from tasks.io.values import METRES, moment, to_metres, to_radians, without_none

SUFFIXES = {".tif", ".tiff"}
FLATS, DARKS = ("flat", "white", "ref"), ("dark",)
ANGLES_FILES = ("angles.txt", "theta.txt")
SIDECAR = "scan.json"
NEWEST = 3
KIND_FOLDER = re.compile(
    r"(projections?|proj|tomo|flats?|whites?|refs?|darks?)([_-]?(pre|post|before|after|\d+))?",
    re.IGNORECASE,
)
NUMBER = re.compile(r"(\d+)(?=\D*$)")


@dataclass(frozen=True)
class Folder:
    """The files of a series, sorted by kind and number."""

    path: Path
    projections: list[Path]
    flats: list[Path]
    darks: list[Path]
    sidecar: dict[str, Any]
    angles: NDArray[np.float64] | None

    @property
    def is_raw(self) -> bool:
        """Whether it is, or will be, a scan rather than flats and darks alone."""
        return bool(self.projections) or self.angles is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Calibrations that it holds."""
        held = {"dark": self.darks, "flat": self.flats}
        return tuple(kind for kind, files in held.items() if files)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Calibrations that it does not hold."""
        return tuple(kind for kind in ("dark", "flat") if kind not in self.kinds)

    @property
    def announced(self) -> int | None:
        """Number of projections to expect."""
        stated = int(self.sidecar.get("projections") or 0)
        return max(stated, 0 if self.angles is None else len(self.angles)) or None

    @property
    def images(self) -> list[Path]:
        """All images, projections first."""
        return [*self.projections, *self.flats, *self.darks]


@dataclass(frozen=True)
class TiffFolderReader:
    """Reader of folders of TIFF images."""

    name: str = "tiff_folder"
    technique: str = "ct"
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a folder; see `tasks.io.scan.Reader`."""
        if not path.is_dir():
            return []
        folder = list_folder(path)
        return [_entry(folder, self.name)] if folder.images else []

    def open(self, reference: ScanReference) -> Scan:
        """Open the series read-only."""
        return _scan(reference)


def list_folder(path: Path) -> Folder:
    """
    List a series.

    Raises
    ------
    DataError
        The angles file or the sidecar cannot be understood.
    """
    kinds: dict[str, list[Path]] = {"projections": [], "flats": [], "darks": []}
    for file in _images(path):
        kinds[_kind(path, file)].append(file)
    sidecar = _sidecar(path / SIDECAR)
    return Folder(
        path=path,
        **{kind: sorted(files, key=_by_number) for kind, files in kinds.items()},
        sidecar=sidecar,
        angles=_angles(path, sidecar),
    )


def _images(path: Path) -> list[Path]:
    """Return the images in a folder and its sub-folders, without hidden ones."""
    found: list[Path] = []
    for item in path.iterdir():
        if item.name.startswith("."):
            continue
        if item.suffix.lower() in SUFFIXES:
            found.append(item)
        elif is_kind_folder(item.name) and item.is_dir():
            found += [file for file in item.iterdir() if _is_image(file)]
    return found


def is_kind_folder(name: str) -> bool:
    """Whether a folder's name says that it holds one kind of a series' images."""
    return KIND_FOLDER.fullmatch(name) is not None


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def _kind(folder: Path, file: Path) -> str:
    inside = file.parent.name if file.parent != folder else file.name
    name = inside.lower()
    if name.startswith(FLATS):
        return "flats"
    return "darks" if name.startswith(DARKS) else "projections"


def _number(file: Path) -> int | None:
    found = NUMBER.search(file.stem)
    return int(found[1]) if found else None


def _by_number(file: Path) -> tuple[str, int, str]:
    found = NUMBER.search(file.stem)
    begin = file.stem[: found.start()] if found else file.stem
    return f"{file.parent.name}/{begin}", int(found[1]) if found else -1, file.name


def _sidecar(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no readable JSON ({error}): mend or remove it.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} must hold one JSON object, with keys such as 'angles'.")
    return cast(dict[str, Any], content)


def _angles(path: Path, sidecar: dict[str, Any]) -> NDArray[np.float64] | None:
    for name in ANGLES_FILES:
        if (path / name).is_file():
            return _angles_file(path / name)
    if "angles" not in sidecar:
        return None
    where = f"{path / SIDECAR} at 'angles'"
    try:
        values = np.array(sidecar["angles"], np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} must hold a list of numbers.") from error
    return to_radians(values, str(sidecar.get("angles_unit", "degrees")), where)


def _angles_file(path: Path) -> NDArray[np.float64]:
    """Read one angle a line, the last number of it where there are several columns."""
    try:
        lines = path.read_text("utf-8").splitlines()
        fields = [line.split("#")[0].replace(",", " ").replace(";", " ").split() for line in lines]
        values = np.array([float(columns[-1]) for columns in fields if columns])
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is no list of angles ({error}): write one angle a line, in degrees."
        ) from error
    in_radians = any("radian" in line for line in lines if line.lstrip().startswith("#"))
    return to_radians(values, "radians" if in_radians else "degrees", str(path))


def _entry(folder: Folder, format_name: str) -> Entry:
    _check_newest(folder.images)
    stated = {key: folder.sidecar.get(key) for key in ("flats", "darks")}
    short = [
        key
        for key, files in (("flats", folder.flats), ("darks", folder.darks))
        if len(files) < int(stated[key] or 0)
    ]
    return Entry(
        inner_path="",
        format=format_name,
        present_frames=len(folder.projections) if folder.is_raw else len(folder.images),
        uid=_uid(folder.sidecar),
        started_at=moment(cast("str | None", folder.sidecar.get("started_at"))),
        expected_frames=folder.announced if folder.is_raw else None,
        kind="raw" if folder.is_raw else "calibration",
        calibration_kinds=() if folder.is_raw else folder.kinds,
        needs=folder.lacking if folder.is_raw else (),
        detector=" x ".join(map(str, _shape(folder.images[0]))) if folder.images else "",
        needs_quiet=None in stated.values() or bool(short),
        problem=_problem(folder) if folder.is_raw else None,
        metadata=_metadata(folder),
    )


def _uid(sidecar: dict[str, Any]) -> str | None:
    uid = sidecar.get("uid") or sidecar.get("scan_uid")
    return str(uid) if uid else None


def _problem(folder: Folder) -> str | None:
    if folder.angles is None:
        return (
            f"{folder.path} gives no angles: neither {' nor '.join(ANGLES_FILES)} is there, nor "
            f"'angles' in {SIDECAR}. Write one angle a line, in degrees, into {ANGLES_FILES[0]}."
        )
    if not folder.projections:
        return f"{folder.path} holds angles but no projections: repeat the scan."
    return None


def _check_newest(images: list[Path]) -> None:
    """Check that the images written last are whole."""
    newest = sorted(images, key=lambda file: file.stat().st_mtime_ns)[-NEWEST:]
    for file in newest:
        with _opened(file) as tiff:
            page = cast(tifffile.TiffPage, tiff.pages[0])
            end = max(map(sum, zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
        if end > file.stat().st_size:
            raise DataError(f"{file} is cut short: it is still written, or the disk was full.")


@contextmanager
def _opened(file: Path) -> Generator[tifffile.TiffFile]:
    """Open a TIFF image; what tifffile raises becomes a sentence."""
    try:
        tiff = tifffile.TiffFile(file)
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise DataError(
            f"{file} is no readable TIFF image ({error}): copy it again, or repeat the scan."
        ) from error
    with tiff:
        yield tiff


def _shape(file: Path) -> tuple[int, ...]:
    with _opened(file) as tiff:
        return tuple(cast(tifffile.TiffPage, tiff.pages[0]).shape)


def _metadata(folder: Folder) -> dict[str, Any]:
    sidecar = folder.sidecar
    started = moment(cast("str | None", sidecar.get("started_at")))
    return without_none(
        title=sidecar.get("title"),
        sample=sidecar.get("sample"),
        proposal=sidecar.get("proposal"),
        energy_keV=sidecar.get("energy_keV"),
        exposure_time_s=sidecar.get("exposure_time_s"),
        pixel_size_m=_pixel_size(folder),
        started_at=started.isoformat() if started else None,
    )


def _pixel_size(folder: Folder) -> float | None:
    where = str(folder.path / SIDECAR)
    names = {f"pixel_size_{unit}": unit for unit in METRES}
    names["pixel_size"] = str(folder.sidecar.get("pixel_size_unit", ""))
    for name, unit in names.items():
        value = folder.sidecar.get(name)
        if isinstance(value, int | float) and value > 0:
            return to_metres(float(value), unit, where)
    return None


@dataclass
class TiffFolderScan:
    """A `tasks.io.scan.Scan` made of TIFF images; a few rows of each are read at a time."""

    reference: ScanReference
    images: list[Path]
    white: list[Path]
    dark: list[Path]
    frame: tuple[int, int]
    dtype: np.dtype[Any]
    angles: NDArray[np.float64]
    positions: NDArray[np.float64]
    flat_positions: NDArray[np.float64]
    expected_projections: int | None
    lost_frames: tuple[int, ...]
    angles_matched: bool
    pixel_size: float | None
    chunks: tuple[int, ...] | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of projections, rows and columns."""
        return len(self.images), *self.frame

    @property
    def n_flats(self) -> int:
        """Number of flats in the folder."""
        return len(self.white)

    @property
    def n_darks(self) -> int:
        """Number of darks in the folder."""
        return len(self.dark)

    def projections(self, rows: slice, frames: slice = slice(None)) -> NDArray[Any]:
        """Read raw projections (frames, rows, columns)."""
        return self._read(self.images[frames], rows)

    def flats(self, rows: slice) -> NDArray[Any]:
        """Read the flat fields (flats, rows, columns)."""
        return self._read(self.white, rows)

    def darks(self, rows: slice) -> NDArray[Any]:
        """Read the darks (darks, rows, columns)."""
        return self._read(self.dark, rows)

    def _read(self, files: Sequence[Path], rows: slice) -> NDArray[Any]:
        height = len(range(*rows.indices(self.frame[0])))
        stack = np.empty((len(files), height, self.frame[1]), self.dtype)
        for place, file in zip(stack, files, strict=True):
            place[...] = _read_rows(file, rows, self.frame)
        return stack

    def close(self) -> None:
        """Do nothing: images are open only while they are read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _read_rows(file: Path, rows: slice, frame: tuple[int, int]) -> NDArray[Any]:
    """Read rows of one image; only an image that is compressed is read whole."""
    with _opened(file) as tiff:
        page = cast(tifffile.TiffPage, tiff.pages[0])
        if page.shape != frame:
            raise DataError(
                f"{file} has {' x '.join(map(str, page.shape))} pixels but the projections have "
                f"{frame[0]} x {frame[1]}: they were taken with another detector setting."
            )
        try:
            if page.is_memmappable:
                return np.array(tifffile.memmap(file, mode="r")[rows])
            return page.asarray()[rows]
        except (OSError, ValueError, RuntimeError, tifffile.TiffFileError) as error:
            raise DataError(
                f"{file} cannot be read ({error}): copy it again, or write it uncompressed."
            ) from error


def _scan(reference: ScanReference) -> TiffFolderScan:
    folder = list_folder(Path(reference.path))
    problem = _problem(folder) if folder.is_raw or not folder.images else None
    if problem:
        raise DataError(problem)
    angles = np.empty(0) if folder.angles is None else folder.angles
    planned = folder.announced or 0
    frames = match_frames(
        str(folder.path), len(folder.projections), angles, _ids(folder, planned), planned
    )
    with _opened(folder.images[0]) as tiff:
        page = cast(tifffile.TiffPage, tiff.pages[0])
        shape, dtype, pages = tuple(page.shape), np.dtype(page.dtype), len(tiff.pages)
    if len(shape) != 2 or pages > 1:
        raise DataError(
            f"{folder.images[0]} is no single grey image (shape {shape}): "
            f"write each projection into a file of its own."
        )
    return TiffFolderScan(
        reference=reference,
        images=[folder.projections[index] for index in frames.indices],
        white=folder.flats,
        dark=folder.darks,
        frame=(int(shape[0]), int(shape[1])),
        dtype=dtype,
        angles=frames.angles,
        positions=positions(frames),
        flat_positions=_flat_positions(folder),
        expected_projections=frames.expected,
        lost_frames=frames.lost,
        angles_matched=frames.matched,
        pixel_size=_pixel_size(folder),
        metadata=_metadata(folder),
    )


def _ids(folder: Folder, planned: int) -> NDArray[np.intp] | None:
    """Return the numbers in the images' names, if images are missing and the numbers fit."""
    numbers = [_number(file) for file in folder.projections]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or len(set(known)) < len(known) or len(known) >= planned:
        return None
    return np.array(known) if max(known) - min(known) < planned else None


def _flat_positions(folder: Folder) -> NDArray[np.float64]:
    """Tell flats taken after the scan by their name (``post``, ``after``, ``end``)."""
    after = re.compile("post|after|end", re.IGNORECASE)
    names = [str(file.relative_to(folder.path)) for file in folder.flats]
    return np.array([1.0 if after.search(name) else 0.0 for name in names])


READER = TiffFolderReader()
