"""I(Q) per incident beam, with the background taken off by a scale that is checked."""

import numpy as np

from flows.pdf.recipe import Recipe
from flows.pdf.types import Background, Corrected, Doubts, Floats, Patterns
from tasks.pdf.background import expected_scale, refuse_negative, subtract_background


def take_off(recipe: Recipe, patterns: Patterns) -> Corrected:
    """Normalise every frame to the mean incident beam, and take off the background.

    Raises
    ------
    DataError
        What is left is significantly negative over a range of Q.
    """
    kept = patterns.kept
    raw, noise = patterns.intensity[kept], patterns.sigma[kept]
    beam = _beam(patterns)
    light = np.where(np.isfinite(raw), beam[:, None], 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):  # bins that no frame has
        merged = np.nansum(raw, axis=0) / light
        merged_noise = np.sqrt(np.nansum(noise**2, axis=0)) / light
    rows = np.vstack([merged, raw / beam[:, None]])
    sigmas = np.vstack([merged_noise, noise / beam[:, None]])
    measured, found = rows[0], patterns.background
    doubts, scale, scaled_by, taken = _none_taken(recipe), None, "", None
    if found is not None:
        scale, scaled_by, doubts = _scale(recipe, patterns, found)
        taken = scale * found.intensity
        left = subtract_background(patterns.q, rows, sigmas, found.intensity, found.sigma, scale)
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
        scaled_by=scaled_by,
        scale=scale,
        doubts=doubts,
    )


def _beam(patterns: Patterns) -> Floats:
    """Return the incident beam of each kept frame against their mean."""
    kept = patterns.kept
    if patterns.monitor is None:
        return np.ones(len(kept))
    monitor = patterns.monitor[kept]
    return monitor / monitor.mean()


def _scale(recipe: Recipe, patterns: Patterns, found: Background) -> tuple[float, str, Doubts]:
    """Return the background's scale, what it comes from, and doubts."""
    if recipe.background_scale is not None:
        return recipe.background_scale, "recipe", {}
    transmission = patterns.transmission or 1.0
    through = {
        "transmission": transmission,
        "background_transmission": (found.transmission or 1.0) if transmission != 1.0 else 1.0,
    }
    word = " and transmission" if patterns.transmission else ""
    if patterns.monitor is not None and found.monitor is not None:
        beam = float(patterns.monitor[patterns.kept].mean())
        scale = expected_scale(monitor=beam, background_monitor=found.monitor, **through)
        return float(scale), f"monitor{word}", {}
    if patterns.exposure and found.exposure:
        scale = expected_scale(
            monitor=patterns.exposure, background_monitor=found.exposure, **through
        )
        return float(scale), f"exposure{word}", {}
    scale = float(expected_scale(**through))
    told = (
        f"Neither monitor nor exposure are known for both the sample and the {found.kind}: the "
        f"background is taken off with a scale of {scale:.3g}. If that is wrong, set "
        "background_scale."
    )
    return scale, f"nothing{word}", {"background": (told,)}


def _none_taken(recipe: Recipe) -> Doubts:
    if recipe.background == "none":
        return {}
    wanted = "empty beam or container" if recipe.background == "auto" else recipe.background
    told = (
        f"No background was taken off: there is no measurement of the {wanted}. What air and "
        "container scatter is in the result."
    )
    return {"background": (told,)}
