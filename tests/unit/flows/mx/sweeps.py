"""Observations of simulated crystals, as integration leaves them."""

from dataclasses import replace

import numpy as np

from tasks.io.diffraction import Rotation
from tasks.mx.observations_file import SweepObservations
from tests.unit.tasks.mx.intensities import intensities, sweep

CELLS = {
    "P 21 21 21": (38.4, 49.9, 56.2, 90.0, 90.0, 90.0),
    "P 43": (42.2, 42.2, 39.7, 90.0, 90.0, 90.0),
}


def observed(symbol="P 21 21 21", name="a", d_min=3.0, degrees=180.0, matrix=None, **more):
    """Return a sweep in P 1, its indices perhaps changed as ``matrix`` says, and the truth."""
    crystal, hkl, truth = intensities(symbol, CELLS[symbol], d_min)
    seen = sweep(crystal, hkl, truth, degrees=degrees, **more)
    directions = np.random.default_rng(5).normal(size=(len(seen), 3))
    seen = replace(seen, s1=directions / np.linalg.norm(directions, axis=1)[:, None])
    rotation = Rotation(0.0, 0.5, int(degrees / 0.5))
    found = SweepObservations(seen, crystal.change_basis(np.eye(3), "P 1"), rotation, 1.0, name)
    return (found if matrix is None else renamed(found, matrix)), (hkl, truth)


def renamed(found, matrix):
    from flows.mx.symmetry import in_axes

    return in_axes(found, np.asarray(matrix, dtype=float), "P 1")
