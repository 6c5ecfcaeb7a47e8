"""Standards made ready for one measurement, and linear combination fits with them."""

from dataclasses import dataclass, replace

import numpy as np

from flows.xas.normalisation import corrected
from flows.xas.recipe import Recipe
from flows.xas.types import Floats, Spectrum, Sweeps
from tasks.xas.lcf import derivative, fit
from tasks.xas.lcf_missing import Missing, missing_component
from tasks.xas.lcf_ranking import rank
from tasks.xas.lcf_shift import Shift, common_shift
from tasks.xas.lcf_uncertainty import Reduction as Operators
from tasks.xas.lcf_uncertainty import budget, reduction
from tasks.xas.normalise import normalise
from tasks.xas.standards import Prepared

ALL_AT_ONCE = 8  # standards: more are tried in combinations
COMBINED = 3
LOOSE_SCALE = 0.1  # eV by which standards of a library differ that have no foil
_SHORT = 0.02  # of the points may be missing at the ends of a sweep


@dataclass(frozen=True)
class Fitted:
    """
    Fits of spectra.

    Attributes
    ----------
    fractions, sigma : numpy.ndarray
        (spectra, standards).
    r_factor, redchi : numpy.ndarray
        (spectra,).
    """

    fractions: Floats
    sigma: Floats
    r_factor: Floats
    redchi: Floats


class Combination:
    """Standards made ready for one measurement, and fits with them."""

    def __init__(
        self, recipe: Recipe, spectrum: Spectrum, sweeps: Sweeps, prepared: Prepared
    ) -> None:
        self.recipe, self.prepared = recipe, prepared
        self._e0, self._alpha = spectrum.e0, spectrum.alpha
        self._correlated = sweeps.correlated[prepared.inside]
        self.grid = spectrum.energy[prepared.inside]
        above = self.grid - spectrum.e0
        self.fitted = (above >= recipe.fit_from) & (above <= recipe.fit_to)
        self.energy = self.grid[self.fitted]
        self._operators: Operators = reduction(
            self.grid, spectrum.e0, prepared.windows, recipe.fit_on, self.fitted
        )

    @property
    def curves(self) -> Floats:
        """The standards as they are fitted, on the whole grid, (standards, points)."""
        prepared = self.prepared
        return self._form(prepared.flat if self.recipe.fit_on == "flat" else prepared.norm)

    @property
    def standards(self) -> Floats:
        """The same where they are fitted."""
        return np.ascontiguousarray(self.curves[:, self.fitted])

    def _form(self, curves: Floats) -> Floats:
        if self.recipe.fit_on == "derivative":
            return np.asarray(derivative(self.grid, curves))
        return curves

    def data(self, mu: Floats) -> tuple[Floats, Floats]:
        """Reduce absorption (spectra, points) to what is fitted; edge steps (spectra,) beside."""
        inside = _whole(self.grid, mu[:, self.prepared.inside])
        found = normalise(self.grid, inside, self._e0, self.prepared.windows)
        norm = corrected(found.flat if self.recipe.fit_on == "flat" else found.norm, self._alpha)
        return np.ascontiguousarray(self._form(norm)[:, self.fitted]), np.asarray(found.edge_step)

    def loose_shift(self, data: Floats) -> Shift:
        """Find by how much the standards that no foil ties to the measurement are off."""
        loose = ~np.isfinite(self.prepared.scale_sigma)
        return common_shift(
            self.grid, self.curves, loose, self.fitted, data, self.recipe.sum_to_one
        )

    def missing(self, data: Floats, noise: Floats) -> Missing:
        """Look for what the standards lack, at points no denser than those that were measured.

        Parameters
        ----------
        data, noise : numpy.ndarray
            (spectra, points fitted), and 1 sigma of a point of each over its edge step, (spectra,).
        """
        apart = max(1, round(float(np.median(self._correlated[self.fitted])) ** 2))
        some = slice(None, None, apart)
        theirs = float(np.sqrt(np.mean(self.prepared.noise**2)))
        return missing_component(
            self.energy[some],
            data[:, some],
            self.standards[:, some],
            self._e0,
            noise=np.hypot(noise, theirs),
        )

    def choose(self, data: Floats) -> None:
        """Keep the combination of standards that the series needs, where there are many."""
        standards, most = self.standards, self.recipe.most_standards
        if most is None and len(standards) <= ALL_AT_ONCE:
            return
        ranked = rank(
            data, standards, min(most or COMBINED, len(standards)), self.recipe.sum_to_one
        )
        sizes = np.array([len(each) for each in ranked.combinations])
        chi2 = np.where(sizes == ranked.series_size, ranked.chi2, np.inf)
        self._keep(list(ranked.combinations[int(np.argmin(chi2))]))

    def _keep(self, chosen: list[int]) -> None:
        old = self.prepared
        self.prepared = replace(
            old,
            standards=tuple(old.standards[number] for number in chosen),
            norm=old.norm[chosen],
            flat=old.flat[chosen],
            noise=old.noise[chosen],
            scale_sigma=old.scale_sigma[chosen],
            step_sigma=old.step_sigma[chosen],
        )

    def fit(self, data: Floats, steps: Floats, noise: Floats, scale: Floats) -> Fitted:
        """Fit spectra; noise of a point of absorption and scale uncertainty in eV, (spectra,)."""
        standards, prepared = self.standards, self.prepared
        found = fit(data, standards, self.recipe.sum_to_one)
        if self._alpha is not None:  # the correction makes noise larger, by this where norm is 1
            noise = noise * (1 + 1 / self._alpha)
        known = np.isfinite(noise).all()
        tied = np.isfinite(prepared.scale_sigma)
        parts = budget(
            found,
            self.energy,
            data,
            standards,
            reduced=self._operators,
            noise=np.outer(noise / steps, self._correlated) if known else None,
            standards_noise=np.repeat(prepared.noise[:, None], len(self.grid), axis=1),
            alignment=scale,
            standards_alignment=np.where(tied, prepared.scale_sigma, LOOSE_SCALE),
            standards_step=prepared.step_sigma,
            sum_to_one=self.recipe.sum_to_one,
        )
        weights, r_factor, redchi = (
            np.asarray(each) for each in (found.weights, found.r_factor, found.redchi)
        )
        return Fitted(weights, parts.total, r_factor, redchi)


def _whole(energy: Floats, mu: Floats) -> Floats:
    """Continue sweeps that fall short of the ends by a few points."""
    whole = np.ascontiguousarray(mu)
    missing = ~np.isfinite(whole)
    for row in np.flatnonzero(missing.any(axis=1) & (missing.mean(axis=1) < _SHORT)):
        known = ~missing[row]
        whole[row] = np.interp(energy, energy[known], whole[row, known])
    return whole
