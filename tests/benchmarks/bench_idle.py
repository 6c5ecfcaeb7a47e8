"""
What an idle platform costs: CPU of each service over ten minutes, as shares of one core.

Run it with ``python tests/benchmarks/bench_idle.py [MINUTES]``. Goal: at most 10 % of a core for
all but Prefect's own server (its database connections count as PostgreSQL). Before the clock starts
the platform gets a minute to settle.
"""

import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from infra.addresses import ONE_THREAD
from infra.up import Running, running

GOAL_PERCENT = 10.0
SETTLE_SECONDS = 60.0
BEAMLINES = 3
SETTINGS = """
state = "state"
"""
BEAMLINE = """
[[beamlines]]
id = "bl{number:02d}"
folders = ["incoming{number}"]
output = "processed{number}/{{scan}}"
"""


def processes(life: Running) -> dict[int, tuple[str, psutil.Process]]:
    """Return every process of a platform with the name of the service that it belongs to."""
    found = {life.process.pid: ("supervisor", psutil.Process(life.process.pid))}
    for name, each in life.services().items():
        if each["pid"] is None:
            continue
        root = psutil.Process(each["pid"])
        for process in (root, *root.children(recursive=True)):
            found[process.pid] = (_part(name, process), process)
    return found


def _part(service: str, process: psutil.Process) -> str:
    """Name a process: PostgreSQL's by whose connection it serves, the others by their service."""
    if service != "postgres":
        return service
    title = " ".join(process.cmdline())
    known = next(
        (role for role in ("prefect", "dayseye_app", "dayseye_owner") if role in title), ""
    )
    return f"postgres ({known or 'itself'})"


def seconds(found: dict[int, tuple[str, psutil.Process]]) -> dict[int, tuple[str, float, float]]:
    """Return the name, CPU seconds and memory in MB of each process."""
    spent: dict[int, tuple[str, float, float]] = {}
    for pid, (name, process) in found.items():
        try:
            times = process.cpu_times()
            spent[pid] = (name, times.user + times.system, process.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            continue
    return spent


def measure(life: Running, minutes: float) -> tuple[dict[str, float], dict[str, float], float]:
    """Return the CPU seconds and the memory of each service, and how long was measured."""
    time.sleep(SETTLE_SECONDS)
    before, began = seconds(processes(life)), time.monotonic()
    time.sleep(60 * minutes)
    after, took = seconds(processes(life)), time.monotonic() - began
    cpu: dict[str, float] = defaultdict(float)
    memory: dict[str, float] = defaultdict(float)
    for pid, (name, spent, resident) in after.items():
        cpu[name] += spent - before.get(pid, (name, 0.0, 0.0))[1]
        memory[name] += resident
    return cpu, memory, took


def report(cpu: dict[str, float], memory: dict[str, float], took: float) -> int:
    """Print the table; return 0 if the goal is met."""
    table = Table("service", "% of a core", "MB", title=f"idle for {took / 60:.1f} minutes")
    for name in sorted(cpu, key=lambda each: -cpu[each]):
        table.add_row(name, f"{100 * cpu[name] / took:.2f}", f"{memory[name]:,.0f}")
    ours = 100 * sum(spent for name, spent in cpu.items() if name != "prefect") / took
    whole = 100 * sum(cpu.values()) / took
    table.add_row("all", f"{whole:.2f}", f"{sum(memory.values()):,.0f}")
    table.add_row("all but Prefect's server", f"{ours:.2f}", "")
    Console(width=100).print(table)
    print(
        f"at most {GOAL_PERCENT:.0f} % of a core without Prefect's server: {ours <= GOAL_PERCENT}"
    )
    return 0 if ours <= GOAL_PERCENT else 1


def main(minutes: float) -> int:
    """Start a platform with some beamlines and watch it do nothing."""
    with tempfile.TemporaryDirectory(prefix="dayseye-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        settings = SETTINGS + "".join(BEAMLINE.format(number=n + 1) for n in range(BEAMLINES))
        for number in range(BEAMLINES):
            (folder / f"incoming{number + 1}").mkdir()
        (folder / "dayseye.toml").write_text(settings)
        with running(folder / "dayseye.toml", environment={**os.environ, **ONE_THREAD}) as life:
            return report(*measure(life, minutes))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
