"""Channels in HDF5 datasets, read piece by piece: (points,), (sweeps, points) or one per sweep."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from tasks.io.hdf5 import Tree
from tasks.io.spectra import F
from tasks.io.xas.channels import Read


def stored(tree: Tree, dataset: h5py.Dataset, shape: tuple[int, int], factor: float = 1.0) -> Read:
    """
    Make a channel of a dataset.

    Parameters
    ----------
    tree
        The file.
    dataset
        (sweeps, points), or (points,) that all sweeps share; it may be longer than is read.
    shape
        Sweeps and points that are read.
    factor
        What its values are multiplied with.
    """

    def read(sweeps: slice, points: slice) -> F:
        rows, columns = _within(sweeps, shape[0]), _within(points, shape[1])
        if dataset.ndim == 2:
            values = tree.values(dataset, rows, columns)
            return values.astype(np.float64) * factor
        line = tree.values(dataset, columns).astype(np.float64) * factor
        count = len(range(rows.start, rows.stop, rows.step))
        return np.broadcast_to(line, (count, line.size)).copy()

    return read


def _within(wanted: slice, size: int) -> slice:
    """Return a slice of rising indices whose ends are known."""
    start, stop, step = wanted.indices(size)
    return slice(start, max(start, stop), step)


def common_shape(energy: h5py.Dataset, channels: Sequence[h5py.Dataset]) -> tuple[int, int]:
    """
    Return the sweeps and points that all channels have; a file that grows may have more of some.

    A channel of shape (points,) beside others of (sweeps, points) is shared by all sweeps.
    """
    everything = [energy, *channels]
    sweeps = [dataset.shape[0] for dataset in everything if dataset.ndim == 2]
    points = [dataset.shape[-1] for dataset in everything]
    return (min(sweeps) if sweeps else 1), min(points)
