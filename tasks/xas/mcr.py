"""
Multivariate curve resolution: the components of a series, without standards.

Alternating least squares (R. Tauler, Chemom. Intell. Lab. Syst. 30, 133 (1995)) fits fractions that
are not negative and sum to one, then spectra that are not negative, and so on, beginning with the
spectra of the series that are farthest apart.

Many pairs of fractions and spectra explain a series equally well. How far they can differ is found
for each component: the mixtures of the components that make its share of the signal least and most
and keep all that was asked for (J. Jaumot and R. Tauler, Chemom. Intell. Lab. Syst. 103, 96
(2010)). A result is worth no more than this band.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

from tasks.arrays import Host
from tasks.errors import DataError
from tasks.xas.lcf import fit

_optimize: Any = scipy.optimize
_spatial: Any = scipy.spatial

_LEEWAY = 1e-6  # by which the search for the band may miss a bound


@dataclass(frozen=True)
class Resolved:
    """
    Components of a series.

    Attributes
    ----------
    fractions
        Shape (spectra, components); not negative, each row sums to 1.
    spectra
        Shape (components, points); not negative.
    residual
        Root mean square of what they leave.
    explained
        Share of the sum of squares.
    rounds
        How often both were fitted.
    converged
        Whether the residual changed no more.
    """

    fractions: Host
    spectra: Host
    residual: float
    explained: float
    rounds: int
    converged: bool


@dataclass(frozen=True)
class Ambiguity:
    """
    How far other solutions that fit as well lie apart; the first of each pair is the least.

    Attributes
    ----------
    share
        Each component's share of the signal, (2, components).
    fractions
        Its fractions where that is least and most, (2, spectra, components).
    spectra
        Its spectrum there, (2, components, points).
    width
        Largest difference between both in a fraction, (components,).
    reason
        A sentence for the user.
    """

    share: Host
    fractions: Host
    spectra: Host
    width: Host
    reason: str


def resolve(
    spectra: Host,
    number: int,
    *,
    known: Host | None = None,
    most_rounds: int = 500,
    tolerance: float = 1e-6,
) -> Resolved:
    """
    Resolve a series into components.

    Parameters
    ----------
    spectra
        Normalised, shape (spectra, points).
    number
        How many components (see `tasks.xas.components`).
    known
        Spectra of some of them, kept as they are: (known, points).
    most_rounds, tolerance
        End after so many rounds, or when the residual changes by less than this share in one.

    Returns
    -------
    Resolved

    Raises
    ------
    DataError
        If there are not more spectra than components, or more known ones than components.
    """
    kept = np.zeros((0, spectra.shape[1])) if known is None else known
    if not len(kept) <= number < min(spectra.shape):
        raise DataError(
            f"{len(spectra)} spectra cannot be resolved into {number} components of which "
            f"{len(kept)} are known: take fewer components, or more spectra."
        )
    shapes = np.concatenate([kept, spectra[_farthest(spectra, kept, number - len(kept))]])
    before, rounds, converged = np.inf, 0, False
    found = fit(spectra, shapes)
    while rounds < most_rounds and not converged:
        rounds += 1
        shapes = fit(spectra.T, found.weights.T, sum_to_one=False).weights.T
        shapes[: len(kept)] = kept
        found = fit(spectra, shapes)
        left = float(np.sum(found.chi2))
        converged = before - left <= tolerance * max(left, np.finfo(float).tiny)
        before = left
    total = float(np.sum(spectra**2))
    residual = float(np.sqrt(before / spectra.size))
    return Resolved(found.weights, shapes, residual, 1 - before / total, rounds, converged)


def ambiguity(resolved: Resolved) -> Ambiguity:
    """
    Find how far solutions that explain a series as well can lie apart.

    Parameters
    ----------
    resolved
        A solution. Where two of its components are alike, there is no other to be found.

    Returns
    -------
    Ambiguity
        By a local search from the solution: the true band may be wider, never narrower.
    """
    fractions, spectra = resolved.fractions, resolved.spectra
    number = len(spectra)
    search = _Search(fractions, spectra)
    mixed = [[search.extreme(i, sign) for i in range(number)] for sign in (1, -1)]
    share = np.array([[search.share(m)[i] for i, m in enumerate(row)] for row in mixed])
    other = np.stack(
        [
            np.stack([(fractions @ np.linalg.inv(m))[:, i] for i, m in enumerate(row)], axis=1)
            for row in mixed
        ]
    )
    shapes = np.stack([np.stack([m[i] @ spectra for i, m in enumerate(row)]) for row in mixed])
    width = np.max(np.abs(other[1] - other[0]), axis=0)
    return Ambiguity(share, np.clip(other, 0, 1), shapes, width, _reason(width))


class _Search:
    """
    Mixtures of components, ``fractions @ inverse(mixture)`` and ``mixture @ spectra``.

    Rows of a mixture sum to one, so that fractions still do. Bounds are asked for at the outermost
    fractions and points alone; all others lie between them.
    """

    def __init__(self, fractions: Host, spectra: Host) -> None:
        self.rows = _outermost(fractions)
        self.columns = _outermost((spectra / np.maximum(spectra.sum(axis=0), 1e-6)).T).T
        self.of_fractions, self.of_spectra = fractions.T @ fractions, spectra @ spectra.T
        self.total = float(np.sqrt(np.sum(self.of_fractions * self.of_spectra)))
        self.number = len(spectra)

    def mixture(self, free: Host) -> Host:
        """Fill in the diagonal, so that rows sum to 1."""
        mixed = np.zeros((self.number, self.number))
        mixed[~np.eye(self.number, dtype=bool)] = free
        return mixed + np.diag(1 - mixed.sum(axis=1))

    def share(self, mixed: Host) -> Host:
        """Size of each component's part of the signal over that of the signal."""
        inverse = np.linalg.inv(mixed)
        amounts = np.diagonal(inverse.T @ self.of_fractions @ inverse)
        return np.sqrt(amounts * np.diagonal(mixed @ self.of_spectra @ mixed.T)) / self.total

    def bounds(self, free: Host) -> Host:
        """All that must not be negative."""
        mixed = self.mixture(free)
        return np.concatenate(
            [(mixed @ self.columns).ravel(), (self.rows @ np.linalg.inv(mixed)).ravel()]
        )

    def extreme(self, component: int, sign: int) -> Host:
        """Return the mixture where a component's share is least (1) or most (-1)."""
        start = np.zeros(self.number * (self.number - 1))
        if not len(start):
            return np.eye(1)

        def goal(free: Host) -> float:
            return sign * float(self.share(self.mixture(free))[component])

        def room(free: Host) -> Host:
            return self.bounds(free) + _LEEWAY

        found = _optimize.minimize(
            goal,
            start,
            method="SLSQP",
            constraints={"type": "ineq", "fun": room},
            options={"maxiter": 300, "ftol": 1e-9},
        )
        inside = float(self.bounds(found.x).min()) > -10 * _LEEWAY
        return self.mixture(found.x if inside and goal(found.x) < goal(start) else start)


