"""
Reconstruction of slices from parallel-beam sinograms.

**The convention of the whole project.**

- *Columns.* Pixel centres are at whole numbers: column 0 of the detector has its centre at 0.0,
  its left edge at -0.5. A rotation axis is given in these units.
- *Projections.* At angle t a point (x, y) of the sample, in pixels from the rotation axis, is seen
  in column ``axis + x cos t + y sin t``. So x runs along the columns at angle zero, and a point on
  +y moves towards higher columns as the angle grows from zero.
- *Slices* are stored as ``[row, y, x]``; the rotation axis is the centre of pixel
  ``(columns // 2, columns // 2)``, wherever it is on the detector. y grows with its index.
- *Seen as a picture*, first line at the top, columns numbered from left to right as seen from the
  source: the slice is the sample at angle zero seen from above with the source at the bottom, and
  growing angles turn it counter-clockwise. For a stage that turns the other way pass ``-angles``.
- *Values* are linear attenuation in 1/cm. Pixels that some projection did not see, further from
  the axis than the nearer edge of the detector, are 0.

**Methods.** All filter alike: each projection is extended to twice its width, filtered
(`tasks.ct.filters`) and cropped. The reference then back-projects with linear interpolation (Kak
and Slaney, *Principles of Computerized Tomographic Imaging*, 1988, section 3.3). The fast ones use
the Fourier slice theorem: a filtered projection's Fourier transform is a line through the centre
of the slice's, and a type-1 non-uniform FFT goes from these lines straight to the pixels
(A. H. Barnett, J. Magland, L. af Klinteberg, SIAM J. Sci. Comput. 41, C479 (2019),
doi:10.1137/18M120885X). Two slices travel as the real and imaginary part of one.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.algorithm import Inputs, algorithm, current_engine
from tasks.arrays import Array, Host, fourier, gpu_module, namespace, to_host
from tasks.ct.angles import angle_weights
from tasks.ct.filters import pad, padded_columns, response

_ACCURACY = 1e-4  # of the non-uniform FFT; the interpolation of other methods errs by 1e-2
_PAIRS = 4  # pairs of slices in one call: sorting the points is shared, memory stays small
_PLANS = 2  # kept per thread: the slabs of a scan share one


@algorithm("ct.reconstruct", version="1", rtol=0.05)
def reconstruct(
    sinograms: Array,
    angles: Array,
    rotation_axis: float,
    pixel_size_cm: float,
    filter: str = "ramp",
) -> Array:
    """
    Reconstruct slices; see the module for axes, origin, rotation sense and sources.

    The reference is filtered back-projection with linear interpolation. The Fourier methods are
    more exact than it, hence the wide tolerance.

    Parameters
    ----------
    sinograms
        Absorbance, shape (rows, angles, columns), float32.
    angles
        Radians, shape (angles,); half a turn or a whole one, in any order, also with gaps.
    rotation_axis
        In columns, pixel centres at whole numbers.
    pixel_size_cm
        Width of a pixel at the sample, in cm; 1.0 gives attenuation per pixel.
    filter
        One of `tasks.ct.filters.WINDOWS`.

    Returns
    -------
    Array
        Linear attenuation in 1/cm, float32, shape (rows, columns, columns).
    """
    xp = namespace(sinograms)
    theta = to_host(angles).astype(float)
    rows, _, columns = sinograms.shape
    filtered = _filter(sinograms, filter)
    weights = angle_weights(theta)
    grid = xp.arange(columns, dtype=xp.float32) - columns // 2
    slices = xp.zeros((rows, columns, columns), dtype=xp.float32)
    for index, (angle, weight) in enumerate(zip(theta, weights, strict=True)):
        column = rotation_axis + grid * float(np.cos(angle)) + grid[:, None] * float(np.sin(angle))
        column = xp.clip(column, min=0.0, max=columns - 1.0)
        left = xp.clip(xp.astype(xp.floor(column), xp.int64), max=columns - 2)
        share = column - xp.astype(left, xp.float32)
        at = xp.reshape(left, (-1,))
        projection = filtered[:, index, :]
        lower = xp.reshape(xp.take(projection, at, axis=1), slices.shape)
        upper = xp.reshape(xp.take(projection, at + 1, axis=1), slices.shape)
        slices = slices + float(weight) * (lower + share * (upper - lower))
    field = xp.asarray(_field(columns, rotation_axis))
    return slices * (field / pixel_size_cm)


@reconstruct.implementation("finufft", requires=("finufft",), priority=30)
def _(
    sinograms: Array,
    angles: Array,
    rotation_axis: float,
    pixel_size_cm: float,
    filter: str = "ramp",
) -> Array:
    """Fourier slices on the CPU, with as many threads as the engine's resources have cores."""
    threads = current_engine().resources.cores
    theta = np.asarray(angles, float)
    rows, _, columns = sinograms.shape
    nufft = _PLANS_OF_THREAD.get(theta, columns, threads)
    centre = _centre_phase(columns, rotation_axis) * _polar_weights(theta, columns, pixel_size_cm)
    centre = centre.astype(np.complex64)
    field = _field(columns, rotation_axis)
    slices = np.empty((rows, columns, columns), np.float32)
    fft = fourier(sinograms)
    with fft.set_workers(threads):
        for start in range(0, rows, 2 * _PAIRS):
            block = slices[start : start + 2 * _PAIRS]
            pairs = _filtered_pairs(sinograms[start : start + 2 * _PAIRS], filter)
            lines = fft.fft(pairs, overwrite_x=True)
            lines *= centre
            pixels = nufft(lines.reshape(_PAIRS, -1)).reshape(_PAIRS, columns, columns)
            np.multiply(pixels.real[: (len(block) + 1) // 2], field, out=block[0::2])
            np.multiply(pixels.imag[: len(block) // 2], field, out=block[1::2])
    return slices


def _gpu_bytes(
    sinograms: Array,
    angles: Array,
    rotation_axis: float,
    pixel_size_cm: float,
    filter: str = "ramp",
) -> int:
    """Estimate sinograms and slices, points with their order, padded lines, and the fine grids."""
    rows, count, columns = sinograms.shape
    data = 4 * rows * columns * (count + columns)
    points = 32 * count * columns
    work = 2 * _PAIRS * (4 * 4 + 8) * count * columns + 8 * _PAIRS * (2 * columns) ** 2
    return data + points + work


@reconstruct.implementation(
    "cufinufft",
    requires=("cupy", "cufinufft"),
    needs_gpu=True,
    priority=50,
    gpu_bytes=_gpu_bytes,
)
def _(
    sinograms: Array,
    angles: Array,
    rotation_axis: float,
    pixel_size_cm: float,
    filter: str = "ramp",
) -> Array:
    """Fourier slices on the GPU; host arrays go there block by block, and come back so."""
    cupy, cufinufft = gpu_module("cupy"), gpu_module("cufinufft")
    theta = to_host(angles).astype(float)
    rows, _, columns = sinograms.shape
    plan = cufinufft.Plan(
        1, (columns, columns), n_trans=_PAIRS, eps=_ACCURACY, isign=1, dtype="complex64"
    )
    plan.setpts(*(cupy.asarray(points) for points in _points(theta, columns)))
    centre = _centre_phase(columns, rotation_axis) * _polar_weights(theta, columns, pixel_size_cm)
    centre = cupy.asarray(centre.astype(np.complex64))
    field = cupy.asarray(_field(columns, rotation_axis))
    stays = isinstance(sinograms, cupy.ndarray)
    slices = (cupy if stays else np).empty((rows, columns, columns), np.float32)
    for start in range(0, rows, 2 * _PAIRS):
        block = slice(start, min(start + 2 * _PAIRS, rows))
        lines = cupy.fft.fft(_filtered_pairs(cupy.asarray(sinograms[block]), filter))
        lines *= centre
        pixels = plan.execute(lines.reshape(_PAIRS, -1)).reshape(_PAIRS, columns, columns) * field
        both = cupy.stack([pixels.real, pixels.imag], axis=1).reshape(-1, columns, columns)
        both = both[: block.stop - start]
        slices[block] = both if stays else both.get()
    return slices


@reconstruct.case
def disc_off_centre() -> Inputs:
    """Projections of a disc and an axis that is neither whole nor in the middle."""
    return (
        _disc_sinograms(rows=3, count=181, columns=128, axis=66.3),
        _angles(181),
        66.3,
        0.01,
    ), {}


@reconstruct.case
def odd_columns_and_whole_turn() -> Inputs:
    """Take an odd number of columns, a whole turn in steps, a smooth filter."""
    theta = 2 * _angles(400)
    sinograms = _disc_sinograms(rows=2, count=400, columns=101, axis=50.0, turns=2)
    return (sinograms, theta, 50.0, 1.0), {"filter": "hann"}


def _filter(sinograms: Array, name: str) -> Array:
    """Extend, filter and crop the last axis; same shape."""
    xp = namespace(sinograms)
    columns = sinograms.shape[-1]
    length = padded_columns(columns)
    fft = fourier(sinograms)
    spectrum = fft.rfft(pad(sinograms, length)) * xp.asarray(response(name, length))
    return fft.irfft(spectrum, n=length)[..., :columns]


def _filtered_pairs(sinograms: Array, name: str) -> Array:
    """
    Filter up to 2 x _PAIRS slices into _PAIRS complex ones: even rows real, odd rows imaginary.

    Two at a time, so that the padded copies stay small.
    """
    xp = namespace(sinograms)
    rows, count, columns = sinograms.shape
    packed = xp.zeros((_PAIRS, count, columns), dtype=xp.complex64)
    for pair in range((rows + 1) // 2):
        filtered = _filter(sinograms[2 * pair : 2 * pair + 2], name)
        packed.real[pair] = filtered[0]
        if len(filtered) == 2:
            packed.imag[pair] = filtered[1]
    return packed


def _frequencies(columns: int) -> Host:
    return 2 * np.pi * np.fft.fftfreq(columns)


def _points(theta: Host, columns: int) -> tuple[Host, Host]:
    """Where the lines lie in the slice's Fourier plane: (y, x) in radians per pixel."""
    frequency = _frequencies(columns)
    y, x = np.sin(theta)[:, None] * frequency, np.cos(theta)[:, None] * frequency
    return y.astype(np.float32).ravel(), x.astype(np.float32).ravel()


def _centre_phase(columns: int, rotation_axis: float) -> Host:
    """Move the axis to column zero; the highest frequency of an even length must stay real."""
    phase = np.exp(1j * _frequencies(columns) * rotation_axis)
    if columns % 2 == 0:
        phase[columns // 2] = phase[columns // 2].real
    return phase


def _polar_weights(theta: Host, columns: int, pixel_size_cm: float) -> Host:
    return angle_weights(theta)[:, None] / (columns * pixel_size_cm)


def _field(columns: int, rotation_axis: float) -> Host:
    """1 for the pixels (y, x) that every projection saw, 0 for the others."""
    radius = min(rotation_axis, columns - 1 - rotation_axis) + 0.5
    squares = (np.arange(columns) - columns // 2) ** 2
    return (squares[:, None] + squares <= radius**2).astype(np.float32)


class _Plans(threading.local):
    """The non-uniform FFTs of this thread; a plan has work space that threads cannot share."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[Any, ...], Callable[[Host], Array]] = OrderedDict()

    def get(self, theta: Host, columns: int, threads: int) -> Callable[[Host], Array]:
        """Return the transform from lines (_PAIRS, angles x columns) to pixels, made if needed."""
        key = (hashlib.blake2b(theta.tobytes()).digest(), columns, threads)
        if key not in self._plans:
            while len(self._plans) >= _PLANS:
                self._plans.popitem(last=False)
            self._plans[key] = _finufft_plan(theta, columns, threads)
        self._plans.move_to_end(key)
        return self._plans[key]


_PLANS_OF_THREAD = _Plans()


def _finufft_plan(theta: Host, columns: int, threads: int) -> Callable[[Host], Array]:
    import finufft  # pyright: ignore[reportMissingTypeStubs]

    # upsampling by 1.25 rather than 2: a smaller FFT, for a wider and still cheap kernel
    plan: Any = finufft.Plan(
        1,
        (columns, columns),
        n_trans=_PAIRS,
        eps=_ACCURACY,
        isign=1,
        dtype="complex64",
        nthreads=threads,
        upsampfac=1.25,
    )
    plan.setpts(*_points(theta, columns))
    return plan.execute


def _angles(count: int) -> Host:
    return np.arange(count) * np.pi / count


def _disc_sinograms(rows: int, count: int, columns: int, axis: float, turns: int = 1) -> Host:
    """Smoothed chords of a disc that stands off the axis and grows with the row."""
    theta = turns * _angles(count)[:, None]
    distance = np.arange(columns) - axis - 0.2 * columns * np.cos(theta - 0.7)
    radii = columns * (0.12 + 0.02 * np.arange(rows))[:, None, None]
    profile = np.maximum(1 - (distance / radii) ** 2, 0) ** 1.5
    return profile.astype(np.float32)
