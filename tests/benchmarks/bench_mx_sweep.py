"""
A sweep of 900 images of 4M pixels from its files to merged MTZ: time and share of each stage.

The stages of the flow run as they do in it, with two worker processes in place of the cluster and
without the services around. Simulating the images is not timed.
"""

import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows.mx.found import Result
from flows.mx.recipe import Recipe
from flows.mx.without_platform import reduce_sweep
from infra.local_reduction import LocalReduction, local_reduction
from infra.simulator.mx.plan import EIGER_4M, Crystal, Rotation, SweepPlan
from infra.simulator.mx.write import write_sweep
from tasks.io.scan import ScanReference

WORKERS, GIGABYTE = 2, 1 << 30
IMAGES, GOAL_SECONDS = 900, 15 * 60
LYSOZYME = Crystal(mosaicity_deg=0.08)


def main(images: int) -> bool:
    """Simulate, reduce, and tell; return whether the goal was met."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        raw.mkdir()
        detector = replace(EIGER_4M, distance=130.0)
        plan = SweepPlan("bench", detector=detector, crystal=LYSOZYME)
        plan = replace(plan, rotation=Rotation(0.0, 0.1, images))
        write_sweep(raw, plan, "dectris")
        size = sum(path.stat().st_size for path in raw.iterdir())
        data = ScanReference(str(raw / "bench_master.h5"))
        with local_reduction(data, "bench", Path(folder, "out"), WORKERS) as run:
            result = reduce_sweep(run, Recipe())
    return tell(console, run, result, images, size)


def tell(console: Console, run: LocalReduction, result: Result, images: int, size: int) -> bool:
    """Print the time and share of each stage, what came out, and the memory."""
    total = sum(run.seconds.values())
    title = f"{images} images of 2070 x 2167, {size / 1e9:.1f} GB in the files, {WORKERS} workers"
    table = Table("stage", "s", "share", title=title)
    for stage, seconds in run.seconds.items():
        table.add_row(stage, f"{seconds:.1f}", f"{seconds / total:.0%}")
    table.add_row("all", f"{total:.1f}", f"goal {GOAL_SECONDS * images / IMAGES:.0f} s")
    console.print(table)
    if result.reduced is None:
        console.print(result.ends_at, style="red")
        return False
    console.print(result.reduced.table.text())
    for who, name in (
        (resource.RUSAGE_SELF, "this process"),
        (resource.RUSAGE_CHILDREN, "workers"),
    ):
        peak = resource.getrusage(who).ru_maxrss * 1024 / GIGABYTE
        console.print(f"peak memory, {name}: {peak:.2f} GiB")
    return total <= GOAL_SECONDS * images / IMAGES


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES) else 1)
