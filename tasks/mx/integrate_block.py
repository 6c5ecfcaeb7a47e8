"""The intensities of one block of images, by summation and by profile fitting."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import numpy as np
from numpy.typing import NDArray

from tasks.io.diffraction import F, Geometry
from tasks.mx import ice
from tasks.mx.background import Background, fit_background
from tasks.mx.corrections import correction
from tasks.mx.crystal import Crystal
from tasks.mx.profile import ProfileModel
from tasks.mx.reflections import Flag, Reflections
from tasks.mx.shoebox import Shoeboxes, extract
from tasks.mx.undisturbed import misfits

FEWEST_BACKGROUND = 20
LEAST_COVERED = 0.5
"""Share of a profile that must be seen for an intensity to be fitted."""
NOTICED = 0.01
"""Share of a profile from which on its loss is told."""


def integrate_block(
    images: Iterable[NDArray[np.int32]],
    first: int,
    geometry: Geometry,
    crystal: Crystal,
    model: ProfileModel,
    mask: NDArray[np.bool_],
    saturation: float | None,
    *,
    block: tuple[int, int],
    sweep: int = 0,
    d_max: float = inf,
) -> Reflections:
    """
    Integrate the reflections whose centres lie in a block.

    Parameters
    ----------
    images
        Consecutive ones, each (rows, columns): those of the block and as many before and after
        it as `margin` says, where the sweep has them. They may come one by one: memory holds one
        of them, and 5 bytes for each pixel of the block's shoeboxes (about 10 kB a reflection).
    first
        Image coordinate of the first.
    model
        From `join_profiles`.
    mask
        True where a pixel is left out, (rows, columns).
    saturation
        Counts above which a pixel is overloaded.
    block
        Image coordinates of its begin and end: every reflection belongs to one block.
    sweep
        Number of the sweep, for the column of that name.
    d_max
        Resolution in Angstrom beyond which the beam stop takes reflections, as `shadow_limit`
        tells; those whose peaks reach there are left out.

    Returns
    -------
    Reflections
        Both intensities are what was recorded, as if no pixel lacked; what the sweep's ends cut
        off is in the partiality.
    """
    boxes = extract(
        images, first, geometry, crystal, model.mosaicity, mask, saturation, model.d_min, block
    )
    radius, gain = model.mosaicity.beam_reach_deg, geometry.detector.gain
    boxes = boxes.take(np.nonzero(_lit(boxes, d_max, radius, geometry.beam.wavelength))[0])
    background = fit_background(boxes, radius, gain)
    figures = _fit(boxes, background, geometry, model)
    return _columns(boxes, background, figures, geometry, sweep)


def _lit(boxes: Shoeboxes, d_max: float, radius_deg: float, wavelength: float) -> NDArray[np.bool_]:
    """Tell whose peaks lie outside of the beam stop's shadow, (n,)."""
    if d_max == inf:
        return np.ones(len(boxes), np.bool_)
    return 1 / boxes.predicted.d > 1 / d_max + np.radians(radius_deg) / wavelength


def _fit(boxes: Shoeboxes, background: Background, geometry: Geometry, model: ProfileModel) -> F:
    from tasks.mx.profile_kernels import fit_all

    return fit_all(
        *boxes.arrays,
        boxes.jacobian,
        boxes.per_image,
        background.beta,
        background.covariance,
        background.number,
        geometry.detector.gain,
        model.mosaicity.beam_reach_deg,
        model.mosaicity.range_deg,
        model.tables,
        model.smooth,
        model.which(boxes.predicted.xyz, geometry.detector.shape),
        geometry.rotation.images,
    )


def _columns(
    boxes: Shoeboxes, background: Background, figures: F, geometry: Geometry, sweep: int
) -> Reflections:
    from tasks.mx import profile_kernels as k

    predicted, gain = boxes.predicted, geometry.detector.gain
    flags = _flags(predicted.d, background, figures)
    fitted = (flags & Flag.NO_PROFILE) == 0
    return Reflections(
        hkl=predicted.hkl,
        xyz=predicted.xyz,
        s1=predicted.s1,
        d=predicted.d,
        summed=gain * figures[:, k.SUM],
        summed_sigma=gain * np.sqrt(figures[:, k.SUM_VARIANCE]),
        fitted=np.where(fitted, gain * figures[:, k.FIT], np.nan),
        fitted_sigma=np.where(fitted, gain * np.sqrt(figures[:, k.FIT_VARIANCE]), np.nan),
        background=gain * background.level,
        correction=correction(geometry, predicted.s1),
        partiality=figures[:, k.RECORDED],
        correlation=np.where(fitted, figures[:, k.CORRELATION], np.nan),
        observed=figures[:, [k.X, k.Y, k.Z]],
        flags=flags,
        sweep=np.full(len(predicted), sweep, np.int32),
    )


def _flags(d: F, background: Background, figures: F) -> NDArray[np.int32]:
    from tasks.mx import profile_kernels as k

    recorded = figures[:, k.RECORDED]
    strength = figures[:, k.FIT] / np.sqrt(figures[:, k.FIT_VARIANCE])
    poor = background.pixels < FEWEST_BACKGROUND
    told = {
        Flag.OVERLOADED: figures[:, k.OVERLOADS] > 0,
        Flag.INCOMPLETE: figures[:, k.MISSING] > NOTICED * recorded,
        Flag.PARTIAL: recorded < 1 - NOTICED,
        Flag.ICE: ice.on_ring(d),
        Flag.NEIGHBOUR: figures[:, k.CONTESTED_PART] > NOTICED * recorded,
        Flag.MISFIT: misfits(strength, figures[:, k.MISFIT]),
        Flag.NO_BACKGROUND: poor,
        Flag.NO_PROFILE: poor | ~(figures[:, k.VALID] >= LEAST_COVERED * recorded),
    }
    flags = np.zeros(len(d), np.int32)
    for flag, which in told.items():
        flags[which] |= int(flag)
    return flags
