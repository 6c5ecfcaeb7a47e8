"""
A long quick-scan series from disk to fitted composition: time, memory, and the share of reading.

The stages of the flow run as they do in it, with two worker processes in place of the cluster and
without the services around. The series is simulated first, which is not timed. ``--large`` takes
100,000 sweeps of 600 points instead of 10,000 of 1,000.
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

import numpy as np
from rich.console import Console
from rich.table import Table

from flows.cluster import WorkerLimits
from infra.simulator.xas import quick, truth
from infra.simulator.xas.plan import Scan, SeriesPlan
from infra.simulator.xas.write import write_standards
from tasks.io.spectra import ScanReference, open_spectra
from tests.validate import xas_chain

WORKERS, GIGABYTE = 2, 1 << 30
GOAL_SECONDS = 60.0


class Run(xas_chain.Run):
    """A run with worker processes."""

    def __init__(self, folder, library):
        super().__init__(folder, library)
        self._pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
        list(self._pool.map(abs, range(WORKERS)))

    def limits(self):
        return WorkerLimits(workers=WORKERS, threads=1, memory=2 * GIGABYTE)

    def work_through(self, what, function, orders):
        return self._pool.map(partial(function, cores=1), orders)

    def end(self):
        self._pool.shutdown()


def timed(function):
    begin, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - begin, time.process_time() - cpu


def reading(path):
    """Read all channels once, as the stages do: seconds."""
    reference = ScanReference(str(path), "", "quick")
    with open_spectra(reference) as spectra:
        sweeps = spectra.shape[0]
        begin = time.perf_counter()
        for first in range(0, sweeps, 500):
            spectra.read(sweeps=slice(first, first + 500))
        return time.perf_counter() - begin


def peak(who):
    return resource.getrusage(who).ru_maxrss * 1024 / GIGABYTE


def main():
    is_large = "--large" in sys.argv
    sweeps, points = (100_000, 600) if is_large else (10_000, 1_000)
    plan = SeriesPlan(name="series", sweeps=sweeps, scan=Scan(points=points))
    with tempfile.TemporaryDirectory(dir=os.environ.get("DAYSEYE_BENCHMARK_FOLDER")) as place:
        folder = Path(place)
        (folder / "standards").mkdir()
        write_standards(folder / "standards", plan)
        path, simulating, _ = timed(lambda: quick.write(folder, plan))
        run = Run(folder, xas_chain.library_of(folder / "standards"))
        recipe = xas_chain.Recipe(standards=xas_chain.LIBRARY, libraries=[])
        result, wall, cpu = timed(lambda: xas_chain.walked(run, path, recipe))
        run.end()
        seconds = reading(path)
        tell(plan, result, {"simulating": simulating, "wall": wall, "cpu": cpu, "read": seconds})
    return 0 if is_large or wall <= GOAL_SECONDS else 1


def tell(plan, result, times):
    found, true = result.interpreted.composition, truth.of(plan)
    order = [true.names.index(name) for name in found.names]
    kept = result.sweeps.kept
    apart = found.sweep_fractions[kept] - np.asarray(true.fractions)[kept][:, order]
    workers = os.times().children_user + os.times().children_system
    table = Table("", "", title=f"{plan.sweeps:,} sweeps of {plan.scan.points:,} points")
    rows = {
        "from the disk to fractions": f"{times['wall']:.1f} s",
        "CPU, this process": f"{times['cpu']:.1f} s",
        "CPU, workers": f"{workers:.1f} s",
        "reading all channels once": f"{times['read']:.1f} s (the stages do it twice)",
        "peak memory, this process": f"{peak(resource.RUSAGE_SELF):.2f} GB",
        "peak memory, the larger worker": f"{peak(resource.RUSAGE_CHILDREN):.2f} GB",
        "sweeps left out": f"{len(result.sweeps.left_out)}",
        "fraction rms": f"{np.sqrt(np.mean(apart**2)):.4f}",
        "simulating it (not counted)": f"{times['simulating']:.0f} s",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
