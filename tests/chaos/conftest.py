"""A platform whose processes are killed, and the options of a chaos run."""

import shutil
import tempfile
from pathlib import Path
from random import SystemRandom

import psutil
import pytest
from rich.console import Console
from rich.table import Table

from tests.chaos.platform import Platform
from tests.chaos.scans import Templates

KILL_SETTINGS = """
state = "state"

[runs]
attempts = 5
stale_seconds = 20.0

[[beamlines]]
id = "imaging"
technique = "ct"
folders = ["raw"]
output = "{folder}/processed/{{scan}}"
rescan_seconds = 5.0
"""


def pytest_addoption(parser):
    """Let a failing schedule be repeated, and a shorter one be tried."""
    options = parser.getgroup("chaos")
    options.addoption("--seed", type=int, help="of the schedule; drawn and printed without it")
    options.addoption("--scans", type=int, default=200, help="that arrive, at least")
    options.addoption("--faults", type=int, help="that are injected; all kinds in their shares")
    options.addoption("--minutes", type=float, default=18.0, help="over which they are spread")
    options.addoption("--only", default="", help="kinds of faults, separated by commas")
    options.addoption("--arrivals", type=int, default=0, help="of the long form; 0 leaves it out")


@pytest.fixture(scope="session")
def seed(request):
    """Return the seed of this run."""
    given = request.config.getoption("--seed")
    return SystemRandom().randrange(1_000_000) if given is None else given


@pytest.fixture
def folder():
    """Make a folder that the database's user may enter; the logs stay in it."""
    made = Path(tempfile.mkdtemp(prefix="dayseye-chaos-"))
    made.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """Run a platform for all kills; its folder may be entered by the database's user."""
    folder = tmp_path_factory.mktemp("kill") / "beamline"
    platform = Platform(folder, KILL_SETTINGS.format(folder=folder))
    platform.start()
    yield platform
    processes = platform.processes()
    platform.stop()
    _, left = psutil.wait_procs(processes.values(), timeout=10)
    clear(platform)
    assert not left, f"left behind: {left}"


def clear(platform):
    """Remove what takes room; the logs stay."""
    for name in ("raw", "processed", "store"):
        shutil.rmtree(platform.folder / name, ignore_errors=True)
    shutil.rmtree(platform.life.addresses.postgres.place)  # perhaps outside of our folder


@pytest.fixture(scope="module")
def scans(platform):
    """Measure the scans."""
    return Templates(platform.folder / "store", "small", "big")


@pytest.fixture(scope="module")
def report():
    """Collect what happened, and print it at the end."""
    rows = []
    yield rows
    table = Table(title="kill -9 in the middle of a run", title_justify="left")
    for name in ("victim", "stage", "attempts", "reduced after", "old processes left"):
        table.add_column(name)
    for row in rows:
        table.add_row(*map(str, row))
    Console(width=100).print(table)
