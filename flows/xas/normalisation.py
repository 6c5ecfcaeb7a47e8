"""The sweeps merged into one spectrum, and all of them normalised through the same windows."""

from pathlib import Path
from typing import Any

import numpy as np

from flows.reduction import Reduction
from flows.xas.gridding import scratch
from flows.xas.recipe import Recipe
from flows.xas.types import Doubts, Floats, Opened, Spectrum, Sweeps
from tasks.algorithm import Engine
from tasks.errors import DataError
from tasks.xas.edge import find_e0
from tasks.xas.mback import Matched, mback
from tasks.xas.merge import merge
from tasks.xas.normalise import Windows, default_windows, normalise, normalise_sigma
from tasks.xas.over_absorption import correct_over_absorption, over_absorption_alpha

_COLUMNS = 64  # points merged at a time, so that a hundred thousand sweeps need little memory
_ROWS = 2000  # sweeps normalised at a time
_LEAST_PRE, _LEAST_POST = 20.0, 40.0  # eV that are needed to tell an edge step well
_WEAK = 10.0  # times its uncertainty: an edge step below that is doubtful
_THICK = 3.5  # edge step in transmission above which pinholes and harmonics distort
_AGREE = 0.05  # of the edge step: what lines and tables usually differ by at most
_LOWEST, _HIGHEST = -10.0, 40.0  # eV of the edge found from the tabulated one


def normalise_sweeps(run: Reduction, recipe: Recipe, opened: Opened, sweeps: Sweeps) -> Spectrum:
    """Merge the sweeps that count, find the edge, and normalise the merged and every sweep."""
    engine = Engine()
    with engine.active():
        mu, sigma = _merged(sweeps)
        e0, doubts = _edge_energy(recipe, opened, sweeps.energy, mu)
        windows = _windows(recipe, sweeps.energy, e0)
        found = normalise(sweeps.energy, mu[None], e0, windows)
        step = float(found.edge_step[0])
        _check_step(opened, step)
        errors = normalise_sigma(
            sweeps.energy, found.norm, found.edge_step, sigma[None], e0, windows
        )
        alpha = _alpha(recipe, opened)
        norms, steps = _all_sweeps(scratch(run) / "norm.npy", sweeps, e0, windows, alpha)
        spectrum = Spectrum(
            energy=sweeps.energy,
            mu=mu,
            sigma=sigma,
            norm=corrected(found.norm, alpha)[0],
            norm_sigma=np.asarray(errors.norm[0]),
            flat=corrected(found.flat, alpha)[0],
            pre_edge=np.asarray(found.pre_edge[0]),
            post_edge=np.asarray(found.post_edge[0]),
            e0=e0,
            edge_step=step,
            edge_step_sigma=float(errors.edge_step[0]),
            windows=windows,
            norms=norms,
            edge_steps=steps,
            alpha=alpha,
            matched=_matched(recipe, opened, sweeps.energy, mu, e0, windows),
        )
    run.record("normalise", engine.records)
    doubts |= _doubts(opened, spectrum)
    spectrum.doubts.update(doubts)
    return spectrum


def _merged(sweeps: Sweeps) -> tuple[Floats, Floats]:
    """Average the sweeps that count, some points of all of them at a time."""
    kept = sweeps.kept
    noise = sweeps.noise[kept]
    # where the noise of a sweep could not be told, all sweeps count alike
    known = noise if np.isfinite(noise).all() else None
    mu, sigma = np.empty(len(sweeps.energy)), np.empty(len(sweeps.energy))
    for begin in range(0, len(mu), _COLUMNS):
        part = slice(begin, begin + _COLUMNS)
        found = merge(np.asarray(sweeps.mu[kept, part]), known)
        mu[part], sigma[part] = found.mu, found.sigma
    if not np.isfinite(mu).all():
        hole = sweeps.energy[np.argmin(np.isfinite(mu))]
        raise DataError(
            f"No sweep has a value at {hole:.1f} eV: the scan has a gap there, or its ends differ "
            "from sweep to sweep. Repeat it without the gap."
        )
    return mu, np.where(np.isfinite(sigma), sigma, 0.0)


