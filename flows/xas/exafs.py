"""EXAFS of the merged spectrum, or why there is none."""

import numpy as np

from flows.xas.recipe import Recipe
from flows.xas.types import Exafs, Spectrum
from tasks.xas.background import autobk, exafs_range
from tasks.xas.fourier import transform

_LEAST_RANGE = 2.0  # 1/Å: less resolves no shells
_PEAK_FROM = 1.2  # Å: below that, what is left of the background can be highest


def extract(recipe: Recipe, spectrum: Spectrum) -> tuple[Exafs | None, str]:
    """Extract chi(k) and chi(R).

    Parameters
    ----------
    recipe : Recipe
        Its k ranges and weights.
    spectrum : Spectrum
        The merged spectrum.

    Returns
    -------
    Exafs or None
        None where the scan does not go far enough.
    str
        Why there is none.
    """
    reach = exafs_range(spectrum.energy, spectrum.e0)
    if reach is None:
        beyond = spectrum.energy[-1] - spectrum.e0
        return None, f"none: the scan ends {beyond:.0f} eV above the edge"
    kmax = min(recipe.kmax or reach, reach)
    if kmax - recipe.kmin < _LEAST_RANGE:
        return None, f"none: from k = {recipe.kmin:g} to {kmax:.1f} 1/Å there is too little of it"
    # in units of the edge step: how firmly the end of chi is held depends on the scale
    mu = spectrum.mu[None] / spectrum.edge_step
    found = autobk(spectrum.energy, mu, spectrum.e0, np.ones(1), recipe.rbkg, kmax=kmax)
    there = transform(found.k, found.chi, recipe.kmin, kmax, kweight=recipe.kweight)
    r, chi_r = np.asarray(there.r), np.asarray(there.chi_r[0])
    high = np.where(r > max(_PEAK_FROM, recipe.rbkg), np.abs(chi_r), 0.0)
    chi = np.asarray(found.chi[0])
    peak = float(r[np.argmax(high)])
    return Exafs(np.asarray(found.k), chi, r, chi_r, (recipe.kmin, float(kmax)), peak), ""
