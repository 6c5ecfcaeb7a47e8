"""The loops of profiles, compiled by numba; import where needed."""

from typing import Any

import numba
import numpy as np

from tasks.mx.background_kernels import terms
from tasks.mx.shoebox_kernels import CONTESTED, NONE, OVERLOAD, PEAK

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]


LEAST_VARIANCE = 0.05


@compiled
def above_background(
    corner: Any,
    size: Any,
    offset: Any,
    counts: Any,
    codes: Any,
    xyz: Any,
    jacobian: Any,
    beta: Any,
    number: Any,
    gain: Any,
    unit: Any,
) -> Any:
    """Return of pixels of peaks: whose, image in its box, e1, e2, photons, background."""
    most = (codes == PEAK).sum()
    whose, image = np.empty(most, np.int64), np.empty(most, np.int64)
    along, across = np.empty(most), np.empty(most)
    photons, below = np.empty(most), np.empty(most)
    n = 0
    for row in range(len(size)):
        basis = np.empty(number[row])
        for i in range(size[row, 0] * size[row, 1] * size[row, 2]):
            if codes[offset[row] + i] == PEAK:
                u, v = _local(corner[row], size[row], i, xyz[row], jacobian[row])
                terms(u / unit, v / unit, basis)
                whose[n], image[n] = row, i // (size[row, 0] * size[row, 1])
                along[n], across[n] = u, v
                photons[n] = counts[offset[row] + i] / gain
                below[n] = max(basis @ beta[row, : number[row]], 0.0)
                n += 1
    return whose[:n], image[:n], along[:n], across[:n], photons[:n], below[:n]


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
) -> Any:
    """
    Evaluate a reference profile (e3, e2, e1) in the pixels of a box; they sum to 1.

    Returns what they summed to before.
    """
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
    for i in range(at):
        out[i] /= total
    return total


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
    number: Any,
    gain: Any,
    radius: Any,
    half_range: Any,
    weight_of: Any,
    table: Any,
    start: Any,
    tolerance: Any,
    smooth: Any,
    rounds: Any,
) -> Any:
    """
    Return the reference profile (e3, e2, e1) that fits the boxes' photons best.

    Least squares by simultaneous iteration (Gilbert, J. Theor. Biol. 36, 105 (1972)), weighted with
    variances of the smooth profile, and with the start's tolerance where few pixels look.
    Few rounds keep it even where images are too coarse to tell. It may be negative in its tails:
    were it not, noise would add to them and all intensities be wrong by a per cent.
    """
    for _ in range(rounds):
        norm = 1 / tolerance**2
        change = (start - table) * norm
        for row in range(len(size)):
            end = offset[row] + size[row, 0] * size[row, 1] * size[row, 2]
            box = (corner[row], size[row], xyz[row], jacobian[row])
            seen, code = counts[offset[row] : end] / gain, codes[offset[row] : end]
            model, even = np.empty(len(seen)), np.empty(len(seen))
            shape(*box, per_image[row], smooth, radius, half_range, even)
            scale = shape(*box, per_image[row], table, radius, half_range, model)
            at = np.nonzero((even != 0) & (code == PEAK))[0]
            below, _ = _below(box, at, beta[row, : number[row]], radius)
            signal = (seen[at] - below).sum() / model[at].sum()
            if model[at].sum() < 0.5 or signal <= 0:
                continue
            variance = signal * even[at] + below + LEAST_VARIANCE
            pull = (seen[at] - signal * model[at] - below) / variance * weight_of[row]
            cells = (per_image[row], radius, half_range, signal / scale)
            _hand_out(box, at, pull, weight_of[row] / variance, cells, change, norm)
        table = table + change / norm
        table /= table.sum()
    return table


@compiled
def _hand_out(
    box: Any, at: Any, pull: Any, weight: Any, cells: Any, change: Any, norm: Any
) -> None:
    """Give pixels' residuals to the cells of the profile that they look at."""
    corner, size, xyz, jacobian = box
    per_image, radius, half_range, scale = cells
    bins, plane = change.shape[0], size[0] * size[1]
    parts, whole, last = np.zeros(bins), 0.0, -1
    for n in range(len(at)):
        image = at[n] // plane
        if image != last:
            last = image
            for k in range(bins):
                part = share(k, bins, corner[2] + image, xyz[2], per_image, half_range)
                parts[k] = part * scale
            whole = parts.sum()
        u, v = _local(corner, size, at[n], xyz, jacobian)
        a, b, part_a, part_b = node(u, v, radius, change.shape[1])
        for k in range(bins):
            if parts[k] > 0:
                for c in range(4):
                    da, db = c % 2, c // 2
                    each = (
                        parts[k] * (part_a if da else 1 - part_a) * (part_b if db else 1 - part_b)
                    )
                    change[k, b + db, a + da] += each * pull[n]
                    norm[k, b + db, a + da] += each * whole * weight[n]


