"""Scans keep coming while everything that can break is broken: nothing lost, nothing twice."""

import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest
from rich.console import Console
from rich.table import Table

from tests.chaos import clocks, count, schedule
from tests.chaos.beamlines import Beamlines
from tests.chaos.conftest import clear
from tests.chaos.faults import KINDS
from tests.chaos.platform import Platform
from tests.chaos.world import NotPossibleError, World, Wound, wait_for

SMALL_DISK = "192m"
SETTLE_SECONDS = 420.0
SLOWER = 6  # so many times, once enough have come and faults are still injected


@dataclass
class Fault:
    """One fault of the schedule, and what became of it."""

    kind: str
    at: float
    what: str = ""
    wound: Wound | None = None
    injected: float = 0.0
    healed_after: float | None = None
    not_possible: str = ""


class Arrivals(threading.Thread):
    """Brings scans until there are enough and the last fault is over."""

    def __init__(self, beamlines: Beamlines, seed: int, number: int, seconds: float) -> None:
        super().__init__(name="arrivals", daemon=True)
        self.brought = []
        self.error = None
        self._tally = Counter()
        self.beamlines, self._number = beamlines, number
        self._drawn = schedule.draw_ways(seed, sorted(beamlines.ways), seconds / number)
        self._lock = threading.Lock()
        self._faults_over = threading.Event()

    def run(self) -> None:
        """Bring them, with pauses."""
        try:
            for pause, way in self._drawn:
                enough = len(self.brought) >= self._number
                if enough and self._faults_over.is_set():
                    return
                time.sleep(pause * SLOWER if enough else pause)
                self.bring(way)
        except Exception as error:  # told in the main thread
            self.error = error

    def bring(self, way: str):
        """Bring one scan."""
        with self._lock:
            scan = self.beamlines.ways[way](len(self.brought) + 1)
            self.brought.append(scan)
            self._tally[way] += 1
        return scan

    def check(self) -> None:
        """Raise what went wrong in the thread."""
        if self.error:
            raise self.error

    def tally(self) -> str:
        """Tell how many came in which way."""
        return ", ".join(f"{number} {way}" for way, number in sorted(self._tally.items()))

    def faults_are_over(self) -> None:
        """Stop once there are enough."""
        self._faults_over.set()


