"""What came out of a simulated sweep beside what is true of it, as small figures."""

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from infra.simulator.mx import structure
from infra.simulator.mx.cases import CASES, CRYSTALS
from infra.simulator.mx.plan import Rotation, SweepPlan
from infra.simulator.mx.truth import Truth
from tasks.errors import DataError
from tasks.mx.reflections import Flag, Observations
from tests.validate.mx_chain import Chain, Placement, placement, rows_in_truth

LEVEL = 0.3  # of CC1/2
PER_SHELL = 120
UNFIT = Flag.OVERLOADED | Flag.NO_BACKGROUND | Flag.NO_PROFILE | Flag.MISFIT
SPOILT = UNFIT | Flag.NEIGHBOUR | Flag.INCOMPLETE


@dataclass(frozen=True)
class Pulls:
    """(I - I_true) / sigma of whole reflections, with what they are binned by, (n,) each."""

    fitted: np.ndarray
    bias: np.ndarray  # by what a perfect measurement's sigma would be
    strength: np.ndarray  # I_true / sigma_true
    d: np.ndarray
    ice: np.ndarray  # on its rings
    matched: float  # of all integrated ones
    covered: float  # of all true ones


@dataclass(frozen=True)
class ScaledPulls:
    """The same of scaled observations, on one common scale, (n,) each."""

    off: np.ndarray
    strength: np.ndarray
    d: np.ndarray
    ice: np.ndarray


@dataclass(frozen=True)
class Outcome:
    """What became of a sweep; parts that it did not get to are None."""

    name: str
    kind: str
    refused: str = ""
    fraction: float = 0.0
    placement: Placement | None = None
    pulls: Pulls | None = None
    scaled: ScaledPulls | None = None
    laue: str = ""
    laue_undetermined: bool = False
    space_groups: tuple[str, ...] = ()
    d_min: float = np.nan
    cut: float = np.nan
    true_cut: float = np.nan
    merged: np.ndarray = field(default_factory=lambda: np.zeros(0))  # pulls of merged ones
    correlation: float = np.nan
    warnings: tuple[str, ...] = ()


def plan_of(
    name: str, case: str = "", seed: int = 1, images: int = 180, **changes: object
) -> SweepPlan:
    """Return the plan of a crystal by name, in a case by name; 90 degrees of it."""
    crystal = replace(CRYSTALS[name], orientation_seed=seed, **changes)
    plan = SweepPlan(crystal=crystal, rotation=Rotation(10.0, 0.5, images), seed=seed)
    return CASES[case](plan) if case else plan


@cache
def outcome(name: str, case: str = "", seed: int = 1, **changes: object) -> Outcome:
    """Take a sweep through the chain; nothing large is kept."""
    return outcome_of(plan_of(name, case, seed, **changes), f"{name} {case} {seed}".strip())


def outcome_of(plan: SweepPlan, name: str, d_min: float | None = None) -> Outcome:
    """Take a sweep through the chain; integrated to where its spots say, if not told otherwise."""
    chain = Chain(plan, d_min)
    seen = chain.seen
    found = Outcome(name, seen.kind)
    if seen.kind != "diffraction":
        return replace(found, refused=seen.sentences[0])
    try:
        found = replace(found, fraction=chain.indexed.fraction)
        placed = placement(chain.truth, chain.refined.crystal.a_matrix)
    except DataError as error:
        return replace(found, refused=str(error))
    return replace(
        found,
        placement=placed,
        pulls=pulls(chain, placed),
        scaled=scaled_pulls(chain, placed),
        laue=chain.laue.space_group,
        laue_undetermined=chain.laue.undetermined,
        space_groups=chain.screws.space_groups,
        d_min=chain.limit,
        cut=chain.cut.d_min if chain.cut.reached else np.nan,
        true_cut=true_cut(chain, placed),
        warnings=chain.scaled.warnings,
        **_merged(chain, placed),
    )


def pulls(chain: Chain, placed: Placement) -> Pulls:
    """Compare the integrated intensities with the truth, in counts."""
    true, found = chain.truth, chain.reflections
    rows, known = _rows(true, found.hkl, found.xyz[:, 2], placed)
    told = (true.counts * true.recorded)[rows]
    whole = known & ~true.lacking[rows] & ~true.overloaded[rows] & (true.recorded[rows] > 0.99)
    kept = whole & ~found.has(SPOILT)
    there = (true.d > chain.limit) & ~true.lacking & (true.recorded > 0.99) & (true.lattice == 0)
    return Pulls(
        fitted=((found.fitted - told) / found.fitted_sigma)[kept],
        bias=((found.fitted - told) / true.sigma[rows])[kept],
        strength=(told / true.sigma[rows])[kept],
        d=true.d[rows][kept],
        ice=found.has(Flag.ICE)[kept],
        matched=float(known.mean()),
        covered=float(np.isin(np.flatnonzero(there), rows[known]).mean()),
    )


