"""Zingers: single pixels of single frames that a stray X-ray or a cosmic ray made too bright."""

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace

_REACH = 2  # columns that an edge of the sample may move between projections
_EVERY = 7  # pixels from which the noise is estimated: a median needs no more
_MEDIAN_EXCESS = 0.956  # median of |excess over the brighter neighbour| for white noise of 1


@algorithm("ct.remove_zingers", version="1", rtol=1e-5)
def remove_zingers(transmission: Array, threshold: float = 10.0) -> Array:
    """
    Replace pixels that are far brighter than in the projections before and after.

    The sample moves little from one projection to the next, so a pixel that outshines both of its
    neighbours in time, and the columns beside them, by many times the noise is no sample. Each is
    replaced by the mean of its two neighbours in time.

    Parameters
    ----------
    transmission
        Shape (projections, rows, columns), in order of angle.
    threshold
        In standard deviations of the noise of the pixel's row; 0 changes nothing.

    Returns
    -------
    Array
        Same shape.
    """
    xp = namespace(transmission)
    if not threshold or transmission.shape[0] < 3:
        return transmission
    before = xp.concat([transmission[1:2, ...], transmission[:-1, ...]])
    after = xp.concat([transmission[1:, ...], transmission[-2:-1, ...]])
    brighter = xp.where(before > after, before, after)
    least = threshold * _noise(transmission - brighter)[None, :, None]
    shifted = [xp.roll(brighter, shift, axis=2) for shift in range(-_REACH, _REACH + 1)]
    around = xp.max(xp.stack(shifted), axis=0)
    return xp.where(transmission - around > least, (before + after) / 2, transmission)


def _noise(excess: Array) -> Array:
    """Noise of each row, from how far pixels of (n, rows, columns) differ from the brighter one."""
    xp = namespace(excess)
    rows = xp.reshape(xp.permute_dims(excess, (1, 0, 2)), (excess.shape[1], -1))
    some = xp.sort(xp.abs(rows[:, ::_EVERY]), axis=1)
    return some[:, some.shape[1] // 2] / _MEDIAN_EXCESS


@remove_zingers.implementation("numpy", priority=20)
def _(transmission: Array, threshold: float = 10.0) -> Array:
    """Row by row, looking at the columns around only where there is something to see."""
    cleaned = transmission.copy()
    if not threshold or transmission.shape[0] < 3:
        return cleaned
    columns = transmission.shape[2]
    for row in range(transmission.shape[1]):
        pixels = transmission[:, row]
        before = np.concatenate([pixels[1:2], pixels[:-1]])
        after = np.concatenate([pixels[1:], pixels[-2:-1]])
        brighter = np.maximum(before, after)
        excess = pixels - brighter
        least = threshold * _noise(excess[:, None, :])[0]
        frame, column = np.nonzero(excess > least)
        beside = (column[:, None] + np.arange(-_REACH, _REACH + 1)) % columns
        hit = pixels[frame, column] - brighter[frame[:, None], beside].max(axis=1) > least
        frame, column = frame[hit], column[hit]
        cleaned[frame, row, column] = (before[frame, column] + after[frame, column]) / 2
    return cleaned


@remove_zingers.case
def three_hits() -> Inputs:
    """Make noise with three bright pixels."""
    rng = np.random.default_rng(2)
    transmission = rng.normal(0.7, 0.01, (30, 2, 40)).astype(np.float32)
    transmission[[4, 0, 29], [0, 1, 1], [7, 8, 9]] += 1.0
    return (transmission,), {}
