"""The energies of all sweeps put right: one to the other by their foil, all of them by a table."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from flows.reduction import Reduction
from flows.xas.recipe import Recipe
from flows.xas.types import Alignment, Doubts, Floats, Opened
from tasks.algorithm import Engine, merge_records
from tasks.errors import DataError
from tasks.xas.align import Alignment as FoilAlignment
from tasks.xas.blocks import Block, blocks_of
from tasks.xas.calibrate import calibrate
from tasks.xas.foils import FoilEnergy, foil_energies
from tasks.xas.rebin import common_range
from tasks.xas.standards import Foil
from tasks.xas.steps import Steps, clarity, rising
from tasks.xas.survey import Surveyed, align_foils, foil_grid, joined, survey_block

SHARE_OF_WORKER = 0.25  # of a worker's memory for one block
MOST_SWEEPS = 500  # in a block: enough to be fast, few enough to show progress
_SHORT_SWEEPS = 0.98  # share of the sweeps that must reach the ends of the grid
_WITH_VALUES = 0.5  # share of the sweeps that must have values there
_UNLIKELY = 4.0  # eV that a monochromator is off: it may as well be another foil
_CLEAR = 5.0  # times the noise of the merged foil
_BEFORE, _AFTER = -8.0, 25.0  # eV from the first inflection point: there the edge rises most
_FARTHEST = 1500.0  # eV from the edge: no scan goes farther to show its foil


def blocks(run: Reduction, recipe: Recipe, opened: Opened) -> list[Block]:
    """Cut the scan into blocks that fit into a worker."""
    whole = Block(
        opened.spectra, 0, 0, opened.mode, dark=recipe.dark, dead_time_us=recipe.dead_time_us
    )
    sweeps, longest = opened.shape
    memory = SHARE_OF_WORKER * run.limits().memory
    most = 8 * 12 * longest * MOST_SWEEPS
    return blocks_of(whole, sweeps, longest, min(memory, most), opened.sweeps)


def align_sweeps(run: Reduction, recipe: Recipe, opened: Opened) -> Alignment:
    """Look at every sweep's foil, and find what is to be added to its energies."""
    foil = foil_energy_of(opened) if opened.foil else None
    surveyed = _survey(run, recipe, opened, foil.energy if foil else None)
    engine = Engine()
    with engine.active():
        found = align_surveyed(recipe, surveyed, foil)
    run.record("align sweeps", engine.records)
    return replace(found, doubts={**found.doubts, **_far(recipe, opened, found)})


def _far(recipe: Recipe, opened: Opened, found: Alignment) -> Doubts:
    """Doubt a large offset: monochromators are off by less, as a rule."""
    offset = found.offset - recipe.energy_shift
    if abs(offset) <= _UNLIKELY:
        return {}
    told = (
        f"By the {opened.foil} foil the recorded energies are {-offset:+.1f} eV off: is it this "
        "foil, and does its detector see it alone?"
    )
    return {"energy": (*found.doubts.get("energy", ()), told)}


def align_surveyed(recipe: Recipe, surveyed: Surveyed, foil: FoilEnergy | None) -> Alignment:
    """Find what is to be added to the energies of sweeps, or scans, that were looked at.

    Parameters
    ----------
    recipe : Recipe
        Whether to align, and whose foil energies hold.
    surveyed : Surveyed
        All of them, in order of time.
    foil : FoilEnergy or None
        Edge of their reference foil.
    """
    scale = _scale(recipe, surveyed, foil)
    low, high = _covered(surveyed)
    return Alignment(
        shift=scale.shift,
        sigma=scale.sigma,
        offset=scale.offset + recipe.energy_shift,
        offset_sigma=scale.offset_sigma,
        table=scale.table,
        energy=(low, high),
        foil=scale.foil and _shifted(scale.foil, recipe.energy_shift),
        doubts=scale.doubts,
    )


