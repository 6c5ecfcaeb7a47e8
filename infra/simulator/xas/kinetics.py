"""How a sample changes: first-order reactions, each compound turning into the next."""

import numpy as np
from numpy.typing import NDArray

from infra.simulator.xas.plan import SeriesPlan

Array = NDArray[np.float64]


def fractions(plan: SeriesPlan) -> Array:
    """Return how much there is of each compound in each sweep, (sweeps, names)."""
    if plan.fractions is not None:
        return np.tile(plan.fractions, (plan.sweeps, 1))
    return chain(plan.rates, progress(plan))


def progress(plan: SeriesPlan) -> Array:
    """Return how far the series is at each sweep, 0 to 1, (sweeps,)."""
    return np.linspace(0.0, 1.0, plan.sweeps)


def chain(rates: tuple[float, ...], time: Array) -> Array:
    """Solve A -> B -> C ... at times, (times, compounds), all being A at first.

    Bateman, Proc. Cambridge Phil. Soc. 15 (1910) 423. The rates must differ from one another.
    """
    leaving = np.array([*rates, 0.0])
    amounts = np.empty((len(time), len(leaving)))
    for last in range(len(leaving)):
        gone = leaving[: last + 1]
        gaps = gone[:, None] - gone[None, :]
        np.fill_diagonal(gaps, -1.0)
        weights = np.prod(gone[:-1]) / np.prod(-gaps, axis=1)
        amounts[:, last] = np.exp(-np.outer(time, gone)) @ weights
    return amounts
