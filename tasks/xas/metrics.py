"""
How alike two spectra are, by several measures that fail in different ways.

The measures, and that a committee of them beats each alone, are those of ELSIE (C. Zheng et al.,
npj Comput. Mater. 4, 12 (2018), doi:10.1038/s41524-018-0067-x).
"""

import itertools
from typing import Literal, NamedTuple, get_args

import numpy as np

from tasks.algorithm import Inputs, algorithm
from tasks.arrays import Array, Host, namespace

Measure = Literal["cosine", "euclidean", "ruzicka"]
Scale = Literal["none", "area", "intensity"]
Squash = Literal["none", "sigmoid", "square"]


class Metric(NamedTuple):
    """
    A measure, and what is done to both spectra before it.

    Attributes
    ----------
    measure
        ``cosine`` of the angle, root mean square ``euclidean`` distance, or ``ruzicka``: the
        share of the area that is not common.
    scale
        Divide by the mean (``area``) or the largest value (``intensity``).
    squash
        ``sigmoid`` flattens the white line, ``square`` stresses it.
    """

    measure: Measure
    scale: Scale = "none"
    squash: Squash = "none"


COMMITTEE = tuple(
    Metric(measure, scale, squash)
    for measure, scale, squash in itertools.product(
        get_args(Measure), ("area", "intensity"), ("none", "sigmoid", "square")
    )
)
"""The metrics that vote when none are named."""


@algorithm("xas.distances", version="1", rtol=1e-9)
def distances(
    spectra: Array, library: Array, measure: str, scale: str = "none", squash: str = "none"
) -> Array:
    """
    Measure how far spectra are from those of a library, on the same energies.

    Parameters
    ----------
    spectra
        Normalised absorption, shape (spectra, points).
    library
        Shape (entries, points), or (spectra, entries, points) where the entries are aligned to
        each spectrum.
    measure, scale, squash
        See `Metric`.

    Returns
    -------
    Array
        Shape (spectra, entries), 0 where two are the same.
    """
    xp = namespace(spectra, library)
    mine = xp.expand_dims(_prepare(xp, spectra, scale, squash), axis=1)
    theirs = _prepare(xp, library, scale, squash)
    if measure == "cosine":
        product = xp.sum(mine * theirs, axis=-1)
        lengths = xp.sqrt(xp.sum(mine**2, axis=-1) * xp.sum(theirs**2, axis=-1))
        return 1.0 - product / lengths
    if measure == "euclidean":
        return xp.sqrt(xp.mean((mine - theirs) ** 2, axis=-1))
    mine, theirs = xp.clip(mine, min=0.0), xp.clip(theirs, min=0.0)
    common = xp.sum(xp.minimum(mine, theirs), axis=-1)
    return 1.0 - common / xp.sum(xp.maximum(mine, theirs), axis=-1)


@distances.case
def cosine_of_areas() -> Inputs:
    """Compare each spectrum with each entry."""
    return (*_curves(), "cosine", "area"), {}


@distances.case
def ruzicka_of_squares() -> Inputs:
    """Compare each spectrum with entries of its own."""
    spectra, library = _curves()
    return (spectra, np.stack([library] * len(spectra)), "ruzicka", "intensity", "square"), {}


@distances.case
def euclidean_of_sigmoids() -> Inputs:
    """Compare squashed spectra."""
    return (*_curves(), "euclidean", "none", "sigmoid"), {}


def borda(distance: Host) -> Host:
    """
    Let metrics vote: each gives an entry one point for every entry that is farther away.

    Parameters
    ----------
    distance
        Shape (metrics, spectra, entries).

    Returns
    -------
    numpy.ndarray
        Points summed over the metrics, shape (spectra, entries).
    """
    order = np.argsort(distance, axis=-1, kind="stable")
    place = np.argsort(order, axis=-1, kind="stable")
    return (distance.shape[-1] - 1 - place).sum(axis=0)


def _prepare(xp: Array, curves: Array, scale: str, squash: str) -> Array:
    if scale == "area":
        curves = curves / xp.mean(curves, axis=-1, keepdims=True)
    elif scale == "intensity":
        curves = curves / xp.max(curves, axis=-1, keepdims=True)
    if squash == "sigmoid":
        return 1.0 / (1.0 + xp.exp(-curves))
    return curves**2 if squash == "square" else curves


def _curves() -> tuple[Host, Host]:
    energy = np.linspace(-20, 60, 50)
    places = np.array([0.0, 2.0, 5.0])[:, None]
    curves = 1 / (1 + np.exp(places - energy)) + np.exp(-((energy - places - 3) ** 2) / 8)
    return curves[:2], curves