def _covered(surveyed: Surveyed) -> tuple[float, float]:
    """Return the range that the grid covers, as recorded.

    A few short sweeps do not shorten it for all, nor do those that have lost the beam.
    """
    whole = common_range(np.stack([surveyed.low, surveyed.high], axis=1), _SHORT_SWEEPS)
    if surveyed.values is None or not (known := np.isfinite(surveyed.values).all(axis=1)).any():
        return whole
    seen = common_range(surveyed.values[known], _WITH_VALUES)
    return max(whole[0], seen[0]), min(whole[1], seen[1])


@dataclass(frozen=True)
class _Scale:
    shift: Floats
    sigma: Floats
    offset: float
    offset_sigma: float
    table: str
    doubts: Doubts
    foil: Foil | None = None


def _survey(run: Reduction, recipe: Recipe, opened: Opened, foil_energy: float | None) -> Surveyed:
    work = partial(survey_block, foil_energy=foil_energy)
    parts = list(run.work_through("A first look at sweeps", work, blocks(run, recipe, opened)))
    surveyed = joined(parts)
    run.record("align sweeps", merge_records(surveyed.records))
    return surveyed


def _scale(recipe: Recipe, surveyed: Surveyed, foil: FoilEnergy | None) -> _Scale:
    """Align and calibrate as far as there is a foil; what cannot be done is said."""
    count = len(surveyed.low)
    nothing = _Scale(np.zeros(count), np.full(count, np.nan), 0.0, np.nan, "", {})
    if foil is None or surveyed.foil is None:
        return nothing
    try:
        return _by_foil(recipe, surveyed, foil)
    except DataError as error:
        told = f"The energy is as it was recorded, since the reference foil is of no use: {error}"
        return _Scale(nothing.shift, nothing.sigma, 0.0, np.nan, "", {"energy": (told,)})


def _by_foil(recipe: Recipe, surveyed: Surveyed, foil: FoilEnergy) -> _Scale:
    found, mean = align_foils(surveyed, foil.energy)
    doubts = _border(found)
    shift, sigma = found.shift, found.sigma
    if not recipe.align or len(shift) == 1:
        shift, sigma = np.zeros_like(shift), np.full_like(sigma, np.nan)
    grid = foil_grid(foil.energy)
    if recipe.foil_table == "none":
        seen = Foil(foil.element, foil.energy, np.nan, (grid, mean))
        return _Scale(shift, sigma, 0.0, np.nan, "", doubts, seen)
    table = None if recipe.foil_table == "auto" else recipe.foil_table
    scale = calibrate(grid, mean, foil.element, foil.edge, table)
    _check_edge(grid, mean, scale.measured)
    seen = Foil(foil.element, scale.measured, scale.sigma, (grid, mean))
    calibrated = _shifted(seen, scale.offset)
    return _Scale(shift, sigma, scale.offset, scale.sigma, scale.foil.table, doubts, calibrated)


def _check_edge(grid: Floats, foil: Floats, measured: float) -> None:
    """Refuse a point of inflection that is not one of the edge: noise has many."""
    energy, mu = rising(grid, foil)
    main = Steps(energy, mu).largest()
    if clarity(energy, mu) < _CLEAR:
        raise DataError("its edge does not stand out of the noise.")
    if not _BEFORE < main - measured < _AFTER:
        raise DataError(f"its edge is at {main:.0f} eV, too far from where it should be.")


def _shifted(foil: Foil, offset: float) -> Foil:
    """Put a foil on a scale that is so many eV higher."""
    moved = foil.spectrum and (foil.spectrum[0] + offset, foil.spectrum[1])
    return replace(foil, energy=foil.energy + offset, spectrum=moved)


def _border(found: FoilAlignment) -> Doubts:
    count = int(found.at_border.sum())
    if not count:
        return {}
    return {
        "energy": (
            f"The foil of {count} of {len(found.shift)} sweeps is farther off than was searched: "
            "their energy is what their neighbours say. Look at the sweeps.",
        )
    }


def foil_energy_of(opened: Opened) -> FoilEnergy | None:
    """Return the edge of the foil that lies in the scan, the sample's own edge first."""
    element = opened.foil or opened.element
    edges = dict.fromkeys((opened.edge, "K", "L3", "L2", "L1"))
    for edge in edges:
        for known in foil_energies(element, edge):
            if abs(known.energy - opened.nominal_e0) < _FARTHEST:
                return known
    return None
