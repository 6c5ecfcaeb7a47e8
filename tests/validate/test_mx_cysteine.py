"""
Four real sweeps of L-cysteine through the flow: each alone, and all together.

Each has 15 images of 0.1 degree of a small cell: some forty spots, ten times fewer than a sweep
that anybody would reduce. Intensities are compared with those that DIALS scaled from the whole
sweeps, of which these are the first degrees.
"""

import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from flows.mx.found import Reduced, Result
from flows.mx.merging import merge_sweeps
from flows.mx.recipe import Cell, Recipe
from flows.mx.series.members import indexed_alike, numbered
from flows.mx.types import Known
from flows.mx.verdict import judgement
from flows.mx.without_platform import reduce_sweep
from infra.local_reduction import local_reduction
from tasks.io.dials import read_experiments
from tasks.io.dials_table import DialsFlag, read_reflections
from tasks.io.scan import ScanReference
from tasks.mx.crystal import cell_of
from tasks.mx.equivalents import equivalents
from tasks.mx.merge import Merged
from tasks.mx.symmetry import laue_rotations
from tests.validate.chain import real_data

REFERENCE = "mx/l_cysteine_reference/scaled_20_25"
SWEEPS = (1, 2, 3, 4)
ORTHORHOMBIC = "P 2 2 2"
GROUP, CELL = "P 21 21 21", Cell(a=5.5, b=8.2, c=12.2)
SHELLS = (np.inf, 1.2, 0.9, 0.0)
LEFT_OUT = (
    DialsFlag.EXCLUDED_FOR_SCALING
    | DialsFlag.USER_EXCLUDED_IN_SCALING
    | DialsFlag.OUTLIER_IN_SCALING
)


def known(say: bool) -> dict:
    return {"cell": CELL, "space_group": GROUP} if say else {}


@cache
def reduced(sweep: int, said: bool = False, **more) -> Result:
    """Return what the flow makes of a sweep, with or without its cell and space group."""
    folder = real_data("mx/l_cysteine")
    data = ScanReference(str(folder), f"l-cyst_0{sweep}_#####.cbf.gz", "cbf_series")
    recipe = Recipe(small_molecule=True, **known(said), **more)
    with (
        tempfile.TemporaryDirectory() as into,
        local_reduction(data, f"l-cyst_0{sweep}", Path(into) / "run", 2) as run,
    ):
        return reduce_sweep(run, recipe)


@cache
def together(said: bool) -> Reduced:
    """Return all four sweeps merged."""
    seen = [reduced(sweep, said).observed(f"l-cyst_0{sweep}") for sweep in SWEEPS]
    alike, _ = indexed_alike(tuple(each for each in seen if each is not None))
    recipe = Recipe(small_molecule=True, **known(said))
    return merge_sweeps(recipe, Known(space_group=GROUP if said else ""), numbered(alike))


@cache
def expected_cell() -> np.ndarray:
    """The mean of the cells along the first degrees of DIALS' sweeps; see test_mx_index.py."""
    found = read_experiments(real_data(f"{REFERENCE}.expt"))
    return np.mean([cell_of(np.linalg.inv(e.crystal.a_matrices[8])) for e in found], axis=0)


@cache
def theirs() -> tuple[np.ndarray, np.ndarray]:
    """Indices and intensities, merged of both of DIALS' sweeps."""
    table = read_reflections(real_data(f"{REFERENCE}.refl"))
    scale, variance = table["inverse_scale_factor"], table["intensity.scale.variance"]
    good = (table["flags"].astype(np.int64) & int(LEFT_OUT)) == 0
    good &= (scale > 0) & (variance > 0)
    scale, weight = scale[good], scale[good] ** 2 / variance[good]
    same = equivalents(table["miller_index"][good].astype(np.int32), ORTHORHOMBIC)
    total = np.bincount(same.of, weight)
    mean = np.bincount(same.of, weight * table["intensity.scale.value"][good] / scale) / total
    return same.hkl, mean


def common(merged: Merged) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Resolution, our and their intensity of what both have."""
    hkl, intensity = theirs()
    mine = len(merged.hkl)
    same = equivalents(np.concatenate([merged.hkl, hkl]), ORTHORHOMBIC).of
    _, ours, other = np.intersect1d(same[:mine], same[mine:], return_indices=True)
    return merged.d[ours], merged.intensity[ours], intensity[other]


def correlations(ours: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Of intensities, and of their logarithms where both are positive."""
    if len(ours) < 3:
        return np.nan, np.nan
    positive = (ours > 0) & (other > 0)
    logs = np.log(ours[positive]), np.log(other[positive])
    return float(np.corrcoef(ours, other)[0, 1]), float(np.corrcoef(*logs)[0, 1])


def agreement(name: str, merged: Merged) -> tuple[float, float]:
    """Print and return how intensities agree with the reference, overall and per shell."""
    d, ours, other = common(merged)
    assert len(d) >= 10
    overall = correlations(ours, other)
    print(f"\n{name}: {len(d)} of {len(merged.d)} reflections in common")
    print(f"  all          CC {overall[0]:.3f}, of log I {overall[1]:.3f}")
    for high, low in pairwise(SHELLS):
        inside = (d <= high) & (d > low)
        cc = correlations(ours[inside], other[inside])
        print(f"  {high:4.1f}-{low:.1f} A {inside.sum():4d} CC {cc[0]:.3f}, of log I {cc[1]:.3f}")
    return overall


def is_mmm(found: Reduced) -> bool:
    wanted = {each.tobytes() for each in laue_rotations(ORTHORHOMBIC)}
    return {each.tobytes() for each in laue_rotations(found.symmetry.space_group)} == wanted


@pytest.mark.parametrize("said", [False, True], ids=["nothing known", "cell and group known"])
@pytest.mark.parametrize("sweep", SWEEPS)
def test_each_sweep(sweep, said):
    result = reduced(sweep, said)
    assert result.reduced is not None, judgement(result).sentences
    found = result.reduced
    off = np.array(found.merged.cell)[:3] / expected_cell()[:3] - 1
    cc, _ = agreement(f"l-cyst_0{sweep}, {'known' if said else 'nothing known'}", found.merged)
    print(f"  cell off by {100 * np.abs(off).max():.2f} %; {judgement(result).verdict}")
    print("  " + "\n  ".join(judgement(result).sentences))
    assert np.abs(off).max() < 3e-3
    assert is_mmm(found)
    assert cc >= 0.95


@pytest.mark.parametrize("said", [False, True], ids=["nothing known", "cell and group known"])
def test_all_sweeps_together(said):
    found = together(said)
    off = np.array(found.merged.cell)[:3] / expected_cell()[:3] - 1
    cc, _ = agreement(f"all four, {'known' if said else 'nothing known'}", found.merged)
    print(f"  cell off by {100 * np.abs(off).max():.2f} %")
    print(f"  {found.symmetry.sentence}\n  {found.doubts}\n{found.table.text()}")
    assert np.abs(off).max() < 3e-3
    assert is_mmm(found)
    assert cc >= 0.95
