"""The loops of the robust background, compiled by numba; import where needed."""

from typing import Any

import numba
import numpy as np

from tasks.mx.shoebox_kernels import BACKGROUND

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]

TERMS = 4
FEWEST = 20
SIGNIFICANT = 11.34  # 1 % of chi-squared with 3 degrees of freedom
LOWEST, STEPS_PER_E = 1e-5, 10.0


@compiled
def fit_backgrounds(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    radius: Any,
    gain: Any,
    table: Any,
    huber: Any,
) -> Any:
    """
    Fit the background of each box.

    Returns coefficients (n, 4), their covariance (n, 4, 4) and the number of pixels (n,).
    """
    n = len(size)
    beta, covariance = np.zeros((n, TERMS)), np.zeros((n, TERMS, TERMS))
    used = np.zeros(n, np.int32)
    for row in range(n):
        basis, seen = gather(
            corner[row],
            size[row],
            offset[row],
            counts,
            codes,
            xyz[row],
            jacobian[row],
            radius,
            gain,
        )
        used[row] = len(seen)
        if len(seen) < FEWEST:
            continue
        level = constant(seen, table, huber)
        beta[row, 0] = level
        if level <= 0:
            covariance[row, 0, 0] = 1.0 / len(seen) ** 2
            continue
        score, slope, spread = equations(basis, seen, beta[row], level, table, huber)
        if score @ np.linalg.solve(spread, score) < SIGNIFICANT:
            covariance[row, 0, 0] = spread[0, 0] / slope[0, 0] ** 2
            continue
        for _ in range(6):
            beta[row] += np.linalg.solve(slope, score)
            score, slope, spread = equations(basis, seen, beta[row], level, table, huber)
        inverse = np.linalg.inv(slope)
        covariance[row] = inverse @ spread @ inverse
    return beta, covariance, used


@compiled
def terms(u: Any, v: Any, out: Any) -> None:
    """Put down what a background is made of: level, both slopes, a bend along 2 theta."""
    out[0], out[1], out[2], out[3] = 1.0, u, v, v * v


@compiled
def gather(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    radius: Any,
    gain: Any,
) -> Any:
    """Return the terms (pixels, 4) and photons (pixels,) of a box's background pixels."""
    total = size[0] * size[1] * size[2]
    basis, seen, n = np.empty((total, TERMS)), np.empty(total), 0
    for i in range(total):
        if codes[offset + i] == BACKGROUND:
            dx = corner[0] + i % size[0] + 0.5 - xyz[0]
            dy = corner[1] + (i // size[0]) % size[1] + 0.5 - xyz[1]
            u = (jacobian[0, 0] * dx + jacobian[0, 1] * dy) / radius
            v = (jacobian[1, 0] * dx + jacobian[1, 1] * dy) / radius
            terms(u, v, basis[n])
            seen[n] = counts[offset + i] / gain
            n += 1
    return basis[:n], seen[:n]


@compiled
def constant(seen: Any, table: Any, huber: Any) -> Any:
    """Return the robust mean of photons per pixel, 0 if there is none."""
    mean = seen.mean()
    if mean <= 0:
        return 0.0
    level = max(min(mean, np.median(seen) + 0.5), LOWEST)
    for _ in range(30):
        root = np.sqrt(level)
        expected, slope, _ = consistent(level, table)
        score = 0.0
        for value in seen:
            score += min(max((value - level) / root, -huber), huber)
        step = (score / len(seen) - expected) / slope * root
        new = min(max(level + step, level / 4), 4 * level + 1)
        if abs(new - level) < 1e-5 * level:
            return new
        level = new
    return level


@compiled
def equations(basis: Any, seen: Any, beta: Any, level: Any, table: Any, huber: Any) -> Any:
    """Return score (4,), expected slope (4, 4) and variance of the score (4, 4)."""
    score, slope = np.zeros(TERMS), np.zeros((TERMS, TERMS))
    spread = np.zeros((TERMS, TERMS))
    for i in range(len(seen)):
        mu = max(basis[i] @ beta, 0.05 * level)
        root = np.sqrt(mu)
        expected, inner, square = consistent(mu, table)
        residual = min(max((seen[i] - mu) / root, -huber), huber) - expected
        for a in range(TERMS):
            score[a] += residual * basis[i, a] / root
            for b in range(TERMS):
                product = basis[i, a] * basis[i, b] / mu
                slope[a, b] += inner * product
                spread[a, b] += square * product
    return score, slope, spread


@compiled
def consistent(mu: Any, table: Any) -> Any:
    """Interpolate what Huber's function of Poisson counts is on average, its slope and variance."""
    at = np.log(mu / LOWEST) * STEPS_PER_E
    low = min(max(int(at), 0), table.shape[0] - 2)
    part = min(max(at - low, 0.0), 1.0)
    first = (1 - part) * table[low, 0] + part * table[low + 1, 0]
    second = (1 - part) * table[low, 1] + part * table[low + 1, 1]
    third = (1 - part) * table[low, 2] + part * table[low + 1, 2]
    return first / np.sqrt(mu), second, third
