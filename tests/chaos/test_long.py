"""The long form: thousands of small files, most of them only catalogued, while processes die."""

import time
from collections import Counter

import psutil
import pytest
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from catalog.models import Dataset, Run
from tests.chaos import count, schedule
from tests.chaos.conftest import clear
from tests.chaos.faults import KINDS
from tests.chaos.platform import Platform
from tests.chaos.scans import Templates
from tests.chaos.world import World, wait_for

SETTINGS = """
state = "state"

[runs]
at_once = 2
attempts = 12
stale_seconds = 30.0
retry_seconds = 1.0

[[beamlines]]
id = "storm"
folders = ["raw"]
output = "processed/{scan}"
recipe = { rotation_axis = 15.2 }
triggers = { reconcile_seconds = 60.0 }

[[beamlines.rules]]
name = "reduced"
match = ["reduced/**"]
batch = { count = 25, seconds = 5.0 }

[[beamlines.rules]]
name = "catalogued"
match = ["**"]
flow = "none"
"""
CHEAP = ("kill -9 triggers", "kill -9 run", "kill -9 dispatcher", "kill -9 worker")
REDUCED_OF = 20  # one of so many is reduced
FOLDER_OF = 500
FAULT_SECONDS = 45.0
PATIENCE = 3000.0


@pytest.fixture
def storm(folder, request, seed):
    """Run a platform with one beamline, which brings small files."""
    if not request.config.getoption("--arrivals"):
        pytest.skip("the long form: make chaos-long")
    platform = Platform(folder / "platform", SETTINGS)
    templates = Templates(platform.folder / "store", "tiny")
    platform.start()
    yield platform, templates
    processes = platform.processes()
    platform.stop()
    _, left = psutil.wait_procs(processes.values(), timeout=10)
    clear(platform)
    assert not left, f"left behind: {left}"


def test_a_storm_of_small_files(storm, request, seed):
    platform, templates = storm
    number = request.config.getoption("--arrivals")
    print(f"\nseed {seed}: make chaos-long ARGS='--seed {seed}'", flush=True)
    begin = time.monotonic()
    scans = [templates.write("tiny", place(platform, index)) for index in range(number)]
    reduced = [scan for scan in scans if scan.path.parts[-3] == "reduced"]
    others = [scan for scan in scans if scan.path.parts[-3] != "reduced"]
    told = {"written": time.monotonic() - begin}

    watch = Watch(platform, begin, told, number, len(reduced))
    faults = Counter()
    world = World(platform, None, schedule.luck(seed + 2))
    for kind in schedule.draw_faults(seed, dict.fromkeys(CHEAP, 1), 1000):
        if watch.is_over(FAULT_SECONDS):
            break
        if kind == "kill -9 run" and "reduced" in told:
            continue  # none will come any more
        wound = KINDS[kind].inject(world)
        wait_for(f"{kind} is over", wound.healed, wound.within)
        faults[kind] += 1
        print(f"{time.monotonic() - begin:7.0f} s  {kind}: {watch.said}", flush=True)
    wait_for("nothing to be done", lambda: not count.unfinished(platform), 120)

    found = count.count(platform, reduced, [platform.folder / "processed"], world.doomed, others)
    show(number, len(reduced), told, faults, watch.memory)
    line = ", ".join(f"{name} {len(sentences)}" for name, sentences in found.parts().items())
    print(f"{number} arrivals, {faults.total()} faults: {line}")
    for name, sentences in found.parts().items():
        for sentence in sentences[:20]:
            print(f"  {name}: {sentence}")
    assert found.is_clean()


def place(platform, index):
    """Return where a file goes: folders of some hundred, one of twenty is reduced."""
    kind = "other" if index % REDUCED_OF else "reduced"
    return platform.folder / "raw" / kind / f"{index // FOLDER_OF:04d}" / f"scan_{index:06d}.h5"


class Watch:
    """Looks how far the platform is, and how much memory each of its services takes."""

    def __init__(self, platform, begin, told, arrivals, reduced):
        self.memory = {}
        self.said = ""
        self._platform, self._begin, self._told = platform, begin, told
        self._goals = {"catalogued": arrivals, "reduced": reduced}

    def is_over(self, seconds):
        """Watch for a while; tell whether everything has been done."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            numbers = self._numbers()
            now = time.monotonic() - self._begin
            assert now < PATIENCE, f"after {now:.0f} s: {numbers}"
            for name, goal in self._goals.items():
                if numbers.get(name) == goal:
                    self._told.setdefault(name, now)
            self.said = ", ".join(f"{value} {name}" for name, value in numbers.items())
            self._weigh()
            if set(self._goals) <= set(self._told):
                return True
            time.sleep(1.0)
        return False

    def _numbers(self):
        arrived = select(func.count()).where(Dataset.kind == "raw", Dataset.state == "validated")
        done = select(func.count()).where(Run.state == "completed")
        asked = {"catalogued": arrived, "reduced": done}
        answers = {name: self._platform.ask(statement) for name, statement in asked.items()}
        return {name: rows[0][0] for name, rows in answers.items() if rows}

    def _weigh(self):
        for name, told in self._platform.life.services().items():
            try:
                memory = psutil.Process(told["pid"]).memory_info().rss if told["pid"] else 0
            except psutil.NoSuchProcess:
                continue  # it was killed just now
            self.memory[name] = max(memory, self.memory.get(name, 0))


def show(number, reduced, told, faults, memory):
    """Print the figures."""
    table = Table(title=f"{number} arrivals, {reduced} of them reduced", title_justify="left")
    table.add_column("what")
    table.add_column("figure")
    for name, seconds in told.items():
        count_ = reduced if name == "reduced" else number
        table.add_row(f"all {name}", f"{seconds:.0f} s ({count_ / seconds:.1f} a second)")
    for kind, times in sorted(faults.items()):
        table.add_row(kind, str(times))
    for name, size in sorted(memory.items()):
        table.add_row(f"memory of {name}, at most", f"{size / 1e6:.0f} MB")
    Console(width=100).print(table)