def _farthest(spectra: Host, known: Host, number: int) -> list[int]:
    """Choose spectra that are farthest from the mean, then from all that were chosen before."""
    middle = known[0] if len(known) else spectra.mean(axis=0)
    _, _, shapes = np.linalg.svd(spectra - middle, full_matrices=False)
    basis = shapes[: number + len(known)].T
    away, others = (spectra - middle) @ basis, (known[1:] - middle) @ basis
    chosen: list[int] = []
    for direction in others:
        away = _without(away, direction)
    while len(chosen) < number:
        chosen.append(int(np.argmax(np.sum(away**2, axis=1))))
        if len(chosen) == 1 and not len(known):
            away = (spectra - spectra[chosen[0]]) @ basis
        else:
            away = _without(away, away[chosen[-1]])
    return chosen


def _without(vectors: Host, direction: Host) -> Host:
    """Project a direction out."""
    length = float(direction @ direction)
    return vectors - np.outer(vectors @ direction, direction) / length if length > 0 else vectors


def _outermost(points: Host) -> Host:
    """Choose those of points whose coordinates sum to 1, or are all 0, that others lie between."""
    points = np.unique(points[points.sum(axis=1) > 0.5], axis=0)
    flat = points[:, :-1]
    if flat.shape[1] == 1:
        return points[[int(flat.argmin()), int(flat.argmax())]]
    if flat.shape[1] == 0 or len(points) <= flat.shape[1] + 1:
        return points
    return points[_spatial.ConvexHull(flat, qhull_options="QJ").vertices]


def _reason(width: Host) -> str:
    worst = int(np.argmax(width))
    if width[worst] < 0.01:
        return "The series determines its components: no other solution fits as well."
    return (
        f"Other solutions fit as well: fractions of component {worst + 1} may differ by "
        f"{width[worst]:.2f}, the largest of "
        f"{', '.join(f'{each:.2f}' for each in width)}. Give known spectra to narrow this down."
    )
