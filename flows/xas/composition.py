"""Linear combinations of standards: of the merged spectrum and of every sweep."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flows.xas.recipe import Recipe
from flows.xas.types import Alignment, Composition, Doubts, Floats, Spectrum, Sweeps
from tasks.xas.lcf import derivative, fit
from tasks.xas.lcf_missing import missing_component
from tasks.xas.lcf_ranking import rank
from tasks.xas.lcf_uncertainty import Reduction as Operators
from tasks.xas.lcf_uncertainty import budget, reduction
from tasks.xas.normalise import Windows, normalise
from tasks.xas.standards import Prepared, Scale, Standard, prepare

ALL_AT_ONCE = 8  # standards: more are tried in combinations
COMBINED = 3
BEYOND_XANES = 100.0  # eV from the edge
UNKNOWN_SCALE = 0.3  # eV that data and standards may differ by where no foil ties them together
_ROWS = 2000  # sweeps fitted at a time
_LOOKED_AT = 400  # sweeps that choose the standards, and in which a missing one is sought


@dataclass(frozen=True)
class _Fitted:
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
        self._e0 = spectrum.e0
        self._correlated = sweeps.correlated[prepared.inside]
        self.grid = spectrum.energy[prepared.inside]
        above = self.grid - spectrum.e0
        self.fitted = (above >= recipe.fit_from) & (above <= recipe.fit_to)
        self.energy = self.grid[self.fitted]
        norm = prepared.flat if recipe.fit_on == "flat" else prepared.norm
        self.standards = self._form(norm)
        self._operators: Operators = reduction(
            self.grid, spectrum.e0, prepared.windows, recipe.fit_on, self.fitted
        )

    def _form(self, curves: Floats) -> Floats:
        if self.recipe.fit_on == "derivative":
            curves = np.asarray(derivative(self.grid, curves))
        return np.ascontiguousarray(curves[:, self.fitted])

    def data(self, mu: Floats) -> tuple[Floats, Floats]:
        """Reduce absorption (spectra, points) to what is fitted; edge steps (spectra,) beside."""
        inside = np.ascontiguousarray(mu[:, self.prepared.inside])
        found = normalise(self.grid, inside, self._e0, self.prepared.windows)
        curves = found.flat if self.recipe.fit_on == "flat" else found.norm
        return self._form(np.asarray(curves)), np.asarray(found.edge_step)

    def choose(self, data: Floats) -> None:
        """Keep the combination of standards that the series needs, where there are many."""
        count, most = len(self.standards), self.recipe.most_standards
        if most is None and count <= ALL_AT_ONCE:
            return
        ranked = rank(data, self.standards, min(most or COMBINED, count), self.recipe.sum_to_one)
        sizes = np.array([len(each) for each in ranked.combinations])
        chi2 = np.where(sizes == ranked.series_size, ranked.chi2, np.inf)
        self._keep(list(ranked.combinations[int(np.argmin(chi2))]))

    def _keep(self, chosen: list[int]) -> None:
        old = self.prepared
        self.prepared = Prepared(
            standards=tuple(old.standards[number] for number in chosen),
            inside=old.inside,
            windows=old.windows,
            norm=old.norm[chosen],
            flat=old.flat[chosen],
            noise=old.noise[chosen],
            scale_sigma=old.scale_sigma[chosen],
            step_sigma=old.step_sigma[chosen],
            refused=old.refused,
        )
        self.standards = self.standards[chosen]

    def fit(self, data: Floats, steps: Floats, noise: Floats, scale: Floats) -> _Fitted:
        """Fit spectra; noise of a point of absorption and scale uncertainty in eV, (spectra,)."""
        found = fit(data, self.standards, self.recipe.sum_to_one)
        points = len(self.grid)
        known = np.isfinite(noise).all()
        parts = budget(
            found,
            self.energy,
            data,
            self.standards,
            reduced=self._operators,
            noise=np.outer(noise / steps, self._correlated) if known else None,
            standards_noise=np.repeat(self.prepared.noise[:, None], points, axis=1),
            alignment=scale,
            standards_alignment=np.nan_to_num(self.prepared.scale_sigma),
            standards_step=self.prepared.step_sigma,
            sum_to_one=self.recipe.sum_to_one,
        )
        return _Fitted(
            np.asarray(found.weights),
            parts.total,
            np.asarray(found.r_factor),
            np.asarray(found.redchi),
        )

    @property
    def is_tied(self) -> bool:
        """Whether foils tie the energies of data and standards together."""
        return bool(np.isfinite(self.prepared.scale_sigma).all())


def compose(
    recipe: Recipe,
    sweeps: Sweeps,
    spectrum: Spectrum,
    alignment: Alignment,
    standards: list[Standard],
    library: str,
    digest: str,
    scale: Scale,
) -> tuple[Composition | None, tuple[str, ...]]:
    """Fit linear combinations of library spectra.

    Returns
    -------
    Composition or None
        None where no standard can be used.
    tuple of str
        Which could not be, and why.
    """
    windows = _windows(recipe, spectrum)
    prepared = prepare(standards, spectrum.energy, spectrum.e0, windows, scale)
    if not prepared.standards:
        return None, prepared.refused or (f"The library {library!r} has no standard for it.",)
    combination = Combination(recipe, spectrum, sweeps, prepared)
    merged, step = combination.data(spectrum.mu[None])
    looked_at = sweeps.kept[np.unique(_spread(len(sweeps.kept)))]
    some, _ = combination.data(np.asarray(sweeps.mu[looked_at]))
    combination.choose(np.concatenate([merged, some]))
    off = _scale(alignment, combination.is_tied)
    noise = np.array([float(np.median(spectrum.sigma))])
    whole = combination.fit(merged, step, noise, np.array([np.median(off)]))
    each = _all_sweeps(combination, sweeps, off)
    sought = merged if len(some) < 2 else some
    absent = missing_component(combination.energy, sought, combination.standards, spectrum.e0)
    chosen = combination.prepared.standards
    doubts: Doubts = {"combination": (absent.reason,)} if absent.flagged else {}
    return Composition(
        names=[standard.name for standard in chosen],
        ids=[standard.key for standard in chosen],
        library=library,
        digest=digest,
        energy=combination.energy,
        data=merged[0],
        standards=combination.standards,
        fractions=whole.fractions[0],
        sigma=whole.sigma[0],
        r_factor=float(whole.r_factor[0]),
        redchi=float(whole.redchi[0]),
        sweep_fractions=each.fractions,
        sweep_sigma=each.sigma,
        sweep_r_factor=each.r_factor,
        doubts=doubts,
    ), prepared.refused


def _windows(recipe: Recipe, spectrum: Spectrum) -> Windows:
    """Keep the post-edge window off the white line and what follows, which differ by compound."""
    usual = spectrum.windows
    if recipe.norm1 is not None:
        return usual
    return replace(usual, norm1=max(usual.norm1, min(BEYOND_XANES, usual.norm2 / 3)))


def _all_sweeps(combination: Combination, sweeps: Sweeps, scale: Floats) -> _Fitted:
    count, standards = len(sweeps.mu), len(combination.standards)
    fractions, sigma = np.full((2, count, standards), np.nan)
    r_factor, redchi = np.full((2, count), np.nan)
    kept = sweeps.kept
    for begin in range(0, len(kept), _ROWS):
        rows = kept[begin : begin + _ROWS]
        data, steps = combination.data(np.asarray(sweeps.mu[rows]))
        whole = np.isfinite(data).all(axis=1)
        rows = rows[whole]
        found = combination.fit(data[whole], steps[whole], sweeps.noise[rows], scale[rows])
        fractions[rows], sigma[rows] = found.fractions, found.sigma
        r_factor[rows], redchi[rows] = found.r_factor, found.redchi
    return _Fitted(fractions, sigma, r_factor, redchi)


def _scale(alignment: Alignment, is_tied: bool) -> Floats:
    """Uncertainty of each sweep's energy scale against that of the standards, eV."""
    own = np.where(np.isfinite(alignment.sigma), alignment.sigma, 0.0)
    return np.hypot(own, 0.0 if is_tied else UNKNOWN_SCALE)


def _spread(count: int) -> NDArray[np.int64]:
    return np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(np.int64)
