"""How much of each phase there is in the frames of a series."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flows.pdf.found import SeriesPhases
from flows.pdf.recipe import Recipe
from flows.pdf.structures import fit_options, structure_of
from flows.pdf.types import Curves, Floats
from tasks.io.nxpdf import Table
from tasks.pdf.phases import PhaseFractions, fit_phases_series

FEWEST_FRAMES = 3
MOST_FRAMES = 60  # a fit takes about a second
_TOLD = 5  # failures whose reasons are told one by one


def are_asked_for(recipe: Recipe, curves: Curves) -> bool:
    """Tell whether there are phases and a series."""
    several = len(recipe.structures) > 1 and len(curves.each_g) >= FEWEST_FRAMES
    return recipe.mixture and several


def fit_series_phases(
    recipe: Recipe, curves: Curves, frames: np.ndarray, folders: Sequence[Path]
) -> SeriesPhases:
    """Fit the phases to the frames' G(r), each from the result of the one before.

    Parameters
    ----------
    recipe : Recipe
        Its structures are the phases.
    curves : Curves
        Of the series.
    frames : numpy.ndarray
        Numbers of its frames, (frames,).
    folders : sequence of Path
        Of the beamline, where structures are.

    Raises
    ------
    DataError
        A structure cannot be used.
    """
    rows = _spread(len(frames))
    crystals = [structure_of(given, folders) for given in recipe.structures]
    failed: dict[int, str] = {}
    found = fit_phases_series(
        curves.r,
        curves.each_g[rows],
        _sigma(curves, rows),
        crystals,
        failed=lambda number, error: failed.update({int(rows[number]): str(error)}),
        **fit_options(recipe, curves),
    )
    fitted = [row for row in rows.tolist() if row not in failed]
    good: list[PhaseFractions] = []
    for row, each in zip(fitted, found, strict=True):
        if each.fit.converged:
            good.append(each)
        else:
            failed[row] = "The fit did not converge."
    kept = [row for row in rows.tolist() if row not in failed]
    told = {int(frames[row]): why for row, why in sorted(failed.items())}
    names = found[0].names if found else ()
    shape = (len(good), len(names))
    return SeriesPhases(
        names=names,
        frames=np.asarray(frames[kept], np.int64),
        mass=np.reshape([each.mass for each in good], shape),
        mass_sigma=np.reshape([each.mass_sigma for each in good], shape),
        atoms=np.reshape([each.atoms for each in good], shape),
        atoms_sigma=np.reshape([each.atoms_sigma for each in good], shape),
        rw=np.array([each.fit.rw for each in good]),
        failed=told,
    )


def notes(phases: SeriesPhases, frames: int) -> tuple[str, ...]:
    """Say of how many frames the shares are, where not of all."""
    tried = len(phases.frames) + len(phases.failed)
    if tried == frames:
        return ()
    return (
        f"Phases are fitted to {tried} of {frames} frames, evenly spread: a fit takes "
        "about a second.",
    )


def doubts(phases: SeriesPhases) -> tuple[str, ...]:
    """Say which frames are left out."""
    if not phases.failed:
        return ()
    tried = len(phases.frames) + len(phases.failed)
    first = [f"{frame}: {why}" for frame, why in list(phases.failed.items())[:_TOLD]]
    more = len(phases.failed) - len(first)
    reasons = " ".join(first) + (f" And {more} more." if more else "")
    return (
        f"The phases could not be fitted to {len(phases.failed)} of {tried} frames, which are "
        f"left out. Frame {reasons}",
    )


def table(phases: SeriesPhases) -> Table:
    """Return the shares as the NeXus file holds them."""
    return Table(
        title="Shares of phases, from fits to G(r)",
        row_name="frame",
        rows=phases.frames.astype(np.float64),
        column_name="phase",
        columns=phases.names,
        values={
            "mass_fraction": phases.mass,
            "mass_fraction_errors": phases.mass_sigma,
            "atom_fraction": phases.atoms,
            "atom_fraction_errors": phases.atoms_sigma,
            "rw": phases.rw,
        },
    )


def columns(phases: SeriesPhases) -> dict[str, Floats]:
    """Return the shares of the mass as columns of a text."""
    found = {"frame": phases.frames.astype(np.float64)}
    for number, name in enumerate(phases.names):
        found[f"mass {name}"] = phases.mass[:, number]
        found[f"sigma {name}"] = phases.mass_sigma[:, number]
    return found | {"Rw": phases.rw}


def _spread(count: int) -> np.ndarray:
    """Return at most so many rows as may be fitted, the first and the last among them."""
    spread = np.linspace(0, count - 1, min(count, MOST_FRAMES))
    return np.round(spread).astype(np.int64)


def _sigma(curves: Curves, rows: np.ndarray) -> Floats | None:
    """Return the uncertainty of G(r), if it is known at every point but the origin."""
    sigma = curves.each_g_sigma[rows]
    return sigma if (sigma[:, curves.r > 0] > 0).all() else None
