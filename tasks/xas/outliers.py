"""
Sweeps of a series that must not be used, and why.

A sweep is judged by the beam, by its edge step, and by its distance from what the series says a
spectrum may be. For the last, medians of a few sweeps in a row, which a bad one cannot move, are
decomposed into components; as many are kept as stand out of the noise (M. Gavish, D. L. Donoho,
IEEE Trans. Inf. Theory 60, 5040 (2014), doi:10.1109/TIT.2014.2323359). A change of phase, of
thickness or of the energy scale lies within those components, a bubble or a loss of beam does not.
All limits are relative to the sweeps around, so that slow changes are none of theirs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, namespace
from tasks.io.spectra import F

B = NDArray[np.bool_]

_AROUND = 31  # sweeps that a sweep is compared with
_IN_A_ROW = 16  # sweeps of a median, less in a short series
_FEWEST = 5  # sweeps: fewer cannot outvote a bad one
_MISSING = 0.05  # of the points
_NO_BEAM = 0.3  # of the intensity around
_DIP = 0.1  # of the intensity
_STEP = 0.05  # of the edge step: a smaller deviation is left alone
_EXCESS = 1.5  # times the usual distance: a smaller one is left alone
_CLIP = 8.0  # sigma: no single point counts more, so that a glitch makes no bad sweep
_WIDTH = 15  # points over which deviations add up
_ALIKE = 0.7  # correlation from which two sweeps in a row deviate in the same way
_MEDIAN = 0.6744897501960817  # median of |x| for white noise of 1

_SENTENCES = {
    "missing": "{missing:.0%} of its points have no value",
    "no_beam": "the incident beam was at {level:.0%} of that of the sweeps around",
    "i0_dip": "the incident beam changed by {dip:.0%} during the sweep",
    "edge_step": "its edge step is {step:.3f} where the sweeps around have {usual:.3f}",
    "distance": "it deviates from the spectra around by {distance:.1f} times the usual",
}


@dataclass(frozen=True)
class BadSweep:
    """
    A sweep that must not be used.

    Attributes
    ----------
    sweep
        Its number.
    codes
        ``missing``, ``no_beam``, ``i0_dip``, ``edge_step`` and ``distance``, those that apply.
    sentence
        The same for the user.
    """

    sweep: int
    codes: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Outliers:
    """
    Which sweeps of a series are good.

    Attributes
    ----------
    good
        (sweeps,).
    bad
        The others, with reasons.
    edge_step
        A robust estimate, (sweeps,), for comparison only.
    distance
        From the spectra around, in units of the usual distance, (sweeps,).
    """

    good: B
    bad: tuple[BadSweep, ...]
    edge_step: F
    distance: F


def find_outliers(
    energy: F, mu: F, e0: float, i0: F | None = None, threshold: float = 8.0
) -> Outliers:
    """
    Find the sweeps of a series that must not be used.

    Parameters
    ----------
    energy
        eV, (points,), increasing.
    mu
        In order of time, aligned as well as may be, (sweeps, points).
    e0
        Edge energy, eV.
    i0
        Incident intensity on the same grid, (sweeps, points), if known.
    threshold
        In robust standard deviations of the sweeps around.

    Returns
    -------
    Outliers
        With fewer than five sweeps, only points without value count.
    """
    facts: dict[str, F] = {"missing": 1 - np.isfinite(mu).mean(axis=1)}
    flags = {"missing": facts["missing"] > _MISSING}
    facts["step"] = _edge_step(energy, mu, e0)
    facts["distance"] = np.ones(len(mu))
    if len(mu) >= _FEWEST:
        if i0 is not None:
            facts["level"], facts["dip"] = _beam(i0)
            flags["no_beam"] = ~(facts["level"] > _NO_BEAM)
            flags["i0_dip"] = (facts["dip"] > _DIP) & ~flags["no_beam"]
        facts["usual"], flags["edge_step"] = _judge_step(facts["step"], threshold)
        usable = ~np.any(list(flags.values()), axis=0)
        facts["distance"], flags["distance"] = _judge_distance(energy, mu, usable, threshold)
    good = ~np.any(list(flags.values()), axis=0)
    bad = tuple(_explain(int(sweep), flags, facts) for sweep in np.flatnonzero(~good))
    return Outliers(good, bad, facts["step"], facts["distance"])


@algorithm("xas.sweep_distance", version="1", rtol=1e-8)
def sweep_distance(mu: Array, basis: Array, sigma: Array) -> Array:
    """
    Measure how far spectra lie outside of what some components span.

    Parameters
    ----------
    mu
        (sweeps, points).
    basis
        Orthonormal components, (components, points).
    sigma
        Usual deviation of each point, (points,).

    Returns
    -------
    Array
        (2, sweeps): root mean square deviation, in sigma, and the largest sum of deviations of 15
        points in a row, scaled to 1 sigma for white noise; no point counts more than 8 sigma.
    """
    xp = namespace(mu, basis)
    off = xp.clip(_outside(mu, basis) / sigma, min=-_CLIP, max=_CLIP)
    none = xp.zeros((off.shape[0], 1), dtype=off.dtype)
    summed = xp.concat([none, xp.cumulative_sum(off, axis=1)], axis=1)
    width = min(_WIDTH, off.shape[1])
    local = xp.abs(summed[:, width:] - summed[:, :-width]) / width**0.5
    return xp.stack([xp.sqrt(xp.mean(off**2, axis=1)), xp.max(local, axis=1)])


@sweep_distance.case
def noise_and_a_bump() -> Inputs:
    """Make noise of which one spectrum has a bump and another a spike."""
    rng = np.random.default_rng(10)
    mu = rng.normal(size=(8, 90))
    mu[3, 40:60] += 5
    mu[5, 20] += 100
    basis = np.linalg.qr(rng.normal(size=(90, 3)))[0].T
    return (mu, np.ascontiguousarray(basis), np.full(90, 1.1)), {}


def _outside(mu: Array, basis: Array) -> Array:
    """Take away what the components span."""
    return mu - (mu @ namespace(basis).matrix_transpose(basis)) @ basis


def _edge_step(energy: F, mu: F, e0: float) -> F:
    before = energy < min(e0 - 15, max(e0 - 40, energy[len(energy) // 20]))
    after = (energy > e0 + 20) & (energy < e0 + 220)
    with np.errstate(all="ignore"):
        low = np.median(mu[:, before], axis=1) if before.any() else np.zeros(len(mu))
        high = np.median(mu[:, after], axis=1) if after.any() else mu[:, -1]
    return high - low


def _beam(i0: F) -> tuple[F, F]:
    """Level of the beam relative to the sweeps around, and its largest change within a sweep."""
    clean = np.where(np.isfinite(i0), i0, 0.0)
    level = np.median(clean, axis=1)
    relative = level / np.maximum(running_median(level), 1e-300)
    lit = relative > _NO_BEAM
    shape = clean[lit] / level[lit, None]
    usual = np.median(shape[:: max(1, len(shape) // 500)], axis=0)
    ratio = clean / np.maximum(np.abs(level), 1e-300)[:, None] / np.maximum(usual, 1e-300)
    width = max(1, min(6, i0.shape[1] // 20))
    runs = ratio[:, : i0.shape[1] // width * width].reshape(len(i0), -1, width).mean(axis=2)
    return relative, np.abs(runs / np.median(runs, axis=1, keepdims=True) - 1).max(axis=1)


def _judge_step(step: F, threshold: float) -> tuple[F, B]:
    usual = running_median(step)
    off = np.abs(step - usual)
    limit = np.maximum(threshold * _spread(off), _STEP * np.abs(usual))
    return usual, ~(off <= limit)


def _judge_distance(energy: F, mu: F, usable: B, threshold: float) -> tuple[F, B]:
    """Distances in units of the usual one, and which are too large."""
    if usable.sum() < _FEWEST:
        return np.ones(len(mu)), np.zeros(len(mu), np.bool_)
    filled = _filled(mu, usable)
    basis = _components(energy, filled[usable])
    some = filled[usable][:: max(1, int(usable.sum()) // 500)]
    off = np.abs(_outside(some, basis))
    sigma = np.median(off, axis=0) / _MEDIAN
    sigma = np.maximum(sigma, 0.3 * np.median(sigma) + 1e-12)
    found = sweep_distance(filled, basis, sigma)
    relative = np.ones((2, len(mu)))
    far = np.zeros((2, len(mu)), np.bool_)
    for n, distance in enumerate(found):
        usual = running_median(np.where(usable, distance, np.nan))
        relative[n] = distance / usual
        excess = distance - usual
        far[n] = (excess > threshold * _spread(np.abs(excess[usable]))) & (relative[n] > _EXCESS)
    bad = far[0] | far[1]
    for sweep in np.flatnonzero(bad):
        bad[sweep] = not _shared(filled, int(sweep), basis, sigma)
    return relative.max(axis=0), bad


def _components(energy: F, mu: F) -> F:
    """Orthonormal components of the series and of a straight background, (components, points)."""
    size = max(3, min(_IN_A_ROW, len(mu) // 8))
    count = len(mu) // size
    groups = np.array_split(np.arange(len(mu)), max(count, 1))
    medians = np.stack([np.median(mu[group], axis=0) for group in groups])
    line = np.stack([np.ones_like(energy), np.linspace(-1, 1, len(energy))])
    if len(medians) < 4:
        vectors = np.median(mu, axis=0)[None]
    else:
        _, strength, vectors = np.linalg.svd(medians, full_matrices=False)
        vectors = vectors[: _rank(strength, medians.shape)]
    basis: F = np.asarray(np.linalg.qr(np.concatenate([line, vectors]).T)[0].T, np.float64)
    return np.ascontiguousarray(basis)


def _rank(strength: F, shape: tuple[int, ...]) -> int:
    """Count the components that stand out of the noise, at most a third of them."""
    ratio = min(shape) / max(shape)
    limit = (0.56 * ratio**3 - 0.95 * ratio**2 + 1.82 * ratio + 1.43) * np.median(strength)
    return int(max(1, min(np.sum(strength > limit), len(strength) // 3)))


def _shared(mu: F, sweep: int, basis: F, sigma: F) -> bool:
    """Whether a sweep deviates as one of its neighbours in time does: that is the sample."""
    around = [n for n in (sweep - 1, sweep + 1) if 0 <= n < len(mu)]
    off = np.clip(_outside(mu[[sweep, *around]], basis) / sigma, -_CLIP, _CLIP)
    unit = off / np.maximum(np.linalg.norm(off, axis=1, keepdims=True), 1e-300)
    return bool(np.max(unit[1:] @ unit[0]) > _ALIKE)


def _filled(mu: F, usable: B) -> F:
    """Put the median of usable sweeps where a sweep has no value."""
    bad = ~np.isfinite(mu)
    if not bad.any():
        return mu
    some = mu[usable][:: max(1, int(usable.sum()) // 500)]
    with np.errstate(all="ignore"):
        usual = np.nanmedian(some, axis=0)
    return np.where(bad, np.where(np.isfinite(usual), usual, 0.0), mu)


def running_median(values: F, width: int = _AROUND) -> F:
    """
    Median over the sweeps around each; at the ends they are continued along their trend.

    Parameters
    ----------
    values
        (sweeps,); NaN is left out.
    width
        Sweeps, odd.
    """
    half = min(width // 2, len(values) - 1)
    mirrored = np.pad(values, half, mode="reflect")
    padded = mirrored + _trend(values, half)
    windows: Any = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    ordered = np.sort(windows, axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(values))
    middle = (ordered[rows, np.maximum(count - 1, 0) // 2] + ordered[rows, count // 2]) / 2
    return np.asarray(middle, np.float64)


def _trend(values: F, half: int) -> F:
    """Return what mirrored values lack where they were to follow the trend at either end."""
    beyond = np.arange(half, 0, -1)
    inner = np.zeros(len(values))
    first, last = _slope(values[: half + 1]), _slope(values[-half - 1 :])
    parts = [-2 * first * beyond, inner, 2 * last * beyond[::-1]]
    return np.asarray(np.concatenate(parts), np.float64)


def _slope(values: F) -> float:
    """Slope that no single value moves: the median of those between all pairs (Theil and Sen)."""
    early, late = np.triu_indices(len(values), 1)
    slopes = (values[late] - values[early]) / (late - early)
    known = slopes[np.isfinite(slopes)]
    return float(np.median(known)) if len(known) else 0.0


def _spread(off: F) -> float:
    """Robust standard deviation from absolute deviations."""
    off = off[np.isfinite(off)]
    return float(np.median(off)) / _MEDIAN if len(off) else 0.0


def _explain(sweep: int, flags: dict[str, B], facts: dict[str, F]) -> BadSweep:
    codes = tuple(code for code, flag in flags.items() if flag[sweep])
    numbers = {name: float(values[sweep]) for name, values in facts.items()}
    reasons = ", and ".join(_SENTENCES[code].format(**numbers) for code in codes)
    return BadSweep(sweep, codes, f"Sweep {sweep} is left out: {reasons}.")
