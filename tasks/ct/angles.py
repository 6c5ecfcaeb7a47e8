"""Rotation angles: one for each frame, covering half a turn, with few frames lost."""

from dataclasses import dataclass, field

import numpy as np

from tasks.arrays import Host
from tasks.errors import DataError

_MOST_LOST = 0.01  # of the frames: with more, streaks are as strong as structure
_LEAST_RANGE = np.deg2rad(170)  # less is limited-angle tomography, which needs other methods
_LEAST_ACCEPTED_RANGE = np.deg2rad(30)  # below, a slice shows next to nothing


@dataclass(frozen=True)
class AngleReport:
    """
    What was found out about the angles of a scan.

    Attributes
    ----------
    present, lost
        Number of projections that are there, and that should be but are not.
    step
        Usual distance between projections, in radians.
    covered
        Range of angles in radians, the last step included.
    warnings
        Sentences for the user; the scan is reduced all the same.
    """

    present: int
    lost: int
    step: float
    covered: float
    warnings: list[str] = field(default_factory=list[str])


def match_angles(angles: Host, frames: int, frame_numbers: Host | None = None) -> Host:
    """
    Find the angle of each frame that is there.

    Parameters
    ----------
    angles
        Radians, one per frame that was announced, or per frame that is there.
    frames
        Number of frames that are there.
    frame_numbers
        The detector's numbers of these frames, counted from the first one's, where it gives them.

    Returns
    -------
    numpy.ndarray
        Radians, shape (frames,).

    Raises
    ------
    DataError
        If it cannot be told which frame belongs to which angle.
    """
    if len(angles) == frames:
        return np.asarray(angles, float)
    if frame_numbers is not None and len(frame_numbers) == frames:
        numbers = np.asarray(frame_numbers, int)
        if numbers.min(initial=0) >= 0 and numbers.max(initial=0) < len(angles):
            return np.asarray(angles, float)[numbers]
    raise DataError(
        f"{frames} projections but {len(angles)} rotation angles, and no frame numbers that tell "
        "which belong together: write an angle for each frame, or the detector's frame numbers."
    )


def check_angles(
    angles: Host, expected: int | None = None, *, accepted: bool = False
) -> AngleReport:
    """
    Check that the projections of a scan can be reconstructed.

    Lost frames show as gaps in the angles, or as fewer angles than were announced. Up to 1 % of
    them are bridged by giving the neighbours more weight, with a warning.

    Parameters
    ----------
    angles
        Radians, one per projection that is there, in the order of the frames.
    expected
        How many projections were announced.
    accepted
        Whether a person accepted the scan as it is: then what lacks is a warning.

    Returns
    -------
    AngleReport
        Counts and warnings.

    Raises
    ------
    DataError
        If angles are not numbers or not monotonic, more than 1 % of the projections are missing,
        or they cover much less than half a turn.
    """
    values = np.asarray(angles, float)
    steps = _steps(values)
    step = float(np.median(steps))
    gaps = np.maximum(np.rint(steps / step).astype(int) - 1, 0)
    lost = max(int(gaps.sum()), (expected or 0) - len(values))
    covered = float(steps.sum()) + step
    report = AngleReport(len(values), lost, step, covered)
    _check_lost(report, values, gaps, accepted)
    _check_range(report, accepted)
    return report


def angle_weights(angles: Host) -> Host:
    """
    Weigh each projection by the angle that it stands for, so that gaps do not dim a direction.

    A projection is the mirror image of the one half a turn away, so directions are taken modulo
    half a turn; each gets half the way to either neighbour, at most four usual steps.

    Parameters
    ----------
    angles
        Radians, in any order.

    Returns
    -------
    numpy.ndarray
        Radians; they sum to half a turn where the projections cover it.
    """
    direction = np.mod(np.asarray(angles, float), np.pi)
    order = np.argsort(direction, kind="stable")
    ahead = np.diff(direction[order], append=direction[order[0]] + np.pi)
    ahead = np.minimum(ahead, 4 * np.pi / len(order))
    weights = np.empty(len(order))
    weights[order] = (ahead + np.roll(ahead, 1)) / 2
    return weights


def _steps(values: Host) -> Host:
    """Return the distances between neighbours, all of one sign, made positive."""
    if len(values) < 3 or not np.isfinite(values).all():
        raise DataError(
            f"The {len(values)} rotation angles cannot be used: there must be at least three, and "
            "all of them numbers."
        )
    steps = np.diff(values)
    if np.median(steps) < 0:
        steps = -steps
    if (steps <= 0).any():
        frame = int(np.flatnonzero(steps <= 0)[0])
        raise DataError(
            f"The rotation angles do not go one way: frame {frame + 1} is at "
            f"{np.rad2deg(values[frame + 1]):.3f} degrees after {np.rad2deg(values[frame]):.3f} "
            "degrees. Check the angles of the scan, or whether frames were written twice."
        )
    return steps


def _check_lost(report: AngleReport, values: Host, gaps: Host, accepted: bool) -> None:
    if not report.lost:
        return
    total = report.present + report.lost
    places = ", ".join(f"{np.rad2deg(values[i]):.2f}" for i in np.flatnonzero(gaps)[:5])
    where = f" (after {places} degrees)" if places else " (at the end of the scan)"
    sentence = f"{report.lost} of {total} projections are missing{where}"
    if report.lost > _MOST_LOST * total and accepted:
        report.warnings.append(f"{sentence}; the scan was accepted as it is, expect streaks.")
        return
    if report.lost > _MOST_LOST * total:
        raise DataError(
            f"{sentence}, more than {_MOST_LOST:.0%}: the slices would show streaks. "
            "Repeat the scan, or accept what exists."
        )
    report.warnings.append(f"{sentence}; their neighbours stand in for them.")


def _check_range(report: AngleReport, accepted: bool) -> None:
    degrees = np.rad2deg(report.covered)
    if accepted and _LEAST_ACCEPTED_RANGE <= report.covered < _LEAST_RANGE:
        report.warnings.append(
            f"The projections cover {degrees:.2f} degrees, less than half a turn; the scan was "
            "accepted as it is: edges along the directions that are missing are not there."
        )
        return
    if report.covered < (_LEAST_ACCEPTED_RANGE if accepted else _LEAST_RANGE):
        hint = " Are the angles in radians though the file says degrees?" if degrees < 7 else ""
        raise DataError(
            f"The projections cover {degrees:.2f} degrees; at least half a turn is needed.{hint}"
        )
    slack = max(2 * report.step, np.deg2rad(0.5))
    halves = report.covered / np.pi
    if abs(halves - 1) * np.pi > slack and abs(halves - 2) * np.pi > slack:
        report.warnings.append(
            f"The projections cover {degrees:.2f} degrees, neither half a turn nor a whole one."
        )
