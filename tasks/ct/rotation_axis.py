"""
Where the rotation axis is on the detector, and how far that can be trusted.

No single method is safe, so two that fail in different ways look at several rows
(`tasks.ct.axis_methods`). The axis of a scan is a straight line: what the rows say is fitted by
one, and its slope is the tilt of the axis in the plane of the detector.
"""

from dataclasses import dataclass

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, to_host
from tasks.ct.axis_methods import Estimate, axis_by_registration, axis_by_symmetry
from tasks.errors import DataError

__all__ = ["RotationAxis", "axis_by_registration", "axis_by_symmetry", "find_rotation_axis"]

_METHODS = {"symmetry": axis_by_symmetry, "registration": axis_by_registration}
_TOLERANCE = 0.5  # columns between the methods: half as much is the aim, twice as much is seen
_SCATTER = 1.0  # columns between rows and their line
_CONTRAST = 0.2  # below it another candidate is nearly as good
_CERTAIN = 0.5  # confidence from which no person needs to look


@dataclass(frozen=True)
class RotationAxis:
    """
    A rotation axis with what speaks for it.

    Attributes
    ----------
    value
        Column at `row`; pixel centres at whole numbers.
    row
        Detector row that `value` refers to: the middle of those that were looked at.
    slope
        Columns that the axis moves per row, downwards.
    per_row
        Mean of the methods for each row.
    per_method
        Column at `row` by each method alone.
    confidence
        0..1; small when methods or rows differ or other candidates are nearly as good.
    agreed
        Whether the methods agree, so that no person needs to look.
    reason
        A sentence for the user.
    """

    value: float
    row: float
    slope: float
    per_row: tuple[float, ...]
    per_method: dict[str, float]
    confidence: float
    agreed: bool
    reason: str

    @property
    def tilt(self) -> float:
        """Angle between the axis and the detector's columns, in radians."""
        return float(np.arctan(self.slope))

    def at(self, row: float) -> float:
        """Return the column of the axis at a detector row."""
        return self.value + self.slope * (row - self.row)


@algorithm("ct.find_rotation_axis", version="1")
def find_rotation_axis(sinograms: Array, angles: Array, rows: Array) -> RotationAxis:
    """
    Find the rotation axis by two methods in several rows.

    Parameters
    ----------
    sinograms
        Absorbance, shape (rows, angles, columns); best without stripes.
    angles
        Radians, monotonic, at least about half a turn.
    rows
        Detector row of each sinogram.

    Returns
    -------
    RotationAxis
        Always the best that could be found; `RotationAxis.agreed` says whether to trust it.

    Raises
    ------
    DataError
        If there are values that are not numbers.
    """
    data, theta = to_host(sinograms), to_host(angles).astype(float)
    detector_rows = to_host(rows).astype(float)
    _refuse_nan(data, detector_rows)
    found = {
        name: [method(sinogram, theta) for sinogram in data] for name, method in _METHODS.items()
    }
    return _judge(found, detector_rows)


@find_rotation_axis.case
def three_rows_of_a_ball() -> Inputs:
    """Make three sinograms of a ball beside the axis."""
    theta = np.arange(60) * np.pi / 60
    distance = np.arange(64) - 33.4 - 12 * np.cos(theta[:, None] - 0.5)
    sinogram = np.maximum(1 - (distance / 9) ** 2, 0).astype(np.float32)
    return (np.stack([sinogram] * 3), theta, np.array([3.0, 4.0, 5.0])), {}


def _refuse_nan(data: Host, rows: Host) -> None:
    bad = ~np.isfinite(data).all(axis=2)
    if bad.any():
        row, projection = np.argwhere(bad)[0]
        raise DataError(
            f"{int(bad.any(axis=0).sum())} projections hold values that are not numbers, the first "
            f"is projection {projection} in row {rows[row]:.0f}: the detector or the writer failed "
            "there. Repeat the scan, or write it again without these frames."
        )


def _judge(found: dict[str, list[Estimate]], rows: Host) -> RotationAxis:
    """Fit the rows by a line, weigh the methods by how well they follow it, and compare them."""
    axes = {name: np.array([e.axis for e in estimates]) for name, estimates in found.items()}
    middle = float(rows.min() + rows.max()) / 2
    slope = _slope(np.concatenate(list(axes.values())), np.tile(rows - middle, len(axes)))
    level = {name: values - slope * (rows - middle) for name, values in axes.items()}
    per_method = {name: float(np.median(values)) for name, values in level.items()}
    scatter = {name: _spread(values) for name, values in level.items()}
    difference = float(np.ptp(list(per_method.values())))
    contrasts = {
        name: float(np.median([estimate.contrast for estimate in estimates]))
        for name, estimates in found.items()
    }
    contrast = min(contrasts.values())
    if difference <= _TOLERANCE:
        weights = [1 / (0.1 + scatter[name]) ** 2 for name in per_method]
        value = float(np.average(list(per_method.values()), weights=weights))
    else:  # between two axes there is none: take one
        value = per_method[max(contrasts, key=lambda name: contrasts[name])]
    confidence = _confidence(difference, max(scatter.values()), contrast)
    return RotationAxis(
        value=value,
        row=middle,
        slope=slope,
        per_row=tuple(float(axis) for axis in np.mean(list(axes.values()), axis=0)),
        per_method=per_method,
        confidence=confidence,
        agreed=confidence >= _CERTAIN,
        reason=_reason(per_method, difference, max(scatter.values()), contrast, len(rows)),
    )


def _slope(axes: Host, heights: Host) -> float:
    """Fit a slope that outliers do not turn (Theil and Sen); 0 where it is not significant."""
    first, second = np.triu_indices(len(axes), 1)
    apart = heights[second] - heights[first]
    pairs = np.abs(apart) >= max(np.ptp(heights) / 3, 1)
    if len(np.unique(heights)) < 3 or not pairs.any():
        return 0.0
    slope = float(np.median((axes[second] - axes[first])[pairs] / apart[pairs]))
    noise = _spread(axes - slope * heights) / np.sqrt(len(axes))
    return slope if abs(slope) * np.ptp(heights) > 3 * noise else 0.0


def _spread(values: Host) -> float:
    """Estimate a standard deviation from the median deviation, which ignores outliers."""
    return 1.48 * float(np.median(np.abs(values - np.median(values))))


def _confidence(difference: float, scatter: float, contrast: float) -> float:
    """Multiply three doubts; each alone brings the confidence to one half at its limit."""
    doubts = difference / _TOLERANCE, scatter / _SCATTER, _CONTRAST / max(contrast, 1e-3)
    return float(np.prod([1 / (1 + doubt**2) for doubt in doubts]))


def _reason(
    per_method: dict[str, float], difference: float, scatter: float, contrast: float, rows: int
) -> str:
    said = " and ".join(f"{value:.2f} by {name}" for name, value in per_method.items())
    if difference > _TOLERANCE:
        return f"The methods disagree by {difference:.2f} columns ({said}): look at the sweep."
    if scatter > _SCATTER:
        return f"The rows scatter by {scatter:.2f} columns about a line ({said})."
    if contrast < _CONTRAST:
        return f"Other axes fit nearly as well ({said}): the sample has too little structure."
    return f"The methods agree within {difference:.2f} columns in {rows} rows ({said})."
