"""I(Q) per incident beam, with the background taken off by a scale that is checked."""

from dataclasses import dataclass, field

import numpy as np

from flows.pdf.absorption import absorption_of
from flows.pdf.recipe import Recipe
from flows.pdf.types import Background, Corrected, Doubts, Floats, Opened, Patterns
from tasks.pdf.absorption import AbsorptionFactors
from tasks.pdf.background import expected_scale, refuse_negative, subtract_background
from tasks.pdf.background_scale import ScaleCheck, check_scale


def take_off(recipe: Recipe, opened: Opened, patterns: Patterns) -> Corrected:
    """Normalise every frame to the mean incident beam, and take off the background.

    Raises
    ------
    DataError
        What is left is significantly negative over a range of Q.
    """
    kept = patterns.kept
    rows, sigmas = _per_beam(patterns)
    absorbed, why_not = absorption_of(recipe, opened, patterns)
    measured, found = rows[0], patterns.background
    doubts, scale, taken, checked = _none_taken(recipe), None, None, None
    if found is not None:
        scale = _scale(recipe, patterns, found, absorbed)
        taken = scale.value * found.intensity
        checked = _check(patterns.q, measured, sigmas[0], found, scale)
        doubts = _doubts_of(scale, checked)
        left = subtract_background(
            patterns.q, rows, sigmas, found.intensity, found.sigma, scale.value[None]
        )
        rows, sigmas = left.intensity, left.sigma
    refuse_negative(
        patterns.q, rows[0], sigmas[0], 0.0 if taken is None else taken, qmin=recipe.qmin or 0.0
    )
    if recipe.frames == "sum":
        kept, rows, sigmas = kept[:1], rows[[0, 0]], sigmas[[0, 0]]
    return Corrected(
        q=patterns.q,
        frames=kept,
        intensity=rows[1:],
        sigma=sigmas[1:],
        merged=rows[0],
        merged_sigma=sigmas[0],
        measured=measured,
        background=taken,
        background_kind=found.kind if found else "",
        scaled_by=scale.comes_from if scale else "",
        scale=float(scale.value.mean()) if scale else None,
        scale_check=checked,
        absorption=absorbed,
        no_absorption=why_not,
        doubts=doubts,
    )


def _per_beam(patterns: Patterns) -> tuple[Floats, Floats]:
    """Return intensity and sigma at the mean incident beam: of all frames first, then of each."""
    kept = patterns.kept
    raw, noise = patterns.intensity[kept], patterns.sigma[kept]
    beam = _beam(patterns)
    light = np.where(np.isfinite(raw), beam[:, None], 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):  # bins that no frame has
        merged = np.nansum(raw, axis=0) / light
        merged_noise = np.sqrt(np.nansum(noise**2, axis=0)) / light
    return (
        np.vstack([merged, raw / beam[:, None]]),
        np.vstack([merged_noise, noise / beam[:, None]]),
    )


def _beam(patterns: Patterns) -> Floats:
    """Return the incident beam of each kept frame against their mean."""
    kept = patterns.kept
    if patterns.monitor is None:
        return np.ones(len(kept))
    monitor = patterns.monitor[kept]
    return monitor / monitor.mean()


@dataclass(frozen=True)
class _Scale:
    """The background's scale, (bins,), what it comes from, and doubts."""

    value: Floats
    comes_from: str
    doubts: Doubts = field(default_factory=Doubts)


def _scale(
    recipe: Recipe, patterns: Patterns, found: Background, absorbed: AbsorptionFactors | None
) -> _Scale:
    one = np.ones(len(patterns.q))
    if recipe.background_scale is not None:
        return _Scale(recipe.background_scale * one, "recipe")
    through, word = _through(patterns, found, absorbed)
    if patterns.monitor is not None and found.monitor is not None:
        beam = float(patterns.monitor[patterns.kept].mean())
        scale = expected_scale(monitor=beam, background_monitor=found.monitor)
        return _Scale(scale * through, f"monitor{word}")
    if patterns.exposure and found.exposure:
        scale = expected_scale(monitor=patterns.exposure, background_monitor=found.exposure)
        return _Scale(scale * through, f"exposure{word}")
    told = (
        f"Neither monitor nor exposure are known for both the sample and the {found.kind}: the "
        f"background is taken off with a scale of {through.mean():.3g}. If that is wrong, set "
        "background_scale."
    )
    return _Scale(through, f"no monitor{word}", {"background": (told,)})


def _check(
    q: Floats, measured: Floats, sigma: Floats, found: Background, scale: _Scale
) -> ScaleCheck | None:
    """Ask the background's sharp features, where they are those of the sample's container."""
    if found.kind != "container":
        return None
    mean = float(scale.value.mean())
    if not mean > 0:
        return None
    shape = scale.value / mean
    return check_scale(q, measured, sigma, shape * found.intensity, shape * found.sigma, mean)


def _doubts_of(scale: _Scale, checked: ScaleCheck | None) -> Doubts:
    """Say what speaks against the scale; one that hangs on nothing may be borne out."""
    if checked is not None and checked.wrong:
        return {"background": (f"{checked.reason} Check monitor and transmission.",)}
    if checked is not None and checked.able:
        return {}
    return scale.doubts


def _through(
    patterns: Patterns, found: Background, absorbed: AbsorptionFactors | None
) -> tuple[Floats, str]:
    """Return what the sample lets through of the background, (bins,), and what says so."""
    one = np.ones(len(patterns.q))
    if absorbed is not None and found.kind == "container":
        return absorbed.container_scale, " and absorption"
    if patterns.transmission is None:
        return one, ""
    through = expected_scale(
        transmission=patterns.transmission, background_transmission=found.transmission or 1.0
    )
    return through * one, " and transmission"


def _none_taken(recipe: Recipe) -> Doubts:
    if recipe.background == "none":
        return {}
    wanted = "empty beam or container" if recipe.background == "auto" else recipe.background
    told = (
        f"No background was taken off: there is no measurement of the {wanted}. What air and "
        "container scatter is in the result."
    )
    return {"background": (told,)}