def _edge_energy(
    recipe: Recipe, opened: Opened, energy: Floats, mu: Floats
) -> tuple[float, Doubts]:
    if recipe.e0 is not None:
        return recipe.e0, {}
    near = np.abs(energy - opened.nominal_e0) < 2 * _HIGHEST
    inside = near if near.sum() >= 12 else np.ones(len(energy), np.bool_)
    found = float(find_e0(energy[inside], mu[None, inside])[0])
    if not np.isfinite(found):
        raise DataError(
            f"No edge is seen near {opened.nominal_e0:.1f} eV ({opened.element} {opened.edge}): "
            "was the sample in the beam, and is it the right element?"
        )
    off = found - opened.nominal_e0
    if _LOWEST <= off <= _HIGHEST:
        return found, {}
    told = (
        f"The edge is found at {found:.1f} eV, {off:+.0f} eV from the tabulated "
        f"{opened.element} {opened.edge} edge: is it the right element, and the energy calibrated?"
    )
    return found, {"element": (told,)}


def _windows(recipe: Recipe, energy: Floats, e0: float) -> Windows:
    usual = default_windows(energy, e0)
    asked = {
        name: value
        for name in ("pre1", "pre2", "norm1", "norm2", "nnorm")
        if (value := getattr(recipe, name)) is not None
    }
    # the grid is finer about the edge than most scans are
    return Windows(**{**vars(usual), **asked, "even_k": True})


def _matched(
    recipe: Recipe, opened: Opened, energy: Floats, mu: Floats, e0: float, windows: Windows
) -> Matched | None:
    if not recipe.mback:
        return None
    return mback(energy, mu[None], opened.element, e0, windows)


def _alpha(recipe: Recipe, opened: Opened) -> float | None:
    if recipe.over_absorption is None or opened.mode != "fluorescence":
        return None
    asked = recipe.over_absorption
    return over_absorption_alpha(
        asked.formula, opened.element, opened.edge, asked.angle_in, asked.angle_out
    )


def corrected(norm: Any, alpha: float | None) -> Floats:
    """Return normalised spectra without over-absorption, if there is any."""
    return np.asarray(norm if alpha is None else correct_over_absorption(norm, alpha))


def _all_sweeps(
    file: Path, sweeps: Sweeps, e0: float, windows: Windows, alpha: float | None
) -> tuple[Floats, Floats]:
    """Normalise every sweep into a file, also those that are left out."""
    shape = sweeps.mu.shape
    norms: Any = np.lib.format.open_memmap(file, "w+", np.float64, shape)
    steps = np.empty(shape[0])
    for begin in range(0, shape[0], _ROWS):
        rows = slice(begin, begin + _ROWS)
        found = normalise(sweeps.energy, np.asarray(sweeps.mu[rows]), e0, windows)
        norms[rows], steps[rows] = corrected(found.norm, alpha), found.edge_step
    norms.flush()
    return norms, steps


def _check_step(opened: Opened, step: float) -> None:
    if not np.isfinite(step) or step <= 0:
        raise DataError(
            f"The absorption does not rise at the {opened.element} {opened.edge} edge (edge step "
            f"{step:.3g}): was the sample in the beam, is it this element, and are the detectors "
            "the right way round?"
        )


def _doubts(opened: Opened, spectrum: Spectrum) -> Doubts:
    doubts: Doubts = {}
    before, after = spectrum.e0 - spectrum.energy[0], spectrum.energy[-1] - spectrum.e0
    if before < _LEAST_PRE or after < _LEAST_POST:
        doubts["range"] = (
            f"The scan has {before:.0f} eV before and {after:.0f} eV after the edge, too little "
            "for a reliable edge step.",
        )
    step, sigma = spectrum.edge_step, spectrum.edge_step_sigma
    if step < _WEAK * sigma:
        doubts["edge-step"] = (
            f"The edge step, {step:.3g} ± {sigma:.2g}, is hardly above the noise: measure longer.",
        )
    elif opened.mode == "transmission" and step > _THICK:
        doubts["edge-step"] = (
            f"The edge step of {step:.2f} is high for transmission: the sample is so thick that "
            "harmonics and pinholes can flatten the spectrum.",
        )
    elif spectrum.matched is not None and abs(_matched_step(spectrum) / step - 1) > _AGREE:
        doubts["edge-step"] = (
            f"Matched with the tables the edge step is {_matched_step(spectrum):.4g}, not "
            f"{step:.4g}: the range before or after the edge is short or bent; set its windows.",
        )
    return doubts


def _matched_step(spectrum: Spectrum) -> float:
    return float(spectrum.matched.edge_step[0]) if spectrum.matched is not None else np.nan
