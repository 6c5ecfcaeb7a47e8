"""Figures that tell how good slices are."""

import numpy as np

from tasks.arrays import Host


def noise_between(slice_: Host, neighbour: Host) -> float:
    """
    Estimate the noise from two neighbouring slices, in which the sample is nearly the same.

    The median of the absolute difference ignores the edges that moved.

    Parameters
    ----------
    slice_, neighbour
        Shape (y, x), any unit; pixels that are 0 in both were not measured and do not count.

    Returns
    -------
    float
        Standard deviation of one slice, in the unit of the slices; 0 if nothing was measured.
    """
    first, second = slice_.astype(float), neighbour.astype(float)
    difference = np.abs(first - second)[(first != 0) | (second != 0)]
    return float(1.4826 * np.median(difference) / np.sqrt(2)) if difference.size else 0.0


def sharpness(slice_: Host) -> float:
    """
    Tell how much of a slice's variation is edges; the right rotation axis makes it largest.

    Parameters
    ----------
    slice_
        Shape (y, x).

    Returns
    -------
    float
        Mean square of the gradient over the variance, after smoothing over 2 pixels.
    """
    values = slice_.astype(float)
    smooth = (values[1:, 1:] + values[:-1, 1:] + values[1:, :-1] + values[:-1, :-1]) / 4
    down, across = np.gradient(smooth)
    variance = float(smooth.var())
    return float((down**2 + across**2).mean()) / variance if variance > 0 else 0.0
