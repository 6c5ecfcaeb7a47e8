"""
S(Q) with a polynomial in place of corrections: the ad-hoc way.

All that scatters beside the coherent signal, and all that is wrong with the intensity, varies
slowly with Q. A polynomial that is too stiff to follow any distance between atoms takes it away
(P. Juhás, T. Davis, C. L. Farrow, S. J. L. Billinge, J. Appl. Cryst. 46, 560 (2013)). Positions
and shapes of peaks are right, amplitudes are not absolute. The details are those that reproduce
F(Q) as published with known data; it is compatible with PDFgetX3, not the same program.
"""

import math

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace, to_host
from tasks.errors import DataError
from tasks.pdf.composition import Composition
from tasks.pdf.scattering import mean_form_factor, mean_square_form_factor
from tasks.pdf.structure_function import (
    StructureFunction,
    chebyshev,
    check_range,
    known_bins,
    resample,
)
from tasks.pdf.tables import F


def compatible(
    q: F,
    intensity: F,
    sigma: F | None,
    composition: Composition,
    *,
    qmin: float,
    qmaxinst: float,
    rpoly: float = 0.9,
    qstep: float | None = None,
) -> StructureFunction:
    """
    Turn intensities, their background subtracted, into S(Q) with the ad-hoc polynomial.

    Parameters
    ----------
    q
        1/Å, shape (bins,), increasing.
    intensity, sigma
        Shape (frames, bins) or (bins,); bins that any frame does not know are bridged.
    composition
        Of the sample.
    qmin, qmaxinst
        Range that the polynomial is fitted in and that is returned, 1/Å; the transform may end
        at a smaller qmax.
    rpoly
        Distance up to which the polynomial takes signal away, Å; below the shortest bond.
    qstep
        Of the even grid that is computed on, 1/Å; the mean step of the data up to `qmaxinst` by
        default.

    Returns
    -------
    StructureFunction
        On multiples of `qstep`. ``details``: ``a`` (frames,), the scale; ``nf``, the real number
        of polynomial terms; ``w``, the weight of the higher one; ``qstep``.

    Raises
    ------
    DataError
        If the range is not covered, or a pattern has no intensity.
    """
    axis, block, variance = known_bins(q, intensity, sigma)
    check_range(axis, qmin, qmaxinst)
    measured = axis[axis <= qmaxinst + (axis[-1] - axis[-2]) / 2]
    step = qstep or (measured[-1] - measured[0]) / (len(measured) - 1)
    grid = _multiples(float(step), qmin, qmaxinst)
    values, variance = resample(axis, block, variance, grid)
    square = mean_form_factor(composition, grid) ** 2
    ratio, target = values / square, mean_square_form_factor(composition, grid) / square
    scale = _scale(ratio, target)
    f = remove_polynomial(grid, grid * (scale[:, None] * ratio - target), rpoly)
    f_sigma = grid / square * scale[:, None] * np.sqrt(variance)
    terms = polynomial_terms(grid, rpoly)
    details = {"a": scale, "nf": terms, "w": terms % 1, "rpoly": rpoly, "qstep": float(step)}
    s, s_sigma = 1 + f / grid, f_sigma / grid
    return StructureFunction(grid, s, s_sigma, f, f_sigma, "compatible", details)


def _multiples(step: float, low: float, high: float) -> F:
    """Multiples of a step from `low` to `high`."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return step * np.arange(first, last + 1, dtype=np.float64)


def polynomial_terms(q: Host, rpoly: float) -> float:
    """Return how many terms, as a real number, follow nothing beyond `rpoly` on this range."""
    return float(rpoly * (q[-1] - q[0]) / np.pi)


@algorithm("pdf.remove_polynomial", version="1", rtol=1e-9)
def remove_polynomial(q: Array, f: Array, rpoly: float) -> Array:
    """
    Subtract the least-squares fit of Q times a polynomial.

    The number of terms is real: what n and n + 1 terms leave is mixed by the fraction of it.

    Parameters
    ----------
    q
        Even grid, 1/Å, shape (bins,).
    f
        Shape (frames, bins).
    rpoly
        Distance in Å that sets the number of terms, rpoly (q[-1] - q[0]) / pi.
    """
    xp = namespace(f)
    grid = np.asarray(to_host(q), dtype=float)
    terms = polynomial_terms(grid, rpoly)
    whole = int(terms)
    weights = np.r_[np.ones(whole), terms - whole]
    basis = _basis(grid, whole + 1)
    left, right = xp.asarray(basis), xp.asarray(np.ascontiguousarray((basis * weights).T))
    return f - (f @ left) @ right


def _basis(grid: Host, terms: int) -> Host:
    """Orthonormal columns of which the first n span Q times a polynomial of n terms."""
    return np.linalg.qr(grid[:, None] * chebyshev(grid, terms))[0]


def _scale(ratio: F, target: F) -> F:
    """Least-squares scale of each pattern onto <f²>/<f>², shape (frames,)."""
    along = ratio @ target
    if np.any(along <= 0):
        raise DataError(
            f"Pattern {int(np.argmin(along))} has no intensity above its background: check the "
            "scale of the background and that the beam was on."
        )
    return along / np.sum(ratio**2, axis=1)


@remove_polynomial.case
def oscillations_on_a_slope() -> Inputs:
    """Take a bent background from oscillations."""
    q = np.linspace(1, 20, 400)
    waves = np.sin(q * np.array([[2.5], [3.1]]))
    return (q, waves + q * (0.2 - 0.03 * q + 0.001 * q**2), 0.9), {}
