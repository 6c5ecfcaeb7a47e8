"""Which frames of a planned scan are there, at which angles, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.scan import Scan

NAMED_FRAMES = 5


@dataclass(frozen=True)
class Frames:
    """
    The usable projections of a scan.

    Attributes
    ----------
    indices
        Where they stand among the stored frames.
    angles
        Their angles in radians.
    numbers
        Their numbers in the planned scan, from 0.
    expected
        How many projections were planned.
    lost
        Numbers of the planned projections that are not usable.
    matched
        False if frames or angles are missing and nothing says which: the last are assumed.
    """

    indices: NDArray[np.intp]
    angles: NDArray[np.float64]
    numbers: NDArray[np.intp]
    expected: int
    lost: tuple[int, ...]
    matched: bool


def match_frames(
    where: str,
    stored: int,
    angles: NDArray[np.float64],
    ids: NDArray[np.integer] | None = None,
    announced: int | None = None,
) -> Frames:
    """
    Match the stored projections with the angles of the planned scan.

    With frame numbers the match is exact. Without them, one angle per stored frame is taken as it
    stands; else the last frames or angles are taken to be missing (``matched`` is False then).
    A frame without an angle (NaN, or beyond the end of the list) counts as lost.

    Parameters
    ----------
    where
        What to call the scan in an error's sentence.
    stored
        Number of projections in the file.
    angles
        Angles in radians, of the planned scan or of the stored frames.
    ids
        Number of each stored frame, counted from 0 or 1.
    announced
        Number of projections that the file announces.

    Raises
    ------
    DataError
        The numbers contradict each other.
    """
    planned = max(announced or 0, len(angles), stored if ids is None else 0)
    numbers = _numbers(where, stored, planned, ids)
    matched = ids is not None or len(angles) == stored  # one angle each, whatever their numbers
    if len(angles) == stored:
        own = angles
        if ids is None:
            numbers = _numbers_from_spacing(angles)
            planned = max(planned, int(numbers.max(initial=0)) + 1)
    else:
        own = np.full(stored, np.nan)
        known = numbers < len(angles)
        own[known] = angles[numbers[known]]
    usable = np.isfinite(own)
    present = numbers[usable]
    return Frames(
        indices=np.flatnonzero(usable),
        angles=own[usable],
        numbers=present,
        expected=planned,
        lost=tuple(np.setdiff1d(np.arange(planned), present).tolist()),
        matched=matched,
    )


def _numbers(
    where: str, stored: int, planned: int, ids: NDArray[np.integer] | None
) -> NDArray[np.intp]:
    """Count the frames' numbers from 0; those of an acquisition may begin anywhere."""
    if ids is None or not stored:
        return np.arange(stored)
    numbers = ids.astype(np.intp)
    if len(numbers) != stored or len(np.unique(numbers)) < stored:
        raise DataError(
            f"{where} holds {stored} projections but {len(np.unique(numbers))} different frame "
            f"numbers: the file contradicts itself. Check the acquisition's settings."
        )
    first, last = int(numbers.min()), int(numbers.max())
    if last - first >= planned:
        raise DataError(
            f"{where} numbers its frames from {first} to {last}, but only {planned} were planned: "
            f"the file contradicts itself. Check the acquisition's settings."
        )
    # if the first frames may be lost, numbers that fit as counts from 0 or 1 are taken as such
    begin = next((start for start in (0, 1) if last - planned < start <= first), first)
    return numbers - begin


