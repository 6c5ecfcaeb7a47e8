"""The energies of all scans of a series on one scale: foil by foil, as the sweeps of one scan.

Each scan was calibrated by its own foil, by one point of its edge. Fitted to one another the foils
agree several times better, so the scans go back to the energies that were recorded and are aligned
and calibrated anew, together.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flows.reduction import Reduction
from flows.xas.alignment import align_surveyed, foil_energy_of
from flows.xas.composition import UNKNOWN_SCALE
from flows.xas.recipe import Recipe as ScanRecipe
from flows.xas.series.choice import added, names_of
from flows.xas.series.types import Member
from flows.xas.types import Alignment, Floats, Opened
from tasks.algorithm import Engine, merge_records
from tasks.xas.series_block import FoilOrder, foils_of
from tasks.xas.survey import Surveyed

Bools = NDArray[np.bool_]
_AT_A_TIME = 100  # foils that a worker brings onto a grid


def align_scans(
    run: Reduction, recipe: ScanRecipe, opened: Opened, members: Sequence[Member]
) -> Alignment:
    """Find what is to be added to the recorded energies of all scans.

    Returns
    -------
    Alignment
        Where there is no foil, or it is not to be used, what each scan had by itself.
    """
    has_foil = np.array([opened.foil is not None and m.facts.foil == opened.foil for m in members])
    edge = foil_energy_of(opened) if opened.foil else None
    if edge is None or not recipe.align or has_foil.sum() < 2:
        return _as_they_are(members)
    surveyed = _surveyed(run, members, has_foil, edge.energy)
    engine = Engine()
    with engine.active():
        found = align_surveyed(recipe, surveyed, edge)
    run.record("bring onto one grid", engine.records)
    if not found.is_aligned:
        return replace(_as_they_are(members), doubts=found.doubts)
    shift = np.where(np.isfinite(found.shift), found.shift, np.nanmedian(found.shift))
    sigma = np.where(has_foil, found.sigma, UNKNOWN_SCALE)
    return _judged(replace(found, shift=shift, sigma=sigma), members, has_foil)


def foil_of(members: Sequence[Member]) -> str | None:
    """Return the element of the foil that most scans have."""
    found = Counter(each.facts.foil for each in members if each.facts.foil).most_common(1)
    return found[0][0] if found else None


def _surveyed(
    run: Reduction, members: Sequence[Member], has_foil: Bools, foil_energy: float
) -> Surveyed:
    """Read the foils as they were recorded; scans without one have rows of NaN."""
    rows = np.flatnonzero(has_foil)
    offsets = np.array([each.facts.offset for each in members])
    orders = [
        FoilOrder(
            first=begin,
            places=tuple(members[row].place for row in rows[begin : begin + _AT_A_TIME]),
            offsets=tuple(offsets[rows[begin : begin + _AT_A_TIME]].tolist()),
            foil_energy=foil_energy,
        )
        for begin in range(0, len(rows), _AT_A_TIME)
    ]
    parts = sorted(run.work_through("Foils of all scans", foils_of, orders), key=lambda p: p.first)
    run.record("bring onto one grid", merge_records([r for part in parts for r in part.records]))
    seen = np.concatenate([part.foil for part in parts])
    foil = np.full((len(members), seen.shape[1]), np.nan)
    foil[rows] = seen
    return Surveyed(
        first=0,
        low=np.array([each.facts.low for each in members]) - offsets,
        high=np.array([each.facts.high for each in members]) - offsets,
        rising=np.ones(len(members), np.bool_),
        foil=foil,
        records=[],
    )


def _as_they_are(members: Sequence[Member]) -> Alignment:
    """Keep what was added to the energies of each scan when it was reduced."""
    offset: Floats = np.array([each.facts.offset for each in members])
    sigma: Floats = np.array([each.facts.offset_sigma for each in members])
    tables = {each.facts.table for each in members}
    return Alignment(
        shift=offset,
        sigma=sigma,
        offset=0.0,
        offset_sigma=0.0,
        table=tables.pop() if len(tables) == 1 else "",
        energy=(float(members[0].facts.low), float(members[0].facts.high)),
    )


def _judged(found: Alignment, members: Sequence[Member], has_foil: Bools) -> Alignment:
    """Say which scans had no foil like the others."""
    without = [each.name for each, has in zip(members, has_foil, strict=True) if not has]
    if not without:
        return found
    verb = "has" if len(without) == 1 else "have"
    told = (
        f"{len(without)} of {len(members)} scans {verb} no reference foil like the others "
        f"({names_of(without)}): their energies are what their neighbours say, and less certain."
    )
    return replace(found, doubts=added(found.doubts, "energy", told))
