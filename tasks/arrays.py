"""Arrays of any library that follows the array API standard, and the way between host and GPU."""

import importlib
from typing import Any, TypeAlias

import array_api_compat
import numpy as np
import scipy.fft  # pyright: ignore[reportMissingTypeStubs]

Array: TypeAlias = Any
"""A numpy, cupy or array_api_strict array: the standard has no common class to name."""


Host: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""An array in host memory."""

_compat: Any = array_api_compat  # its types name libraries that need not be installed


def is_array(value: object) -> bool:
    """Tell arrays of any library from other values."""
    return bool(_compat.is_array_api_obj(value))


def is_on_gpu(value: object) -> bool:
    """Tell arrays in GPU memory from other values."""
    return bool(_compat.is_cupy_array(value))


def namespace(*arrays: Array) -> Any:
    """Return the array API functions of the library that the arrays belong to."""
    return _compat.array_namespace(*arrays)


def gpu_module(name: str) -> Any:
    """
    Import a module of the optional GPU packages at the moment it is needed.

    Parameters
    ----------
    name
        ``cupy``, ``cufinufft`` or a module inside them.

    Raises
    ------
    ImportError
        If it is not installed or finds no CUDA; an `Engine` then takes the next implementation.
    """
    return importlib.import_module(name)


def fourier(array: Array) -> Any:
    """Return the FFT functions for an array; scipy's for numpy, which keep single precision."""
    return scipy.fft if isinstance(array, np.ndarray) else namespace(array).fft


def to_host(array: Array) -> Host:
    """
    Bring an array into host memory; a numpy array comes back as it is.

    Parameters
    ----------
    array
        Array of any library.

    Returns
    -------
    numpy.ndarray
        The same values in host memory.
    """
    return array.get() if is_on_gpu(array) else np.asarray(array)


def to_device(array: Array) -> Array:
    """
    Copy an array to the current GPU; chained algorithms then stay there without copies between.

    Parameters
    ----------
    array
        Array of any library.

    Returns
    -------
    cupy.ndarray
        The same values in the memory of the GPU.

    Raises
    ------
    ImportError
        If cupy is not installed.
    """
    return gpu_module("cupy").asarray(array)
