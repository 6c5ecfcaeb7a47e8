"""
Whether the background was taken off at its right scale.

Only sharp features tell: the pattern of a container repeats in that of the filled container, peak
by peak, on top of whatever the sample does. Short stretches are laid over the container's sharpest
features, each with a polynomial of its own for all that is smooth; what is left is compared with
the container's, under one scale for all stretches and the noise of both patterns (W. E. Deming,
*Statistical Adjustment of Data*, Wiley 1943). Where the sample has peaks of its own, points far
from the fit lose their weight (J. W. Tukey's biweight). The uncertainty is that of the noise, or
more where the stretches disagree, or where a richer polynomial changes the answer: then the sample
is as sharp there as the container, and the check says that it cannot tell.
"""

from dataclasses import dataclass

import numpy as np

from tasks.pdf.structure_function import chebyshev, known_bins
from tasks.pdf.tables import F

_STRETCH = 0.36  # 1/Å
_TERMS = (4, 6)  # of the polynomial under a stretch: used, and richer to see whether that matters
_SHIFT = 0.06  # 1/Å between the stretches that are tried
_CLEAR = 16.0  # how much a stretch must know of the scale, (scale / sigma)²
_FEWEST = 8  # bins in a stretch
_CUTOFF = 4.685  # of the biweight, in sigmas
_STEPS = 30
# Absorption shapes the peaks of a filled container a little otherwise than those of an empty one:
# in simulated capillaries estimates without noise were off by 0.1 to 0.3 %.
_MODEL = 0.005
_WRONG = 1.96  # sigmas: one right scale in twenty is called wrong
_PLAIN = 3.0  # sigmas that are asked for where the check knows little
_USEFUL = 0.0139  # relative sigma that finds a scale 5 % off in 95 of 100: 0.05 / (1.96 + 1.64)


@dataclass(frozen=True)
class ScaleCheck:
    """
    What sharp features say of the scale of a background.

    Attributes
    ----------
    stated
        The scale that was checked.
    estimate, sigma
        The scale found and its uncertainty; NaN where nothing tells.
    able
        Whether a scale that is 5 % wrong would be found in 95 of 100 cases.
    wrong
        Whether the stated scale differs from what was found: at 5 % false alarms where the check
        is able, by three sigmas elsewhere.
    reason
        A sentence for the user.
    """

    stated: float
    estimate: float
    sigma: float
    able: bool
    wrong: bool
    reason: str


def check_scale(
    q: F,
    intensity: F,
    sigma: F,
    background: F,
    background_sigma: F,
    stated: float,
    *,
    qmin: float = 0.0,
    qmax: float = np.inf,
) -> ScaleCheck:
    """
    Estimate the scale of the background from its sharp features and test the stated one.

    Parameters
    ----------
    q
        1/Å, shape (bins,).
    intensity, sigma
        Sample in container, shape (bins,); of a series, the mean of its frames.
    background, background_sigma
        Container, shape (bins,).
    stated
        From monitor and transmission.
    qmin, qmax
        Range to look at, 1/Å.
    """
    pair, noise = np.vstack([intensity, background]), np.vstack([sigma, background_sigma])
    axis, both, variance = known_bins(q, pair, noise)
    inside = (axis >= qmin) & (axis <= qmax)
    parts = _stretches(axis[inside], both[:, inside], variance[:, inside], stated)
    estimate, spread = _robust(parts, stated) if parts else (np.nan, np.inf)
    if not (np.isfinite(estimate) and spread < abs(stated)):
        return ScaleCheck(stated, np.nan, np.nan, False, False, _BLIND)
    able = spread <= _USEFUL * abs(stated)
    off = abs(estimate - stated) > (_WRONG if able else _PLAIN) * spread
    found = f"the container's sharp features say {estimate:.4f} ± {spread:.4f}"
    if off:
        reason = f"The stated scale of the background, {stated:.4f}, is wrong: {found}."
    else:
        reason = f"The scale of the background, {stated:.4f}, is borne out: {found}."
    if not able:
        reason += " That is too uncertain to find an error of 5 %."
    return ScaleCheck(stated, float(estimate), float(spread), bool(able), bool(off), reason)


