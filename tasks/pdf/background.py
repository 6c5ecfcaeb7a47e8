"""
Take the container and the air off, and refuse what cannot be right.

The scale of the background comes from the monitor and the transmission. Whether it is right cannot
be seen from smooth humps, nor from ripples at low r, since whatever corrects the intensity follows
them too: `tasks.pdf.background_scale` looks at sharp features.
"""

from dataclasses import dataclass

import numpy as np

from tasks.errors import DataError
from tasks.pdf.tables import F

_WINDOWS = (8, 32, 128)  # bins that are judged together
_SURE = 5.0  # sigmas below zero
_SHARE = 0.8  # of the bins in a window that are below zero
_SCALE_KNOWN = 0.005  # no scale of a background is known better


@dataclass(frozen=True, eq=False)
class Subtracted:
    """
    Intensity without its background.

    Attributes
    ----------
    intensity, sigma
        Shape (frames, bins).
    scale
        What the background was multiplied by, (frames, 1) or (frames, bins).
    """

    intensity: F
    sigma: F
    scale: F


def expected_scale(
    *,
    monitor: F | float = 1.0,
    background_monitor: float = 1.0,
    transmission: F | float = 1.0,
    background_transmission: float = 1.0,
) -> F:
    """
    Scale of the background from what was measured beside the patterns.

    Parameters
    ----------
    monitor, background_monitor
        Incident beam of the sample's frames, (frames,), and of the background.
    transmission, background_transmission
        Of all that stands in the beam in either measurement, 0..1. What the background scatters
        is dimmed by the sample in front of it or behind.

    Returns
    -------
    numpy.ndarray
        Shape (frames,) or ().

    Raises
    ------
    DataError
        If a monitor or a transmission is not above zero.
    """
    values = [monitor, background_monitor, transmission, background_transmission]
    if any(not np.all(np.asarray(value) > 0) for value in values):
        raise DataError(
            "A monitor or a transmission is not above zero, so that the background cannot be "
            "scaled: check the counters, or state the scale in the recipe."
        )
    dimmed = np.asarray(transmission) / background_transmission
    return np.asarray(np.asarray(monitor) / background_monitor * dimmed, dtype=float)


def subtract_background(
    q: F,
    intensity: F,
    sigma: F,
    background: F,
    background_sigma: F,
    scale: F | float,
) -> Subtracted:
    """
    Subtract a scaled background.

    Parameters
    ----------
    q
        1/Å, shape (bins,).
    intensity, sigma
        Shape (frames, bins).
    background, background_sigma
        On the same bins, (bins,) or (1, bins). Its noise enters each frame's sigma; it is the
        same in all frames of a series, which a mean over frames does not lower.
    scale
        For all, for each frame (frames,), or for each bin (1, bins), as the absorption of sample
        and container makes it.

    Returns
    -------
    Subtracted
        Not yet judged: `refuse_negative` does that.
    """
    factor = np.asarray(scale, dtype=float)
    factor = factor[:, None] if factor.ndim == 1 else np.atleast_2d(factor)
    left = np.atleast_2d(intensity) - factor * background
    noise = np.sqrt(np.atleast_2d(sigma) ** 2 + (factor * background_sigma) ** 2)
    return Subtracted(left, noise, factor)


def refuse_negative(
    q: F, intensity: F, sigma: F, subtracted: F | float = 0.0, *, qmin: float = 0.0
) -> None:
    """
    Refuse patterns that are below zero over a range of bins, by more than their noise allows.

    Single bins below zero are noise. A window of 8, 32 or 128 bins counts if four in five of them
    are below zero and their mean is so by five sigmas, of which half a percent of the subtracted
    background is a part.

    Parameters
    ----------
    q
        1/Å, shape (bins,).
    intensity, sigma
        Without the background, shape (frames, bins); NaN where unknown.
    subtracted
        The background that was taken off, (bins,) or (frames, bins).
    qmin
        From where on the pattern is used, 1/Å.

    Raises
    ------
    DataError
        With the frame and the range, and the usual cause.
    """
    block = np.atleast_2d(intensity)
    taken = np.broadcast_to(np.asarray(subtracted, dtype=float), block.shape)
    known = np.all(np.isfinite(block) & np.isfinite(np.atleast_2d(sigma)), axis=0) & (q >= qmin)
    axis, values = q[known], block[:, known]
    noise, systematic = np.atleast_2d(sigma)[:, known], _SCALE_KNOWN * np.abs(taken[:, known])
    for width in (each for each in _WINDOWS if each <= len(axis)):
        mean = _moving(values, width)
        spread = np.sqrt(_moving(noise**2, width) / width + _moving(systematic, width) ** 2)
        below = (mean < -_SURE * spread) & (
            _moving(np.asarray(values < 0, dtype=float), width) >= _SHARE
        )
        if below.any():
            frame, first = (int(each[0]) for each in np.nonzero(below))
            _refuse(frame, axis[first], axis[first + width - 1])


def _refuse(frame: int, low: float, high: float) -> None:
    raise DataError(
        f"Pattern {frame} is below zero from {low:.2f} to {high:.2f} 1/Å once the background is "
        "taken off, by more than its noise. The usual cause is a background on another scale of "
        "intensity (exposure, monitor, frames summed in one and averaged in the other): check both "
        "patterns, or state the scale."
    )


def _moving(values: F, width: int) -> F:
    """Mean over windows, shape (frames, bins - width + 1)."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return (sums[:, width:] - sums[:, :-width]) / width
