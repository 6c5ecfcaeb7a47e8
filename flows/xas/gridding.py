"""All sweeps onto one grid: workers read and rebin, each into its own rows of a file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flows.reduction import Reduction
from flows.xas.alignment import blocks
from flows.xas.recipe import Recipe
from flows.xas.rejection import rejected
from flows.xas.types import Alignment, Floats, Opened, Sweeps
from tasks.algorithm import Engine, merge_records
from tasks.errors import DataError
from tasks.xas.rebin import three_region_grid
from tasks.xas.sweep_block import SweepOrder, SweepResult, reduce_sweeps

SCRATCH = ".scratch"
_MISSING = 0.01  # share of the readings that may be no numbers


def scratch(run: Reduction) -> Path:
    """Return the folder of what the stages of this attempt hand on by file."""
    folder = run.folder / SCRATCH
    folder.mkdir(exist_ok=True)
    return folder


def bring_onto_grid(run: Reduction, recipe: Recipe, opened: Opened, alignment: Alignment) -> Sweeps:
    """Reduce every sweep on the cluster, and reject those that cannot be trusted."""
    low, high = (edge + alignment.offset for edge in alignment.energy)
    _check_range(opened, low, high)
    grid = three_region_grid(
        low, high, opened.nominal_e0, xanes_step=recipe.xanes_step, k_step=recipe.k_step
    )
    files = _files(run, opened, alignment, grid)
    parts = _reduce(run, recipe, opened, files)
    mu, i0 = (np.load(files[name], mmap_mode="r") for name in ("mu", "i0"))
    engine = Engine()
    with engine.active():
        noise = np.concatenate([part.noise for part in parts])
        left_out = rejected(recipe, grid, mu, i0, opened.nominal_e0)
    run.record("reduce sweeps", engine.records)
    sweeps = Sweeps(
        energy=grid,
        mu=mu,
        noise=noise,
        left_out=left_out,
        glitches=int(sum(part.glitches.sum() for part in parts)),
        density=np.mean([part.density for part in parts], axis=0),
    )
    missing = np.concatenate([part.missing for part in parts])
    return _judged(opened, sweeps, float(missing[sweeps.kept].sum()))


def _check_range(opened: Opened, low: float, high: float) -> None:
    if low < opened.nominal_e0 < high:
        return
    covered = "The scan goes" if opened.shape[0] == 1 else "What all sweeps cover goes"
    raise DataError(
        f"{covered} from {low:.1f} to {high:.1f} eV; the {opened.element} {opened.edge} edge, at "
        f"{opened.nominal_e0:.1f} eV, is not in it. Did it end too early, or is it another edge? "
        "Repeat it, or set element and edge in the recipe."
    )


def _files(run: Reduction, opened: Opened, alignment: Alignment, grid: Floats) -> dict[str, Path]:
    folder = scratch(run)
    files = {name: folder / f"{name}.npy" for name in ("shift", "grid", "mu", "i0")}
    np.save(files["shift"], alignment.shift + alignment.offset)
    np.save(files["grid"], grid)
    shape = (opened.shape[0], len(grid))
    for name in ("mu", "i0"):
        place: Any = np.lib.format.open_memmap(files[name], "w+", np.float64, shape)
        place.flush()
    return files


def _reduce(
    run: Reduction, recipe: Recipe, opened: Opened, files: dict[str, Path]
) -> list[SweepResult]:
    orders = [
        SweepOrder(
            block=block,
            e0=opened.nominal_e0,
            deglitch=recipe.deglitch,
            shift=str(files["shift"]),
            grid=str(files["grid"]),
            absorption=str(files["mu"]),
            intensity=str(files["i0"]),
        )
        for block in blocks(run, recipe, opened)
    ]
    parts = list(run.work_through("Sweeps onto the grid", reduce_sweeps, orders))
    run.record("reduce sweeps", merge_records([r for part in parts for r in part.records]))
    return sorted(parts, key=lambda part: part.first)


def _judged(opened: Opened, sweeps: Sweeps, missing: float) -> Sweeps:
    """Say what was left out and what is missing; refuse a scan of which nothing is left."""
    count, left_out = len(sweeps.mu), len(sweeps.left_out)
    why = next(iter(sweeps.left_out.values()), "")
    if left_out == count:
        none = "The scan cannot be used" if count == 1 else f"None of {count} sweeps can be used"
        raise DataError(
            f"{none}. {why} Repeat it, or reduce it with reject_sweeps = false to look at it all "
            "the same."
        )
    doubts: list[str] = []
    if left_out:
        shown = ", ".join(str(number) for number in sorted(sweeps.left_out)[:8])
        more = " ..." if left_out > 8 else ""
        doubts.append(f"{left_out} of {count} sweeps are left out ({shown}{more}). {why}")
    readings = (count - left_out) * opened.shape[1]
    if missing > _MISSING * readings:
        doubts.append(
            f"{missing:.0f} of {readings} readings are no numbers or not above zero: was the beam "
            "away, or a dark current set too high?"
        )
    return replace(sweeps, doubts={"sweeps": tuple(doubts)} if doubts else {})
