"""Groups that NeXus files of reduced data have in common: the process, the plot, the sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray


def group(parent: h5py.Group, name: str, nx_class: str) -> h5py.Group:
    """Make a group of a NeXus class."""
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    return made


def put(
    parent: h5py.Group, name: str, values: NDArray[Any] | float | int | bool | str, **attrs: str
) -> None:
    """Write a dataset with its attributes; empty ones are left out."""
    parent[name] = values
    parent[name].attrs.update({key: text for key, text in attrs.items() if text})


def write_process(
    parent: h5py.Group, name: str, parameters: Mapping[str, Any], *, inside: str = "parameters"
) -> h5py.Group:
    """
    Write who made the data, and with what parameters.

    Parameters
    ----------
    parent
        The entry.
    name
        Of the NXprocess group.
    parameters
        Numbers, texts and arrays as they are; None is left out, anything else becomes JSON.
    inside
        Name of the NXparameters group in it.
    """
    process = group(parent, name, "NXprocess")
    process["program"] = "dayseye"
    process["version"] = version("dayseye")
    process["date"] = datetime.now(UTC).isoformat()
    held = group(process, inside, "NXparameters")
    for key, value in parameters.items():
        if isinstance(value, np.ndarray | np.generic | bool | int | float | str):
            held[key] = value
        elif value is not None:
            held[key] = json.dumps(value)
    return process
