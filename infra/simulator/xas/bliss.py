"""HDF5 files as BLISS of the ESRF writes them: a scan after the other, closed after each.

`/N.1` holds the fast counters of scan N, the energy in keV; `/N.2` the slow ones.
"""

import time
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from infra.simulator.hdf5 import hidden_until_done, put
from infra.simulator.xas.growing import open_when_free
from infra.simulator.xas.plan import BRAGG, SeriesPlan
from infra.simulator.xas.series import Block, Series

Array = NDArray[np.float64]
RING_CURRENT = 193.0  # mA


def write(folder: Path, plan: SeriesPlan, *, seconds: float = 0.0) -> Path:
    """Write a series, within so many seconds in everybody's sight, or all at once."""
    path = folder / f"{plan.name}.h5"
    if seconds:
        _write(path, plan, seconds / plan.sweeps)
        return path
    with hidden_until_done(path) as hidden:
        _write(hidden, plan, 0.0)
    return path


def _write(path: Path, plan: SeriesPlan, pause: float) -> None:
    if plan.detectors.channels:
        raise ValueError("a BLISS file carries the diode; counting channels go into quick or xdi")
    for scan in Series(plan).blocks(1):
        with open_when_free(path, "a") as file:
            _append(file, plan, scan)
        time.sleep(pause)


def _append(file: h5py.File, plan: SeriesPlan, scan: Block) -> None:
    number = scan.first + 1
    ends = [(plan.e0 + end) / 1000 for end in (plan.scan.start, plan.scan.stop)]
    if number % 2 == 0:
        ends.reverse()
    dwell = plan.scan.seconds / plan.scan.points
    common: dict[str, object] = {
        "title": f"trigscan mvirtual_energy {ends[0]:g} {ends[1]:g} {plan.scan.points} {dwell:g} 1",
        "start_time": plan.time_of(scan.first).isoformat(),
        "end_time": plan.time_of(number).isoformat(),
    }
    fast, slow = file.create_group(f"{number}.1"), file.create_group(f"{number}.2")
    put(fast, {**common, "sample/name": plan.sample_name})
    put(slow, common)
    for name, values in _fast(plan, {key: row[0] for key, row in scan.signals.items()}).items():
        fast.create_dataset(f"measurement/{name}", data=values, compression="gzip")
    for name, unit in (("timer_trig", "s"), ("mbrag_center", "deg")):
        fast[f"measurement/{name}"].attrs["units"] = unit
    _slow(slow, plan, scan.first)


def _fast(plan: SeriesPlan, signals: dict[str, Array]) -> dict[str, Array]:
    energy, points = signals["energy"], plan.scan.points
    with np.errstate(divide="ignore", invalid="ignore"):  # scans without light
        absorption = {
            "mu_trans": np.log(signals["i0"] / signals["itrans"]),
            "mu_ref": np.log(signals["itrans"] / signals["irefer"]),
            "mu_diode": signals["ifluor"] / signals["i0"],
        }
    return {
        "energy_enc": energy / 1000,
        "mbrag_center": np.rad2deg(np.arcsin(BRAGG / (2 * plan.scan.d_spacing * energy))),
        "timer_trig": np.arange(points) * plan.scan.seconds / points,
        "I0": signals["i0"],
        "I1": signals["itrans"],
        "I2": signals["irefer"],
        "I_diode": signals["ifluor"],
        **absorption,
    }


def _slow(entry: h5py.Group, plan: SeriesPlan, sweep: int) -> None:
    elapsed = np.linspace(0.0, plan.scan.seconds, 3)
    put(
        entry,
        {
            "measurement/elapsed_time": elapsed,
            "measurement/epoch": plan.time_of(sweep).timestamp() + elapsed,
            "measurement/srcur": np.full(len(elapsed), RING_CURRENT),
        },
        {"measurement/elapsed_time": "s", "measurement/epoch": "s", "measurement/srcur": "mA"},
    )
