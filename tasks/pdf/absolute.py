"""
S(Q) in electron units: every part of the intensity is computed or bounded.

An intensity free of its background is alpha (<f²> + Compton + Q-dependent signal) + the rest that
varies slowly: fluorescence, what corrections left, multiple scattering unless it is given. Alpha is
found where the signal is known: below the shortest distance, G(r) is the straight line
-4 pi rho0 r. The integral condition of J. Krogh-Moe, Acta Cryst. 9, 951 (1956) and N. Norman, Acta
Cryst. 10, 370 (1957) is that line's slope at r = 0, and the level at high Q the oldest way; both
are computed for comparison.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tasks.errors import DataError
from tasks.pdf.composition import Composition
from tasks.pdf.fourier import sine_matrix
from tasks.pdf.scattering import compton, mean_form_factor, mean_square_form_factor
from tasks.pdf.structure_function import (
    StructureFunction,
    chebyshev,
    check_range,
    known_bins,
)
from tasks.pdf.tables import F, atomic_number

Normalisation = Literal["low_r", "krogh_moe_norman", "high_q"]

_BROADENING = 0.25  # Å, of the damped transform that the line is fitted in
_MARGIN = 3  # broadenings from the shortest distance that the line ends
_RADII = ((1, 0.35), (10, 0.65), (18, 0.95), (200, 1.2))  # Å, by last atomic number: short bonds
_RESIDUALS = (0.0, 0.3, 0.5, 0.7, 0.9)  # Å, tried from the stiffest
_GOOD = 0.1  # of the line, what may be left beside it


@dataclass(frozen=True, eq=False)
class Normalised:
    """
    Scale and slow rest of a block of patterns.

    Attributes
    ----------
    alpha, alpha_sigma
        Intensity per electron unit, and what counting statistics leave of it, (frames,).
    slow
        Coefficients of the slow rest, in the unit of the data, (frames, terms).
    misfit
        Root mean square of what is left below the shortest distance, relative to the line.
    krogh_moe_norman, high_q
        Alpha by the integral condition, and by the level of the upper half of Q, once the slow
        rest is taken off; (frames,).
    """

    alpha: F
    alpha_sigma: F
    slow: F
    misfit: F
    krogh_moe_norman: F
    high_q: F


@dataclass(frozen=True, eq=False)
class _Terms:
    """What the intensity is made of, times Q / <f>²; see the module."""

    q: F
    per_square: F  # Q / <f>², (bins,)
    known: F  # Q (<f²> + Compton) / <f>², (bins,)
    slow: F  # (terms, bins)


def absolute(
    q: F,
    intensity: F,
    sigma: F | None,
    composition: Composition,
    *,
    wavelength: float,
    density: float,
    qmin: float,
    qmax: float,
    transmitted: F | float = 1.0,
    twice: F | float = 0.0,
    shortest: float | None = None,
    residual: float | None = None,
    normalisation: Normalisation = "low_r",
    power: float = 2.0,
    dispersion: bool = True,
) -> StructureFunction:
    """
    Turn intensities, their background subtracted, into S(Q) on the absolute scale.

    Parameters
    ----------
    q
        1/Å, shape (bins,), increasing.
    intensity, sigma
        Corrected for polarisation and solid angle, shape (frames, bins) or (bins,).
    composition, density
        Of the sample; the density in g/cm³ is that of the material, not of the packed powder.
    wavelength
        In Å.
    qmin, qmax
        Range that is used and returned, 1/Å.
    transmitted
        Share of the scattering that leaves the sample, (bins,), from `tasks.pdf.absorption`.
    twice
        What is scattered twice, per atom in electron units, (bins,), from
        `tasks.pdf.multiple_scattering`; it is subtracted as Compton scattering is.
    shortest
        Distance below which there are no neighbours, Å; by default shorter than any bond of the
        elements.
    residual
        Distance up to which the slow rest may carry features, Å. 0 allows a constant, which is
        fluorescence; more follows what corrections left, and costs certainty of alpha. By default
        the stiffest that brings the patterns onto the line within a tenth.
    normalisation
        Which alpha is used: the fit of the line, the integral condition, or the level at high Q.
        With ``high_q`` the low-r slope is a check rather than a constraint.
    power
        Of the Breit-Dirac factor, see `tasks.pdf.scattering.compton`.
    dispersion
        Whether f' and f'' enter <f> and <f²>.

    Returns
    -------
    StructureFunction
        On the bins of the data, so that bins do not share noise. ``details``: ``alpha``, the
        fields of `Normalised`, ``alpha_disagreement`` of the three ways relative to alpha, all
        (frames,); ``slow`` (frames, terms); ``number_density``, ``shortest``, ``residual``,
        ``power``; ``double_share``, of `twice` beside what free atoms scatter once, the mean over
        the range. The uncertainty of alpha is common to all bins and not in ``s_sigma``.

    Raises
    ------
    DataError
        If the range is not covered, or no positive scale fits a pattern.
    """
    passed = np.broadcast_to(np.asarray(transmitted, dtype=float), np.shape(q))
    noise = None if sigma is None else np.atleast_2d(sigma) / passed
    axis, block, variance = known_bins(q, np.atleast_2d(intensity) / passed, noise)
    check_range(axis, qmin, qmax)
    inside = (axis >= qmin) & (axis <= qmax)
    axis, block, variance = axis[inside], block[:, inside], variance[:, inside]
    rho = composition.number_density(density)
    bound = shortest or shortest_distance(composition)
    resonant = wavelength if dispersion else None
    square = mean_form_factor(composition, axis, resonant) ** 2
    known = mean_square_form_factor(composition, axis, resonant)
    known = known + compton(composition, axis, wavelength, power)
    second = np.interp(axis, q, np.broadcast_to(np.asarray(twice, dtype=float), np.shape(q)))
    share, known = float(np.mean(second / known)), known + second
    fixed = _Terms(axis, axis / square, axis * known / square, axis[None] / square)
    allowed = _RESIDUALS if residual is None else (residual,)
    terms, found, used = _stiffest(fixed, block, variance, rho, bound, allowed)
    alpha = found.alpha if normalisation == "low_r" else getattr(found, normalisation)
    _refuse_impossible(alpha)
    f = (block * terms.per_square - found.slow @ terms.slow) / alpha[:, None] - terms.known
    f_sigma = terms.per_square * np.sqrt(variance) / alpha[:, None]
    details = _report(found, alpha) | {
        "number_density": rho,
        "shortest": bound,
        "residual": used,
        "power": power,
        "double_share": share,
        "normalisation": normalisation,
    }
    return StructureFunction(axis, 1 + f / axis, f_sigma / axis, f, f_sigma, "absolute", details)


def shortest_distance(composition: Composition) -> float:
    """Return a distance, Å, that bonds between these elements do not fall below."""
    smallest = min(atomic_number(element) for element in composition.elements)
    return 2 * next(radius for last, radius in _RADII if smallest <= last)


def normalise(terms: _Terms, block: F, variance: F, rho: float, bound: float) -> Normalised:
    """
    Fit alpha and the slow rest to the line below the shortest distance.

    The transform is damped by a Gaussian, which leaves a straight line as it is and keeps ripples
    of neighbours away from it. The line and what is known carry no noise, so alpha is their
    coefficient in the data and not the other way round: noise would pull it to zero.

    Parameters
    ----------
    terms
        What the intensity is made of.
    block, variance
        Shape (frames, bins).
    rho
        Atoms per Å³.
    bound
        Shortest distance, Å.
    """
    width = min(_BROADENING, bound / 6)
    r = np.linspace(0.02, bound - _MARGIN * width, 60)
    line = -4 * np.pi * rho * r
    operator = _damped(terms.q, r, width)
    wanted = terms.known @ operator + line
    model = np.vstack([wanted, terms.slow @ operator])
    size = np.linalg.norm(model, axis=1)
    inverse = np.asarray(np.linalg.pinv(model / size[:, None]), dtype=float) / size
    from_data = terms.per_square[:, None] * (operator @ inverse)
    found = block @ from_data
    alpha, slow = found[:, 0], found[:, 1:]
    clean = block * terms.per_square - slow @ terms.slow
    left = clean @ operator / alpha[:, None] - wanted
    upper = terms.q >= (terms.q[0] + terms.q[-1]) / 2
    level = clean[:, upper] / terms.per_square[upper]
    return Normalised(
        alpha=alpha,
        alpha_sigma=np.sqrt(variance @ from_data[:, 0] ** 2),
        slow=slow,
        misfit=np.sqrt(np.mean(left**2, axis=1) / np.mean(line**2)),
        krogh_moe_norman=(clean @ operator[:, 0]) / wanted[0],
        high_q=level.sum(axis=1) / np.sum(terms.known[upper] / terms.per_square[upper]),
    )


def _stiffest(
    terms: _Terms, block: F, variance: F, rho: float, bound: float, allowed: tuple[float, ...]
) -> tuple[_Terms, Normalised, float]:
    """Allow the slow rest more and more, until the patterns lie on the line."""
    for distance in allowed[:-1]:
        tried = _with_rest(terms, distance)
        found = normalise(tried, block, variance, rho, bound)
        if np.median(found.misfit) < _GOOD:
            return tried, found, distance
    last = _with_rest(terms, allowed[-1])
    return last, normalise(last, block, variance, rho, bound), allowed[-1]


def _with_rest(terms: _Terms, distance: float) -> _Terms:
    """Let the rest be a polynomial that carries no feature beyond a distance."""
    count = 1 + round(distance * (terms.q[-1] - terms.q[0]) / np.pi)
    slow = np.ascontiguousarray(chebyshev(terms.q, count).T) * terms.per_square
    return replace(terms, slow=slow)


def _damped(q: F, r: F, width: float) -> F:
    """Operator (bins, distances) of the transform with a Gaussian that broadens by `width`."""
    matrix = sine_matrix(q.tobytes(), r.tobytes(), float(q[-1]), "none", "linear")
    return matrix * np.exp(-((q * width) ** 2) / 2)[:, None]


def _report(found: Normalised, alpha: F) -> dict[str, Any]:
    ways = np.array([found.alpha, found.krogh_moe_norman, found.high_q])
    return {
        "alpha": alpha,
        "alpha_sigma": found.alpha_sigma,
        "alpha_low_r": found.alpha,
        "alpha_krogh_moe_norman": found.krogh_moe_norman,
        "alpha_high_q": found.high_q,
        "alpha_disagreement": np.ptp(ways, axis=0) / np.abs(alpha),
        "low_r_misfit": found.misfit,
        "slow": found.slow,
    }


def _refuse_impossible(alpha: F) -> None:
    if not np.all(alpha > 0):
        raise DataError(
            f"No scale brings pattern {int(np.argmin(alpha))} to electron units: check "
            "composition, density, background and wavelength, or use the compatible mode."
        )
