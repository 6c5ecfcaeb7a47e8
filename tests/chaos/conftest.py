"""A real platform whose processes can be killed, and scans big enough to be hit in the middle."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import h5py
import numpy as np
import psutil
import pytest
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from catalog.connection import connect
from catalog.models import Attempt, Dataset, DatasetFile, Run, Storage
from infra.simulator import dxchange
from infra.simulator.phantom import Geometry
from infra.simulator.plan import ScanPlan, measure
from infra.up import running

SETTINGS = """
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


@dataclass
class Platform:
    """A platform on a folder, through several lives."""

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self):
        for name in ("raw", "processed", "state"):
            (self.folder / name).mkdir(parents=True)
        self.settings = self.folder / "dayseye.toml"
        self.settings.write_text(SETTINGS.format(folder=self.folder))

    def start(self):
        """Begin a life."""
        # so that every process of it, the supervisor too, can be told by its environment
        environment = {"DAYSEYE_STATE": str(self.folder / "state")}
        self.life = self.stack.enter_context(running(self.settings, environment=environment))
        self.engine = connect(self.life.addresses.application_dsn, "chaos")

    def stop(self):
        """End the life in good order."""
        self.engine.dispose()
        self.stack.close()

    def restart(self):
        """Begin a new life after the supervisor was killed."""
        self.stop()
        self.start()

    def service(self, name):
        """Return the process id of a service."""
        return self.life.services()[name]["pid"]

    def processes(self):
        """Return all processes that belong to this platform, with when they were made."""
        state = str(self.folder / "state")
        postgres = self.life.addresses.postgres.data
        found = {}
        for process in psutil.process_iter():
            try:
                named = process.environ().get("DAYSEYE_STATE") == state
                if named or process.cwd() == str(postgres):
                    found[process.pid] = process
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it has just ended, or is another user's
        return found

    # -- what the catalogue says ------------------------------------------------------------

    def ask(self, statement):
        """Ask the catalogue, which may be away: then the answer is empty."""
        try:
            with Session(self.engine) as session:
                return session.execute(statement).all()
        except OperationalError:
            return []

    def runs(self, uid):
        """Return the runs of a scan."""
        statement = select(Run).join(Dataset, Dataset.id == Run.dataset_id)
        return [row[0] for row in self.ask(statement.where(Dataset.uid == uid))]

    def attempts(self, uid):
        """Return the attempts at the runs of a scan, oldest first."""
        statement = select(Attempt).join(Run, Run.id == Attempt.run_id)
        statement = statement.join(Dataset, Dataset.id == Run.dataset_id)
        return [
            row[0] for row in self.ask(statement.where(Dataset.uid == uid).order_by(Attempt.number))
        ]

    def is_reduced(self, uid):
        """Tell whether a scan has a completed run."""
        return any(run.state == "completed" for run in self.runs(uid))

    def outputs(self, uid):
        """Return the derived datasets of a scan with their files' paths, sizes and digests."""
        (source,) = self.ask(select(Dataset).where(Dataset.uid == uid, Dataset.kind == "raw"))
        derived = self.ask(select(Dataset).where(Dataset.source_id == source[0].id))
        files = (
            select(DatasetFile, Storage.root)
            .join(Storage, Storage.id == DatasetFile.storage_id)
            .where(DatasetFile.dataset_id.in_([row[0].id for row in derived]))
        )
        return [row[0] for row in derived], {
            Path(root) / file.path: file for file, root in self.ask(files)
        }


@dataclass
class Scans:
    """Two scans, measured once, that are dropped again and again under new names and uids."""

    raw: Path
    store: Path
    count: int = 0

    def __post_init__(self):
        self.store.mkdir()
        small = ScanPlan(geometry=Geometry(columns=96, rows=8, projections=91, axis=46.3))
        wide = ScanPlan(geometry=Geometry(columns=512, rows=24, projections=400, axis=250.4))
        recording = measure(wide)
        tall = replace(recording, frames=np.tile(recording.frames, (1, 8, 1)))
        self.files = {
            "small": dxchange.write(self.store, replace(small, name="small"), measure(small)),
            "big": dxchange.write(self.store, replace(wide, name="big"), tall),
        }

    def drop(self, kind):
        """Copy a scan beside the beamline's folder, give it a new uid, move it in."""
        self.count += 1
        uid, name = str(uuid4()), f"{kind}_{self.count:02d}.h5"
        copy = self.store / name
        copy.write_bytes(self.files[kind].read_bytes())
        with h5py.File(copy, "r+") as file:
            file["measurement/scan_uid"] = uid
        copy.rename(self.raw / name)
        return uid


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    """Run a platform for all faults; its folder may be entered by the database's user."""
    folder = tmp_path_factory.mktemp("chaos")
    platform = Platform(folder / "beamline")
    platform.start()
    yield platform
    processes = platform.processes()
    platform.stop()
    _, left = psutil.wait_procs(processes.values(), timeout=10)
    for name in ("raw", "processed", "measured"):  # gigabytes; the logs stay
        shutil.rmtree(platform.folder / name)
    shutil.rmtree(platform.life.addresses.postgres.place)  # perhaps outside of our folder
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def scans(platform, tmp_path_factory):
    """Measure the scans."""
    return Scans(platform.folder / "raw", platform.folder / "measured")


@pytest.fixture(scope="session")
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
