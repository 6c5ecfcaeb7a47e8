"""How long until small files that land at once are all in the catalogue, and at what memory.

Run it with ``python tests/benchmarks/bench_arrivals.py [COUNT] [events|scan]``. On a whole platform
of the default settings a beamline is paused, so that what lands is entered with its run and its
dispatch, and no reduction competes. Another process writes the scans, each with a uid of its own,
as fast as it can. The clock runs from the first file's creation to the last dataset.
"""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from uuid import uuid4

import h5py
import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from catalog.connection import connect
from infra.addresses import ONE_THREAD
from infra.simulator import dxchange
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan, measure
from infra.up import running

COUNT, GOAL_SECONDS = 10_000, 60.0
SETTINGS = """
state = "state"

[[beamlines]]
id = "bl07"
folders = ["incoming"]
output = "processed/{{scan}}"
triggers = {{ files = "{files}" }}
"""
WRITER = """
import sys, uuid, pathlib
original, folder, count = pathlib.Path(sys.argv[1]).read_bytes(), sys.argv[2], int(sys.argv[3])
uid = sys.argv[4].encode()
assert original.count(uid) == 1
for number in range(count):
    place = pathlib.Path(folder, f"{number // 1000:03d}")
    place.mkdir(exist_ok=True)
    content = original.replace(uid, str(uuid.uuid4()).encode())
    (place / f"scan_{number:06d}.h5").write_bytes(content)
"""
ENTERED = text(
    "SELECT count(*) FILTER (WHERE d.state = 'validated'), count(r.id), count(o.id) FROM dataset d "
    "LEFT JOIN run r ON r.dataset_id = d.id LEFT JOIN dispatch o ON o.run_id = r.id"
)


class Memory:
    """The largest memory and the CPU time of the processes that matter, by name."""

    def __init__(self, platform: int) -> None:
        self.largest: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._first: dict[int, float] = {}
        self._platform = psutil.Process(platform)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._sample()

    def _sample(self) -> None:
        memory: dict[str, float] = {}
        cpu: dict[str, float] = {}
        for process in self._platform.children(recursive=True):
            try:
                name, used = _name(process), process.memory_full_info().pss / 2**20
                spent = process.cpu_times().user + process.cpu_times().system
            except psutil.NoSuchProcess:
                continue
            memory[name] = memory.get(name, 0.0) + used
            cpu[name] = cpu.get(name, 0.0) + spent - self._first.setdefault(process.pid, spent)
        self.cpu = cpu
        for name, used in memory.items():
            self.largest[name] = max(used, self.largest.get(name, 0.0))


def _name(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    known = ("triggers", "dispatcher", "caretaker", "api", "worker", "cluster")
    found = next((name for name in known if f"serve_{name}" in words), None)
    if found is None and "prefect" in words:
        return "Prefect server"
    return found or ("PostgreSQL" if "postgres" in words else "others")


def main(count: int, files: str) -> int:
    """Measure, print a table, and return 0 if the goal is met."""
    with tempfile.TemporaryDirectory(prefix="dayseye-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "incoming").mkdir()
        (folder / "dayseye.toml").write_text(SETTINGS.format(files=files))
        with running(folder / "dayseye.toml", environment=dict(ONE_THREAD)) as life:
            engine = connect(life.addresses.application_dsn, "benchmark")
            with engine.begin() as connection:
                connection.execute(text("UPDATE beamline SET paused_at = now(), paused_by = 'me'"))
            with Memory(life.process.pid) as memory:
                seconds, written = land(engine, folder, count)
        return report(count, files, seconds, written, memory)


def land(engine, folder: Path, count: int) -> tuple[float, float]:
    """Let the scans land; return the seconds until all are entered, and until all are written."""
    geometry = Geometry(columns=64, rows=4, projections=31, axis=31.3)
    plan = ScanPlan(name="small", geometry=geometry)
    measured = measure(plan)
    scan = dxchange.write(folder, plan, measured)
    uid = str(uuid4())
    with h5py.File(scan, "r+") as file:
        file["measurement/scan_uid"] = uid
    begin = time.monotonic()
    words = [str(scan), str(folder / "incoming"), str(count), uid]
    writer = subprocess.Popen([sys.executable, "-c", WRITER, *words])
    written = 0.0
    while True:
        now = time.monotonic() - begin
        if not written and writer.poll() is not None:
            written = now
        with engine.connect() as connection:
            datasets, runs, dispatches = connection.execute(ENTERED).one()
        if datasets == count:
            break
        if now > 10 * GOAL_SECONDS or (writer.poll() or 0) > 0:
            raise TimeoutError(f"{datasets} of {count} datasets after {now:.0f} s")
        time.sleep(0.2)
    if not runs == dispatches == count:
        raise RuntimeError(f"{count} datasets have {runs} runs and {dispatches} dispatches")
    return now, written


def report(count: int, files: str, seconds: float, written: float, memory: Memory) -> int:
    """Print the tables; the goal is meant for 10,000 files."""
    console = Console()
    rate = count / seconds
    console.print(
        f"{count:,} files ({files}): written after {written:.1f} s, all in the catalogue after "
        f"{seconds:.1f} s, {rate:.0f} files/s"
    )
    table = Table("process", "memory, MiB (PSS)", "CPU s")
    for name, used in sorted(memory.largest.items()):
        table.add_row(name, f"{used:.0f}", f"{memory.cpu.get(name, 0.0):.1f}")
    console.print(table)
    return 0 if seconds <= GOAL_SECONDS * count / COUNT else 1


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    sys.exit(main(int(arguments.get(0, COUNT)), arguments.get(1, "events")))
