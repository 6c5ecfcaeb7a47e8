"""
How far the data reach: where CC1/2 falls to 0.3.

If intensities fall with resolution as Wilson's law says and errors do not, CC1/2 is a logistic
function of 1/d², that is ``(1 - tanh((1/d² - x) / w)) / 2``; the fit of this curve rather than the
first shell below a threshold makes the cut independent of chance and of rings of ice. The form is
AIMLESS's: Evans & Murshudov, Acta Cryst. D69, 1204 (2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.crystal import Crystal
from tasks.mx.equivalents import Bools
from tasks.mx.merge import Merged
from tasks.mx.merging_statistics import sigma_tau

LEVEL = 0.3
_PER_SHELL, _MOST_SHELLS, _FEWEST_SHELLS = 150, 40, 5
_MISFIT = 0.03
"""1 sigma that a shell may lie off the curve, besides chance: real data are no perfect logistic."""
_FALL, _FAR = (0.03, 0.8), 5.0
"""CC1/2 between which the fall lies, and how much less shells outside of it count: the waves of
proteins' intensities at low resolution are no matter of where the data end."""
_CONE_DEG = 30.0


@dataclass(frozen=True)
class Cut:
    """
    Where the data end.

    Attributes
    ----------
    d_min
        In Angstrom; where the measured data end if CC1/2 does not fall so far; NaN if it never
        exceeds the level.
    reached
        Whether the fall to the level lies within the data: else a nearer detector would have shown
        more.
    rule
        A sentence: what was done.
    d, cc_half
        Of the shells fitted, (shells,); middles.
    curve
        The fitted curve there, (shells,); NaN if none was fitted.
    """

    d_min: float
    reached: bool
    rule: str
    d: F
    cc_half: F
    curve: F


def resolution_cut(merged: Merged, *, level: float = LEVEL, ice: Bools | None = None) -> Cut:
    """
    Find where CC1/2 falls to a level.

    Parameters
    ----------
    merged
        All that was measured.
    level
        Of CC1/2.
    ice
        True for reflections on rings of ice, (n,): they are not looked at.
    """
    used = (merged.count > 1) & np.isfinite(merged.scatter)
    used &= ~ice if ice is not None else True
    end = float(merged.d.min())
    shells = int(min(_MOST_SHELLS, used.sum() // _PER_SHELL))
    if shells < _FEWEST_SHELLS:
        rule = f"only {int(used.sum())} reflections were measured more than once: not cut"
        return Cut(end, False, rule, np.zeros(0), np.zeros(0), np.zeros(0))
    x, cc, count = _shells(merged, used, shells)
    curve, where = _fit(x, cc, count, level)
    d = x**-0.5
    if not np.isfinite(where) or where <= x[0]:
        rule = f"CC1/2 is nowhere above {level:g}"
        return Cut(float("nan"), False, rule, d, cc, curve)
    found = max(float(where**-0.5), end)
    if where**-0.5 <= end:
        rule = f"CC1/2 is above {level:g} to the end of the data, {end:.2f} Å: not cut"
        return Cut(end, False, rule, d, cc, curve)
    rule = f"cut at {found:.2f} Å, where the tanh curve fitted to CC1/2 falls to {level:g}"
    return Cut(found, True, rule, d, cc, curve)


def cuts_along_axes(merged: Merged, crystal: Crystal, *, level: float = LEVEL) -> tuple[Cut, ...]:
    """Find the cuts of reflections within 30 degrees of a*, b* and c*: how anisotropic they are."""
    points = crystal.points(merged.hkl)
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    axes = crystal.a_matrix / np.linalg.norm(crystal.a_matrix, axis=0)
    near = np.abs(points @ axes) > np.cos(np.radians(_CONE_DEG))
    return tuple(
        resolution_cut(merged.take(near[:, axis]), level=level)
        for axis in range(3)
        if near[:, axis].any()
    )


def _shells(merged: Merged, used: Bools, shells: int) -> tuple[F, F, F]:
    """Return 1/d², CC1/2 and number of reflections of shells that hold equally many."""
    order = np.argsort(-merged.d[used])
    x, mean = merged.d[used][order] ** -2, merged.intensity[used][order]
    variance = merged.scatter[used][order] ** 2
    parts = [each for each in np.array_split(np.arange(len(x)), shells) if len(each) > 2]
    middle = np.array([x[each].mean() for each in parts])
    cc = np.array([sigma_tau(mean[each], variance[each])[0] for each in parts])
    return middle, cc, np.array([float(len(each)) for each in parts])


def _fit(x: F, cc: F, count: F, level: float) -> tuple[F, float]:
    """Return the curve at x and where it falls to the level; infinite if it does not."""
    import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]

    optimise: Any = scipy.optimize
    spread = np.hypot((1 - np.clip(cc, 0, 1) ** 2) / np.sqrt(count - 1), _MISFIT)

    def curve(parameters: F) -> F:
        top, middle, width = parameters
        return top / 2 * (1 - np.tanh((x - middle) / width))

    def off(parameters: F) -> F:
        return (curve(parameters) - cc) / spread

    span = float(x[-1] - x[0])
    start = [0.98, float(x[np.argmin(np.abs(cc - 0.5))]), 0.3 * span]
    bounds = ([0.5, -span, 0.02 * span], [1.0, 5 * x[-1], 5 * span])
    found = optimise.least_squares(off, start, bounds=bounds, loss="soft_l1")
    falling = (curve(found.x) > _FALL[0]) & (curve(found.x) < _FALL[1])
    if falling.sum() >= _FEWEST_SHELLS:
        spread = np.where(falling, spread, _FAR * spread)
        found = optimise.least_squares(off, found.x, bounds=bounds, loss="soft_l1")
    top, middle, width = (float(value) for value in found.x)
    if top <= level:
        return curve(found.x), float("nan")
    return curve(found.x), middle + width * float(np.arctanh(1 - 2 * level / top))
