"""
S(Q) in electron units: every part of the intensity is computed or bounded.

An intensity free of its background is alpha (<f²> + Compton + Q-dependent signal) + the rest that
varies slowly: fluorescence, multiple scattering, what the corrections left. Alpha is found where
the signal is known: below the shortest distance, G(r) is the straight line -4 pi rho0 r. The
integral condition of J. Krogh-Moe, Acta Cryst. 9, 951 (1956) and N. Norman, Acta Cryst. 10, 370
(1957) is that line's slope at r = 0, and the level at high Q the oldest way; both are computed for
comparison.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.pdf.composition import Composition
from tasks.pdf.fourier import sine_transform
from tasks.pdf.scattering import compton, mean_form_factor, mean_square_form_factor
from tasks.pdf.structure_function import StructureFunction, check_range, known_bins
from tasks.pdf.tables import F, atomic_number

_BROADENING = 0.2  # Å, of the damped transform that the line is fitted in
_RADII = ((1, 0.35), (10, 0.65), (18, 0.95), (200, 1.2))  # Å, by last atomic number: short bonds


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
    shortest: float | None = None,
    residual: float = 0.0,
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
    shortest
        Distance below which there are no neighbours, Å; by default shorter than any bond of the
        elements.
    residual
        Distance up to which the slow rest may carry features, Å. 0 allows a constant, which is
        fluorescence. A larger one follows what corrections left, and costs certainty of alpha.
    power
        Of the Breit-Dirac factor, see `tasks.pdf.scattering.compton`.
    dispersion
        Whether f' and f'' enter <f> and <f²>.

    Returns
    -------
    StructureFunction
        On the bins of the data, so that bins do not share noise. ``details``: ``alpha`` (frames,)
        and what `_normalise` and `_checks` report.

    Raises
    ------
    DataError
        If the range is not covered, or no positive scale fits a pattern.
    """
    passed = np.broadcast_to(np.asarray(transmitted, dtype=float), np.shape(q))
    block = np.atleast_2d(intensity) / passed
    noise = None if sigma is None else np.atleast_2d(sigma) / passed
    axis, block, variance = known_bins(q, block, noise)
    check_range(axis, qmin, qmax)
    inside = (axis >= qmin) & (axis <= qmax)
    axis, block, variance = axis[inside], block[:, inside], variance[:, inside]
    terms = _terms(axis, composition, wavelength, residual, power, dispersion)
    bound = shortest or shortest_distance(composition)
    rho = composition.number_density(density)
    alpha, slow, details = _normalise(terms, block, rho, bound)
    f = (block * terms.per_square - slow @ terms.slow) / alpha[:, None] - terms.known
    f_sigma = terms.per_square * np.sqrt(variance) / alpha[:, None]
    details |= {"number_density": rho, "shortest": bound, "residual": residual, "power": power}
    s, s_sigma = 1 + f / axis, f_sigma / axis
    return StructureFunction(axis, s, s_sigma, f, f_sigma, "absolute", details)


def shortest_distance(composition: Composition) -> float:
    """Return a distance, Å, that bonds between these elements do not fall below."""
    radii = [
        next(radius for last, radius in _RADII if atomic_number(element) <= last)
        for element in composition.elements
    ]
    return 2 * min(radii) if len(radii) == 1 else sum(sorted(radii)[:2])


def _terms(
    q: F, composition: Composition, wavelength: float, residual: float, power: float, full: bool
) -> _Terms:
    resonant = wavelength if full else None
    square = mean_form_factor(composition, q, resonant) ** 2
    level = mean_square_form_factor(composition, q, resonant)
    known = level + compton(composition, q, wavelength, power)
    count = 1 + round(residual * (q[-1] - q[0]) / np.pi)
    x = 2 * (q - q[0]) / (q[-1] - q[0]) - 1
    slow = np.polynomial.chebyshev.chebvander(x, count - 1).T * q / square
    return _Terms(q, q / square, q * known / square, slow)


def _normalise(terms: _Terms, block: F, rho: float, bound: float) -> tuple[F, F, dict[str, Any]]:
    """
    Fit alpha and the slow rest to the line below the shortest distance.

    The line and what is known carry no noise, so alpha is their coefficient in the data and not
    the other way round: noise would pull it to zero.
    """
    r = np.linspace(0.02, bound - 2 * _width(bound), 60)
    line = -4 * np.pi * rho * r
    model = np.vstack(
        [
            _damped(terms.q, terms.known[None], r, bound) + line,
            _damped(terms.q, terms.slow, r, bound),
        ]
    )
    seen = _damped(terms.q, block * terms.per_square, r, bound)
    size = np.linalg.norm(model, axis=1)
    found = seen @ np.linalg.pinv(model / size[:, None]) / size
    alpha, slow = found[:, 0], found[:, 1:]
    if not np.all(alpha > 0):
        raise DataError(
            f"No scale brings pattern {int(np.argmin(alpha))} to electron units: check "
            "composition, density, background and wavelength, or use the compatible mode."
        )
    misfit = (seen - found @ model) / alpha[:, None]
    rms = np.sqrt(np.mean(misfit**2, axis=1) / np.mean(line**2))
    return (
        alpha,
        slow,
        {
            "alpha": alpha,
            "slow": slow,
            "low_r_misfit": rms,
            **_others(terms, block, slow, alpha, rho, bound),
        },
    )


def _others(terms: _Terms, block: F, slow: F, alpha: F, rho: float, bound: float) -> dict[str, F]:
    """Alpha by the integral condition and by the level at high Q, the slow rest taken off."""
    clean = block * terms.per_square - slow @ terms.slow
    r = np.array([0.02])
    wanted = _damped(terms.q, terms.known[None], r, bound)[0, 0] - 4 * np.pi * rho * r[0]
    integral = _damped(terms.q, clean, r, bound)[:, 0] / wanted
    high = terms.q >= (terms.q[0] + terms.q[-1]) / 2
    level = (clean[:, high] / terms.per_square[high]).sum(axis=1)
    expected = (terms.known[high] / terms.per_square[high]).sum()
    level = level / expected
    ways = np.array([alpha, integral, level])
    return {
        "alpha_krogh_moe_norman": integral,
        "alpha_high_q": level,
        "alpha_disagreement": np.ptp(ways, axis=0) / alpha,
    }


def _damped(q: F, values: F, r: F, bound: float) -> F:
    """Transform with a Gaussian that broadens by much less than the shortest distance."""
    damping = np.exp(-((q * _width(bound)) ** 2) / 2)
    nothing = np.zeros_like(values)
    return sine_transform(q, values * damping, nothing, r, float(q[-1]), "none", "linear").g


def _width(bound: float) -> float:
    return min(_BROADENING, bound / 6)
