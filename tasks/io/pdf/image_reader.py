"""Detector images in files of their own (TIFF, CBF, EDF): one file or a folder of a series."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tifffile
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.entry import Entry
from tasks.io.pdf.describe import described
from tasks.io.pdf.words import kind_in
from tasks.io.powder import TECHNIQUE, F, Facts, Frames, ScanReference

TIFF = (".tif", ".tiff")


@dataclass(frozen=True)
class ImageReader:
    """Reader of detector images."""

    name: str = "powder_image"
    technique: str = TECHNIQUE
    layout: str = ""

    def entries(self, path: Path) -> list[Entry]:
        """Look at a file or folder; see `tasks.io.scan.Reader`."""
        files = _files(path)
        if not files:
            return []
        with ImageFrames(ScanReference(str(path), "", self.name), files) as frames:
            facts = frames.facts
            count, rows, columns = frames.shape
        is_raw = facts.kind == "sample"
        return [
            Entry(
                inner_path="",
                format=self.name,
                present_frames=count,
                kind="raw" if is_raw else "calibration",
                calibration_kinds=() if is_raw else (facts.kind,),
                needs=("geometry",) if is_raw else (),
                detector=f"{rows} x {columns}",
                needs_quiet=True,
                metadata=described(facts),
            )
        ]

    def open(self, reference: ScanReference) -> Frames:
        """Open the images."""
        files = _files(Path(reference.path))
        if not files:
            raise DataError(f"{reference.path} holds no images.")
        return ImageFrames(reference, files)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(each for each in path.iterdir() if each.suffix.lower() in TIFF)
    return [path] if path.suffix.lower() in TIFF else []


@dataclass
class ImageFrames:
    """`tasks.io.powder.Frames` of files with one image each."""

    reference: ScanReference
    files: list[Path]
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()
    monitor: F | None = None
    valid: NDArray[np.bool_] | None = None
    saturation: float | None = None
    lost_frames: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        first = self.read(slice(0, 1))
        self._frame, self.dtype = first.shape[1:], first.dtype
        kind, calibrant = kind_in(Path(self.reference.path).stem)
        self.facts = Facts(kind=kind, calibrant=calibrant)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""
        return len(self.files), self._frame[0], self._frame[1]

    def read(self, frames: slice = slice(None)) -> NDArray[Any]:
        """Read some frames, (frames, rows, columns)."""
        try:
            return np.stack([tifffile.imread(file) for file in self.files[frames]])
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise DataError(f"{self.reference.path} cannot be read ({error}).") from error

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


READER = ImageReader()
