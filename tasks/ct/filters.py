"""
The filter of filtered back-projection, by name.

The ramp is that of the band-limited kernel sampled in space (A. C. Kak and M. Slaney, *Principles
of Computerized Tomographic Imaging*, 1988, eq. 61 of chapter 3), not ``|w|`` itself: sampled in
frequency, ``|w|`` loses the mean value of the object. The windows damp noise at high frequencies.
"""

from collections.abc import Callable

import numpy as np

from tasks.arrays import Array, Host, namespace

Window = Callable[[Host], Host]

WINDOWS: dict[str, Window] = {
    "ramp": np.ones_like,
    "shepp-logan": lambda f: np.sinc(f / 2),
    "cosine": lambda f: np.cos(np.pi * f / 2),
    "hamming": lambda f: 0.54 + 0.46 * np.cos(np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(np.pi * f),
}
"""Window by name, as a function of frequency over the highest frequency (0..1)."""


def response(name: str, length: int) -> Host:
    """
    Compute a filter's response at the frequencies of ``rfft``.

    Parameters
    ----------
    name
        One of `WINDOWS`.
    length
        Samples in the padded signal, even.

    Returns
    -------
    numpy.ndarray
        Shape (length // 2 + 1,), in cycles per column.

    Raises
    ------
    ValueError
        If there is no filter of that name.
    """
    if name not in WINDOWS:
        raise ValueError(f"there is no filter {name!r}; choose one of {', '.join(WINDOWS)}")
    distance = np.fft.fftfreq(length, 1 / length)
    kernel = np.zeros(length)
    kernel[0] = 0.25
    odd = distance.astype(int) % 2 == 1
    kernel[odd] = -1 / (np.pi * distance[odd]) ** 2
    ramp = np.fft.rfft(kernel).real
    return (ramp * WINDOWS[name](np.linspace(0, 1, ramp.size))).astype(np.float32)


def padded_columns(columns: int) -> int:
    """Twice the columns (the kernel is as long as the field), made even."""
    return 2 * (columns + columns % 2)


def pad(sinogram: Array, length: int) -> Array:
    """
    Extend the columns by a smooth way from the right edge back to the left one.

    Where the sample lies inside the field both edges are air, and this is zero padding. Where it
    leaves the field it avoids the steps at the edges that would brighten the rim of the slice.

    Parameters
    ----------
    sinogram
        Absorbance, shape (..., columns).
    length
        Columns of the result.

    Returns
    -------
    Array
        Shape (..., length); the first columns are the sinogram.
    """
    xp = namespace(sinogram)
    columns = sinogram.shape[-1]
    edge = min(_EDGE, columns)
    left = xp.mean(sinogram[..., :edge], axis=-1, keepdims=True)
    right = xp.mean(sinogram[..., columns - edge :], axis=-1, keepdims=True)
    way = _way(length - columns)
    towards_left, towards_right = xp.asarray(way), xp.asarray(1 - way)
    return xp.concat([sinogram, right * towards_right + left * towards_left], axis=-1)


_EDGE = 4  # columns averaged, so that the noise of one is not spread over the padding


def _way(length: int) -> Host:
    """Rise from 0 to 1 along half a cosine."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
