"""
Scaling and merging of a million observations on one core: seconds per part, and memory.

The observations are simulated (a P212121 cell of 100 x 110 x 140 Å to 1.9 Å, 180 degrees); the last
line says whether the goal, 60 s of processor time in all, holds.

Run it with ``python tests/benchmarks/bench_mx_scale.py``.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import resource
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from tasks.mx.merge import merge
from tasks.mx.merging_statistics import statistics
from tasks.mx.resolution_cut import resolution_cut
from tasks.mx.scale import scale
from tests.unit.tasks.mx.scale_truth import simulate

GOAL = 60.0


def timed(name: str, work: Callable[[], Any], console: Console) -> Any:
    """Run a part and print its processor and wall time."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    console.print(f"{name:<12}{cpu:8.1f} s of processor{wall:8.1f} s of wall")
    return found


def main() -> None:
    """Measure."""
    console = Console()
    cell = (100.0, 110.0, 140.0, 90.0, 90.0, 90.0)
    found = simulate(
        cell=cell, space_group="P 21 21 21", d_min=1.85, images=1800, width=0.1, strength=300.0
    )
    console.print(f"{len(found.observations):,} observations")
    few = found.observations.take(found.observations.xyz[:, 2] < 20)
    scale(few, [found.crystal], found.rotations)  # compiles
    begin = time.process_time()
    result = timed(
        "scale", lambda: scale(found.observations, [found.crystal], found.rotations), console
    )
    merged = timed("merge", lambda: merge(result), console)
    timed("statistics", lambda: statistics(result), console)
    timed("cut", lambda: resolution_cut(merged), console)
    taken = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"peak memory {peak:.1f} GiB")
    console.print(
        f"{taken:.1f} s of processor: goal {GOAL:.0f} s {'held' if taken < GOAL else 'missed'}"
    )


if __name__ == "__main__":
    main()
