"""
Fit of a structure to G(r): cell, thermal displacements, scale, and what the instrument did.

pdffit2 calculates G(r), a bounded least-squares fit (scipy's trust region) moves the parameters.
Points of G(r) are not independent: F(Q) cut at Qmax leaves one independent value per pi/Qmax of r
(C. L. Farrow et al., Phys. Rev. B 84, 134105 (2011)). So only as many points are fitted as keep
all information, and the sigma of a parameter counts the independent ones; where the curve fits
worse than its noise it grows by the square root of reduced chi².

Rw tells little about the data's own corrections: it does not show a smooth background that was
missed, and the scale is no absolute number where the compatible mode made G(r).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataError
from tasks.io.spectra import F
from tasks.pdf.crystal import Crystal, read_structure
from tasks.pdf.fit_model import Model, Parameter, Radiation, Refined, Setting, Thermal
from tasks.pdf.fit_steps import (
    EVALUATIONS,
    Data,
    check_enough,
    covariance_of,
    first_values,
    least_squares,
    prepared,
    values_of,
)

_AT_BOUND = 2e-3  # of the way between the bounds
_WORSE = 1.3  # times the Rw of the pattern before: start anew


@dataclass(frozen=True)
class StructureFit:
    """
    A structure fitted to G(r).

    Attributes
    ----------
    structures
        Names of the crystals.
    parameters, sigma
        Values of the free parameters and 1 sigma, by name: Å for the cell, degrees for its angles,
        Å² for U and delta2, 1/Å for qdamp.
    covariance
        Of the parameters in their order, shape (parameters, parameters).
    rw
        Root of the sum of squares left over that of G(r); 0.1 is usual for a good crystal.
    chi2
        Reduced chi² per independent point; None if the sigma of G(r) is not known.
    independent
        How many points of G(r) are independent.
    r, observed, calculated
        The range that was fitted, Å and Å⁻², shape (points,).
    converged
        Whether the fit ended by itself.
    at_bound
        Parameters that ended where they must end: they are not measured.
    scattering
        Mean scattering of an atom of each crystal.
    remarks
        What is to be known about the fit, in sentences.
    """

    structures: tuple[str, ...]
    parameters: dict[str, float]
    sigma: dict[str, float]
    covariance: F
    rw: float
    chi2: float | None
    independent: float
    r: F
    observed: F
    calculated: F
    converged: bool
    at_bound: tuple[str, ...]
    scattering: tuple[float, ...]
    remarks: tuple[str, ...]

    @property
    def difference(self) -> F:
        """What the structure does not explain, Å⁻², shape (points,)."""
        return self.observed - self.calculated

    @property
    def good(self) -> bool:
        """Whether the fit may serve as the start of another."""
        return self.converged and not self.at_bound


def fit_structure(
    r: F,
    g: F,
    g_sigma: F | None,
    cif: Crystal | Path | str | Sequence[Crystal | Path | str],
    *,
    qmax: float,
    rmin: float = 1.5,
    rmax: float = 20.0,
    qdamp: float = 0.0,
    qbroad: float = 0.0,
    refine: Sequence[Refined] = ("cell", "thermal", "scale", "delta2"),
    thermal: Thermal = "element",
    radiation: Radiation = "X",
    start: StructureFit | None = None,
) -> StructureFit:
    """
    Fit a structure, or several as phases of a mixture, to G(r).

    Parameters
    ----------
    r
        Equidistant, Å, shape (points,).
    g, g_sigma
        G(r) and 1 sigma (None if not known), Å⁻², shape (points,).
    cif
        The structure as `tasks.pdf.crystal.read_structure` takes or gives it.
    qmax
        Where F(Q) was cut, 1/Å.
    rmin, rmax
        Range that is fitted, Å; cut to the range of `r`.
    qdamp, qbroad
        Resolution, 1/Å: from a standard, or for qdamp refined (``"qdamp"`` in `refine`).
    refine
        Groups that are free: cell, thermal, scale, delta2, qdamp, spdiameter.
    thermal
        One isotropic U per element or per site, or the tensor that the site's symmetry allows.
    radiation
        X-rays or neutrons.
    start
        Take the parameters of this fit as the start, such as that of the pattern before.

    Returns
    -------
    StructureFit

    Raises
    ------
    DataError
        If the structure or the curve cannot be used.
    """
    crystals = as_crystals(cif)
    r, g, g_sigma = _in_range(r, g, g_sigma, rmin, rmax)
    setting = Setting(qmax, qdamp, qbroad, tuple(refine), thermal, radiation)
    data = prepared(r, g, g_sigma, qmax)
    model = Model(crystals, r[:: data.every], setting)
    check_enough(model, data)
    values = first_values(model, data) if start is None else values_of(start.parameters, model)
    result = least_squares(model, data, values)
    return _summarise(crystals, model, data, result)


def fit_series(
    r: F,
    patterns: F,
    patterns_sigma: F | None,
    cif: Crystal | Path | str | Sequence[Crystal | Path | str],
    *,
    done: Callable[[int], None] = lambda number: None,
    failed: Callable[[int, DataError], None] | None = None,
    **options: Any,
) -> list[StructureFit]:
    """
    Fit the patterns of a series one after the other, each from the result of the one before.

    Where that leads nowhere (not converged, at a bound, or much worse than before), the pattern is
    fitted from the structure itself as well, and the better of the two is kept.

    Parameters
    ----------
    r
        Equidistant, Å, shape (points,).
    patterns, patterns_sigma
        G(r) and 1 sigma, Å⁻², shape (frames, points).
    cif, options
        As for `fit_structure`.
    done
        Called with the number of each pattern that is fitted.
    failed
        Called with the number of a pattern that cannot be fitted, and why; it is left out. Without
        it the first such pattern ends the series.

    Raises
    ------
    DataError
        If the structure cannot be used, or a curve where nobody is told by `failed`.
    """
    crystals = as_crystals(cif)
    fits: list[StructureFit] = []
    start: StructureFit | None = None
    for number, g in enumerate(patterns):
        sigma = None if patterns_sigma is None else patterns_sigma[number]
        try:
            fit = _from_before(r, g, sigma, crystals, start, options)
        except DataError as error:
            if failed is None:
                raise
            failed(number, error)
            continue
        fits.append(fit)
        start = fit if fit.good else start
        done(number)
    return fits


def _from_before(
    r: F,
    g: F,
    sigma: F | None,
    crystals: Sequence[Crystal],
    start: StructureFit | None,
    options: dict[str, Any],
) -> StructureFit:
    fit = fit_structure(r, g, sigma, crystals, start=start, **options)
    if start is None or (fit.good and fit.rw <= _WORSE * start.rw):
        return fit
    anew = fit_structure(r, g, sigma, crystals, **options)
    return min(fit, anew, key=lambda each: each.rw)


def as_crystals(cif: Crystal | Path | str | Sequence[Crystal | Path | str]) -> list[Crystal]:
    """Read structures that are not read yet; names that occur twice get a number."""
    several = [cif] if isinstance(cif, Crystal | Path | str) else list(cif)
    crystals = [each if isinstance(each, Crystal) else read_structure(each) for each in several]
    names = [crystal.name for crystal in crystals]
    return [
        replace(crystal, name=f"{crystal.name} {names[:k].count(crystal.name) + 1}")
        if names.count(crystal.name) > 1
        else crystal
        for k, crystal in enumerate(crystals)
    ]


def _in_range(r: F, g: F, g_sigma: F | None, rmin: float, rmax: float) -> tuple[F, F, F | None]:
    inside = (r >= rmin - 1e-9) & (r <= rmax + 1e-9)
    if inside.sum() < 20:
        raise DataError(
            f"G(r) has {inside.sum()} points between {rmin:g} and {rmax:g} Å: too few for a fit of "
            "a structure. Set rmin and rmax within the range of the curve."
        )
    r, g = r[inside], g[inside]
    sigma = None if g_sigma is None else g_sigma[inside]
    steps = np.diff(r)
    if np.ptp(steps) > 1e-3 * steps.mean() or steps.mean() <= 0:
        raise DataError("The points of G(r) are not equidistant: a structure cannot be fitted.")
    bad = not np.all(np.isfinite(g)) or not np.any(g)
    if bad or (sigma is not None and not (np.all(np.isfinite(sigma)) and np.all(sigma > 0))):
        raise DataError(
            f"G(r) or its sigma is zero or not a number somewhere between {rmin:g} and {rmax:g} Å: "
            "a structure cannot be fitted there."
        )
    return r, g, sigma


def _summarise(crystals: Sequence[Crystal], model: Model, data: Data, result: Any) -> StructureFit:
    values: F = result.x
    parameters = model.parameters
    misfit = float(result.fun @ result.fun) / data.per_independent
    reduced = misfit / max(data.independent - len(values), 1.0)
    worse = reduced if data.sigma is None else max(1.0, reduced)
    covariance = covariance_of(np.asarray(result.jac)) * data.per_independent * worse
    calculated = Model(crystals, data.r, model.setting).calculate(values)
    rw = np.sqrt(np.sum((data.g - calculated) ** 2) / np.sum(data.g**2))
    bound = tuple(
        p.name for p, value in zip(parameters, values, strict=True) if _at_bound(p, float(value))
    )
    names = [parameter.name for parameter in parameters]
    return StructureFit(
        structures=tuple(crystal.name for crystal in crystals),
        parameters=dict(zip(names, values.tolist(), strict=True)),
        sigma=dict(zip(names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        covariance=covariance,
        rw=float(rw),
        chi2=None if data.sigma is None else reduced,
        independent=data.independent,
        r=data.r,
        observed=data.g,
        calculated=calculated,
        converged=bool(result.status > 0),
        at_bound=bound,
        scattering=tuple(model.weight(phase) for phase in range(len(crystals))),
        remarks=_remarks(bool(result.status > 0), bound, dict(zip(names, values, strict=True))),
    )


def _at_bound(parameter: Parameter, value: float) -> bool:
    room = _AT_BOUND * min(parameter.high - parameter.low, 1.0)
    return value - parameter.low < room or parameter.high - value < room


def _remarks(converged: bool, bound: Sequence[str], values: dict[str, float]) -> tuple[str, ...]:
    remarks = [f"{name} ended at its bound, {values[name]:.4g}: not measured." for name in bound]
    if not converged:
        remarks.append(f"The fit did not converge in {EVALUATIONS} steps: do not use its values.")
    return tuple(remarks)
