"""
How well the weights of a linear combination fit are known.

The scatter of the residual alone says too little by far: noise in the lines about the edge moves
all points together, an energy scale that is off by a tenth of an eV moves weights by a per cent or
two without showing in the R factor, standards have errors of their own, and a fit may not fit.
Each is carried through the fit, which is linear once it is known which standards take part:
``d(weights) = operator @ d(spectrum)``. The terms stand side by side, so that one sees what to
improve.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.interpolate  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host
from tasks.xas.lcf import Fit, derivative
from tasks.xas.lcf_subsets import operators
from tasks.xas.normalise import Windows, normalise

_interpolate: Any = scipy.interpolate

Form = Literal["norm", "flat", "derivative"]

_IMPULSE = 0.01  # of the edge step
_WIDTH = 1.959964  # sigmas to either side that hold 95 % of a normal distribution
_MOST_ALIKE = 0.95  # correlation of neighbours in a residual, beyond which it counts no further


@dataclass(frozen=True)
class Reduction:
    """
    How absorption becomes what is fitted: ``(operator @ mu) / (step @ mu)``.

    Attributes
    ----------
    operator
        Shape (points fitted, points).
    step
        Shape (points,).
    """

    operator: Host
    step: Host


@dataclass(frozen=True)
class Budget:
    """
    Uncertainty of each weight by its cause, 1 sigma, each of shape (spectra, standards).

    Attributes
    ----------
    noise
        Of the spectrum's points, also through its normalisation.
    alignment
        Of its energy scale, and of those of the standards.
    standards
        Noise of the standards, also through their normalisation.
    misfit
        What the residual holds beyond noise.
    steps
        Of the edge steps of the standards, beside their noise.
    total
        All of them.
    low, high
        Interval that holds the weight with 95 %: within 0 and, where weights sum to 1, 1.
    """

    noise: Host
    alignment: Host
    standards: Host
    misfit: Host
    steps: Host
    total: Host
    low: Host
    high: Host


def reduction(energy: Host, e0: float, windows: Windows, form: Form, fitted: Host) -> Reduction:
    """
    Find how normalisation turns absorption into what is fitted, point by point.

    Parameters
    ----------
    energy
        eV, shape (points,).
    e0, windows
        As they were given to `tasks.xas.normalise.normalise`.
    form
        What is fitted.
    fitted
        The points that are, bool, shape (points,).

    Returns
    -------
    Reduction
        Exact: but for the division by the edge step, normalisation is linear.
    """
    edge = (energy > e0).astype(float)
    impulses = _IMPULSE * np.eye(len(energy))
    result = normalise(energy, np.concatenate([edge[None], edge + impulses]), e0, windows)
    curves: Host = result.norm if form == "norm" else result.flat
    if form == "derivative":
        curves = derivative(energy, result.norm)
    linear = (curves * result.edge_step[:, None])[:, fitted]
    return Reduction(
        operator=(linear[1:] - linear[0]).T / _IMPULSE,
        step=(result.edge_step[1:] - result.edge_step[0]) / _IMPULSE,
    )


def budget(
    fit: Fit,
    energy: Host,
    spectra: Host,
    standards: Host,
    *,
    reduced: Reduction | None = None,
    noise: Host | None = None,
    standards_noise: Host | None = None,
    alignment: Host | float = 0.0,
    standards_alignment: Host | float = 0.0,
    standards_step: Host | float = 0.0,
    considered: Host | None = None,
    sum_to_one: bool = True,
) -> Budget:
    """
    Add up what makes the weights of a fit uncertain.

    Parameters
    ----------
    fit
        Of these spectra by these standards.
    energy, spectra, standards
        Of the points fitted: eV (fitted,), (spectra, fitted) and (standards, fitted).
    reduced
        How they came from `points` of absorption; left out, points have nothing in common.
    noise, standards_noise
        1 sigma of each point of absorption over the edge step, (spectra, points) and (standards,
        points); without the first the residual tells the noise.
    alignment, standards_alignment
        1 sigma of the energy scales, eV: one for all, (spectra,) or (standards,).
    standards_step
        1 sigma of the edge steps of the standards by the choice of windows, relative: one for all,
        or (standards,).
    considered
        Standards that might have taken part, bool, (spectra, standards); all when left out. Name
        the chosen ones where a few were chosen out of many.
    sum_to_one
        As in the fit.

    Returns
    -------
    Budget
    """
    all_of_them = np.ones(fit.weights.shape, bool)
    members = all_of_them if considered is None else considered | fit.support
    slopes = _slopes(energy, standards)
    reduced = reduced or Reduction(np.eye(len(energy)), np.zeros(len(energy)))
    terms: list[Host] = [np.zeros(fit.weights.shape) for _ in range(5)]
    for group in np.unique(members, axis=0):
        rows = np.all(members == group, axis=1)
        used = np.flatnonzero(group)
        part = _Linear.of(reduced, standards[used], slopes[used], sum_to_one)
        weights, curves = fit.weights[rows][:, used], spectra[rows]
        residual = curves - weights @ standards[used]
        sigma = None if noise is None else noise[rows]
        squares = (
            part.noise(curves, sigma, residual),
            part.alignment(weights, _of(alignment, rows), _of(standards_alignment, used)),
            part.standards(weights, None if standards_noise is None else standards_noise[used]),
            part.misfit(curves, sigma, residual),
            _steps(weights, _of(standards_step, used), sum_to_one),
        )
        for term, square in zip(terms, squares, strict=True):
            term[np.ix_(rows, used)] = np.sqrt(square)
    total = np.sqrt(sum((term**2 for term in terms), start=np.zeros(fit.weights.shape)))
    low = np.maximum(fit.weights - _WIDTH * total, 0)
    high = fit.weights + _WIDTH * total
    return Budget(*terms, total=total, low=low, high=np.minimum(high, 1) if sum_to_one else high)


@dataclass(frozen=True)
class _Linear:
    """
    The fit of some standards as a linear operator.

    `covariance` is that of the weights for unit white noise, `gain` (standards, fitted) turns
    fitted points into weights and `points` (standards, points) absorption; the others say what a
    shift of each standard does, and what a change of its edge step.
    """

    reduced: Reduction
    covariance: Host
    gain: Host
    points: Host
    shift: Host
    step: Host

    @classmethod
    def of(cls, reduced: Reduction, standards: Host, slopes: Host, sum_to_one: bool) -> "_Linear":
        index = np.arange(len(standards))[None]
        covariance = operators(standards @ standards.T, index, sum_to_one).gain[0]
        gain = covariance @ standards
        points = gain @ reduced.operator
        return cls(reduced, covariance, gain, points, gain @ slopes.T, gain @ standards.T)

    def noise(self, curves: Host, sigma: Host | None, residual: Host) -> Host:
        """Squared sigma of the weights by noise; (spectra, standards)."""
        spread = np.diagonal(self.covariance)
        if sigma is None:
            free = max(1, residual.shape[1] - len(spread))
            return np.sum(residual**2, axis=1)[:, None] / free * spread
        return _variance(sigma, self.points, self.reduced.step, curves @ self.gain.T)

    def alignment(self, weights: Host, own: Host, others: Host) -> Host:
        """Squared sigma by energy scales: all standards shift together, and each alone."""
        together = (weights @ self.shift.T) * own[:, None]
        return together**2 + (weights * others) ** 2 @ (self.shift**2).T

    def standards(self, weights: Host, sigma: Host | None) -> Host:
        """Squared sigma by the noise of the standards."""
        if sigma is None:
            return np.zeros(weights.shape)
        each = _variance(sigma, self.points, self.reduced.step, self.step.T)
        return weights**2 @ each

    def misfit(self, curves: Host, sigma: Host | None, residual: Host) -> Host:
        """Squared sigma by what the residual holds beyond noise, as far as neighbours agree."""
        if sigma is None:
            return np.zeros((len(curves), len(self.gain)))
        fitted = _variance(sigma, self.reduced.operator, self.reduced.step, curves)
        free = max(1, residual.shape[1] - len(self.gain))
        excess = np.maximum(np.sum(residual**2, axis=1) / free - fitted.mean(axis=1), 0)
        square = np.maximum(np.sum(residual**2, axis=1), np.finfo(float).tiny)
        alike = np.sum(residual[:, 1:] * residual[:, :-1], axis=1) / square
        alike = np.clip(alike, 0, _MOST_ALIKE)
        excess *= (1 + alike) / (1 - alike)
        return excess[:, None] * np.maximum(np.diagonal(self.covariance), 0)


def _variance(sigma: Host, operator: Host, step: Host, values: Host) -> Host:
    """Variance of ``(operator @ mu) / (step @ mu)`` where it has these values; as `values`."""
    square = sigma**2
    own, both = square @ (operator**2).T, square @ (operator * step).T
    return np.maximum(own - 2 * values * both + values**2 * (square @ step**2)[:, None], 0)


def _steps(weights: Host, sigma: Host, sum_to_one: bool) -> Host:
    """Squared sigma of the weights by that of edge steps: of its own, and through the sum."""
    if not sum_to_one:
        return (weights * sigma) ** 2
    shares = (weights * sigma) ** 2
    others = np.sum(shares, axis=1, keepdims=True) - shares
    return weights**2 * (((1 - weights) * sigma) ** 2 + others)


def _slopes(energy: Host, standards: Host) -> Host:
    """Differentiate the standards by energy, 1/eV."""
    return _interpolate.CubicSpline(energy, standards, axis=1)(energy, 1)


def _of(value: Host | float, which: Host) -> Host:
    """Pick the entries of a value for each, or repeat the one for all."""
    if np.ndim(value):
        return np.asarray(value)[which]
    count = np.count_nonzero(which) if which.dtype == bool else len(which)
    return np.full(count, float(value))
