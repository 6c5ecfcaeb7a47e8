"""Amplitudes of merged data, of both Friedel mates as well, as reflection files hold them."""

from __future__ import annotations

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.french_wilson import Amplitudes, french_wilson, posterior
from tasks.mx.merge import Merged


def amplitude_columns(merged: Merged) -> dict[str, F]:
    """
    Estimate amplitudes by French and Wilson's method, all with the prior of the mean intensities.

    Parameters
    ----------
    merged
        Merged intensities, n of them.

    Returns
    -------
    dict of numpy.ndarray
        F, SIGF, F(+), SIGF(+), F(-), SIGF(-), DANO and SIGDANO, (n,) each; NaN where there is none.

    Raises
    ------
    DataError
        There is no signal.
    """
    whole = french_wilson(
        merged.hkl, merged.intensity, merged.sigma, merged.cell, merged.space_group
    )
    plus = _one_mate(merged, merged.plus, merged.plus_sigma, whole)
    minus = _one_mate(merged, merged.minus, merged.minus_sigma, whole)
    both = ~merged.centric
    return {
        "F": whole.f,
        "SIGF": whole.f_sigma,
        "F(+)": plus[0],
        "SIGF(+)": plus[1],
        "F(-)": minus[0],
        "SIGF(-)": minus[1],
        "DANO": np.where(both, plus[0] - minus[0], np.nan),
        "SIGDANO": np.where(both, np.hypot(plus[1], minus[1]), np.nan),
    }


def _one_mate(merged: Merged, intensity: F, sigma: F, whole: Amplitudes) -> tuple[F, F]:
    amplitude, spread = np.full(len(merged), np.nan), np.full(len(merged), np.nan)
    seen = np.isfinite(intensity)
    if whole.expected is not None:
        found = posterior(
            intensity[seen], sigma[seen], whole.expected.mean[seen], merged.centric[seen]
        )
        amplitude[seen], spread[seen] = found.f, found.f_sigma
    return amplitude, spread