@pytest.fixture
def small_disk(folder):
    """Mount a small disk for the results of one beamline, where that is allowed."""
    place = folder / "small-disk"
    place.mkdir()
    command = ["/bin/mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "chaos", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        yield None, f"NOT INJECTED: no small disk can be mounted here ({mounted.stderr.strip()})"
        return
    yield place, ""
    subprocess.run(["/bin/umount", "--lazy", str(place)], check=True)


@pytest.fixture
def world(request, seed, folder, small_disk):
    """Run the platform with its beamlines."""
    narrow, no_narrow = small_disk
    beamlines = Beamlines(folder / "platform", narrow)
    libfaketime = clocks.library()
    environment = clocks.environment(folder / "clocks", libfaketime) if libfaketime else {}
    platform = Platform(folder / "platform", beamlines.settings(), environment)
    beamlines.measure()
    platform.start()
    beamlines.begin(platform)
    minutes, number = (request.config.getoption(name) for name in ("--minutes", "--scans"))
    yield World(
        platform=platform,
        arrivals=Arrivals(beamlines, seed, number, minutes * 60),
        chance=schedule.luck(seed + 2),
        narrow=narrow,
        no_narrow=no_narrow,
        clocks=folder / "clocks" if libfaketime else None,
        no_clocks="" if libfaketime else clocks.WHY_NOT,
        roots=[platform.folder / "processed", *([narrow] if narrow else [])],
    )
    processes = platform.processes()
    platform.stop()
    beamlines.end()
    _, left = psutil.wait_procs(processes.values(), timeout=10)
    clear(platform)
    assert not left, f"left behind: {left}"


def test_nothing_is_lost_and_nothing_is_twice(request, world, seed):
    minutes, number = (request.config.getoption(name) for name in ("--minutes", "--faults"))
    only = [name for name in request.config.getoption("--only").split(",") if name]
    shares = {
        name: kind.share for name, kind in KINDS.items() if not only or any(o in name for o in only)
    }
    drawn = schedule.draw_faults(seed, shares, number or sum(shares.values()))
    print(f"\nseed {seed}: make chaos ARGS='--seed {seed}'", flush=True)
    with told(world, seed) as faults:
        world.arrivals.start()
        inject(world, drawn, minutes * 60, faults)
        world.arrivals.faults_are_over()
        settle(world, faults)
        assert_clean(world, faults)


def inject(world: World, drawn: list[str], seconds: float, faults: list[Fault]) -> None:
    """Inject the faults, spread over the time; one that takes long delays the next."""
    begin = time.monotonic()
    for number, kind in enumerate(drawn):
        look_after(faults, until=begin + number * seconds / len(drawn))
        world.arrivals.check()
        fault = Fault(kind, time.monotonic() - begin)
        faults.append(fault)
        try:
            fault.wound = KINDS[kind].inject(world)
            fault.what = fault.wound.what
        except NotPossibleError as reason:
            fault.not_possible = str(reason)
        fault.injected = time.monotonic()
        print(f"{fault.at:7.1f} s  {kind}: {fault.what}{fault.not_possible}", flush=True)


def look_after(faults: list[Fault], until: float) -> None:
    """Note which wounds heal, and fail when one takes too long."""
    while True:
        for fault in faults:
            if fault.wound and fault.healed_after is None:
                seconds = time.monotonic() - fault.injected
                if fault.wound.healed():
                    fault.healed_after = seconds
                else:
                    assert seconds <= fault.wound.within, f"{fault.kind} is not over: {fault.what}"
        if time.monotonic() >= until:
            return
        time.sleep(0.1)


def settle(world: World, faults: list[Fault]) -> None:
    """Wait until all wounds are healed and every scan is reduced."""
    world.arrivals.join()
    world.arrivals.check()
    deadline = time.monotonic() + SETTLE_SECONDS
    while any(fault.wound and fault.healed_after is None for fault in faults):
        look_after(faults, until=0)
        time.sleep(0.1)
    reports = world.arrivals.beamlines.reports
    wait_for("all reports are heard", reports.all_heard, 240)
    assert not reports.refused
    while not is_done(world) and time.monotonic() < deadline:
        time.sleep(1.0)  # when it is too late, the count tells what is missing


def is_done(world: World) -> bool:
    """Tell whether every scan is reduced, and nobody has anything left to do."""
    if count.waiting(world.platform, world.arrivals.brought) != 0:
        return False
    return not (count.unfinished(world.platform) or count.in_prefect(world.platform))


def assert_clean(world: World, faults: list[Fault]) -> None:
    """Count, print what was counted, and fail with all that should not be."""
    found = count.count(world.platform, world.arrivals.brought, world.roots, world.doomed)
    found.unfinished += count.in_prefect(world.platform)
    injected = sum(fault.wound is not None for fault in faults)
    line = ", ".join(f"{name} {len(told)}" for name, told in found.parts().items())
    print(f"\n{len(world.arrivals.brought)} scans, {injected} faults: {line}")
    for name, told_ in found.parts().items():
        for sentence in told_:
            print(f"  {name}: {sentence}")
    assert found.is_clean()


@contextmanager
def told(world: World, seed: int):
    """Print the table of faults at the end, however it ends."""
    faults: list[Fault] = []
    begin = time.monotonic()
    try:
        yield faults
    except BaseException:
        print(f"\nFAILED with seed {seed}: make chaos ARGS='--seed {seed}'", flush=True)
        print(f"logs: {world.platform.life.state.logs}")
        raise
    finally:
        ways = world.arrivals.tally()
        print(f"\n{(time.monotonic() - begin) / 60:.1f} minutes; brought: {ways}")
        Console(width=120).print(table(faults))


def table(faults: list[Fault]) -> Table:
    """Make the table of faults injected and survived."""
    result = Table(title="faults", title_justify="left")
    for name in ("fault", "injected", "survived", "over after (longest)", "note"):
        result.add_column(name)
    for kind in KINDS:
        mine = [fault for fault in faults if fault.kind == kind]
        if not mine:
            continue
        healed = [fault.healed_after for fault in mine if fault.healed_after is not None]
        injected = sum(fault.wound is not None for fault in mine)
        longest = f"{max(healed):.0f} s" if healed else ""
        note = next((fault.not_possible for fault in mine if fault.not_possible), "")
        result.add_row(kind, str(injected), str(len(healed)), longest, note)
    return result
