"""Drift of the energy scale over a series: what the neighbours in time know of a sweep's shift."""

import numpy as np

from tasks.io.spectra import F
from tasks.xas.align import Alignment, B


def steady_shifts(found: Alignment, rising: B, width: int = 21) -> F:
    """
    Weigh each sweep's own shift against what its neighbours in time say.

    Drift is slow, and a sweep down differs from one up by the play of the gear, so the neighbours
    predict a shift: by a straight line in time and a term for the direction. What sweeps scatter
    about that beyond their uncertainty is real; as much of its own deviation as is real by that
    measure is left to each sweep (C. Stein's shrinkage, in the empirical form of B. Efron and
    C. Morris, J. Am. Stat. Assoc. 70, 311 (1975)). Sweeps that were not fitted get the prediction.

    Parameters
    ----------
    found
        Shifts in order of time.
    rising
        Direction of each sweep, (sweeps,).
    width
        Sweeps that speak for one.

    Returns
    -------
    numpy.ndarray
        eV to add to the energies, (sweeps,).
    """
    good = np.isfinite(found.shift) & ~found.at_border
    if good.sum() < 6:
        return found.shift
    shift, variance = np.where(good, found.shift, 0.0), np.where(good, found.sigma, 1.0) ** 2
    weight = np.where(good, 1 / np.maximum(variance, 1e-12), 0.0)
    trend = _local_lines(shift, weight, rising, width)
    far = np.abs(shift - trend) > 6 * _spread(shift - trend, good)
    trend = _local_lines(shift, np.where(far, 0.0, weight), rising, width)
    real = max(0.0, _spread(shift - trend, good) ** 2 - float(np.median(variance[good])))
    return trend + np.where(good, real / (real + variance) * (shift - trend), 0.0)


def _spread(values: F, good: B) -> float:
    """Scatter of the good ones about 0, robust against a few."""
    return float(np.median(np.abs(values[good]))) / 0.6745


def _local_lines(shift: F, weight: F, rising: B, width: int) -> F:
    """Predict each shift by a line through its neighbours in time plus a step with direction."""
    count, half = len(shift), min(width, len(shift) | 1) // 2
    place = np.arange(-half, half + 1)
    index = np.arange(count)[:, None] + place
    inside = (index >= 0) & (index < count)
    index = np.clip(index, 0, count - 1)
    taper = (1 - np.abs(place / (half + 1)) ** 3) ** 3
    w = weight[index] * taper * inside
    time = np.broadcast_to(place / (half + 1), w.shape)
    terms = np.stack([np.ones_like(w), time, np.where(rising, 1.0, -1.0)[index]], axis=2)
    normal = np.einsum("nwi,nw,nwj->nij", terms, w, terms)
    scale = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    normal += 1e-9 * np.maximum(scale, 1e-300) * np.eye(3)  # one direction alone has no step
    right = np.einsum("nwi,nw->ni", terms, w * shift[index])
    line: F = np.asarray(np.linalg.solve(normal, right[:, :, None]), np.float64)[:, :, 0]
    return np.sum(line * terms[:, half], axis=1)
