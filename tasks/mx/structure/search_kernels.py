"""
The loops of molecular replacement, compiled by numba.

Importing this module costs a third of a second: import it where it is needed.
"""

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(nogil=True, cache=True, fastmath=True)  # pyright: ignore[reportUnknownMemberType]


@compiled
def interpolate(grid: Any, x: Any, y: Any, z: Any) -> Any:
    """Interpolate a grid (n, n, n), whose zero is at n // 2, between its eight neighbours."""
    c = grid.shape[0] // 2
    x, y, z = x + c, y + c, z + c
    i, j, k = np.uint32(x), np.uint32(y), np.uint32(z)  # unsigned: no test for negative indices
    a, b, g = np.float32(x - i), np.float32(y - j), np.float32(z - k)
    one = np.float32(1)
    low = (one - b) * ((one - g) * grid[i, j, k] + g * grid[i, j, k + 1]) + b * (
        (one - g) * grid[i, j + 1, k] + g * grid[i, j + 1, k + 1]
    )
    high = (one - b) * ((one - g) * grid[i + 1, j, k] + g * grid[i + 1, j, k + 1]) + b * (
        (one - g) * grid[i + 1, j + 1, k] + g * grid[i + 1, j + 1, k + 1]
    )
    return (one - a) * low + a * high


@compiled
def rotation_scores(power: Any, points: Any, rotations: Any, observed: Any, scores: Any) -> None:
    """
    Correlate observed with calculated intensities for each rotation.

    power (n, n, n) are squared moduli of the transform; points (operations, reflections, 3) in its
    steps; rotations (m, 3, 3); observed (reflections,) with mean 0 and norm 1; scores (m,) is
    written.
    """
    operations, count = points.shape[0], points.shape[1]
    for m in range(rotations.shape[0]):
        q = rotations[m]
        total = squares = product = 0.0
        for n in range(count):
            sum_ = 0.0
            for o in range(operations):
                u, v, w = points[o, n, 0], points[o, n, 1], points[o, n, 2]
                sum_ += interpolate(
                    power,
                    u * q[0, 0] + v * q[1, 0] + w * q[2, 0],
                    u * q[0, 1] + v * q[1, 1] + w * q[2, 1],
                    u * q[0, 2] + v * q[1, 2] + w * q[2, 2],
                )
            total += sum_
            squares += sum_ * sum_
            product += sum_ * observed[n]
        scores[m] = product / np.sqrt(squares - total * total / count)


@compiled
def sample(grid: Any, points: Any, rotation: Any, out: Any) -> None:
    """Write the transform of the turned molecule at points (operations, reflections, 3) to out."""
    for o in range(points.shape[0]):
        for n in range(points.shape[1]):
            u, v, w = points[o, n, 0], points[o, n, 1], points[o, n, 2]
            out[o, n] = interpolate(
                grid,
                u * rotation[0, 0] + v * rotation[1, 0] + w * rotation[2, 0],
                u * rotation[0, 1] + v * rotation[1, 1] + w * rotation[2, 1],
                u * rotation[0, 2] + v * rotation[1, 2] + w * rotation[2, 2],
            )


@compiled
def translation_coefficients(
    parts: Any, indices: Any, fixed: Any, weight: Any, coefficients: Any
) -> None:
    """
    Add up the Fourier coefficients of the translation function.

    parts (operations, n) and fixed (n,) complex; indices (operations, n, 3) are h R; weight (n,);
    coefficients (a, b, c) complex is added to.
    """
    na, nb, nc = coefficients.shape
    for n in range(parts.shape[1]):
        for i in range(parts.shape[0]):
            x, y, z = indices[i, n, 0], indices[i, n, 1], indices[i, n, 2]
            own = weight[n] * parts[i, n]
            coefficients[x % na, y % nb, z % nc] += 2 * own * np.conj(fixed[n])
            for j in range(parts.shape[0]):
                at = (
                    (x - indices[j, n, 0]) % na,
                    (y - indices[j, n, 1]) % nb,
                    (z - indices[j, n, 2]) % nc,
                )
                coefficients[at] += own * np.conj(parts[j, n])
