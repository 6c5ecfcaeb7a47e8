"""All scans of a series onto one grid: workers read and rebin, each into its own rows of a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flows.reduction import Reduction
from flows.xas.gridding import scratch
from flows.xas.series.choice import grid_range
from flows.xas.series.energy import align_scans, foil_of
from flows.xas.series.types import Gridded, Member, Members
from flows.xas.types import Floats, Opened, Sweeps
from tasks.algorithm import merge_records
from tasks.io.scan import ScanReference
from tasks.io.xas.elements import edge_energies
from tasks.xas.series_block import RowsOrder, fill_rows, grid_at

_AT_A_TIME = 100  # scans that a worker brings onto the grid


def bring_onto_grid(run: Reduction, members: Members) -> Gridded:
    """Bring the absorption of all scans, over their edge steps, onto the grid of the last."""
    kept, opened = members.kept, _opened(run, members.kept)
    alignment = align_scans(run, members.recipe, opened, kept)
    own = np.array([each.facts.offset for each in kept])
    shift = alignment.shift + alignment.offset - own
    low, high = grid_range(kept, shift)
    energy, density = grid_at(kept[-1].place)
    inside = (energy >= low) & (energy <= high)
    grid = energy[inside]
    files = _files(scratch(run), len(kept), grid)
    orders = _orders(kept, shift, files)
    records = list(run.work_through("Scans onto one grid", fill_rows, orders))
    run.record("bring onto one grid", merge_records([r for part in records for r in part]))
    mu, sigma = (np.load(files[name], mmap_mode="r") for name in ("mu", "sigma"))
    steps = np.array([each.facts.edge_step for each in kept])
    noise = np.array([each.facts.noise for each in kept]) / steps
    sweeps = Sweeps(grid, mu, noise, left_out={}, density=density[inside])
    return Gridded(opened, sweeps, sigma, alignment)


def _files(folder: Path, count: int, grid: Floats) -> dict[str, Path]:
    files = {name: folder / f"{name}.npy" for name in ("grid", "mu", "sigma")}
    np.save(files["grid"], grid)
    for name in ("mu", "sigma"):
        place: Any = np.lib.format.open_memmap(files[name], "w+", np.float64, (count, len(grid)))
        place.flush()
    return files


def _orders(members: Sequence[Member], shift: Floats, files: dict[str, Path]) -> list[RowsOrder]:
    parts = [
        (begin, members[begin : begin + _AT_A_TIME]) for begin in range(0, len(members), _AT_A_TIME)
    ]
    return [
        RowsOrder(
            first=begin,
            places=tuple(each.place for each in part),
            edge_steps=tuple(each.facts.edge_step for each in part),
            shifts=tuple(shift[begin : begin + len(part)].tolist()),
            grid=str(files["grid"]),
            mu=str(files["mu"]),
            sigma=str(files["sigma"]),
        )
        for begin, part in parts
    ]


def _opened(run: Reduction, members: Sequence[Member]) -> Opened:
    """Describe the series as a scan whose sweeps are the scans."""
    facts = members[-1].facts
    return Opened(
        spectra=ScanReference(str(members[-1].path), "", ""),
        sweeps=(),
        shape=(len(members), 0),
        mode=facts.mode,
        element=facts.element,
        edge=facts.edge,
        nominal_e0=edge_energies(facts.element)[facts.edge],
        foil=foil_of(members),
        title=run.claim.dataset_name,
        metadata={},
    )
