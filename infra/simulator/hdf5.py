"""How frames get into HDF5 files: one after the other, or all of a sudden."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[Any]
BATCHES = 20


@contextmanager
def hidden_until_done(path: Path) -> Iterator[Path]:
    """Yield a hidden name beside the path, and rename it to the path at the end."""
    hidden = path.with_name(f".{path.name}.tmp")
    yield hidden
    hidden.rename(path)


def append(group: h5py.Group, name: str, frames: Frames, seconds: float = 0.0) -> None:
    """Append frames to a data set, batch by batch, flushing each, within about so many seconds."""
    if not len(frames):
        return
    dataset = _growing(group, name, frames)
    batches = np.array_split(frames, BATCHES) if seconds else [frames]
    for batch in batches:
        dataset.resize(len(dataset) + len(batch), axis=0)
        dataset[len(dataset) - len(batch) :] = batch
        dataset.file.flush()
        time.sleep(seconds / len(batches))


def _growing(group: h5py.Group, name: str, frames: Frames) -> h5py.Dataset:
    if name in group:
        found = group[name]
        if isinstance(found, h5py.Dataset):
            return found
        raise TypeError(f"{found.name} is not a data set")
    frame = frames.shape[1:]
    return group.create_dataset(
        name, shape=(0, *frame), maxshape=(None, *frame), chunks=(1, *frame), dtype=frames.dtype
    )


def put(group: h5py.Group, values: dict[str, object], units: dict[str, str] | None = None) -> None:
    """Write small values under paths relative to the group, leaving out those that are None."""
    for path, value in values.items():
        if value is not None:
            group[path] = value
    for path, unit in (units or {}).items():
        group[path].attrs["units"] = unit
