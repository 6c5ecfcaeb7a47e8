"""How long until a live scan's first line, without and with a backlog of reprocessing.

Run it with ``python tests/benchmarks/bench_backlog.py [COUNT] [BACKLOG]``. On one platform, scans
land one after the other, in turns of a few: alone, and while a backlog that ``reprocess`` has asked
for at another beamline is being worked off. Between the turns that beamline is paused, so that
both kinds meet the same machine. Measured is from the file's closing to the claim, the flow's first
act, and to the end of the run. The goal is about the 95th percentile of the first.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import h5py
from rich.console import Console
from rich.table import Table
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from catalog import pauses
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

[[beamlines]]
id = "old"
folders = ["old"]
output = "processed/old/{scan}"
"""
TURN = 4
OLD = 10  # scans that the backlog is about
GOAL_RATIO = 1.5
Found = TypeVar("Found")
CLAIMED = text(
    "SELECT extract(epoch FROM attempt.claimed_at), extract(epoch FROM run.finished_at) "
    "FROM attempt JOIN run ON run.id = attempt.run_id "
    "JOIN dataset ON dataset.id = run.dataset_id "
    "WHERE dataset.uid = :uid AND run.version = 1 AND run.state IN ('completed', 'failed')"
)
RUNNING = text("SELECT count(*) FROM run WHERE lane = 'reprocess' AND state = 'running'")
LEFT = text("SELECT count(*) FROM run WHERE lane = 'reprocess' AND state IN ('waiting', 'running')")


class Bench:
    """One platform, and scans that land at it."""

    def __init__(self, folder: Path, life: Running) -> None:
        self.folder = folder
        self.engine = connect(life.addresses.application_dsn, "benchmark")
        geometry = Geometry(columns=64, rows=4, projections=31, axis=31.3)
        plan = ScanPlan(name="small", geometry=geometry)
        self.scan = dxchange.write(folder, plan, measure(plan))

    def one(self, folder: str = "incoming") -> tuple[float, float]:
        """Let a scan land; return the seconds until its claim and until its end."""
        uid = str(uuid4())
        copy = self.folder / f"{uid}.part"
        copy.write_bytes(self.scan.read_bytes())
        with h5py.File(copy, "r+") as file:
            file["measurement/scan_uid"] = uid
        closed = time.time()
        copy.rename(self.folder / folder / f"{uid}.h5")
        claimed, ended = self._wait(lambda: self._ask(uid))
        return float(claimed) - closed, float(ended) - closed

    def ask_for(self, backlog: int) -> None:
        """Ask for a backlog: all old scans again, as often as it takes; it waits for `beside`."""
        with Session(self.engine) as session, session.begin():
            pauses.pause(session, "old", "bench", "it is not its turn")
        for number in range(-(-backlog // OLD)):
            reprocess(self.engine, Wish("old", "backlog", request=f"backlog-{number}"), "bench")

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Let the backlog be worked off for a while."""
        with Session(self.engine) as session, session.begin():
            pauses.resume(session, "old")
        self._wait(lambda: self._count(RUNNING) or None)
        yield
        with Session(self.engine) as session, session.begin():
            pauses.pause(session, "old", "bench", "it is not its turn")
        self._wait(lambda: None if self._count(RUNNING) else 1)

    def left(self) -> int:
        """Return how much of the backlog is left."""
        return self._count(LEFT)

    def _count(self, statement: TextClause) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(statement).scalar_one())

    def _ask(self, uid: str) -> tuple[float, float] | None:
        with self.engine.connect() as connection:
            return connection.execute(CLAIMED, {"uid": uid}).first()

    @staticmethod
    def _wait(condition: Callable[[], Found | None]) -> Found:
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
        for name in ("incoming", "old"):
            (folder / name).mkdir()
        (folder / "dayseye.toml").write_text(SETTINGS)
        with running(folder / "dayseye.toml", environment={**ONE_THREAD}) as life:
            bench = Bench(folder, life)
            for _ in range(OLD):
                bench.one("old")
            bench.ask_for(backlog)
            alone: list[tuple[float, float]] = []
            beside: list[tuple[float, float]] = []
            asked, took = bench.left(), 0.0
            while len(beside) < count:
                alone += [bench.one() for _ in range(TURN)]
                with bench.beside():
                    began = time.monotonic()
                    beside += [bench.one() for _ in range(TURN)]
                    took += time.monotonic() - began
            title = f"backlog {asked}; {asked - bench.left()} of it done beside, in {took:.0f} s"
            bench.engine.dispose()
    return report(alone, beside, title)


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
    sys.exit(main(given[0] if given else 16, given[1] if len(given) > 1 else 1000))
