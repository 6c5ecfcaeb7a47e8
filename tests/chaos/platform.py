"""A real platform on a folder of its own, through several lives."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from catalog.connection import connect
from catalog.models import Attempt, Dataset, DatasetFile, Run, Storage
from infra.up import running

AWAY = (OperationalError, InterfaceError)


@dataclass
class Platform:
    """A platform on a folder, through several lives."""

    folder: Path
    toml: str
    environment: dict[str, str] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self):
        for name in ("raw", "processed", "state"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.settings = self.folder / "dayseye.toml"
        self.settings.write_text(self.toml)

    def start(self):
        """Begin a life."""
        # so that every process of it, the supervisor too, can be told by its environment
        environment = {**self.environment, "DAYSEYE_STATE": str(self.folder / "state")}
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
            return self.read(statement)
        except AWAY:
            return []

    def read(self, statement):
        """Ask the catalogue, which must be there."""
        with Session(self.engine) as session:
            return session.execute(statement).all()

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


def alive(processes):
    """Return those that still run."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue  # it ended between the two questions
    return found


def family(pid):
    """Return a process and its children, their children too."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
