"""Projections that the beam did not reach: a beam dump, a refill, a closed shutter."""

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host

_LEAST = 0.5  # of the usual brightness: top-up changes it by a per cent, a dump by nearly all
_BRIGHT = 0.95  # quantile of a projection that stands for the beam beside or through the sample


@algorithm("ct.brightness", version="1", rtol=1e-5)
def brightness(transmission: Array) -> Array:
    """
    Tell how bright each projection is where the sample absorbs least.

    Parameters
    ----------
    transmission
        Shape (projections, rows, columns).

    Returns
    -------
    Array
        The 95 % quantile of each projection, shape (projections,).
    """
    xp = namespace(transmission)
    pixels = xp.sort(xp.reshape(transmission, (transmission.shape[0], -1)), axis=1)
    return pixels[:, int(_BRIGHT * (pixels.shape[1] - 1))]


def without_beam(levels: Host) -> Host:
    """
    Find the projections that the beam did not reach.

    Parameters
    ----------
    levels
        What `brightness` says of each projection.

    Returns
    -------
    numpy.ndarray
        Their indices: those less than half as bright as the median.
    """
    host = to_host(levels)
    return np.flatnonzero(~(host >= _LEAST * np.median(host)))


@brightness.case
def a_dump() -> Inputs:
    """Make forty projections of noise, two of them dark."""
    rng = np.random.default_rng(5)
    transmission = rng.uniform(0.4, 1.0, (40, 3, 50)).astype(np.float32)
    transmission[20:22] *= 0.01
    return (transmission,), {}
