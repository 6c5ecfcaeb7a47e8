"""From I(Q) to S(Q), F(Q) and G(r), in each mode that the recipe names."""

from collections.abc import Sequence

import numpy as np

from flows.pdf.multiple_scattering import twice_scattered
from flows.pdf.recipe import Mode, Recipe
from flows.pdf.types import Corrected, Curves, Floats, Opened, Transformed
from tasks.errors import DataError
from tasks.pdf.absolute import absolute
from tasks.pdf.compatible import compatible
from tasks.pdf.composition import Composition
from tasks.pdf.fourier import to_gr
from tasks.pdf.qmax import propose_qmax
from tasks.pdf.structure_function import StructureFunction

_APART = 0.1  # of the absolute scale
_FAINT = 8.0  # standard deviations of the largest value of G(r)
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
    notes: list[str] = []
    qmax = recipe.qmax
    twice, missing = twice_scattered(recipe, opened, corrected)
    for mode in dict.fromkeys(recipe.modes):
        found = _structure(mode, recipe, opened, composition, corrected, twice)
        if isinstance(found, str):
            notes.append(found)
            continue
        qmax = qmax or _proposed(recipe, found)
        curves.append(_curves(mode, recipe, found, qmax))
    if not curves:
        return Transformed(ends_at=notes[0].rstrip("."), doubts={"composition": tuple(notes)})
    doubts = {"transform": (*missing, *_doubts(curves))}
    return Transformed(tuple(curves), notes=tuple(notes), doubts=doubts)


def _structure(
    mode: Mode,
    recipe: Recipe,
    opened: Opened,
    composition: Composition,
    corrected: Corrected,
    twice: Floats | float,
) -> StructureFunction | str:
    """Return S(Q) of the merged pattern and of each frame, or why there is none in this mode."""
    qmin, qmaxinst = _range(recipe, corrected)
    intensity, sigma = _rows(corrected)
    if mode == "compatible":
        return compatible(
            corrected.q,
            intensity,
            sigma,
            composition,
            qmin=qmin,
            qmaxinst=qmaxinst,
            rpoly=recipe.rpoly,
        )
    density, wavelength = opened.sample.density, opened.wavelength
    if density is None or wavelength is None:
        return "The absolute mode needs the density of the sample and the wavelength."
    absorbed = corrected.absorption
    try:
        return absolute(
            corrected.q,
            intensity,
            sigma,
            composition,
            wavelength=wavelength,
            density=density,
            qmin=qmin,
            qmax=qmaxinst,
            transmitted=1.0 if absorbed is None else absorbed.s_sc,
            twice=twice,
            residual=recipe.residual,
        )
    except DataError as error:  # the compatible mode may stand all the same
        return f"There is no absolute mode: {error}"


def _proposed(recipe: Recipe, found: StructureFunction) -> float:
    """Propose one Qmax for all frames: where noise overtakes what distances up to r_max make."""
    rows = slice(1, None) if len(found.f) > 1 else slice(None)
    return propose_qmax(found.q, found.f[rows], found.f_sigma[rows], rmax=recipe.r_max)


def _curves(mode: Mode, recipe: Recipe, found: StructureFunction, qmax: float) -> Curves:
    points = round((recipe.r_max - recipe.r_min) / recipe.r_step) + 1
    r: Floats = recipe.r_min + recipe.r_step * np.arange(points, dtype=np.float64)
    qmin = float(found.q[0])
    pairs = to_gr(
        found.q,
        found.f,
        found.f_sigma,
        r,
        qmin=qmin,
        qmax=qmax,
        window=recipe.window,
        low_q="linear" if mode == "absolute" else "none",
    )
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
        each_g_sigma=g_sigma[frames],
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


def _doubts(curves: Sequence[Curves]) -> tuple[str, ...]:
    """Say where the absolute scale contradicts itself, and where there is hardly any signal."""
    doubts: list[str] = []
    first = curves[0]
    largest, noise = float(np.abs(first.g).max()), float(np.median(first.g_sigma))
    if largest < _FAINT * noise:
        doubts.append(
            f"G(r) is hardly above its noise: the largest value is {largest / noise:.1f} standard "
            "deviations. Was the sample in the beam, and the beam on?"
        )
    found = next((each for each in curves if each.mode == "absolute"), None)
    level = 1.0 if found is None else float(np.mean(found.s[found.q > 0.8 * found.q[-1]]))
    if abs(level - 1) > _APART:
        doubts.append(
            f"The absolute S(Q) ends at {level:.2f} instead of 1: what detector, absorption or "
            "background do at high Q is not what is corrected for. End it earlier (qmaxinst), or "
            "allow for it (residual)."
        )
    apart = 0.0 if found is None else float(np.asarray(found.details["alpha_disagreement"])[0])
    if apart > _APART:
        doubts.append(
            f"Three ways to the absolute scale differ by {apart:.0%}: composition, density, "
            "background or absorption are not what they are said to be, or the pattern ends early."
        )
    return tuple(doubts)
