"""What the merged spectrum and every sweep are made of, by the standards of a library."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flows.xas.combination import Combination, Fitted
from flows.xas.recipe import Recipe
from flows.xas.types import Alignment, Composition, Doubts, Floats, Spectrum, Sweeps
from tasks.xas.lcf_shift import Shift
from tasks.xas.normalise import Windows
from tasks.xas.standards import Prepared, Scale, Standard, prepare

BEYOND_XANES = 100.0  # eV from the edge
UNKNOWN_SCALE = 0.3  # eV by which sweeps may differ that no foil has aligned
_ROWS = 2000  # sweeps fitted at a time
_LOOKED_AT = 400  # sweeps that choose the standards, and in which a missing one is sought
_TRIED = 50  # sweeps that are tried with shifted standards


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
    made = _made_ready(recipe, sweeps, spectrum, standards, scale)
    if not made.prepared.standards:
        none = (f"The library {library!r} has no standard for it.",)
        return None, made.prepared.refused or none
    combination = Combination(recipe, spectrum, sweeps, made.prepared)
    merged, step = combination.data(spectrum.mu[None])
    some, noise = _some(combination, sweeps, _LOOKED_AT)
    combination.choose(np.concatenate([merged, some]))
    off = _off(alignment, made.shift)
    own = np.array([float(np.median(spectrum.sigma))])
    whole = combination.fit(merged, step, own, np.array([np.median(off)]))
    each = _all_sweeps(combination, sweeps, off)
    if len(some) < 2:
        some, noise = merged, own / step
    absent = combination.missing(some, noise)
    chosen = combination.prepared.standards
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
        doubts=made.doubts | ({"combination": (absent.reason,)} if absent.flagged else {}),
    ), made.prepared.refused


@dataclass(frozen=True)
class _Made:
    """Standards made ready, and the shift that was found for those that no foil ties."""

    prepared: Prepared
    shift: Shift | None
    doubts: Doubts


def _made_ready(
    recipe: Recipe, sweeps: Sweeps, spectrum: Spectrum, standards: Sequence[Standard], scale: Scale
) -> _Made:
    """Bring standards onto the scale of the measurement: by their foils, else as they fit best."""
    windows = _windows(recipe, spectrum)
    prepared = prepare(standards, spectrum.energy, spectrum.e0, windows, scale)
    loose = ~np.isfinite(prepared.scale_sigma)
    if not loose.any():
        return _Made(prepared, None, {})
    combination = Combination(recipe, spectrum, sweeps, prepared)
    merged, _ = combination.data(spectrum.mu[None])
    some, _ = _some(combination, sweeps, _TRIED)
    shift = combination.loose_shift(np.concatenate([merged, some]))
    names = [
        each.name for each, is_loose in zip(prepared.standards, loose, strict=True) if is_loose
    ]
    keys = {each.key for each, is_loose in zip(prepared.standards, loose, strict=True) if is_loose}
    moved = [
        replace(each, energy=each.energy + shift.shift) if each.key in keys else each
        for each in standards
    ]
    prepared = prepare(moved, spectrum.energy, spectrum.e0, windows, scale)
    return _Made(prepared, shift, {"energy": (_told(names, shift),)})


def _told(names: Sequence[str], shift: Shift) -> str:
    some = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
    if shift.at_border:
        return (
            f"No reference foil ties the energies of {some} to those of the measurement, and no "
            f"shift within {abs(shift.shift):.0f} eV makes them fit: are they of this edge?"
        )
    return (
        f"No reference foil ties the energies of {some} to those of the measurement: shifted by "
        f"{shift.shift:+.2f} ± {shift.sigma:.2f} eV they describe it best. Measure the standards "
        "with the foil to be sure of the fractions."
    )


def _windows(recipe: Recipe, spectrum: Spectrum) -> Windows:
    """Keep the post-edge window off the white line and what follows, which differ by compound."""
    usual = spectrum.windows
    if recipe.norm1 is not None:
        return usual
    return replace(usual, norm1=max(usual.norm1, min(BEYOND_XANES, usual.norm2 / 3)))


def _some(combination: Combination, sweeps: Sweeps, most: int) -> tuple[Floats, Floats]:
    """Reduce sweeps that are spread over the series; and their noise over their edge steps."""
    kept = sweeps.kept
    rows = kept[np.linspace(0, len(kept) - 1, min(len(kept), most)).astype(np.int64)]
    data, steps = combination.data(np.asarray(sweeps.mu[rows]))
    whole = np.isfinite(data).all(axis=1)
    return data[whole], (sweeps.noise[rows] / steps)[whole]


def _all_sweeps(combination: Combination, sweeps: Sweeps, off: Floats) -> Fitted:
    count, standards = len(sweeps.mu), len(combination.prepared.standards)
    fractions, sigma = np.full((2, count, standards), np.nan)
    r_factor, redchi = np.full((2, count), np.nan)
    kept = sweeps.kept
    for begin in range(0, len(kept), _ROWS):
        rows: NDArray[np.int64] = kept[begin : begin + _ROWS]
        data, steps = combination.data(np.asarray(sweeps.mu[rows]))
        whole = np.isfinite(data).all(axis=1)
        rows = rows[whole]
        found = combination.fit(data[whole], steps[whole], sweeps.noise[rows], off[rows])
        fractions[rows], sigma[rows] = found.fractions, found.sigma
        r_factor[rows], redchi[rows] = found.r_factor, found.redchi
    return Fitted(fractions, sigma, r_factor, redchi)


def _off(alignment: Alignment, shift: Shift | None) -> Floats:
    """Uncertainty of each sweep's energy scale against that of the standards, eV."""
    alone = 0.0 if len(alignment.sigma) == 1 else UNKNOWN_SCALE
    own = np.where(np.isfinite(alignment.sigma), alignment.sigma, alone)
    return np.hypot(own, shift.sigma if shift else 0.0)
