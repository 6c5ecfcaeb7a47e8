"""Spots on pixels, and counts out of expectations: the two loops that take the time."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.float32]
REACH = 4.5  # sigma to which a spot is painted
FAINT = 1e-7  # of a reflection: less of it on an image is left out
ROOT_TWO = math.sqrt(2)
NODES = (0.5 - math.sqrt(0.15), 0.5, 0.5 + math.sqrt(0.15))  # Gauss and Legendre's, on 0 to 1
WEIGHTS = (5 / 18, 8 / 18, 5 / 18)
LARGE = 30.0  # counts above which Poisson's numbers are drawn by rejection


@njit(cache=True, nogil=True)
def below(value: float) -> float:
    """Return the normal distribution's integral up to a value."""
    return 0.5 * (1 + math.erf(value / ROOT_TWO))


@njit(cache=True, nogil=True)
def fraction(z: float, sigma: float, image: int) -> float:
    """Return which part of a reflection falls on an image."""
    return below((image + 1 - z) / sigma) - below((image - z) / sigma)


@njit(cache=True, nogil=True)
def pixel_share(column: int, row: int, x: float, y: float, shape: Array) -> float:
    """Return what a pixel gets of a Gaussian spot with the covariance (xx, xy, yy) in pixels²."""
    slope = shape[1] / shape[2]
    narrow = math.sqrt(shape[0] - slope * shape[1])
    wide = math.sqrt(shape[2])
    share = 0.0
    for number in range(3):
        up = row + NODES[number] - y
        middle = x + slope * up
        density = math.exp(-0.5 * up * up / shape[2]) / (wide * math.sqrt(2 * math.pi))
        across = below((column + 1 - middle) / narrow) - below((column - middle) / narrow)
        share += WEIGHTS[number] * density * across
    return share


@njit(cache=True, nogil=True)
def paint(
    image: Image, number: int, rows: NDArray[np.int64], xyz: Array, shape: Array, counts: Array
) -> None:
    """
    Add spots to an image.

    Parameters
    ----------
    image
        (rows, columns), changed in place.
    number
        Of the image.
    rows
        Which of the spots to look at.
    xyz
        Centres in pixels and images, and the width (1 sigma) in images, (n, 4).
    shape
        Covariance xx, xy, yy in pixels squared, (n, 3).
    counts
        In all images, (n,).
    """
    height, width = image.shape
    for each in rows:
        x, y, z, sigma = xyz[each]
        part = fraction(z, sigma, number)
        if part < FAINT:
            continue
        reach_x, reach_y = REACH * math.sqrt(shape[each, 0]), REACH * math.sqrt(shape[each, 2])
        for row in range(max(0, int(y - reach_y)), min(height, int(y + reach_y) + 1)):
            for column in range(max(0, int(x - reach_x)), min(width, int(x + reach_x) + 1)):
                share = pixel_share(column, row, x, y, shape[each])
                image[row, column] += counts[each] * part * share


@njit(cache=True, nogil=True)
def survey(
    xyz: Array, shape: Array, mask: NDArray[np.bool_], reach: float
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return each spot's largest share of a pixel, the sum of squares, whether a pixel lacks."""
    number, (height, width) = len(xyz), mask.shape
    largest, squares = np.zeros(number), np.zeros(number)
    lacking = np.zeros(number, np.bool_)
    for each in range(number):
        x, y = xyz[each, 0], xyz[each, 1]
        reach_x, reach_y = reach * math.sqrt(shape[each, 0]), reach * math.sqrt(shape[each, 2])
        for row in range(math.floor(y - reach_y), math.floor(y + reach_y) + 1):
            for column in range(math.floor(x - reach_x), math.floor(x + reach_x) + 1):
                share = pixel_share(column, row, x, y, shape[each])
                largest[each] = max(largest[each], share)
                squares[each] += share * share
                inside = 0 <= row < height and 0 <= column < width
                if not inside or mask[row, column]:
                    lacking[each] = True
    return largest, squares, lacking


@njit(cache=True, nogil=True)
def _next(state: np.uint64) -> np.uint64:
    """Return the next state of Steele, Lea and Flood's generator (OOPSLA 2014)."""
    return state + np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, nogil=True)
def _uniform(state: np.uint64) -> float:
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return (float(mixed >> np.uint64(11)) + 0.5) / 9007199254740992.0


@njit(cache=True, nogil=True)
def drawn(expected: Image, seed: np.uint64) -> NDArray[np.int32]:
    """Draw Poisson's numbers for an image of expectations, always the same for a seed."""
    counts = np.zeros(expected.shape, np.int32)
    state = seed
    for row in range(expected.shape[0]):
        for column in range(expected.shape[1]):
            mean = float(expected[row, column])
            state = _next(state)
            if mean <= 0:
                continue
            if mean < LARGE:
                left, term, count = _uniform(state), math.exp(-mean), 0
                while left > term and count < 200:
                    left -= term
                    count += 1
                    term *= mean / count
                counts[row, column] = count
            else:
                counts[row, column], state = _rejected(mean, state)
    return counts


@njit(cache=True, nogil=True)
def _rejected(mean: float, state: np.uint64) -> tuple[int, np.uint64]:
    """Draw a large Poisson number by Hörmann's transformed rejection (PTRS, 1993)."""
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    quick = 0.9277 - 3.6224 / (b - 2)
    while True:
        state = _next(state)
        u = _uniform(state) - 0.5
        state = _next(state)
        v = _uniform(state)
        edge = 0.5 - abs(u)
        count = math.floor((2 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= quick:
            return count, state
        if count < 0 or (edge < 0.013 and v > edge):
            continue
        wanted = math.log(v) + math.log(inverse) - math.log(a / (edge * edge) + b)
        if wanted <= count * math.log(mean) - mean - math.lgamma(count + 1):
            return count, state
