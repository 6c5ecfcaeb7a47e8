"""The background below a reflection, robust against what else lies in its box.

A generalised linear model of Poisson counts with Huber's function (Cantoni & Ronchetti, J. Am.
Stat. Assoc. 96, 1022 (2001); Parkhurst et al., J. Appl. Cryst. 49, 1912 (2016)). Cutting off large
counts would pull a background of few counts down, since Poisson's distribution leans to one side;
here the mean that the cut has under that very distribution is taken off, so that the level is right
at any count. Where the pixels ask for it, the background has a slope and a bend along 2 theta;
where that is not enough, as on a ring of ice, a level of its own at each 2 theta: the pixels at the
peak's sides lie on the same ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tasks.io.diffraction import F
from tasks.mx.reflections import Ints
from tasks.mx.shoebox import Shoeboxes

HUBER = 1.345
"""In standard deviations: 95 % efficient with normal errors."""


@dataclass(frozen=True)
class Background:
    """
    Backgrounds of n reflections, in photons.

    Attributes
    ----------
    beta
        Per pixel: level at the peak, slopes along e1 and e2, bend along e2, with the peak's radius
        as unit; on a ring of ice levels at nine places along e2 and the slope along e1, (n, 10).
    covariance
        (n, 10, 10).
    number
        How many of them serve, 4 or 10, (n,).
    pixels
        How many it is made from, (n,).
    """

    beta: F
    covariance: F
    number: Ints
    pixels: Ints

    @property
    def level(self) -> F:
        """Photons per pixel at the peak's centre, (n,)."""
        return np.where(self.number == 4, self.beta[:, 0], self.beta[:, 4])


def fit_background(boxes: Shoeboxes, radius_deg: float, gain: float = 1.0) -> Background:
    """Fit the backgrounds of boxes; the radius of their peaks is the unit of the slopes."""
    from tasks.mx.background_kernels import fit_backgrounds

    table = huber_table()
    return Background(
        *fit_backgrounds(*boxes.arrays, boxes.jacobian, radius_deg, gain, table, HUBER)
    )


@lru_cache(maxsize=1)
def huber_table() -> F:
    """
    Return what Huber's function of the Pearson residual is under Poisson's distribution.

    Returns
    -------
    numpy.ndarray
        For means on a logarithmic axis, (means, 3): expectation times the root of the mean, its
        product with the residual, and variance. Beyond 200 counts the last row serves.
    """
    from scipy.special import gammaln  # pyright: ignore[reportMissingTypeStubs]

    from tasks.mx.background_kernels import LOWEST, STEPS_PER_E

    means = LOWEST * np.exp(np.arange(0, np.log(200 / LOWEST), 1 / STEPS_PER_E))
    rows: list[tuple[float, float, float]] = []
    for mean in means:
        count = np.arange(0, int(mean + 12 * np.sqrt(mean) + 15))
        chance: F = np.exp(count * np.log(mean) - mean - gammaln(count + 1))
        residual = (count - mean) / np.sqrt(mean)
        cut = np.clip(residual, -HUBER, HUBER)
        expected = float(chance @ cut)
        rows.append(
            (
                expected * float(np.sqrt(mean)),
                float(chance @ (cut * residual)),
                float(chance @ cut**2) - expected**2,
            )
        )
    return np.array(rows)