@compiled
def _local(corner: Any, size: Any, i: Any, xyz: Any, jacobian: Any) -> Any:
    dx = corner[0] + i % size[0] + 0.5 - xyz[0]
    dy = corner[1] + (i // size[0]) % size[1] + 0.5 - xyz[1]
    u = jacobian[0, 0] * dx + jacobian[0, 1] * dy
    return u, jacobian[1, 0] * dx + jacobian[1, 1] * dy


SUM, SUM_VARIANCE, FIT, FIT_VARIANCE, CORRELATION, RECORDED, VALID = range(7)
MISSING, CONTESTED_PART, OVERLOADS, X, Y, Z, MISFIT = range(7, 14)
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
    number: Any,
    gain: Any,
    radius: Any,
    half_range: Any,
    tables: Any,
    smooth: Any,
    which: Any,
    images: Any,
) -> Any:
    """Sum and fit each box with the table that serves it; return figures (n, 14), photons."""
    result = np.full((len(size), FIGURES), np.nan)
    for row in range(len(size)):
        end = offset[row] + size[row, 0] * size[row, 1] * size[row, 2]
        box = (corner[row], size[row], xyz[row], jacobian[row])
        model, even = np.empty(end - offset[row]), np.empty(end - offset[row])
        for table, out in ((tables[which[row]], model), (smooth[which[row]], even)):
            shape(*box, per_image[row], table, radius, half_range, out)
        seen, codes_ = counts[offset[row] : end] / gain, codes[offset[row] : end]
        at = _account(box, codes_, model, images, result[row])
        n = number[row]
        error = np.ascontiguousarray(covariance[row, :n, :n])
        below, basis = _below(box, at, beta[row, :n], radius)
        if len(at) > 0:
            estimate(seen[at], below, model[at], even[at], basis, error, result[row])
            if result[row, SUM] > 5 * np.sqrt(result[row, SUM_VARIANCE]):
                _centroid(box, at, seen[at] - below, result[row])
    return result


@compiled
def _account(box: Any, codes: Any, model: Any, images: Any, out: Any) -> Any:
    """Return which pixels serve, and put down what share of the profile lies in which kind."""
    corner, size, _, _ = box
    plane = size[0] * size[1]
    at, n = np.empty(len(model), np.int64), 0
    out[RECORDED : VALID + 1] = 0.0
    out[MISSING : OVERLOADS + 1] = 0.0
    for i in range(len(model)):
        z = corner[2] + i // plane
        if model[i] == 0 or z < 0 or z >= images:
            continue
        out[RECORDED] += model[i]
        if codes[i] == PEAK:
            out[VALID] += model[i]
            at[n] = i
            n += 1
        elif codes[i] == CONTESTED:
            out[CONTESTED_PART] += model[i]
        elif codes[i] == OVERLOAD:
            out[OVERLOADS] += 1
        elif codes[i] == NONE:
            out[MISSING] += model[i]
    return at[:n]


@compiled
def _below(box: Any, at: Any, beta: Any, radius: Any) -> Any:
    """Return the background below pixels (pixels,) and its terms (pixels, terms)."""
    corner, size, xyz, jacobian = box
    basis = np.empty((len(at), len(beta)))
    below = np.empty(len(at))
    for n in range(len(at)):
        u, v = _local(corner, size, at[n], xyz, jacobian)
        terms(u / radius, v / radius, basis[n])
        below[n] = max(basis[n] @ beta, 0.0)
    return below, basis


@compiled
def estimate(
    seen: Any, below: Any, part: Any, even: Any, basis: Any, covariance: Any, out: Any
) -> None:
    """
    Sum and fit photons over a background with known fractions of a reflection.

    Both are the intensity that was recorded, as if no pixel lacked. The fit's weights come from the
    model: the counts' own variances would favour pixels that by chance have few. They come from
    the smooth profile: with the learned one's own noise in both, the fit would be too low.
    """
    above, recorded, valid = seen - below, out[RECORDED], out[VALID]
    lever, total = _sums(basis), above.sum()
    variance = max(seen.sum(), below.sum(), 0.5) + lever @ covariance @ lever
    out[SUM] = total * recorded / valid
    out[SUM_VARIANCE] = variance * (recorded / valid) ** 2
    intensity, norm = max(total / valid, 0.0), 1.0
    weight = np.empty(len(seen))
    for _ in range(5):
        for i in range(len(seen)):
            weight[i] = even[i] / ((max(intensity, 0.0) + 0.5) * even[i] + below[i])
        norm = weight @ part
        intensity = (weight @ above) / norm
    variance = 0.0
    for i in range(len(seen)):
        expected = (max(intensity, 0.0) + 0.5) * max(part[i], 0.0) + below[i]
        variance += weight[i] ** 2 * expected
        basis[i] *= weight[i]
    lever = _sums(basis)
    out[FIT] = intensity * recorded
    out[FIT_VARIANCE] = (variance + lever @ covariance @ lever) * (recorded / norm) ** 2
    out[CORRELATION] = _correlation(above, part)
    out[MISFIT] = _misfit(above - intensity * part, max(intensity, 0.0) * even + below)


@compiled
def _sums(basis: Any) -> Any:
    total = np.zeros(basis.shape[1])
    for row in basis:
        total += row
    return total


@compiled
def _misfit(residual: Any, variance: Any) -> Any:
    """Return the mean of squared residuals over their variances."""
    return (residual**2 / (variance + LEAST_VARIANCE)).mean()


@compiled
def _correlation(a: Any, b: Any) -> Any:
    one, two = a - a.mean(), b - b.mean()
    norm = np.sqrt((one @ one) * (two @ two))
    return one @ two / norm if norm > 0 else np.nan


@compiled
def _centroid(box: Any, at: Any, above: Any, out: Any) -> None:
    corner, size, _, _ = box
    x, y, z = 0.0, 0.0, 0.0
    for n in range(len(at)):
        x += above[n] * (corner[0] + at[n] % size[0] + 0.5)
        y += above[n] * (corner[1] + (at[n] // size[0]) % size[1] + 0.5)
        z += above[n] * (corner[2] + at[n] // (size[0] * size[1]) + 0.5)
    total = above.sum()
    out[X], out[Y], out[Z] = x / total, y / total, z / total
