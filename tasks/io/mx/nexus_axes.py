"""
NeXus' chains of transformations, from McStas' frame into imgCIF's.

NeXus' z runs along the beam, imgCIF's against it; both have y upwards in the usual set-up. Half a
turn about y leads from one to the other, whatever the set-up (NXmx, Bernstein et al., IUCrJ 7, 784
(2020)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from tasks.errors import DataError
from tasks.io.diffraction import F
from tasks.io.hdf5 import Tree
from tasks.io.mx.axes import Axis
from tasks.io.values import METRES, RADIANS, plain, unit

TO_IMGCIF = np.array([-1.0, 1.0, -1.0])
LONGEST = 64
NONE = ("", ".", "./")


@dataclass(frozen=True)
class Transformation:
    """
    One axis of a NeXus file.

    Attributes
    ----------
    axis
        In imgCIF's frame, in mm or degrees, set as for the first image.
    values
        Its settings, (n,): one, or one per image.
    dataset
        Where they stand.
    """

    axis: Axis
    values: F
    dataset: h5py.Dataset

    @property
    def varies(self) -> bool:
        """Whether it is set otherwise for some images than for others."""
        return bool(len(self.values) > 1 and np.ptp(self.values) > 1e-9)


def transformations(tree: Tree, dataset: h5py.Dataset | None) -> list[Transformation]:
    """
    Return a transformation and all that it depends on, outwards.

    Raises
    ------
    DataError
        One of them is not there, is no transformation, or they depend on one another in a circle.
    """
    found: list[Transformation] = []
    while dataset is not None:
        if len(found) > LONGEST:
            raise DataError(f"{tree.path}: the axes of {dataset.name} depend on one another.")
        found.append(_transformation(tree, dataset))
        dataset = depends_on(tree, dataset, found[-1].axis.depends_on)
    return found


def depends_on(tree: Tree, holder: h5py.Group | h5py.Dataset, path: str) -> h5py.Dataset | None:
    """
    Return the dataset that a ``depends_on`` names; None at the end of a chain.

    Parameters
    ----------
    tree, holder
        The file, and the group that has the ``depends_on`` or the dataset whose attribute it is.
    path
        Absolute, or counted from the holder's group.

    Raises
    ------
    DataError
        It names nothing.
    """
    if path in NONE:
        return None
    group = holder if isinstance(holder, h5py.Group) else holder.parent
    start = None if path.startswith("/") else group
    found = tree.dataset(path.removeprefix("./"), start)
    if found is None:
        raise DataError(
            f"{tree.path}: {holder.name} depends on '{path}', which the file does not hold: mend "
            f"its chain of transformations."
        )
    return found


def axes_of(chain: Sequence[Transformation]) -> list[Axis]:
    """Return the axes of a chain."""
    return [each.axis for each in chain]


def is_transformation(dataset: h5py.Dataset | None) -> bool:
    """Whether a dataset has what a transformation needs."""
    return dataset is not None and "vector" in dataset.attrs and dataset.size > 0


def _transformation(tree: Tree, dataset: h5py.Dataset) -> Transformation:
    if not is_transformation(dataset):
        raise DataError(
            f"{tree.path}: {dataset.name} is part of a chain of transformations but has no vector: "
            f"mend how the file is written."
        )
    kind = str(plain(dataset.attrs.get("transformation_type", "translation")))
    is_rotation = kind == "rotation"
    values = tree.values(dataset).reshape(-1).astype(np.float64)
    values = values * _factor(tree, dataset, unit(dataset), is_rotation=is_rotation)
    offset = np.zeros(3)
    if "offset" in dataset.attrs:
        units = str(plain(dataset.attrs.get("offset_units", "" if is_rotation else unit(dataset))))
        offset = _vector(dataset.attrs["offset"]) * _factor(tree, dataset, units, is_rotation=False)
    axis = Axis(
        name=str(dataset.name).rsplit("/", 1)[-1],
        is_rotation=is_rotation,
        vector=_vector(dataset.attrs["vector"]),
        setting=float(values[0]),
        offset=offset,
        depends_on=str(plain(dataset.attrs.get("depends_on", "."))),
    )
    return Transformation(axis, values, dataset)


def _vector(value: NDArray[np.float64]) -> F:
    return np.asarray(value, dtype=np.float64).reshape(3) * TO_IMGCIF


def _factor(tree: Tree, dataset: h5py.Dataset, units: str, *, is_rotation: bool) -> float:
    """Return what leads to degrees or mm; without a unit, NeXus' own: degrees and metres."""
    units = units.lower()
    if is_rotation:
        return float(np.degrees(1.0)) if units in RADIANS else 1.0
    if units and units not in METRES:
        raise DataError(
            f"{tree.path}: {dataset.name} is a length in '{units}', a unit that is not known."
        )
    return 1e3 * METRES.get(units, 1.0)