_BLIND = (
    "The container's pattern has no sharp features strong enough to tell its scale: it is as good "
    "as the monitor and the transmission."
)


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Bins with a basis (bins, terms) for all that is smooth."""

    smooth: F
    sample: F
    container: F
    sample_variance: F
    container_variance: F


def _stretches(q: F, both: F, variance: F, stated: float) -> list[_Stretch]:
    """Cover what is sharp in the container, sharpest first, without overlap."""
    tried: list[tuple[float, float, _Stretch]] = []
    for low in np.arange(q[0], q[-1] - _STRETCH, _SHIFT) if len(q) else ():
        cut = slice(*np.searchsorted(q, [low, low + _STRETCH]))
        if len(q[cut]) < _FEWEST or not np.all(variance[:, cut] > 0):
            continue
        smooth = chebyshev(q[cut], _TERMS[1])
        part = _Stretch(smooth, *both[:, cut], *variance[:, cut])
        tried.append((_score(part, stated, np.ones(len(smooth)), _TERMS[0])[1], float(low), part))
    chosen: list[tuple[float, _Stretch]] = []
    for known, low, part in sorted(tried, key=lambda each: -each[0]):
        if known * stated**2 > _CLEAR and all(abs(low - at) >= _STRETCH for at, _ in chosen):
            chosen.append((low, part))
    return [part for _, part in chosen]


def _robust(parts: list[_Stretch], stated: float) -> tuple[float, float]:
    """Widen the uncertainty by what a richer polynomial changes, and by what no fit can know."""
    (scale, spread), (other, wider) = (_fit(parts, stated, terms) for terms in _TERMS)
    beyond = (other - scale) ** 2
    by_noise = max(wider**2 - spread**2, 0.0)
    changed = beyond if beyond > 4 * by_noise else 0.0
    return scale, float(np.sqrt(spread**2 + changed + (_MODEL * scale) ** 2))


def _fit(parts: list[_Stretch], stated: float, terms: int) -> tuple[float, float]:
    """Solve for the one scale by reweighting; return it with its sigma."""
    scale, weights = stated, [np.ones(len(part.sample)) for part in parts]
    scores, information = np.zeros(len(parts)), 0.0
    for _ in range(_STEPS):
        pairs = zip(parts, weights, strict=True)
        results = [_score(part, scale, weight, terms) for part, weight in pairs]
        scores = np.array([each[0] for each in results])
        information, weights = float(sum(each[1] for each in results)), [r[2] for r in results]
        if not information > 0:
            return np.nan, np.inf
        step = float(scores.sum()) / information
        scale += step
        if abs(step) < 1e-3 * information**-0.5:
            break
    return scale, _spread(scores, information)


def _spread(scores: F, information: float) -> float:
    """Sigma by the noise, and more where the stretches differ by more than that."""
    few, by_noise = len(scores), information**-0.5
    if few < 2:
        return by_noise
    birge = float(np.sqrt(np.sum(scores**2) / information * few / (few - 1)))
    return by_noise * max(1.0, birge)


def _score(part: _Stretch, scale: float, weight: F, terms: int) -> tuple[float, float, F]:
    """Slope of the likelihood in the scale, its curvature, and the next weights."""
    variance = part.sample_variance + scale**2 * part.container_variance
    w = weight / variance
    basis = part.smooth[:, :terms]
    normal = basis.T * w
    smooth = np.linalg.pinv(normal @ basis) @ normal
    left = part.sample - scale * part.container
    left = left - basis @ (smooth @ left)
    known = part.container - basis @ (smooth @ part.container)
    # noise of the container is in both and would pull the scale to zero
    shared = (1 - terms / len(left)) * np.sum(w * part.container_variance)
    gain = np.sum(w * known**2) - shared
    pull = left / np.sqrt(variance)
    size = max(1.0, 1.4826 * float(np.median(np.abs(pull))))
    robust = np.maximum(1 - (pull / (_CUTOFF * size)) ** 2, 0) ** 2 / size**2
    return float(np.sum(w * known * left) + scale * shared), float(gain), robust
