"""One sweep's observations with its crystal, in an HDF5 file from which sweeps are scaled together.

The columns stand in the group ``observations`` under the names of `Observations`, the crystal in
``crystal`` and the rotation in ``rotation``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tasks.errors import DataError
from tasks.io.diffraction import Rotation
from tasks.mx.crystal import Crystal
from tasks.mx.reflections import Observations

_UNITS = {"d": "angstrom", "s1": "1/angstrom", "intensity": "counts", "sigma": "counts"}


@dataclass(frozen=True)
class SweepObservations:
    """What scaling needs of one sweep.

    Attributes
    ----------
    observations
        One intensity per reflection.
    crystal
        Whose indices they have.
    rotation
        How the sweep turned.
    wavelength
        In Angstrom.
    name
        Of the sweep, for people.
    """

    observations: Observations
    crystal: Crystal
    rotation: Rotation
    wavelength: float
    name: str


def write_observations(path: Path, sweep: SweepObservations) -> None:
    """Write a sweep's observations."""
    with h5py.File(path, "w") as file:
        file.attrs["name"] = sweep.name
        file.attrs["wavelength_angstrom"] = sweep.wavelength
        group = file.create_group("observations")
        for each in fields(Observations):
            column = getattr(sweep.observations, each.name)
            data = group.create_dataset(each.name, data=column, chunks=True, compression="lzf")
            if each.name in _UNITS:
                data.attrs["units"] = _UNITS[each.name]
        crystal = file.create_group("crystal")
        crystal.attrs["space_group"] = sweep.crystal.space_group
        crystal["a_matrix"] = sweep.crystal.a_matrix
        crystal["a_matrix"].attrs["units"] = "1/angstrom"
        if sweep.crystal.a_matrices is not None:
            crystal["a_matrices"] = sweep.crystal.a_matrices
        rotation = file.create_group("rotation")
        for each in fields(Rotation):
            rotation.attrs[each.name] = getattr(sweep.rotation, each.name)


def read_observations(path: Path) -> SweepObservations:
    """
    Read what `write_observations` wrote.

    Raises
    ------
    DataError
        It is another file.
    """
    try:
        with h5py.File(path, "r") as file:
            columns = {
                each.name: np.asarray(file["observations"][each.name])
                for each in fields(Observations)
            }
            crystal: Any = file["crystal"]
            along = crystal.get("a_matrices")
            return SweepObservations(
                Observations(**columns),
                Crystal(
                    np.asarray(crystal["a_matrix"]),
                    str(crystal.attrs["space_group"]),
                    None if along is None else np.asarray(along),
                ),
                _rotation(file["rotation"].attrs),
                float(file.attrs["wavelength_angstrom"]),
                str(file.attrs["name"]),
            )
    except (OSError, KeyError) as error:
        raise DataError(
            f"{path.name} holds no observations of a sweep ({error}): reduce the sweep again."
        ) from error


def _rotation(kept: Any) -> Rotation:
    return Rotation(
        start_deg=float(kept["start_deg"]),
        width_deg=float(kept["width_deg"]),
        images=int(kept["images"]),
        first_number=int(kept["first_number"]),
    )
