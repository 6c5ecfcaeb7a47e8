"""From I(Q) to S(Q), F(Q) and G(r), in each mode that the recipe names."""

import numpy as np

from flows.pdf.recipe import Mode, Recipe
from flows.pdf.types import Corrected, Curves, Doubts, Floats, Opened, Transformed
from tasks.pdf.compatible import compatible
from tasks.pdf.composition import Composition
from tasks.pdf.fourier import to_gr
from tasks.pdf.qmax import propose_qmax
from tasks.pdf.structure_function import StructureFunction

_QMIN = 0.7  # 1/Å: below that there is more of the beam stop and of air than of the sample


def to_curves(recipe: Recipe, opened: Opened, corrected: Corrected) -> Transformed:
    """Transform the merged pattern and every frame; without a composition there is nothing."""
    composition = opened.sample.composition
    if composition is None:
        why = "the composition of the sample is not known"
        told = (
            f"The reduction ends at I(Q): {why}. Tell it by `dayseye sample set NAME --set "
            "formula=...` and reduce again, or reduce again with composition."
        )
        return Transformed(ends_at=why, doubts={"composition": (told,)})
    curves: list[Curves] = []
    doubts: Doubts = {}
    qmax = recipe.qmax
    for mode in dict.fromkeys(recipe.modes):
        if mode == "absolute":
            continue
        found = _structure(recipe, composition, corrected)
        qmax = qmax or _proposed(recipe, found)
        curves.append(_curves(mode, recipe, found, qmax))
    return Transformed(tuple(curves), doubts=doubts)


def _structure(recipe: Recipe, composition: Composition, corrected: Corrected) -> StructureFunction:
    qmin, qmaxinst = _range(recipe, corrected)
    intensity, sigma = _rows(corrected)
    return compatible(
        corrected.q,
        intensity,
        sigma,
        composition,
        qmin=qmin,
        qmaxinst=qmaxinst,
        rpoly=recipe.rpoly,
    )


def _proposed(recipe: Recipe, found: StructureFunction) -> float:
    """Propose one Qmax for all frames: where noise overtakes what distances up to r_max make."""
    rows = slice(1, None) if len(found.f) > 1 else slice(None)
    return propose_qmax(found.q, found.f[rows], found.f_sigma[rows], rmax=recipe.r_max)


def _curves(mode: Mode, recipe: Recipe, found: StructureFunction, qmax: float) -> Curves:
    points = round((recipe.r_max - recipe.r_min) / recipe.r_step) + 1
    r: Floats = recipe.r_min + recipe.r_step * np.arange(points, dtype=np.float64)
    qmin = float(found.q[0])
    pairs = to_gr(found.q, found.f, found.f_sigma, r, qmin=qmin, qmax=qmax, window=recipe.window)
    g, g_sigma = np.asarray(pairs.g), np.asarray(pairs.g_sigma)
    frames = slice(1, None) if len(found.f) > 1 else slice(None)
    return Curves(
        mode=mode,
        q=found.q,
        s=found.s[0],
        s_sigma=found.s_sigma[0],
        f=found.f[0],
        f_sigma=found.f_sigma[0],
        r=r,
        g=g[0],
        g_sigma=g_sigma[0],
        each_f=found.f[frames],
        each_f_sigma=found.f_sigma[frames],
        each_g=g[frames],
        qmin=qmin,
        qmax=float(qmax),
        details=found.details,
    )


def _range(recipe: Recipe, corrected: Corrected) -> tuple[float, float]:
    """Return where the pattern that is used begins and ends."""
    begin, end = corrected.q_range
    qmin = max(begin, _QMIN) if recipe.qmin is None else recipe.qmin
    return qmin, end if recipe.qmaxinst is None else recipe.qmaxinst


def _rows(corrected: Corrected) -> tuple[Floats, Floats]:
    """Return the merged pattern above those of the frames, which one transform takes together."""
    if len(corrected.frames) == 1:
        return corrected.merged[None], corrected.merged_sigma[None]
    return (
        np.vstack([corrected.merged, corrected.intensity]),
        np.vstack([corrected.merged_sigma, corrected.sigma]),
    )
