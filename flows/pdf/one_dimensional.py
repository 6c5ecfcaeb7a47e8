"""Patterns that come integrated: sample and background on one axis."""

from pathlib import Path

import numpy as np

from flows.pdf.axis import to_q, unit_of
from flows.pdf.recipe import Recipe
from flows.pdf.types import Background, Doubts, Floats, Opened, Patterns
from tasks.errors import DataError
from tasks.io.powder import Pattern, open_powder
from tasks.io.scan import ScanReference

_COVERED = 0.98  # of the sample's range, which a background must have


def read_pattern(recipe: Recipe, opened: Opened) -> Patterns:
    """Read the sample's pattern and what is to be taken off."""
    pattern = _open(opened.data)
    q, intensity, sigma = _in_order(recipe, opened, opened.data, pattern)
    doubts: Doubts = {}
    if pattern.sigma is None:
        doubts["reading"] = (
            "The file has no uncertainties: those of F(Q) and G(r) come from the scatter from "
            "point to point.",
        )
    return Patterns(
        q=q,
        intensity=intensity[None],
        sigma=sigma[None],
        monitor=None if pattern.monitor is None else np.array([pattern.monitor]),
        exposure=pattern.facts.exposure,
        transmission=pattern.facts.transmission,
        background=_background(recipe, opened, q),
        doubts=doubts,
    )


def _background(recipe: Recipe, opened: Opened, q: Floats) -> Background | None:
    for kind in wanted(recipe):
        for reference in opened.calibrations[kind]:
            pattern = _open(reference)
            axis, intensity, sigma = _in_order(recipe, opened, reference, pattern)
            _check_covered(axis, q, reference)
            return Background(
                kind=kind,
                intensity=np.interp(q, axis, intensity),
                sigma=np.interp(q, axis, sigma),
                monitor=pattern.monitor,
                exposure=pattern.facts.exposure,
                transmission=pattern.facts.transmission,
            )
    return None


def wanted(recipe: Recipe) -> tuple[str, ...]:
    """Return the kinds of background that the recipe allows, the preferred one first."""
    if recipe.background == "auto":
        return ("container", "empty")
    return () if recipe.background == "none" else (recipe.background,)


def _open(reference: ScanReference) -> Pattern:
    found = open_powder(reference)
    if isinstance(found, Pattern):
        return found
    raise DataError(
        f"{Path(reference.path).name} holds images, but the sample is a 1-D pattern: integrate "
        "both the same way."
    )


def _in_order(
    recipe: Recipe, opened: Opened, reference: ScanReference, pattern: Pattern
) -> tuple[Floats, Floats, Floats]:
    """Return Q in rising order, intensity and sigma; points without a number are left out."""
    unit = unit_of(recipe, pattern, reference)
    q = to_q(pattern.x, unit, recipe.wavelength or pattern.facts.wavelength or opened.wavelength)
    sigma = (
        np.full(q.shape, _scatter(pattern.intensity)) if pattern.sigma is None else pattern.sigma
    )
    order = np.argsort(q, kind="stable")
    q, intensity, sigma = q[order], pattern.intensity[order], sigma[order]
    good = np.isfinite(q) & np.isfinite(intensity) & np.diff(q, prepend=-np.inf).astype(bool)
    return q[good], intensity[good], np.nan_to_num(sigma[good])


def _scatter(intensity: Floats) -> float:
    """Return the noise of a point from the second differences of its neighbours."""
    second = np.diff(intensity[np.isfinite(intensity)], 2) / np.sqrt(6)
    return float(1.4826 * np.median(np.abs(second))) if len(second) else float("nan")


def _check_covered(axis: Floats, q: Floats, reference: ScanReference) -> None:
    covered = (min(axis[-1], q[-1]) - max(axis[0], q[0])) / (q[-1] - q[0])
    if covered < _COVERED:
        raise DataError(
            f"The background {Path(reference.path).name} goes from Q {axis[0]:.2f} to "
            f"{axis[-1]:.2f} 1/Å, the sample from {q[0]:.2f} to {q[-1]:.2f}: measure it over the "
            "same range."
        )
