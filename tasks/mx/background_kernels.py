"""The loops of the robust background, compiled by numba; import where needed."""

from typing import Any

import numba
import numpy as np

from tasks.mx.shoebox_kernels import BACKGROUND

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]
linalg: Any = np.linalg

SMOOTH, RING = 4, 10
"""Numbers of terms: level, slopes and a bend; nine levels along 2 theta and a slope across."""
FEWEST, FEWEST_EACH = 20, 6
SIGNIFICANT = 11.34  # 1 % of chi-squared with 3 degrees of freedom
ON_RING = 26.1  # 0.1 % with 8
HISTOGRAM = 128
SLIGHT = 1e-3
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

    Returns coefficients (n, 10), their covariance (n, 10, 10), how many of them serve (n,) and the
    number of pixels (n,).
    """
    n = len(size)
    beta, covariance = np.zeros((n, RING)), np.zeros((n, RING, RING))
    number, used = np.full(n, SMOOTH, np.int32), np.zeros(n, np.int32)
    for row in range(n):
        end = offset[row] + size[row, 0] * size[row, 1] * size[row, 2]
        u, v, seen = gather(
            (corner[row], size[row], xyz[row], jacobian[row]),
            counts[offset[row] : end],
            codes[offset[row] : end],
            radius,
            gain,
        )
        used[row] = len(seen)
        if len(seen) >= FEWEST:
            number[row] = _fit(u, v, seen, gain, beta[row], covariance[row], table, huber)
    return beta, covariance, number, used


@compiled
def _fit(
    u: Any, v: Any, seen: Any, gain: Any, beta: Any, covariance: Any, table: Any, huber: Any
) -> Any:
    """Fit one background with as many terms as it asks for; return how many that are."""
    level = constant(seen, gain, table, huber)
    beta[0] = level
    if level <= 0:
        covariance[0, 0] = 1.0 / len(seen) ** 2
        return SMOOTH
    basis = _basis(u, v, SMOOTH)
    score, slope, spread = at_constant(basis, seen, level, table, huber)
    spread += 1e-9 * np.trace(spread) * np.eye(SMOOTH)
    if score @ linalg.solve(spread, score) < SIGNIFICANT:
        covariance[0, 0] = spread[0, 0] / slope[0, 0] ** 2
        return SMOOTH
    terms_ = SMOOTH
    _solve(basis, seen, beta, covariance, level, table, huber)
    misfit = _misfit(basis, seen, beta[:SMOOTH], level, table, huber)
    if misfit > ON_RING:
        inside = np.abs(v) <= 1
        basis = _basis(u[inside], v[inside], RING)
        if _least(basis) >= FEWEST_EACH:
            terms_ = RING
            beta[: RING - 1], beta[RING - 1] = level, 0.0
            _solve(basis, seen[inside], beta, covariance, level, table, huber)
    return terms_


@compiled
def _solve(
    basis: Any, seen: Any, beta: Any, covariance: Any, level: Any, table: Any, huber: Any
) -> None:
    n = basis.shape[1]
    score, slope, spread = equations(basis, seen, beta[:n], level, table, huber)
    bent = _bent(slope)
    for _ in range(8):
        beta[:n] += linalg.solve(slope + bent, score - bent @ beta[:n])
        score, slope, spread = equations(basis, seen, beta[:n], level, table, huber)
    inverse = linalg.inv(slope + bent)
    covariance[:n, :n] = inverse @ spread @ inverse


@compiled
def _bent(slope: Any) -> Any:
    """Return what a bend between levels of a ring costs: it decides where pixels do not."""
    n = slope.shape[0]
    cost = SLIGHT * np.trace(slope) / n * np.eye(n) * SLIGHT
    if n == RING:
        for a in range(1, RING - 2):
            for b, one in ((a - 1, 1.0), (a, -2.0), (a + 1, 1.0)):
                for c, two in ((a - 1, 1.0), (a, -2.0), (a + 1, 1.0)):
                    cost[b, c] += SLIGHT * np.trace(slope) / n * one * two
    return cost


@compiled
def _least(basis: Any) -> Any:
    """Return how many pixels the worst determined level of a ring has."""
    least = np.inf
    for a in range(RING - 1):
        least = min(least, basis[:, a].sum())
    return least


@compiled
def _misfit(basis: Any, seen: Any, beta: Any, level: Any, table: Any, huber: Any) -> Any:
    """Return chi-squared of nine sums of residuals along 2 theta."""
    sums, variances = np.zeros(RING - 1), np.full(RING - 1, 1e-9)
    for i in range(len(seen)):
        v = basis[i, 2]
        if abs(v) > 1:
            continue
        mu = max(basis[i] @ beta, 0.05 * level)
        expected, _, square = consistent(mu, table)
        part = min(int((v + 1) / 2 * (RING - 1)), RING - 2)
        residual = (seen[i] - mu) / np.sqrt(mu)
        sums[part] += min(max(residual, -huber), huber) - expected
        variances[part] += square
    return (sums**2 / variances).sum()


@compiled
def _basis(u: Any, v: Any, number: Any) -> Any:
    basis = np.empty((len(u), number))
    for i in range(len(u)):
        terms(u[i], v[i], basis[i])
    return basis


@compiled
def terms(u: Any, v: Any, out: Any) -> None:
    """Put down what a background is made of, in as many terms as there is room for."""
    if len(out) == SMOOTH:
        out[0], out[1], out[2], out[3] = 1.0, u, v, v * v
        return
    out[:] = 0.0
    at = (min(max(v, -1.0), 1.0) + 1) / 2 * (RING - 2)
    low = min(int(at), RING - 3)
    out[low], out[low + 1], out[RING - 1] = 1 - (at - low), at - low, u


@compiled
def gather(box: Any, counts: Any, codes: Any, radius: Any, gain: Any) -> Any:
    """Return where along e1 and e2 a box's background pixels lie, and their photons, (pixels,)."""
    corner, size, xyz, jacobian = box
    u, v, seen, n = np.empty(len(codes)), np.empty(len(codes)), np.empty(len(codes)), 0
    for i in range(len(codes)):
        if codes[i] == BACKGROUND:
            dx = corner[0] + i % size[0] + 0.5 - xyz[0]
            dy = corner[1] + (i // size[0]) % size[1] + 0.5 - xyz[1]
            u[n] = (jacobian[0, 0] * dx + jacobian[0, 1] * dy) / radius
            v[n] = (jacobian[1, 0] * dx + jacobian[1, 1] * dy) / radius
            seen[n] = counts[i] / gain
            n += 1
    return u[:n], v[:n], seen[:n]


@compiled
def constant(seen: Any, gain: Any, table: Any, huber: Any) -> Any:
    """Return the robust mean of photons per pixel, 0 if there is none; from their histogram."""
    often = np.zeros(HISTOGRAM + 1, np.int64)
    for value in seen:
        often[min(int(value * gain + 0.5), HISTOGRAM)] += 1
    if often[0] == len(seen):
        return 0.0
    level = _start(often) / gain
    for _ in range(30):
        root = np.sqrt(level)
        expected, slope, _ = consistent(level, table)
        score = 0.0
        if HISTOGRAM / gain > level + huber * root:
            for count in range(HISTOGRAM + 1):
                residual = (count / gain - level) / root
                score += often[count] * min(max(residual, -huber), huber)
        else:
            for value in seen:
                score += min(max((value - level) / root, -huber), huber)
        step = (score / len(seen) - expected) / slope * root
        new = min(max(level + step, level / 4), 4 * level + 1)
        if abs(new - level) < 1e-5 * level:
            return new
        level = new
    return level


@compiled
def _start(often: Any) -> Any:
    """Return the mean of counts up to a little above their median, never 0."""
    half, below, median = often.sum() / 2, 0, 0
    while below + often[median] < half:
        below += often[median]
        median += 1
    total, number = 0.5, 1.0
    for count in range(min(len(often), 2 * median + 3)):
        total += count * often[count]
        number += often[count]
    return total / number


@compiled
def at_constant(basis: Any, seen: Any, level: Any, table: Any, huber: Any) -> Any:
    """Return what `equations` does for the smooth terms where the background is constant."""
    root = np.sqrt(level)
    expected, inner, square = consistent(level, table)
    score, product = np.zeros(SMOOTH), np.zeros((SMOOTH, SMOOTH))
    for i in range(len(seen)):
        residual = min(max((seen[i] - level) / root, -huber), huber) - expected
        for a in range(SMOOTH):
            score[a] += residual * basis[i, a]
            for b in range(a + 1):
                product[a, b] += basis[i, a] * basis[i, b]
    for a in range(SMOOTH):
        for b in range(a):
            product[b, a] = product[a, b]
    return score / root, inner / level * product, square / level * product


@compiled
def equations(basis: Any, seen: Any, beta: Any, level: Any, table: Any, huber: Any) -> Any:
    """Return score (terms,), its expected slope and its variance, (terms, terms)."""
    n = basis.shape[1]
    score, slope, spread = np.zeros(n), np.zeros((n, n)), np.zeros((n, n))
    for i in range(len(seen)):
        mu = max(basis[i] @ beta, 0.05 * level)
        root = np.sqrt(mu)
        expected, inner, square = consistent(mu, table)
        residual = min(max((seen[i] - mu) / root, -huber), huber) - expected
        for a in range(n):
            if basis[i, a] == 0:
                continue
            score[a] += residual * basis[i, a] / root
            for b in range(n):
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
