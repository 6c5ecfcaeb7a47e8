"""How long until a live scan's first line, without and with a backlog of reprocessing.

Run it with ``python tests/benchmarks/bench_backlog.py [COUNT] [BACKLOG]``. On one platform, scans
land one after the other: first alone, then while a backlog that ``reprocess`` has asked for is
being worked off. Measured is from the file's closing to the claim, the flow's first act, and to
the end of the run. The goal is about the 95th percentile of the first.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import h5py
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from catalog.connection import connect
from catalog.reprocess import Wish, reprocess
from infra.addresses import ONE_THREAD
from infra.simulator import dxchange
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan, measure
from infra.up import Running, running

SETTINGS = """
state = "state"

[[beamlines]]
id = "bl07"
folders = ["incoming"]
output = "processed/{scan}"
"""
GOAL_RATIO = 1.5
CLAIMED = text(
    "SELECT extract(epoch FROM attempt.claimed_at), extract(epoch FROM run.finished_at) "
    "FROM attempt JOIN run ON run.id = attempt.run_id "
    "JOIN dataset ON dataset.id = run.dataset_id "
    "WHERE dataset.uid = :uid AND run.version = 1 AND run.state IN ('completed', 'failed')"
)
LEFT = text("SELECT count(*) FROM run WHERE lane = 'reprocess' AND state IN ('waiting', 'running')")


class Bench:
    """One platform, and scans that land at it."""

    def __init__(self, folder: Path, life: Running) -> None:
        self.folder = folder
        self.engine = connect(life.addresses.application_dsn, "benchmark")
        geometry = Geometry(columns=64, rows=4, projections=31, axis=31.3)
        plan = ScanPlan(name="small", geometry=geometry)
        self.scan = dxchange.write(folder, plan, measure(plan))

    def one(self) -> tuple[float, float]:
        """Let a scan land; return the seconds until its claim and until its end."""
        uid = str(uuid4())
        copy = self.folder / f"{uid}.part"
        copy.write_bytes(self.scan.read_bytes())
        with h5py.File(copy, "r+") as file:
            file["measurement/scan_uid"] = uid
        closed = time.time()
        copy.rename(self.folder / "incoming" / f"{uid}.h5")
        claimed, ended = self._wait(lambda: self._ask(uid))
        return float(claimed) - closed, float(ended) - closed

    def ask_for(self, backlog: int, datasets: int) -> None:
        """Ask for a backlog: all datasets again, as often as it takes."""
        for number in range(-(-backlog // datasets)):
            reprocess(self.engine, Wish("bl07", "backlog", request=f"backlog-{number}"), "bench")

    def left(self) -> int:
        """Return how much of the backlog is left."""
        with self.engine.connect() as connection:
            return int(connection.execute(LEFT).scalar_one())

    def _ask(self, uid: str) -> tuple[float, float] | None:
        with self.engine.connect() as connection:
            return connection.execute(CLAIMED, {"uid": uid}).first()

    @staticmethod
    def _wait(condition: Callable[[], tuple[float, float] | None]) -> tuple[float, float]:
        deadline = time.monotonic() + 120
        while (found := condition()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("a run did not end in time")
            time.sleep(0.05)
        return found


def main(count: int, backlog: int) -> int:
    """Measure without and with a backlog, print a table, and return 0 if the goal is met."""
    with tempfile.TemporaryDirectory(prefix="dayseye-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "incoming").mkdir()
        (folder / "dayseye.toml").write_text(SETTINGS)
        with running(folder / "dayseye.toml", environment={**ONE_THREAD}) as life:
            bench = Bench(folder, life)
            bench.one()  # the first one pays for caches
            alone = [bench.one() for _ in range(count)]
            bench.ask_for(backlog, count + 1)
            before, began = bench.left(), time.monotonic()
            beside = [bench.one() for _ in range(count)]
            done, took = before - bench.left(), time.monotonic() - began
            bench.engine.dispose()
    return report(alone, beside, f"backlog {before}; {done} of it done in {took:.0f} s meanwhile")


def report(alone: list[tuple[float, float]], beside: list[tuple[float, float]], title: str) -> int:
    """Print the table; the goal is the ratio of the 95th percentiles of the start."""
    table = Table("from the file's closing to", "", "median", "p95", "max", title=title)
    ratio = 0.0
    for place, what in enumerate(("first line", "end")):
        without, with_ = ([each[place] for each in kind] for kind in (alone, beside))
        for name, seconds in (("alone", without), ("with the backlog", with_)):
            figures = (statistics.median(seconds), p95(seconds), max(seconds))
            table.add_row(what, name, *(f"{each:.2f} s" for each in figures))
        of_p95 = p95(with_) / p95(without)
        ratio = ratio or of_p95
        medians = statistics.median(with_) / statistics.median(without)
        table.add_row(what, "ratio", f"{medians:.2f}", f"{of_p95:.2f}", "")
    Console().print(table)
    return 0 if ratio <= GOAL_RATIO else 1


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(given[0] if given else 20, given[1] if len(given) > 1 else 1000))
