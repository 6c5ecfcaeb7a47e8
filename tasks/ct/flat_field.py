"""
From counts to absorbance: flat field, dark field, minus log.

The beam changes during a scan, so flats taken at different times are interpolated linearly to the
time of each projection. Times are *positions* in the scan: 0 before the first projection, 1 after
the last.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, gpu_module, namespace, to_host
from tasks.errors import DataError

_TRIM = 0.2  # of the frames at either end: outvotes zingers and a frame without beam
_DEAD = 1e-3  # of the mean flat: a pixel below it does not see the beam
_BLOCK = 4 << 20  # pixels normalised at a time, so that temporary arrays stay small


@algorithm("ct.normalise", version="1", rtol=1e-5)
def normalise(
    projections: Array, flats: Array, darks: Array, flat_positions: Array, positions: Array
) -> Array:
    """
    Divide out the beam and the detector: ``(projection - dark) / (flat - dark)``.

    Flats between which no projection was taken belong together; each group gives one flat, the
    mean of its frames without the highest and lowest fifth. Between groups it is interpolated.

    Parameters
    ----------
    projections
        Counts, shape (n, rows, columns), any real type.
    flats, darks
        Counts, shape (flats, rows, columns) and (darks, rows, columns); there may be no darks.
    flat_positions
        Position of each flat in the scan, 0..1.
    positions
        Position of each projection in the scan, 0..1.

    Returns
    -------
    Array
        Transmission, float32, shape (n, rows, columns). Pixels that do not see the beam are 1.

    Raises
    ------
    DataError
        If there are no flats, or none of their pixels is brighter than the darks.
    """
    xp = namespace(projections)
    dark, beams, weights = _prepare(flats, darks, flat_positions, positions)
    beam = xp.tensordot(xp.asarray(weights), beams, axes=1)
    alive = beam > _dead_level(beams)
    signal = xp.astype(projections, xp.float32) - dark
    return xp.where(alive, signal / xp.where(alive, beam, 1.0), 1.0)


@normalise.implementation("numpy", priority=20)
def _(
    projections: Array, flats: Array, darks: Array, flat_positions: Array, positions: Array
) -> Array:
    """Block by block: a third of the reference's memory."""
    dark, beams, weights = _prepare(flats, darks, flat_positions, positions)
    dead = _dead_level(beams)
    transmission = np.empty(projections.shape, np.float32)
    for block in _blocks(projections.shape):
        beam = np.tensordot(weights[block], beams, axes=1)
        alive = beam > dead
        np.subtract(projections[block], dark, out=transmission[block])
        np.divide(transmission[block], beam, out=transmission[block], where=alive)
        transmission[block][~alive] = 1.0
    return transmission


@algorithm("ct.minus_log", version="1", rtol=1e-5)
def minus_log(transmission: Array, floor: float = 1e-6) -> Array:
    """
    Turn transmission into absorbance, the integral of the attenuation along the beam.

    Parameters
    ----------
    transmission
        Any shape, float32.
    floor
        Smaller transmissions, also negative ones, count as this; not-a-number stays.

    Returns
    -------
    Array
        Absorbance, same shape.
    """
    xp = namespace(transmission)
    return -xp.log(xp.clip(transmission, min=floor))


@minus_log.implementation("numpy", priority=20)
def _(transmission: Array, floor: float = 1e-6) -> Array:
    absorbance = np.maximum(transmission, np.float32(floor))
    np.log(absorbance, out=absorbance)
    return np.negative(absorbance, out=absorbance)


@minus_log.implementation("cupy", requires=("cupy",), needs_gpu=True, priority=10)
def _(transmission: Array, floor: float = 1e-6) -> Array:
    """One kernel instead of three; worth it only for data that are on the GPU already."""
    cupy = gpu_module("cupy")
    absorbance = _minus_log_kernel(cupy)(cupy.asarray(transmission), np.float32(floor))
    return absorbance if isinstance(transmission, cupy.ndarray) else absorbance.get()


@normalise.case
def fading_beam_with_a_dead_pixel() -> Inputs:
    """Make counts with flats before and after, of which the last sees less beam."""
    rng = np.random.default_rng(6)
    projections = rng.uniform(300, 900, (7, 3, 20)).astype(np.uint16)
    flats = rng.uniform(950, 1050, (8, 3, 20)).astype(np.uint16)
    flats[4:] -= 100
    flats[:, 1, 5] = 90
    darks = rng.uniform(90, 110, (5, 3, 20)).astype(np.uint16)
    return (projections, flats, darks, np.repeat([0.0, 1.0], 4), np.linspace(0.05, 0.95, 7)), {}


@minus_log.case
def from_black_to_bright() -> Inputs:
    """Take transmissions below the floor, between, and above one."""
    return (np.linspace(-0.1, 1.2, 50, dtype=np.float32),), {"floor": 1e-3}


def _minus_log_kernel(cupy: Any) -> Any:
    return cupy.ElementwiseKernel(
        "T transmission, T least",
        "T absorbance",
        "absorbance = -log(transmission < least ? least : transmission)",
        "minus_log",
    )


def _prepare(
    flats: Array, darks: Array, flat_positions: Array, positions: Array
) -> tuple[Array, Array, Array]:
    """Return the dark, the flat of each group less the dark, and weights (n, groups)."""
    xp = namespace(flats)
    if flats.shape[0] == 0:
        raise DataError("There are no flats: link a flat-field dataset to this scan.")
    times, when = to_host(flat_positions).astype(float), to_host(positions).astype(float)
    groups = _group(times, when)
    no_dark = xp.zeros(flats.shape[1:], dtype=xp.float32)
    dark = _trimmed_mean(darks) if darks.shape[0] else no_dark
    beams = [_trimmed_mean(xp.take(flats, xp.asarray(group), axis=0)) - dark for group in groups]
    weights = _interpolation([float(np.mean(times[group])) for group in groups], when)
    return dark, xp.stack(beams), weights


def _group(times: Host, when: Host) -> list[Host]:
    """Split flats, in order of time, where a projection or a tenth of the scan lies between two."""
    order = np.argsort(times, kind="stable")
    earlier, later = times[order][:-1], times[order][1:]
    moments = np.sort(when)
    parted = np.searchsorted(moments, later, "left") > np.searchsorted(moments, earlier, "right")
    return np.split(order, np.flatnonzero(parted | (later - earlier > 0.1)) + 1)


def _interpolation(known: list[float], wanted: Host) -> Host:
    """Weights (wanted, known) of linear interpolation, constant beyond the ends."""
    columns = [np.interp(wanted, known, unit) for unit in np.eye(len(known))]
    return np.stack(columns, axis=1).astype(np.float32)


def _trimmed_mean(frames: Array) -> Array:
    """Average (n, ...) over n, leaving out the lowest and highest fifth of each pixel."""
    xp = namespace(frames)
    count = frames.shape[0]
    drop = int(_TRIM * count) if count > 4 else (count - 1) // 2
    ordered = xp.sort(xp.astype(frames, xp.float32), axis=0)
    return xp.mean(ordered[drop : count - drop, ...], axis=0)


def _dead_level(beams: Array) -> float:
    xp = namespace(beams)
    finite = xp.where(xp.isfinite(beams), beams, 0.0)
    level = _DEAD * float(xp.mean(finite))
    if level <= 0:
        raise DataError(
            "The flats are not brighter than the darks: were they taken with the shutter closed, "
            "or are flats and darks exchanged?"
        )
    return level


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    frames = max(1, _BLOCK // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], frames):
        yield slice(start, start + frames)
