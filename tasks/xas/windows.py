"""
Windows of the Fourier transform between k and R, by name.

They rise from 0 to 1 over a width `dx` about `xmin` and fall the same way about `xmax`, as IFEFFIT
defined them (M. Newville, J. Synchrotron Rad. 8, 322 (2001)); the ends of rise and fall are points
of the grid. Sine and Kaiser-Bessel windows curve all the way, and `dx` of the Kaiser-Bessel and
the Gaussian window is their shape parameter: beta, and the standard deviation.
"""

from collections.abc import Callable

import numpy as np

from tasks.arrays import Host

Ends = tuple[int, int, int, int]
"""Where the window leaves 0, reaches 1, leaves 1 and is 0 again."""


def window(name: str, x: Host, xmin: float, xmax: float, dx: float) -> Host:
    """
    Compute a window on an even grid.

    Parameters
    ----------
    name
        One of `WINDOWS`.
    x
        Even grid, shape (points,), from 0 upwards.
    xmin, xmax
        Middle of the rise and of the fall, in the unit of `x`.
    dx
        Width of each.

    Returns
    -------
    numpy.ndarray
        Shape (points,), 0..1.

    Raises
    ------
    ValueError
        If there is no window of that name, or it would be empty.
    """
    if name not in WINDOWS:
        raise ValueError(f"there is no window {name!r}; choose one of {', '.join(WINDOWS)}")
    if not xmin < xmax:
        raise ValueError(f"a window from {xmin:g} to {xmax:g} is empty")
    return WINDOWS[name](x, _ends(x, xmin, xmax, dx), dx)


def _ends(x: Host, xmin: float, xmax: float, dx: float) -> Ends:
    step = (x[-1] - x[0]) / (len(x) - 1)
    tiny = 1e-4 * step  # or 11.95 / 0.05 would be 238 and the window depend on its rounding

    def index(value: float) -> int:
        return min(max(int((value + tiny) / step), 0), len(x) - 1)

    rise, top = index(xmin - dx / 2), index(xmin + dx / 2)
    fall, end = index(xmax - dx / 2), index(xmax + dx / 2)
    if top == rise:
        rise = max(0, top - 1)
    if end == fall:
        fall = max(top, end - 1)
    return rise, top, fall, end


def _tapered(taper: Callable[[Host], Host]) -> Callable[[Host, Ends, float], Host]:
    """Make a window that is flat between its tapers; `taper` leads from 0 to 1."""

    def compute(x: Host, ends: Ends, dx: float) -> Host:
        rise, top, fall, end = ends
        result = np.zeros(len(x))
        result[top:fall] = 1
        result[rise : top + 1] = taper(_progress(x, rise, top))
        result[fall : end + 1] = taper(1 - _progress(x, fall, end))
        return result

    return compute


def _progress(x: Host, first: int, last: int) -> Host:
    """Go from 0 to 1 between two points of the grid."""
    return (x[first : last + 1] - x[first]) / max(x[last] - x[first], 1e-12)


def _sine(x: Host, ends: Ends, dx: float) -> Host:
    first, last = ends[0], ends[3]
    result = np.zeros(len(x))
    result[first : last + 1] = np.sin(np.pi * _progress(x, first, last))
    return result


def _kaiser(x: Host, ends: Ends, dx: float) -> Host:
    first, last = x[ends[0]], x[ends[3]]
    inside = np.clip(1 - ((2 * x - last - first) / (last - first)) ** 2, 0, None)
    return (np.i0(dx * np.sqrt(inside)) - 1) / max(float(np.i0(dx)) - 1, 1e-10)


def _gaussian(x: Host, ends: Ends, dx: float) -> Host:
    middle = (x[ends[0]] + x[ends[3]]) / 2
    return np.exp(-((x - middle) ** 2) / (2 * max(dx, 1e-4) ** 2))


WINDOWS: dict[str, Callable[[Host, Ends, float], Host]] = {
    "hanning": _tapered(lambda t: np.sin(np.pi / 2 * t) ** 2),
    "kaiser": _kaiser,
    "parzen": _tapered(lambda t: t),
    "welch": _tapered(lambda t: 1 - (1 - t) ** 2),
    "sine": _sine,
    "gaussian": _gaussian,
}
"""Window by name, from the grid, the ends and the width."""
