"""Groups of like spectra in a map or a series, and maps of parts that add up."""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.arrays import Host
from tasks.errors import DataError

_SEED = 0  # results must not change from run to run
_STARTS = 10  # the best of so many
_SAMPLE = 2000  # spectra by which the number of groups is judged
_VARIANCE = 0.999  # of the spectra, kept while they are compared


@dataclass(frozen=True)
class Clusters:
    """
    Groups of like spectra.

    Attributes
    ----------
    labels
        Group of each spectrum, from 0 for the largest, shape (spectra,).
    centres
        Mean spectrum of each group, shape (groups, points).
    silhouette
        By number of groups: how much nearer spectra are to their own group than to the next, at
        most 1 (P. J. Rousseeuw, J. Comput. Appl. Math. 20, 53 (1987)).
    """

    labels: Host
    centres: Host
    silhouette: dict[int, float]


@dataclass(frozen=True)
class Parts:
    """
    Parts that add up to the spectra.

    Attributes
    ----------
    amounts
        How much of each part a spectrum holds, not negative, shape (spectra, parts).
    spectra
        The parts, not negative, shape (parts, points).
    residual
        Root mean square of what they leave.
    clipped
        Root mean square of the negative values that were set to 0 before.
    """

    amounts: Host
    spectra: Host
    residual: float
    clipped: float


def cluster(spectra: Host, most: int = 8, number: int | None = None) -> Clusters:
    """
    Group spectra by k-means.

    Parameters
    ----------
    spectra
        Normalised, shape (spectra, points).
    most
        Try up to so many groups and take the number of largest silhouette.
    number
        Make so many groups.

    Returns
    -------
    Clusters

    Raises
    ------
    DataError
        If there are fewer than three spectra, or not more than groups.
    """
    numbers = [number] if number else list(range(2, min(most, len(spectra) - 1) + 1))
    if not numbers or len(spectra) <= max(numbers) or not np.all(np.isfinite(spectra)):
        raise DataError(
            f"{len(spectra)} spectra cannot be grouped: there must be more of them than groups, at "
            "least three, and none may hold values that are not numbers."
        )
    scores = _scores(spectra)
    kmeans = _learn("cluster").KMeans
    tried: dict[int, Host] = {
        k: kmeans(k, n_init=_STARTS, random_state=_SEED).fit_predict(scores) for k in numbers
    }
    silhouette = {k: _silhouette(scores, labels) for k, labels in tried.items()}
    labels = tried[max(silhouette, key=lambda k: silhouette[k])]
    order = np.argsort(-np.bincount(labels), kind="stable")
    labels = np.argsort(order, kind="stable")[labels]
    centres = np.stack([spectra[labels == k].mean(axis=0) for k in range(len(order))])
    return Clusters(labels, centres, silhouette)


def parts(spectra: Host, number: int) -> Parts:
    """
    Factor spectra into parts and amounts that are not negative.

    Parameters
    ----------
    spectra
        Normalised, shape (spectra, points); below the edge they may be a little negative.
    number
        How many parts.

    Returns
    -------
    Parts
        By decreasing share of the signal. Parts are no pure compounds unless each has an energy,
        or a spectrum, to itself: see `tasks.xas.mcr`.

    Raises
    ------
    DataError
        If there are not more spectra and points than parts.
    """
    if not 0 < number < min(spectra.shape) or not np.all(np.isfinite(spectra)):
        raise DataError(
            f"{len(spectra)} spectra of {spectra.shape[1]} points cannot be factored into "
            f"{number} parts: take fewer, and leave out values that are not numbers."
        )
    positive = np.maximum(spectra, 0)
    factorise = _learn("decomposition").NMF
    model = factorise(number, init="nndsvda", max_iter=2000, tol=1e-6, random_state=_SEED)
    amounts: Host = model.fit_transform(positive)
    shapes: Host = model.components_
    share = np.linalg.norm(amounts, axis=0) * np.linalg.norm(shapes, axis=1)
    order = np.argsort(-share, kind="stable")
    amounts, shapes = amounts[:, order], shapes[order]
    residual = np.sqrt(np.mean((positive - amounts @ shapes) ** 2))
    clipped = np.sqrt(np.mean((spectra - positive) ** 2))
    return Parts(amounts, shapes, float(residual), float(clipped))


def _scores(spectra: Host) -> Host:
    """Few numbers that tell spectra apart as well as all their points."""
    centred = spectra - spectra.mean(axis=0)
    squares, shapes = np.linalg.eigh(centred.T @ centred)
    share = np.cumsum(squares[::-1]) / max(float(squares.sum()), np.finfo(float).tiny)
    kept = 1 + int(np.searchsorted(share, _VARIANCE))
    return centred @ shapes[:, ::-1][:, :kept]


def _silhouette(scores: Host, labels: Host) -> float:
    if len(np.unique(labels)) < 2:
        return -1.0
    size = min(_SAMPLE, len(labels))
    judge = _learn("metrics").silhouette_score
    return float(judge(scores, labels, sample_size=size, random_state=_SEED))


def _learn(part: str) -> Any:
    """Import a part of scikit-learn when it is needed: that takes a second, and it has no types."""
    return importlib.import_module(f"sklearn.{part}")