def _numbers_from_spacing(angles: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find the gaps that lost frames left in evenly spaced angles."""
    simple = np.arange(len(angles))
    step = np.median(np.diff(angles)) if len(angles) > 2 else 0.0
    if not np.isfinite(step) or step == 0 or not np.isfinite(angles).all():
        return simple
    exact = (angles - angles[0]) / step
    found = np.rint(exact)
    gaps = np.diff(found)
    # uneven angles (interlaced, golden ratio, noisy encoders) have no gaps to speak of
    even = np.all(gaps >= 1) and np.abs(np.diff(exact) - gaps).max() < 0.1
    return found.astype(np.intp) if even and found[-1] < 2 * len(angles) else simple


def positions(frames: Frames) -> NDArray[np.float64]:
    """Return when each projection was taken: 0 at the scan's begin, 1 at its end."""
    return frames.numbers / max(frames.expected - 1, 1)


def runs(indices: NDArray[np.intp]) -> Iterator[tuple[slice, slice]]:
    """Cut rising indices into unbroken runs: pairs of (where stored, where wanted)."""
    begin = 0
    for end in [*(np.flatnonzero(np.diff(indices) != 1) + 1).tolist(), len(indices)]:
        if end > begin:
            first = int(indices[begin])
            yield slice(first, first + end - begin), slice(begin, end)
        begin = end


def check_frames(scan: Scan, *, samples: int = 16, rows: int = 4) -> None:
    """
    Look for frames without content: NaN or infinite values, and projections of one value only.

    Every projection of floating type is looked at in a few rows of its middle, others in a sample.

    Parameters
    ----------
    scan
        An open scan.
    samples
        How many projections of an integer type to look at.
    rows
        How many rows to look at.

    Raises
    ------
    DataError
        There are such frames; the sentence names them.
    """
    band = middle_rows(scan.shape[1], rows)
    count = scan.shape[0]
    step = 1 if scan.dtype.kind == "f" else max(1, count // samples)
    per_read = max(1, 2**24 // (scan.shape[2] * rows * scan.dtype.itemsize * step)) * step
    not_finite: list[int] = []
    blank: list[int] = []
    for begin in range(0, count, per_read):
        frames = slice(begin, min(begin + per_read, count), step)
        found = check_values(scan.projections(band, frames))
        not_finite += [begin + step * index for index in found[0]]
        blank += [begin + step * index for index in found[1]]
    report(scan.reference.path, "projections", not_finite, blank)
    report(scan.reference.path, "flats", check_values(scan.flats(band))[0], [])
    report(scan.reference.path, "darks", check_values(scan.darks(band))[0], [])


def middle_rows(height: int, rows: int) -> slice:
    """Return the slice of a few rows in a frame's middle."""
    begin = max(0, (height - rows) // 2)
    return slice(begin, min(height, begin + rows))


def check_values(frames: NDArray[np.generic]) -> tuple[list[int], list[int]]:
    """Return the indices of frames with NaN or infinite values, and of frames of one value."""
    if not frames.size:
        return [], []
    flat = frames.reshape(len(frames), -1)
    finite = np.isfinite(flat).all(axis=1)
    blank = finite & (flat == flat[:, :1]).all(axis=1) & (flat.shape[1] > 1)
    return np.flatnonzero(~finite).tolist(), np.flatnonzero(blank).tolist()


def report(where: str, kind: str, not_finite: list[int], blank: list[int]) -> None:
    """
    Raise the sentence for frames that cannot be used.

    Raises
    ------
    DataError
        Either list names a frame.
    """
    if not_finite:
        raise DataError(
            f"{where}: {len(not_finite)} of its {kind} hold values that are no numbers (NaN or "
            f"infinite): {naming(not_finite)}. Repeat the scan, or mark these frames invalid."
        )
    if blank:
        raise DataError(
            f"{where}: {len(blank)} of its {kind} hold the same value in every pixel: "
            f"{naming(blank)}. The detector did not deliver them; repeat the scan."
        )


def naming(numbers: list[int]) -> str:
    """Name frames by their numbers, the first few of them."""
    named = ", ".join(str(number) for number in numbers[:NAMED_FRAMES])
    more = len(numbers) - NAMED_FRAMES
    return (
        f"frame {named}"
        if len(numbers) == 1
        else f"frames {named}" + (f" and {more} more" if more > 0 else "")
    )
