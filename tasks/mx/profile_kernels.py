"""The loops of profiles, compiled by numba; import where needed."""

from typing import Any

import numba
import numpy as np

from tasks.mx.background_kernels import TERMS, terms
from tasks.mx.shoebox_kernels import BACKGROUND, CONTESTED, NONE, OVERLOAD, PEAK

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]


@compiled
def detector_moments(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    radius: Any,
) -> Any:
    """Return the mean square of e1 and e2 over each peak within a radius, (n,), in its unit."""
    result = np.full(len(size), np.nan)
    for row in range(len(size)):
        width, height = size[row, 0], size[row, 1]
        mean = _mean_around(size[row], offset[row], counts, codes)
        total, square = 0.0, 0.0
        for i in range(width * height * size[row, 2]):
            dx = corner[row, 0] + i % width + 0.5 - xyz[row, 0]
            dy = corner[row, 1] + (i // width) % height + 0.5 - xyz[row, 1]
            u = jacobian[row, 0, 0] * dx + jacobian[row, 0, 1] * dy
            v = jacobian[row, 1, 0] * dx + jacobian[row, 1, 1] * dy
            if u * u + v * v <= radius * radius and codes[offset[row] + i] == PEAK:
                above = counts[offset[row] + i] - mean
                total += above
                square += above * (u * u + v * v) / 2
        if total > 0:
            result[row] = square / total
    return result


@compiled
def _mean_around(size: Any, offset: Any, counts: Any, codes: Any) -> Any:
    total, n = 0.0, 0
    for i in range(offset, offset + size[0] * size[1] * size[2]):
        if codes[i] == BACKGROUND:
            total += counts[i]
            n += 1
    return total / max(n, 1)


@compiled
def rotation_counts(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    per_image: Any,
    radius: Any,
) -> Any:
    """
    Sum each image of a peak within a radius.

    Returns counts with and of background, (n, images), and the images' edges along e3.
    """
    n, most = len(size), size[:, 2].max()
    seen, below = np.zeros((n, most)), np.zeros((n, most))
    edges = np.zeros((n, most + 1))
    for row in range(n):
        width, height = size[row, 0], size[row, 1]
        mean = _mean_around(size[row], offset[row], counts, codes)
        for j in range(most + 1):
            edges[row, j] = (corner[row, 2] + min(j, size[row, 2]) - xyz[row, 2]) * per_image[row]
        for i in range(width * height * size[row, 2]):
            dx = corner[row, 0] + i % width + 0.5 - xyz[row, 0]
            dy = corner[row, 1] + (i // width) % height + 0.5 - xyz[row, 1]
            u = jacobian[row, 0, 0] * dx + jacobian[row, 0, 1] * dy
            v = jacobian[row, 1, 0] * dx + jacobian[row, 1, 1] * dy
            if u * u + v * v <= radius * radius and codes[offset[row] + i] == PEAK:
                seen[row, i // (width * height)] += counts[offset[row] + i]
                below[row, i // (width * height)] += mean
    return seen, below, edges


@compiled
def shape(
    corner: Any,
    size: Any,
    xyz: Any,
    jacobian: Any,
    per_image: Any,
    table: Any,
    radius: Any,
    half_range: Any,
    out: Any,
) -> None:
    """Evaluate a reference profile (e3, e2, e1) in the pixels of a box; they sum to 1."""
    nodes = table.shape[1]
    layer = np.empty((nodes, nodes))
    width, height = size[0], size[1]
    total, at = 0.0, 0
    for j in range(size[2]):
        spread_over(table, corner[2] + j, xyz[2], per_image, half_range, layer)
        for y in range(height):
            dy = corner[1] + y + 0.5 - xyz[1]
            for x in range(width):
                dx = corner[0] + x + 0.5 - xyz[0]
                u = jacobian[0, 0] * dx + jacobian[0, 1] * dy
                v = jacobian[1, 0] * dx + jacobian[1, 1] * dy
                out[at] = 0.0
                if u * u + v * v <= radius * radius:
                    a, b, part_a, part_b = node(u, v, radius, nodes)
                    low = (1 - part_a) * layer[b, a] + part_a * layer[b, a + 1]
                    high = (1 - part_a) * layer[b + 1, a] + part_a * layer[b + 1, a + 1]
                    out[at] = (1 - part_b) * low + part_b * high
                    total += out[at]
                at += 1
    if total > 0:
        for i in range(at):
            out[i] /= total


@compiled
def node(u: Any, v: Any, radius: Any, nodes: Any) -> Any:
    """Return the lower node along both axes and the parts of the way to the next."""
    scale = (nodes - 1) / (2 * radius)
    at_u, at_v = (u + radius) * scale, (v + radius) * scale
    a, b = min(int(at_u), nodes - 2), min(int(at_v), nodes - 2)
    return a, b, at_u - a, at_v - b


@compiled
def share(bin_: Any, bins: Any, z: Any, centre: Any, per_image: Any, half_range: Any) -> Any:
    """Return which part of a bin of e3 an image covers."""
    one, two = (z - centre) * per_image, (z + 1 - centre) * per_image
    low, high = min(one, two), max(one, two)
    step = 2 * half_range / bins
    begin = -half_range + bin_ * step
    return max(0.0, min(high, begin + step) - max(low, begin)) / step


@compiled
def spread_over(table: Any, z: Any, centre: Any, per_image: Any, half_range: Any, out: Any) -> None:
    """Sum the reference over the range of one image, (e2, e1)."""
    out[:] = 0.0
    for k in range(table.shape[0]):
        part = share(k, table.shape[0], z, centre, per_image, half_range)
        if part > 0:
            out += part * table[k]


@compiled
def learn(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    per_image: Any,
    beta: Any,
    gain: Any,
    radius: Any,
    half_range: Any,
    weight_of: Any,
    start: Any,
    rounds: Any,
) -> Any:
    """
    Return the reference profile (e3, e2, e1) under which the boxes' photons are likeliest.

    Expectation maximisation from a start without zeros: each round gives every photon to the
    cells of the profile, and the background, in proportion to what they lead one to expect.
    """
    table = start.copy()
    for _ in range(rounds):
        got, due = np.zeros_like(table), np.zeros_like(table)
        for row in range(len(size)):
            _learn_from(
                corner[row],
                size[row],
                offset[row],
                counts,
                codes,
                xyz[row],
                jacobian[row],
                per_image[row],
                beta[row],
                gain,
                radius,
                half_range,
                weight_of[row],
                table,
                got,
                due,
            )
        for k in range(table.shape[0]):
            for b in range(table.shape[1]):
                for a in range(table.shape[2]):
                    if due[k, b, a] > 0:
                        table[k, b, a] *= got[k, b, a] / due[k, b, a]
        table /= table.sum()
    return table


@compiled
def _learn_from(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    per_image: Any,
    beta: Any,
    gain: Any,
    radius: Any,
    half_range: Any,
    weight: Any,
    table: Any,
    got: Any,
    due: Any,
) -> None:
    pixels = size[0] * size[1] * size[2]
    model, x = np.empty(pixels), np.empty(TERMS)
    shape(corner, size, xyz, jacobian, per_image, table, radius, half_range, model)
    signal, covered = 0.0, 0.0
    below = np.zeros(pixels)
    for i in range(pixels):
        if model[i] > 0 and codes[offset + i] == PEAK:
            u, v = _local(corner, size, i, xyz, jacobian)
            terms(u / radius, v / radius, x)
            below[i] = max(x @ beta, 0.0)
            signal += counts[offset + i] / gain - below[i]
            covered += model[i]
    if covered < 0.5 or signal <= 0:
        return
    signal /= covered
    plane = size[0] * size[1]
    for i in range(pixels):
        if model[i] <= 0 or codes[offset + i] != PEAK:
            continue
        ratio = counts[offset + i] / gain / (signal * model[i] + below[i])
        u, v = _local(corner, size, i, xyz, jacobian)
        a, b, part_a, part_b = node(u, v, radius, table.shape[1])
        for k in range(table.shape[0]):
            part = share(k, table.shape[0], corner[2] + i // plane, xyz[2], per_image, half_range)
            part *= weight * signal
            if part > 0:
                for db in range(2):
                    for da in range(2):
                        each = (
                            part * (part_a if da else 1 - part_a) * (part_b if db else 1 - part_b)
                        )
                        got[k, b + db, a + da] += each * ratio
                        due[k, b + db, a + da] += each


@compiled
def _local(corner: Any, size: Any, i: Any, xyz: Any, jacobian: Any) -> Any:
    dx = corner[0] + i % size[0] + 0.5 - xyz[0]
    dy = corner[1] + (i // size[0]) % size[1] + 0.5 - xyz[1]
    u = jacobian[0, 0] * dx + jacobian[0, 1] * dy
    return u, jacobian[1, 0] * dx + jacobian[1, 1] * dy


SUM, SUM_VARIANCE, FIT, FIT_VARIANCE, LEVEL, RECORDED, VALID, CORRELATION = range(8)
MISSING, CONTESTED_PART, OVERLOADS, X, Y, Z = range(8, 14)
FIGURES = 14


@compiled
def fit_all(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    per_image: Any,
    beta: Any,
    covariance: Any,
    gain: Any,
    radius: Any,
    half_range: Any,
    tables: Any,
    which: Any,
    images: Any,
) -> Any:
    """Sum and fit each box with the table that serves it; return figures (n, 14), photons."""
    result = np.full((len(size), FIGURES), np.nan)
    for row in range(len(size)):
        pixels = size[row, 0] * size[row, 1] * size[row, 2]
        model = np.empty(pixels)
        shape(
            corner[row],
            size[row],
            xyz[row],
            jacobian[row],
            per_image[row],
            tables[which[row]],
            radius,
            half_range,
            model,
        )
        _fit(
            corner[row],
            size[row],
            counts[offset[row] : offset[row] + pixels],
            codes[offset[row] : offset[row] + pixels],
            xyz[row],
            jacobian[row],
            beta[row],
            covariance[row],
            gain,
            radius,
            model,
            images,
            result[row],
        )
    return result


@compiled
def _fit(
    corner: Any,
    size: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    beta: Any,
    covariance: Any,
    gain: Any,
    radius: Any,
    model: Any,
    images: Any,
    out: Any,
) -> None:
    plane = size[0] * size[1]
    recorded, valid, missing, contested, overloads = 0.0, 0.0, 0.0, 0.0, 0.0
    seen, below, part = np.empty(len(model)), np.empty(len(model)), np.empty(len(model))
    basis, n = np.empty((len(model), TERMS)), 0
    for i in range(len(model)):
        z = corner[2] + i // plane
        if model[i] <= 0 or z < 0 or z >= images:
            continue
        recorded += model[i]
        if codes[i] == PEAK:
            u, v = _local(corner, size, i, xyz, jacobian)
            terms(u / radius, v / radius, basis[n])
            below[n] = max(basis[n] @ beta, 0.0)
            seen[n], part[n] = counts[i] / gain, model[i]
            valid += model[i]
            n += 1
        elif codes[i] == CONTESTED:
            contested += model[i]
        elif codes[i] == OVERLOAD:
            overloads += 1
        elif codes[i] == NONE:
            missing += model[i]
    out[LEVEL], out[RECORDED], out[VALID] = beta[0], recorded, valid
    out[MISSING], out[CONTESTED_PART], out[OVERLOADS] = missing, contested, overloads
    if valid > 0:
        estimate(seen[:n], below[:n], part[:n], basis[:n], covariance, recorded, valid, out)
        if out[SUM] > 5 * np.sqrt(out[SUM_VARIANCE]):
            _centroid(corner, size, counts, codes, xyz, jacobian, beta, gain, radius, model, out)


@compiled
def estimate(
    seen: Any,
    below: Any,
    part: Any,
    basis: Any,
    covariance: Any,
    recorded: Any,
    valid: Any,
    out: Any,
) -> None:
    """
    Sum and fit photons over a background with known fractions of a reflection.

    Both are the intensity that was recorded, as if no pixel lacked. The fit is weighted with
    variances of the model: those of the counts would favour pixels that by chance have few.
    """
    above = seen - below
    lever = basis.sum(axis=0)
    total = above.sum()
    scale = recorded / valid
    out[SUM] = total * scale
    variance = max(seen.sum(), below.sum(), 0.5) + lever @ covariance @ lever
    out[SUM_VARIANCE] = variance * scale**2
    intensity = max(total / valid, 0.0)
    weight = np.empty(len(seen))
    for _ in range(5):
        for i in range(len(seen)):
            weight[i] = part[i] / ((max(intensity, 0.0) + 0.5) * part[i] + below[i])
        norm = weight @ part
        intensity = (weight @ above) / norm
    lever = (weight @ basis) / norm
    out[FIT] = intensity * recorded
    out[FIT_VARIANCE] = (1 / norm + lever @ covariance @ lever) * recorded**2
    out[CORRELATION] = _correlation(above, part)


@compiled
def _correlation(a: Any, b: Any) -> Any:
    one, two = a - a.mean(), b - b.mean()
    norm = np.sqrt((one @ one) * (two @ two))
    return one @ two / norm if norm > 0 else np.nan


@compiled
def _centroid(
    corner: Any,
    size: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    beta: Any,
    gain: Any,
    radius: Any,
    model: Any,
    out: Any,
) -> None:
    total, x, y, z = 0.0, 0.0, 0.0, 0.0
    basis = np.empty(TERMS)
    for i in range(len(model)):
        if model[i] > 0 and codes[i] == PEAK:
            u, v = _local(corner, size, i, xyz, jacobian)
            terms(u / radius, v / radius, basis)
            above = counts[i] / gain - max(basis @ beta, 0.0)
            total += above
            x += above * (corner[0] + i % size[0] + 0.5)
            y += above * (corner[1] + (i // size[0]) % size[1] + 0.5)
            z += above * (corner[2] + i // (size[0] * size[1]) + 0.5)
    if total > 0:
        out[X], out[Y], out[Z] = x / total, y / total, z / total
