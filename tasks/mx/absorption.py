"""
Real spherical harmonics, in which an absorption surface is expanded.

Blessing, Acta Cryst. A51, 33 (1995), for the use of the two beams' directions.
"""

from __future__ import annotations

from math import factorial, sqrt

import numpy as np

from tasks.io.diffraction import F


def terms(degree: int) -> int:
    """Return how many harmonics there are from degree 1 to this one."""
    return degree * (degree + 2)


def harmonics(directions: F, degree: int) -> F:
    """
    Evaluate the harmonics of degrees 1 to the given one.

    Parameters
    ----------
    directions
        (n, 3), of any length.
    degree
        Highest degree.

    Returns
    -------
    numpy.ndarray
        (n, terms), scaled so that the mean square of each over the sphere is 1.
    """
    from tasks.mx.scale_kernels import harmonic_values

    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    found = np.empty((len(unit), terms(degree)))
    sizes = np.zeros((degree + 1, degree + 1))
    for one in range(degree + 1):
        for order in range(one + 1):
            twice = 2 if order else 1
            ratio = factorial(one - order) / factorial(one + order)
            sizes[one, order] = sqrt(twice * (2 * one + 1) * ratio)
    harmonic_values(unit, degree, sizes, found)
    return found
