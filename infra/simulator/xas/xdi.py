"""XDI files, one per scan (Ravel et al., J. Phys. Conf. Ser. 712 (2016) 012148)."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infra.simulator.hdf5 import hidden_until_done
from infra.simulator.xas.plan import SeriesPlan
from infra.simulator.xas.series import Series

Array = NDArray[np.float64]


def write(folder: Path, plan: SeriesPlan, *, seconds: float = 0.0) -> Path:
    """Write a series into a folder of its own, a file per sweep, within about so many seconds."""
    path = folder / plan.name
    path.mkdir()
    for scan in Series(plan).blocks(1):
        file = path / f"{plan.name}_{scan.first + 1:05d}.xdi"
        signals = {name: values[0] for name, values in scan.signals.items()}
        write_scan(file, plan, signals, sweep=scan.first)
        time.sleep(seconds / plan.sweeps)
    return path


def write_scan(
    path: Path, plan: SeriesPlan, signals: Mapping[str, Array], *, sweep: int = 0, note: str = ""
) -> None:
    """Write one scan, its energy rising as XDI wants it; signals by name, each (points,)."""
    order = np.argsort(signals["energy"], kind="stable")
    table = np.stack([values[order] for values in signals.values()], axis=1)
    columns = [f"{name} eV" if name == "energy" else name for name in signals]
    fields = {
        **{f"Column.{number}": column for number, column in enumerate(columns, start=1)},
        "Element.symbol": plan.claimed_element or plan.element,
        "Element.edge": plan.edge,
        "Element.reference": plan.foil_element,
        "Mono.d_spacing": f"{plan.scan.d_spacing:.5f}",
        "Mono.name": "Si(111)",
        "Facility.name": "simulated",
        "Beamline.name": "simulated",
        "Sample.name": plan.sample_name,
        "Scan.start_time": plan.time_of(sweep).isoformat(timespec="seconds"),
        "Scan.edge_energy": f"{plan.e0:.2f}",
    }
    header = ["XDI/1.0", *(f"{name}: {value}" for name, value in fields.items()), "///"]
    lines = [*header, *([note] if note else []), "-" * 13, "  ".join(signals)]
    text = "".join(f"# {line}\n" for line in lines)
    with hidden_until_done(path) as hidden, hidden.open("w") as file:
        file.write(text)
        np.savetxt(file, table, fmt="%14.6f")
