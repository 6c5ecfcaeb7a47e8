"""Intensities on the scale of their neighbours: E², by resolution and along the sweep.

Unscaled observations of a symmetry that is still unknown can be compared once the fall with
resolution and the drift along the sweep are divided out (Evans, Acta Cryst. D62, 72 (2006)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.mx.reflections import Flag, Ints, Observations

LEFT_OUT = Flag.OVERLOADED | Flag.INCOMPLETE | Flag.NO_BACKGROUND | Flag.OUTLIER


@dataclass(frozen=True)
class Normalised:
    """
    Observations as E².

    Attributes
    ----------
    rows
        Which of the observations they are, (n,).
    hkl
        (n, 3).
    e2, sigma
        Of mean 1 at each resolution and in each part of each sweep, (n,).
    d
        Resolution, (n,), in Angstrom.
    d_min
        Where the mean of intensity / sigma falls below what was asked; beyond it they are left out.
    """

    rows: NDArray[np.intp]
    hkl: Ints
    e2: F
    sigma: F
    d: F
    d_min: float


def usable(observations: Observations) -> NDArray[np.bool_]:
    """Tell which observations have a finite intensity and no flag that spoils it, (n,)."""
    good = (observations.flags & int(LEFT_OUT)) == 0
    numbers = np.isfinite(observations.intensity) & np.isfinite(observations.d)
    return good & numbers & (observations.sigma > 0)


def normalise(
    observations: Observations, *, least_signal: float = 1.0, per_bin: int = 200
) -> Normalised:
    """
    Divide the fall with resolution and the drift along the sweeps out.

    Parameters
    ----------
    observations
        Scaled or not. Partial ones are left out where they are the lesser part.
    least_signal
        Mean intensity over sigma of a shell at which the useful resolution ends.
    per_bin
        Observations per shell and per part of a sweep, at least.

    Raises
    ------
    DataError
        If hardly any observation is usable.
    """
    good = usable(observations)
    whole = good & ((observations.flags & int(Flag.PARTIAL)) == 0)
    rows = np.flatnonzero(whole if whole.sum() > good.sum() / 2 else good)
    if len(rows) < 20:
        raise DataError(
            f"Only {len(rows)} of {len(observations)} observations can be used, the others are "
            "overloaded, incomplete or without background: too few to find the symmetry from."
        )
    part = observations.take(rows)
    s2 = 1 / part.d**2
    shells = _equal_counts(s2, per_bin)
    batches = _batches(part, per_bin)
    scale = np.ones(len(part))
    fall = _fall(s2, part.intensity, shells)
    for _ in range(3):
        scale = _drift(part.intensity / fall, batches)
        fall = _fall(s2, part.intensity / scale, shells)
    level = fall * scale
    signal = _means(part.intensity / part.sigma, shells)
    weak = np.flatnonzero(signal < least_signal)
    last = int(weak[0]) if len(weak) and weak[0] > 0 else len(signal)
    kept = (shells < last) & (level > 0)
    return Normalised(
        rows[kept],
        part.hkl[kept],
        (part.intensity / level)[kept],
        (part.sigma / level)[kept],
        part.d[kept],
        float(part.d[kept].min()),
    )


def _equal_counts(values: F, per_bin: int) -> Ints:
    """Return which bin each value is in, the bins of about equal counts, (n,)."""
    bins = max(1, min(40, len(values) // per_bin))
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return (rank * bins // len(values)).astype(np.int32)


def _batches(part: Observations, per_bin: int) -> Ints:
    numbers = np.zeros(len(part), dtype=np.int32)
    first = 0
    for sweep in np.unique(part.sweep):
        rows = np.flatnonzero(part.sweep == sweep)
        numbers[rows] = first + _equal_counts(part.xyz[rows, 2], per_bin)
        first = int(numbers[rows].max()) + 1
    return numbers


def _means(values: F, numbers: NDArray[Any]) -> F:
    return np.bincount(numbers, values) / np.maximum(np.bincount(numbers), 1)


def _fall(s2: F, intensity: F, shells: Ints) -> F:
    """Mean intensity at each resolution, between the shells' centres on a log scale, (n,)."""
    mean, centre = _means(intensity, shells), _means(s2, shells)
    floor = 1e-3 * max(float(mean.max()), 1e-12)
    return np.exp(np.interp(s2, centre, np.log(np.maximum(mean, floor))))


def _drift(ratio: F, batches: Ints) -> F:
    mean = _means(ratio, batches)
    return np.maximum(mean, 0.05 * float(np.median(mean)))[batches]
