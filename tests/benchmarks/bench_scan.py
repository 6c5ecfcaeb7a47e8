"""What our own scan of a shared file system costs: CPU time of each walk, share of a core, memory.

Run it with ``python tests/benchmarks/bench_scan.py [FILES] [FOLDERS] [SECONDS]``. The trigger of
one beamline runs with a ledger that knows all files, as after a restart; the scan is the only way
of hearing about data. Then a new file lands again and again, and the time until it is told of is
taken.
"""

import os
import resource
import shutil
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from catalog.arrivals import Recorded
from triggers.beamline import Beamline
from triggers.rules import Triggers
from triggers.service import Trigger
from triggers.tree import Tree
from triggers.walker import SHARES

GOAL_SHARE = 0.02


class Ledger:
    """A catalogue that knows every file, and takes what is new."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.told: dict[str, float] = {}

    def record_many(self, sightings):
        for each in sightings:
            self.told[each.name] = time.monotonic()
        return [Recorded(uuid.uuid4(), True, each.stage, None, "") for each in sightings]

    def known(self, _: Beamline) -> Iterator[tuple[str, int, int, int]]:
        for portion in Tree(self._root).files(quick=False):
            yield from portion

    def is_reported(self, _: Beamline) -> bool:
        return False

    def about(self, *_):
        return {}


def main(files: int, folders: int, seconds: float) -> int:
    """Measure, print a table, and return 0 if the goal is met."""
    with tempfile.TemporaryDirectory(prefix="dayseye-bench-") as made:
        folder = Path(made)
        scan = make(folder, files, folders)
        beamline = Beamline(
            id="nfs",
            folders=(folder / "raw",),
            output=f"{folder}/processed/{{scan}}",
            triggers=Triggers(files="scan"),
        )
        ledger = Ledger(folder / "raw")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        trigger, stop = Trigger([beamline], ledger), threading.Event()
        thread = threading.Thread(target=trigger.run, args=(stop,))
        thread.start()
        walker = trigger.walkers["nfs"]
        while not walker.cpu_seconds["reconcile"]:
            time.sleep(0.1)
        walker.cpu_seconds["whole"] = whole_walk(trigger)
        spent, begin = time.process_time(), time.monotonic()
        stop.wait(seconds)
        share = (time.process_time() - spent) / (time.monotonic() - begin)
        delays = land(scan, folder / "raw", ledger)
        stop.set()
        thread.join()
        return report(walker, files, folders, share, before, delays)


def make(folder: Path, files: int, folders: int) -> Path:
    """Make the tree, and beside it the scan that lands in it later."""
    for number in range(folders):
        (folder / "raw" / f"{number // 100:03d}" / f"{number:05d}").mkdir(parents=True)
    for number in range(files):
        at = number % folders
        (folder / "raw" / f"{at // 100:03d}" / f"{at:05d}" / f"scan_{number:07d}.h5").touch()
    past = time.time() - 3600
    for place, _, _ in os.walk(folder / "raw"):
        os.utime(place, (past, past))
    scan = folder / "scan.h5"
    with h5py.File(scan, "w") as file:
        file["exchange/theta"] = np.arange(5.0)
        for name, count in (("data", 5), ("data_white", 2), ("data_dark", 2)):
            file[f"exchange/{name}"] = np.ones((count, 4, 6), np.uint16)
    return scan


def whole_walk(trigger: Trigger) -> float:
    """Return the CPU seconds of a whole walk in which nothing is new."""
    loop, walker = trigger.loops["nfs"], trigger.walkers["nfs"]
    spent = time.thread_time()
    for tree in walker.trees.values():
        for portion in Tree(tree.root).files(quick=False):
            loop.settled.unknown(portion)
    return time.thread_time() - spent


def land(scan: Path, raw: Path, ledger: Ledger) -> list[float]:
    """Let some files land in an old folder; return how long each took to be told of."""
    delays: list[float] = []
    for number in range(5):
        name = f"landed_{number}"
        shutil.copy(scan, raw / f".{name}")
        begin = time.monotonic()
        (raw / f".{name}").rename(raw / "000" / "00000" / f"{name}.h5")
        while name not in ledger.told:
            time.sleep(0.01)
        delays.append(ledger.told[name] - begin)
    return delays


def report(walker, files: int, folders: int, share: float, before: int, delays: list[float]) -> int:
    """Print the tables."""
    console = Console()
    table = Table("walk", "CPU s", "every s", "of a core")
    for kind in SHARES:
        cpu, period = walker.cpu_seconds[kind], walker.period(kind)
        table.add_row(kind, f"{cpu:.3f}", f"{period:.0f}", f"{100 * cpu / period:.2f} %")
    console.print(f"{files:,} files in {folders:,} folders")
    console.print(table)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    console.print(
        f"measured: {100 * share:.2f} % of a core; memory {before / 1024:.0f} MiB before, "
        f"{most / 1024:.0f} MiB at most; a new file told after {statistics.median(delays):.1f} s "
        f"(at most {max(delays):.1f} s)"
    )
    return 0 if share <= GOAL_SHARE else 1


if __name__ == "__main__":
    given = [*map(int, sys.argv[1:]), *(100_000, 1_000, 120)[len(sys.argv) - 1 :]]
    sys.exit(main(*given))
