"""Least squares of a model of G(r): which points count, where it starts, how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.fit_model import Model, Parameter

_OPTIMISE: Any = scipy.optimize
_OVERSAMPLING = 2.5  # points per independent one: pdffit2 is exact to 0.2 % then
_FIRST = 8.0  # Å that are fitted first: a wrong cell shifts near peaks little
_STEP = 1e-4  # of a parameter, for derivatives
EVALUATIONS = 60  # steps of the fit before it counts as not converged
_ENOUGH = 1e-6  # relative gain of a step that ends the fit: sigmas need 1e-3
_NEAR = (15, 1e-4)  # the same two for the near peaks
_FEWEST = 2.0  # independent points per parameter


@dataclass(frozen=True)
class Data:
    """
    G(r) in the range that is fitted.

    Attributes
    ----------
    r, g, sigma
        All points, Å and Å⁻², shape (points,); sigma may be None.
    every
        Each so many are fitted.
    per_independent
        Points that are fitted, per independent one.
    """

    r: F
    g: F
    sigma: F | None
    every: int
    per_independent: float

    @property
    def fitted(self) -> F:
        """G at the points that are fitted."""
        return self.g[:: self.every]

    @property
    def noise(self) -> F:
        """1 sigma of the points that are fitted; one for all where it is not known."""
        return np.ones_like(self.fitted) if self.sigma is None else self.sigma[:: self.every]

    @property
    def independent(self) -> float:
        """How many points are independent."""
        return len(self.fitted) / self.per_independent

    def until(self, far: float) -> "Data":
        """Cut off what lies beyond."""
        kept = self.r <= far
        sigma = None if self.sigma is None else self.sigma[kept]
        return Data(self.r[kept], self.g[kept], sigma, self.every, self.per_independent)


def prepared(r: F, g: F, sigma: F | None, qmax: float) -> Data:
    """Tell which points are fitted: as many as hold all information."""
    step = float(r[1] - r[0])
    every = int(np.pi / qmax / _OVERSAMPLING / step + 1e-6)
    every = max(1, min(every, (len(r) - 1) // 10))
    return Data(r, g, sigma, every, max(1.0, np.pi / qmax / (every * step)))


def first_values(model: Model, data: Data) -> F:
    """Start from the structure itself: the scale from the curve, then a fit of the near peaks."""
    near = data.until(float(data.r[0]) + _FIRST)
    if len(near.r) == len(data.r) or not _enough(model, near):
        values = np.array([parameter.start for parameter in model.parameters])
        return _with_scales(model, data, values)
    short = Model(model.crystals, near.r[:: near.every], model.setting)
    values = np.array([parameter.start for parameter in short.parameters])
    found = least_squares(short, near, _with_scales(short, near, values), *_NEAR)
    return values_of(dict(zip((p.name for p in short.parameters), found.x, strict=True)), model)


def _with_scales(model: Model, data: Data, values: F) -> F:
    """Set the scales of the phases to their linear least squares, none negative."""
    scales = [k for k, each in enumerate(model.parameters) if each.name.endswith("scale")]
    if not scales:
        return values
    curves: list[F] = []
    for k in scales:
        alone = values.copy()
        alone[scales] = 0
        alone[k] = 1
        curves.append(model.calculate(alone) / data.noise)
    found: F = _OPTIMISE.nnls(np.stack(curves, axis=1), data.fitted / data.noise)[0]
    values = values.copy()
    values[scales] = np.maximum(found, 0.02 * max(float(found.max()), 1e-3))
    return values


def values_of(found: Mapping[str, float], model: Model) -> F:
    """Take what an earlier fit found, a little inside the bounds."""
    values = [found.get(each.name, each.start) for each in model.parameters]
    low, high = _bounds(model.parameters)
    room = 1e-3 * np.minimum(high - low, 1.0)
    return np.clip(values, low + room, np.maximum(high - room, low + room))


def _bounds(parameters: Sequence[Parameter]) -> tuple[F, F]:
    return np.array([p.low for p in parameters]), np.array([p.high for p in parameters])


def _typical(parameters: Sequence[Parameter]) -> F:
    """Size of each parameter: what a derivative's step and a step of the fit are measured by."""
    return np.array([max(abs(p.start), 0.01 * (min(p.high, 10.0) - p.low)) for p in parameters])


def check_enough(model: Model, data: Data) -> None:
    """Refuse more parameters than a range of G(r) can tell."""
    if not _enough(model, data):
        raise DataError(
            f"{len(model.parameters)} parameters are too many for {data.r[-1] - data.r[0]:.1f} Å "
            "of G(r): fit a longer range, or fewer of them."
        )


def _enough(model: Model, data: Data) -> bool:
    return len(model.parameters) * _FEWEST <= data.independent


def least_squares(
    model: Model,
    data: Data,
    values: F,
    most: int = EVALUATIONS,
    enough: float = _ENOUGH,
) -> Any:
    """
    Move the parameters within their bounds until the curve is nearest to the data.

    Parameters
    ----------
    model, data
        On the same points.
    values
        Where to start, within the bounds, shape (parameters,).
    most
        Curves that may be tried.
    enough
        Relative gain of a step that ends the fit.

    Returns
    -------
    scipy.optimize.OptimizeResult
        With the residuals in units of the noise.
    """
    target, noise = data.fitted, data.noise

    def residual(x: F) -> F:
        return (target - model.calculate(x)) / noise

    def derivatives(x: F) -> F:
        return -_derivatives(model, x) / noise[:, None]

    low, high = _bounds(model.parameters)
    return _OPTIMISE.least_squares(
        residual,
        values,
        derivatives,
        bounds=(low, high),
        x_scale=_typical(model.parameters),
        ftol=enough,
        xtol=enough,
        gtol=1e-10,
        max_nfev=most,
    )


def _derivatives(model: Model, values: F) -> F:
    """Differences of the curve for a step of each parameter, shape (points, parameters)."""
    _, high = _bounds(model.parameters)
    here = model.calculate(values)
    columns: list[F] = []
    for k, step in enumerate(_STEP * _typical(model.parameters)):
        moved = values.copy()
        moved[k] += step if values[k] + step < high[k] else -step
        columns.append((model.calculate(moved) - here) / (moved[k] - values[k]))
    return np.stack(columns, axis=1)


def covariance_of(jacobian: F) -> F:
    """Inverse of the normal equations; what the curve does not depend on gets a huge variance."""
    norms = np.linalg.norm(jacobian, axis=0)
    norms = np.maximum(norms, 1e-9 * float(norms.max()))
    _, values, axes = np.linalg.svd(jacobian / norms, full_matrices=False)
    scaled = axes / np.maximum(values, 1e-7 * values[0])[:, None]
    return scaled.T @ scaled / np.outer(norms, norms)
