"""The loops over symmetry equivalents, compiled by numba (S. K. Lam et al., LLVM-HPC 2015)."""

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(nogil=True, cache=True)  # pyright: ignore[reportUnknownMemberType]


@compiled
def harmonic_values(directions: Any, degree: int, sizes: Any, found: Any) -> None:
    """
    Fill real spherical harmonics of degrees 1 to `degree`.

    Parameters
    ----------
    directions
        Unit vectors, (n, 3).
    degree
        Highest degree.
    sizes
        Norms by degree and order, (degree + 1, degree + 1).
    found
        To be filled, (n, terms).
    """
    polar = np.zeros((degree + 1, degree + 1))
    for row in range(len(directions)):
        x, y, z = directions[row]
        cosine, sine, lowest = 1.0, 0.0, 1.0
        for order in range(degree + 1):
            polar[order, order] = lowest
            if order < degree:
                polar[order + 1, order] = (2 * order + 1) * z * lowest
            for one in range(order + 2, degree + 1):
                up, before = polar[one - 1, order], polar[one - 2, order]
                polar[one, order] = ((2 * one - 1) * z * up - (one + order - 1) * before) / (
                    one - order
                )
            for one in range(max(order, 1), degree + 1):
                value = sizes[one, order] * polar[one, order]
                first = (one - 1) * (one + 1)
                if order == 0:
                    found[row, first] = value
                else:
                    found[row, first + 2 * order - 1] = value * cosine
                    found[row, first + 2 * order] = value * sine
            cosine, sine = cosine * x - sine * y, cosine * y + sine * x
            lowest *= 2 * order + 1


@compiled
def row_products(columns: Any, values: Any, parameters: Any, found: Any) -> None:
    """Fill the product of each sparse row (n, width) with the parameters, (n,)."""
    for row in range(len(columns)):
        total = 0.0
        for one in range(columns.shape[1]):
            total += values[row, one] * parameters[columns[row, one]]
        found[row] = total


@compiled
def normal(
    order: Any,
    offsets: Any,
    columns: Any,
    values: Any,
    weights: Any,
    gradient: Any,
    parameters: int,
) -> Any:
    """Return matrix and right-hand side; see `tasks.mx.groups.normal_equations`."""
    matrix = np.zeros((parameters, parameters))
    right = np.zeros(parameters)
    total = np.zeros(parameters)
    touched = np.zeros(parameters, dtype=np.int32)
    last = np.full(parameters, -1, dtype=np.int64)
    for group in range(len(offsets) - 1):
        weight, slope, used = 0.0, 0.0, 0
        rows = order[offsets[group] : offsets[group + 1]]
        rows = rows[weights[rows] > 0]
        if len(rows) < 2:
            continue
        for row in rows:
            weight += weights[row]
            slope += gradient[row]
            _add_row(columns[row], values[row], weights[row], matrix, total)
            for one in range(columns.shape[1]):
                column = columns[row, one]
                right[column] += gradient[row] * values[row, one]
                if last[column] != group:
                    last[column], touched[used] = group, column
                    used += 1
        _take_mean(touched[:used], weight, slope, matrix, right, total)
    _mirror(matrix)
    return matrix, right


@compiled
def _add_row(columns: Any, values: Any, weight: float, matrix: Any, total: Any) -> None:
    """Add one row's square below the diagonal; columns rise along a row."""
    for one in range(len(columns)):
        value = weight * values[one]
        if value != 0:
            column = columns[one]
            total[column] += value
            for other in range(one + 1):
                matrix[column, columns[other]] += value * values[other]


@compiled
def _take_mean(
    touched: Any, weight: float, slope: float, matrix: Any, right: Any, total: Any
) -> None:
    """Subtract what a group's mean row contributes, below the diagonal, and clear its sum."""
    for one in touched:
        share = total[one] / weight
        right[one] -= slope * share
        for other in touched:
            if other <= one:
                matrix[one, other] -= share * total[other]
    for one in touched:
        total[one] = 0.0


@compiled
def _mirror(lower: Any) -> None:
    for one in range(len(lower)):
        for other in range(one):
            lower[other, one] = lower[one, other]


@compiled
def reject_worst(
    order: Any, offsets: Any, values: Any, variances: Any, usable: Any, threshold: float
) -> Any:
    """Return what is kept; see `tasks.mx.groups.reject`."""
    kept = usable.copy()
    for group in range(len(offsets) - 1):
        rows = order[offsets[group] : offsets[group + 1]]
        while True:
            weight, product, count = 0.0, 0.0, 0
            for row in rows:
                if kept[row]:
                    weight += 1 / variances[row]
                    product += values[row] / variances[row]
                    count += 1
            if count < 3:
                break
            worst, deviate = -1, threshold
            for row in rows:
                if kept[row]:
                    rest = weight - 1 / variances[row]
                    mean = (product - values[row] / variances[row]) / rest
                    found = abs(values[row] - mean) / np.sqrt(variances[row] + 1 / rest)
                    if found > deviate:
                        worst, deviate = row, found
            if worst < 0:
                break
            kept[worst] = False
    return kept
