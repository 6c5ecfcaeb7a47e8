"""
A series of detector images from a file to the files of G(r): frames per second, share of reading.

The stages of the flow run as they do in it, with two worker processes in place of the cluster and
without the services around. Eight frames of 2048 x 2048 are simulated, which is not timed; their
compressed chunks, taken in turn, make the series.
"""

import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import h5py
from rich.console import Console
from rich.table import Table

from flows.cluster import WorkerLimits
from flows.pdf import opening, results
from flows.pdf.background import take_off
from flows.pdf.found import Result
from flows.pdf.integration import integrate
from flows.pdf.interpretation import interpret
from flows.pdf.recipe import Recipe
from flows.pdf.transformation import to_curves
from infra.simulator.pdf.plan import Geometry, ScanPlan
from infra.simulator.pdf.write import write_calibrations, write_scan
from tasks.io.powder import open_powder
from tasks.io.probe import probe
from tasks.io.scan import ScanReference

WORKERS, GIGABYTE = 2, 1 << 30
FRAMES, SIMULATED = 1000, 8
DATA, MONITOR = "entry/instrument/detector/data", "entry/monitor/data"
SIDE = 2048


class Run:
    """What the stages ask of a run: a folder, workers, and inputs."""

    def __init__(self, folder, inputs):
        self.folder = folder
        self.claim = SimpleNamespace(
            inputs=inputs, folders=(), sample="", sample_facts={}, dataset_name="series",
            beamline="bench", run_id=uuid4(), output_folder=folder / "series" / "v001",
        )  # fmt: skip
        self._pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
        list(self._pool.map(abs, range(WORKERS)))

    def limits(self):
        return WorkerLimits(workers=WORKERS, threads=1, memory=2 * GIGABYTE)

    def work_through(self, what, function, orders):
        return self._pool.map(partial(function, cores=1), orders)

    def record(self, stage, records):
        pass

    def output(self, name, role, media_type):
        return self.folder / name

    def end(self):
        self._pool.shutdown()


def longer(source, path, frames):
    """Write a series by taking the chunks of a short one in turn; return its size in GB."""
    with h5py.File(source) as short, h5py.File(path, "w") as long:
        for name in short:
            short.copy(name, long)
        monitor = short[MONITOR][:]
        few = len(monitor)
        del long[MONITOR]
        long[MONITOR] = [monitor[number % few] for number in range(frames)]
        there, data = short[DATA].id, long[DATA]
        data.resize(frames, axis=0)
        chunks = [there.read_direct_chunk((number, 0, 0))[1] for number in range(few)]
        for number in range(few, frames):
            data.id.write_direct_chunk((number, 0, 0), chunks[number % few])
    return path.stat().st_size / GIGABYTE


def input_of(path, role):
    (entry,) = probe(path, technique="pdf")
    return SimpleNamespace(
        path=path, inner_path=entry.inner_path, role=role, format=entry.format, count=1
    )


def reduced(run, recipe):
    """Walk the series through the stages of the flow; return the result and seconds by stage."""
    seconds = {}

    def timed(stage, function, *arguments):
        begin = time.perf_counter()
        value = function(*arguments)
        seconds[stage] = time.perf_counter() - begin
        return value

    opened = timed("open", opening.open_scan, recipe, run.claim)
    patterns = timed("integrate", integrate, run, recipe, opened)
    corrected = timed("take off background", take_off, recipe, opened, patterns)
    curves = timed("transform", to_curves, recipe, opened, corrected)
    found = timed("interpret", interpret, recipe, opened, corrected, curves, ())
    result = Result(opened, patterns, corrected, curves, found)
    timed("write files", results.write, run, recipe, result)
    return result, seconds


def read_only(path):
    """Read and decode all frames once, on one core: seconds."""
    with open_powder(ScanReference(str(path), input_of(path, "data").inner_path, "")) as frames:
        begin = time.perf_counter()
        for first in range(0, frames.shape[0], 8):
            frames.read(slice(first, first + 8))
        return time.perf_counter() - begin


def peak(who):
    return resource.getrusage(who).ru_maxrss * 1024 / GIGABYTE


def main():
    frames = FRAMES if len(sys.argv) < 2 else int(sys.argv[-1])
    with tempfile.TemporaryDirectory(dir=os.environ.get("DAYSEYE_BENCHMARK_FOLDER")) as place:
        folder = Path(place)
        geometry = Geometry(rows=SIDE, columns=SIDE)
        plan = ScanPlan(name="short", geometry=geometry, frames=SIMULATED)
        calibrations = write_calibrations(folder, plan)
        path = folder / "series.h5"
        size = longer(write_scan(folder, plan), path, frames)
        roles = ("container", "geometry")
        inputs = [input_of(path, "data")] + [input_of(calibrations[r], r) for r in roles]
        out = folder / "out"
        out.mkdir()
        run = Run(out, inputs)
        result, seconds = reduced(run, Recipe())
        run.end()
        tell(result, seconds, size, read_only(path))
    return 0


def tell(result, seconds, size, reading):
    count = len(result.patterns.intensity)
    total = sum(seconds.values())
    table = Table("", "", title=f"{count:,} frames of {SIDE} x {SIDE}, {size:.1f} GB in the file")
    table.add_row("from the file to the files of G(r)", f"{total:.1f} s")
    table.add_row("frames per second", f"{count / total:.1f}")
    for stage, each in seconds.items():
        table.add_row(f"  {stage}", f"{each:.1f} s")
    # two workers read at once
    share = reading / WORKERS / total
    table.add_row("reading and decoding, one core", f"{1000 * reading / count:.1f} ms a frame")
    table.add_row("  share of all", f"{share:.0%}")
    table.add_row("frames left out", f"{len(result.patterns.left_out)}")
    table.add_row("modes", ", ".join(curves.mode for curves in result.transformed.curves))
    table.add_row("peak memory, this process", f"{peak(resource.RUSAGE_SELF):.2f} GB")
    table.add_row("peak memory, the larger worker", f"{peak(resource.RUSAGE_CHILDREN):.2f} GB")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
