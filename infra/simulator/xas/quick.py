"""HDF5 files of quick scans: every signal a table of sweeps by points, in entry/measurement."""

import time
from pathlib import Path
from typing import Any, Literal

import h5py
import hdf5plugin
import numpy as np

from infra.simulator.hdf5 import BATCHES, hidden_until_done, put
from infra.simulator.xas.growing import open_when_free
from infra.simulator.xas.plan import SeriesPlan
from infra.simulator.xas.series import BLOCK, Block, Series

Packing = Literal["bitshuffle", "none"]
UNITS = {"icr": "counts/s", "ocr": "counts/s", "energy": "eV"}


def write(
    folder: Path, plan: SeriesPlan, *, seconds: float = 0.0, packing: Packing = "bitshuffle"
) -> Path:
    """Write a series.

    Parameters
    ----------
    seconds
        How long the file grows in everybody's sight, closed after each piece; `end_time` comes
        with the last one. At 0 it appears all at once.
    packing
        Bitshuffle with lz4, or none.
    """
    path = folder / f"{plan.name}.h5"
    if seconds:
        size = min(BLOCK, -(-plan.sweeps // BATCHES))
        _write(path, plan, size, packing, seconds / plan.sweeps)
        return path
    with hidden_until_done(path) as hidden:
        _write(hidden, plan, BLOCK, packing, 0.0)
    return path


def _write(path: Path, plan: SeriesPlan, size: int, packing: Packing, pause: float) -> None:
    series = Series(plan)
    with h5py.File(path, "w") as file:
        _describe(file, plan)
    for piece in series.blocks(size):
        with open_when_free(path, "r+") as file:
            _append(file.require_group("entry/measurement"), plan, piece, size, packing)
        time.sleep(pause * len(piece))
    with open_when_free(path, "r+") as file:
        file["entry/end_time"] = plan.time_of(plan.sweeps).isoformat()


def _describe(file: h5py.File, plan: SeriesPlan) -> None:
    put(
        file.create_group("entry"),
        {
            "title": plan.title,
            "start_time": plan.time_of(0).isoformat(),
            "entry_identifier_uuid": plan.uid,
            "experiment_identifier": plan.proposal or None,
            "sample/name": plan.sample_name,
            "measurement/times": np.arange(plan.sweeps) * plan.scan.seconds,
        },
        {"measurement/times": "s"},
    )
    file["entry/measurement"].attrs.update(
        {
            "element": plan.claimed_element or plan.element,
            "edge": plan.edge,
            "d_spacing": plan.scan.d_spacing,
            "sample": plan.sample_name,
            "reference_element": plan.foil_element,
            "mode": "transmission",
            "count_time": plan.scan.seconds / plan.scan.points,
            "sweeps": plan.sweeps,
        }
    )


def _append(
    measurement: h5py.Group, plan: SeriesPlan, piece: Block, size: int, packing: Packing
) -> None:
    for name, values in piece.signals.items():
        if name not in measurement:
            _create(measurement, plan, name, size, packing)
        dataset: Any = measurement[name]
        dataset.resize(piece.first + len(piece), axis=0)
        dataset[piece.first :] = values


def _create(
    measurement: h5py.Group, plan: SeriesPlan, name: str, size: int, packing: Packing
) -> None:
    points = plan.scan.points
    dataset = measurement.create_dataset(
        name,
        shape=(0, points),
        maxshape=(None, points),
        chunks=(min(size, plan.sweeps), points),
        dtype=np.float32,
        **(hdf5plugin.Bitshuffle(cname="lz4") if packing == "bitshuffle" else {}),
    )
    dataset.attrs["units"] = UNITS.get(name.partition("_")[0], "counts")
    if plan.detectors.dark and name in ("i0", "itrans", "irefer"):
        dataset.attrs["dark"] = plan.detectors.dark
