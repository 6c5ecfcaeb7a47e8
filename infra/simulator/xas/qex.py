"""Continuous streams of a quick-scanning monochromator, as SuperXAS at the PSI writes them (.qex).

A text header of `# key: value` lines gives its own length, the clock and the layout of a record,
and ends with `_Header_End_`; then come records without end: encoder (float32, degrees of the
Bragg angle), ticks of the clock since the record before (uint16), channels (float32, volts).
Nothing marks where a sweep ends: the encoder turns there. The capitalised keys are those that
ProQEXAFS reads (Clark et al., J. Synchrotron Rad. 27 (2020) 551); the others say of the sample and
the crystal what its users type in.
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.simulator.hdf5 import hidden_until_done
from infra.simulator.xas.plan import BRAGG, SeriesPlan
from infra.simulator.xas.series import Block, Series

CHANNELS = ("i0", "itrans", "irefer", "ifluor")
FIELDS = {"encoder": "float32", "time": "uint16", **dict.fromkeys(CHANNELS, "float32")}
RECORD = np.dtype(list(FIELDS.items()))
CLOCK = 1_000_000  # Hz
VOLTS = 5e-6  # per count
LENGTH = "FileHeaderSize_byte: {:06d}"


def write(folder: Path, plan: SeriesPlan, *, seconds: float = 0.0, cut: int = 0) -> Path:
    """Write a series as a stream.

    Parameters
    ----------
    seconds
        How long the file grows in everybody's sight; at 0 it appears all at once.
    cut
        How many points of the first sweep are missing, the stream having begun within it.
    """
    path = folder / f"{plan.name}.qex"
    if seconds:
        _write(path, plan, cut, seconds / plan.sweeps)
        return path
    with hidden_until_done(path) as hidden:
        _write(hidden, plan, cut, 0.0)
    return path


def _write(path: Path, plan: SeriesPlan, cut: int, pause: float) -> None:
    if plan.detectors.channels:
        raise ValueError("a .qex stream carries the diode; counting channels go into quick or xdi")
    path.write_bytes(header(plan))
    for piece in Series(plan).blocks(1 if pause else 64):
        records = _records(plan, piece)
        with path.open("ab") as file:
            file.write(records[cut if piece.first == 0 else 0 :].tobytes())
        time.sleep(pause * len(piece))


def header(plan: SeriesPlan) -> bytes:
    """Return the header of a stream; the data follow immediately."""
    lines = [
        LENGTH.format(0),
        f"StartOfMeasurement: {plan.time_of(0).isoformat()}",
        f"AdcClock_Hz: {CLOCK}",
        f"AdcNumberChannelsStored: {len(CHANNELS)}",
        f"AdcNumberColumnsInDataFile: {len(FIELDS)}",
        f"DataLineFormat: {', '.join(FIELDS.values())}",
        f"DataLineLabels: {', '.join(FIELDS)}",
        f"start_time: {plan.time_of(0).isoformat()}",
        f"title: {plan.title}",
        f"sample: {plan.sample_name}",
        f"element: {plan.claimed_element or plan.element}",
        f"edge: {plan.edge}",
        f"d_spacing: {plan.scan.d_spacing} A",
        f"channels: {', '.join(CHANNELS)}",
        "_Header_End_",
    ]
    text = "".join(f"# {line}\r\n" for line in lines)
    return text.replace(LENGTH.format(0), LENGTH.format(len(text)), 1).encode("cp1252")


def _records(plan: SeriesPlan, piece: Block) -> NDArray[np.void]:
    energy = piece.signals["energy"].ravel()
    records = np.empty(energy.size, RECORD)
    records["encoder"] = np.rad2deg(np.arcsin(BRAGG / (2 * plan.scan.d_spacing * energy)))
    number = piece.first * plan.scan.points + np.arange(energy.size + 1)
    ticks = np.rint(number * (plan.scan.seconds / plan.scan.points * CLOCK))
    records["time"] = np.diff(ticks)
    for name in CHANNELS:
        records[name] = VOLTS * piece.signals[name].ravel()
    return records