def scaled_pulls(chain: Chain, placed: Placement) -> ScaledPulls:
    """Compare scaled observations with the structure's intensities; a scale and a B are free."""
    true, scaled = chain.truth, chain.scaled
    seen = scaled.observations
    rows, known = _rows(true, _back(chain, seen.hkl), seen.xyz[:, 2], placed)
    kept = known & scaled.kept & ((seen.flags & int(SPOILT)) == 0)
    kept &= ~true.lacking[rows] & ~true.overloaded[rows] & (true.recorded[rows] > 0.99)
    rows, intensity, sigma = rows[kept], scaled.intensity[kept], scaled.sigma[kept]
    told = true.squared[rows]
    level, fall, x = np.log(np.sum(intensity * told) / np.sum(told**2)), 0.0, true.d[rows] ** -2
    for _ in range(8):  # Gauss and Newton's steps
        expected = np.exp(level - fall * x) * told
        columns = np.column_stack([expected, -x * expected]) / sigma[:, None]
        step = np.linalg.lstsq(columns, (intensity - expected) / sigma, rcond=None)[0]
        level, fall = level + step[0], fall + step[1]
    return ScaledPulls(
        (intensity - np.exp(level - fall * x) * told) / sigma,
        (true.counts / true.sigma)[rows],
        true.d[rows],
        (seen.flags[kept] & int(Flag.ICE)) != 0,
    )


def true_cut(chain: Chain, placed: Placement) -> float:
    """
    Return where CC1/2 of perfectly measured, perfectly scaled data would fall to 0.3, in Å.

    Of the observations that were scaled, with their true intensities and the errors of perfect
    profiles; CC1/2 = S / (S + 2 E), with S the variance of the true intensities and E the mean
    variance of merged ones, as half of the observations have twice as much. NaN if it does not.
    """
    true, seen = chain.truth, chain.scaled.observations
    rows, known = _rows(true, _back(chain, seen.hkl), seen.xyz[:, 2], placed)
    used = known & chain.scaled.usable
    of, rows = chain.scaled.symmetry.of[used], rows[used]
    factor = true.lorentz * true.polarisation * true.efficiency * true.scale
    weight = (factor / true.sigma)[rows] ** 2
    total = np.bincount(of, weight)
    count = np.bincount(of)
    several = count > 1
    mean = np.bincount(of, weight * true.squared[rows]) / np.where(total > 0, total, 1)
    d = np.bincount(of, true.d[rows]) / np.maximum(count, 1)
    x, signal, variance = d[several] ** -2, mean[several], 1 / total[several]
    order = np.argsort(x)
    shells = np.array_split(order, max(5, len(order) // PER_SHELL))
    middle = np.array([x[shell].mean() for shell in shells])
    ratio = np.array([signal[shell].var() / (2 * variance[shell].mean()) for shell in shells])
    line = np.polynomial.Polynomial.fit(middle, np.log(ratio), 2)
    fine = np.linspace(middle[0], x.max(), 2000)
    below = np.flatnonzero(line(fine) < np.log(LEVEL / (1 - LEVEL)))
    return float(fine[below[0]] ** -0.5) if len(below) else np.nan


def _merged(chain: Chain, placed: Placement) -> dict[str, object]:
    """Compare merged intensities with those of the structure; one scale is free."""
    merged, crystal = chain.merged, chain.plan.crystal
    hkl = np.rint(_back(chain, merged.hkl) @ placed.change.T).astype(np.int32)
    true, _ = structure.intensities(crystal, hkl, chain.plan.beam.wavelength)
    weight = 1 / merged.sigma**2
    scale = np.sum(weight * merged.intensity * true) / np.sum(weight * true**2)
    off = (merged.intensity - scale * true) / merged.sigma
    return {"merged": off, "correlation": float(np.corrcoef(merged.intensity, true)[0, 1])}


def _back(chain: Chain, hkl: np.ndarray) -> np.ndarray:
    """Return indices in the axes that the crystal was indexed in."""
    return np.rint(hkl @ np.linalg.inv(chain.laue.change_of_basis).T).astype(int)


def _rows(true: Truth, hkl: np.ndarray, z: np.ndarray, placed: Placement):
    rows = rows_in_truth(true, np.rint(hkl @ placed.change.T).astype(int), z)
    return rows, rows >= 0


def of_observations(chain: Chain, placed: Placement, seen: Observations) -> np.ndarray:
    """Return corrected intensities over those of the truth, of strong ones, (n,)."""
    true = chain.truth
    rows, known = _rows(true, seen.hkl, seen.xyz[:, 2], placed)
    strong = known & (seen.intensity > 30 * seen.sigma) & ~true.lacking[rows]
    return seen.intensity[strong] / (true.squared * true.scale)[rows[strong]]
