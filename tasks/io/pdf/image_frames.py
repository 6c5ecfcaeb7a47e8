"""Images in files of their own, read one after the other."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.frames import naming
from tasks.io.pdf.header import CUTOFF, MONITOR, positive
from tasks.io.pdf.picture import Picture, load, look
from tasks.io.pdf.series import Series
from tasks.io.powder import F, Facts, ScanReference


class ImageFrames:
    """
    A `tasks.io.powder.Frames` of one file of several frames, or of files of one each.

    Pixels that a detector marks as bad by negative counts, and those that are no number in the
    first image, are not `valid`.
    """

    def __init__(
        self,
        reference: ScanReference,
        series: Series,
        picture: Picture,
        facts: Facts,
        sidecar: dict[str, Any],
        metadata: dict[str, Any],
    ) -> None:
        self.reference = reference
        self.facts = facts
        self.metadata = metadata
        self._series = series
        self._picture = picture
        count = len(series.files)
        self._frame = picture.shape[1:]
        self._frames = count if count > 1 else picture.shape[0]
        self.lost_frames = series.lost
        self.saturation = positive(sidecar, CUTOFF) or positive(picture.header, CUTOFF)
        self.valid = self._valid()
        self.monitor, trouble = self._monitor(sidecar)
        lost = self.lost_frames
        self.warnings = trouble + (
            (f"{series.path} lacks {naming(list(lost))} of the series.",) if lost else ()
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of frames, rows and columns."""
        return self._frames, *self._frame

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored images."""
        return self._picture.dtype

    def _valid(self) -> NDArray[np.bool_] | None:
        if not (self._picture.marks_bad or self.dtype.kind == "f"):
            return None
        first = load(self._series.files[0])
        good = first >= 0 if self._picture.marks_bad else np.isfinite(first)
        if not good.any():
            raise DataError(
                f"{self._series.files[0]} has no pixel that counts (all are no numbers, or marked "
                f"as bad): repeat the scan."
            )
        return None if good.all() else good

    def _monitor(self, sidecar: dict[str, Any]) -> tuple[F | None, tuple[str, ...]]:
        """Return the incident beam per frame: from the sidecar, or from every header."""
        if (told := sidecar.get("monitor")) is not None:
            return self._monitor_told(told)
        if positive(self._picture.header, MONITOR) is None:
            return None, ()
        files = self._series.files
        if len(files) != self._frames:
            return None, ()  # one header cannot tell the beam of several frames
        values = [positive(look(file).header, MONITOR) for file in files]
        if None in values:
            first = files[values.index(None)]
            return None, (f"{first} has no monitor in its header: the monitor is not used.",)
        return np.array(values, np.float64), ()

    def _monitor_told(self, told: object) -> tuple[F | None, tuple[str, ...]]:
        try:
            values = np.asarray(told, np.float64).reshape(-1)
            if not (np.isfinite(values) & (values > 0)).all():
                raise ValueError("values must be numbers above 0")
            return np.broadcast_to(values, self._frames).copy(), ()
        except (TypeError, ValueError) as error:
            return None, (
                f"The sidecar of {self.reference.path} gives a monitor that does not fit its "
                f"{self._frames} frames ({error}): it is not used.",
            )

    def read(self, frames: slice = slice(None)) -> NDArray[Any]:
        """Read some frames; see `tasks.io.powder.Frames`."""
        wanted = range(*frames.indices(self._frames))
        stack = np.empty((len(wanted), *self._frame), self.dtype)
        for place, number in zip(stack, wanted, strict=True):
            place[...] = self._one(number)
        return stack

    def _one(self, number: int) -> NDArray[Any]:
        files = self._series.files
        is_series = len(files) > 1
        file = files[number if is_series else 0]
        image = load(file, 0 if is_series else number)
        if image.shape != self._frame:
            size, first = (" x ".join(map(str, each)) for each in (image.shape, self.shape[1:]))
            raise DataError(
                f"{file} (frame {number}) has {size} pixels, but the first frame has {first}: "
                f"they were taken with another detector setting."
            )
        check_finite(f"{file} (frame {number})", image, self.valid)
        return image

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


def check_finite(where: str, image: NDArray[Any], valid: NDArray[np.bool_] | None) -> None:
    """
    Check that all pixels that count hold numbers.

    Raises
    ------
    DataError
        Some are NaN or infinite though the first image has numbers there.
    """
    if image.dtype.kind != "f":
        return
    bad = ~np.isfinite(image)
    if valid is not None:
        bad &= valid
    count = int(np.count_nonzero(bad))
    if count:
        place = cast("tuple[int, ...]", np.unravel_index(int(bad.argmax()), bad.shape))
        raise DataError(
            f"{where} has {count} pixels that are no numbers (NaN or infinite), the first in row "
            f"{place[-2]}, column {place[-1]}: repeat the scan, or leave this frame out."
        )
