"""Which sweeps do not count, and why."""

import numpy as np

from flows.xas.recipe import Recipe
from flows.xas.types import Floats
from tasks.xas.outliers import find_outliers

_AT_A_TIME = 4000  # sweeps compared with one another at once: bounds memory


def rejected(recipe: Recipe, energy: Floats, mu: Floats, i0: Floats, e0: float) -> dict[int, str]:
    """Find the sweeps that do not count.

    Parameters
    ----------
    recipe : Recipe
        Whether sweeps are rejected at all; those without values always are.
    energy, mu, i0 : numpy.ndarray
        Grid in eV (points,), absorption and incident intensity (sweeps, points); an intensity of
        zero throughout was not measured.
    e0 : float
        Nominal edge energy in eV.

    Returns
    -------
    dict of int to str
        Why, by number of the sweep.
    """
    if not recipe.reject_sweeps:
        empty = np.flatnonzero(~np.isfinite(mu).any(axis=1))
        return {int(number): "none of its points has a value." for number in empty}
    found: dict[int, str] = {}
    for begin in range(0, len(mu), _AT_A_TIME):
        rows = slice(begin, begin + _AT_A_TIME)
        beam = np.asarray(i0[rows])
        outliers = find_outliers(energy, np.asarray(mu[rows]), e0, beam if beam.any() else None)
        found |= {begin + bad.sweep: bad.sentence for bad in outliers.bad}
    return found
