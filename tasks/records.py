"""What ran, with what, for how long: plain data that travels from workers to the catalogue."""

import dataclasses
import functools
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np


@dataclass
class Record:
    """
    The calls of one algorithm with equal circumstances.

    Attributes
    ----------
    algorithm, version, implementation
        What ran.
    device
        ``cpu``, or the number and name of the GPU.
    packages
        Versions of the packages that computed.
    parameters
        Arguments that are not arrays, as JSON values.
    rejected
        Why other implementations did not run, by name.
    seconds
        Wall time of all calls together.
    calls
        How many there were.
    """

    algorithm: str
    version: str
    implementation: str
    device: str
    packages: dict[str, str]
    parameters: dict[str, Any]
    rejected: dict[str, str]
    seconds: float
    calls: int = 1


def merge_records(records: Iterable[Record]) -> list[Record]:
    """
    Sum calls and seconds of records that are equal in all else; the order of first calls stays.

    Parameters
    ----------
    records
        For instance those of all workers that took part in a stage.

    Returns
    -------
    list of Record
        New records; the given ones are left as they are.
    """
    merged: dict[str, Record] = {}
    for record in records:
        circumstances = dataclasses.asdict(record) | {"seconds": None, "calls": None}
        key = json.dumps(circumstances, sort_keys=True, default=str)
        if (known := merged.get(key)) is None:
            merged[key] = dataclasses.replace(record)
        else:
            known.seconds += record.seconds
            known.calls += record.calls
    return list(merged.values())


def package_versions(modules: Iterable[str]) -> dict[str, str]:
    """Tell the versions of the project, of numpy and of the modules that have been imported."""
    versions = {"dayseye": _own_version()}
    for name in ("numpy", *modules):
        if (module := sys.modules.get(name)) is not None:
            versions[name] = str(getattr(module, "__version__", "unknown"))
    return versions


@functools.cache
def _own_version() -> str:
    """Look it up once: that takes a millisecond, and short algorithms take no longer."""
    return importlib.metadata.version("dayseye")


def plain(value: Any) -> Any:
    """Turn a parameter into what JSON can hold; what it cannot becomes text."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast(Iterable[Any], value)]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in cast(dict[Any, Any], value).items()}
    if isinstance(value, np.generic):
        return cast(Any, value).item()
    return str(value)
