"""The embedded PostgreSQL: the programs of a wheel (or of the PATH), run as a plain child process.

Nothing here trusts a connection without its password, listens beyond the loopback, or changes the
machine: no user is added and no folder of others is opened.
"""

import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Literal

import psutil
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from infra.postgres_installation import (
    Installation,
    PostgresError,
    account,
    can_reach,
    can_run,
    copy_installation,
    find_installation,
    own_place,
    run_as,
)
from infra.processes import is_alive, spawn

SERVICE_USER = "nobody"
ROLES = {"admin": "postgres", "owner": "dayseye_owner", "app": "dayseye_app", "prefect": "prefect"}
DATABASES = {"catalog": "owner", "prefect": "prefect"}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%d ",
}


class EmbeddedPostgres:
    """One PostgreSQL server with the databases ``catalog`` and ``prefect``.

    Parameters
    ----------
    folder : Path
        Its folder inside the state folder: passwords, and the data where the server can use it.
        Where it cannot (as root under a folder closed to others), the data lie under /var/tmp and
        ``place.txt`` in this folder names where.
    port : int
        The port on the loopback.
    settings : mapping, optional
        PostgreSQL settings that differ from ours.
    """

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    # -- before the start -------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what a start needs: passwords, a place, a data folder; clear what a crash left.

        Raises
        ------
        PostgresError
            No usable PostgreSQL, data of another version, or a place that is not ours.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.place != self.folder:
            own_place(self.place)
            self._set_aside_orphan()
            self._place_file.write_text(f"{self.place}\n")
        installation = self.installation
        if (self.data / "PG_VERSION").exists():
            self._check_version(installation)
            self._end_leftovers()
        else:
            self._initialise(installation)

    @property
    def _place_file(self) -> Path:
        return self.folder / "place.txt"

    def _set_aside_orphan(self) -> None:
        """Keep, under another name, the data of a state folder that was removed.

        They lie outside of it, and their passwords went with it: nobody could connect.
        """
        if self.data.exists() and not self._place_file.exists():
            self._end_leftovers()
            self.data.rename(self.place / f"data.orphaned-{time.time_ns()}")

    @cached_property
    def user(self) -> str | None:
        """The account that the server runs as: PostgreSQL refuses to run as root."""
        return SERVICE_USER if os.geteuid() == 0 else None

    @cached_property
    def place(self) -> Path:
        """Where the data (and perhaps the programs) lie."""
        if self.user is None or can_reach(self.folder, self.user):
            return self.folder
        name = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path("/var/tmp") / f"dayseye-{name}"  # noqa: S108 - owned and checked by own_place

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.place / "data"

    @cached_property
    def installation(self) -> Installation:
        """The PostgreSQL that runs: copied to a reachable place where its user cannot enter it."""
        found = find_installation()
        if self.user is None or can_run(found, self.user):
            return found
        return copy_installation(found, self.place)

    def _check_version(self, installation: Installation) -> None:
        version = int((self.data / "PG_VERSION").read_text())
        if version != installation.version:
            raise PostgresError(
                f"The data in {self.data} belong to PostgreSQL {version}, but the one here is "
                f"{installation.version} ({installation.root}). Install {version}, or dump and "
                "restore the databases into a new state folder."
            )

    def _initialise(self, installation: Installation) -> None:
        """Run initdb beside the final name, so that a crash leaves no half-made data folder."""
        unfinished = self.place / "data.partial"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        password = self.place / "initdb.password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(self._passwords["admin"])
        for path in (unfinished, password):
            self._hand_over(path)
        command = [installation.program("initdb"), "-D", unfinished, "-U", ROLES["admin"]]
        command += ["-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"]
        command += ["--locale=C.UTF-8"]
        try:
            done = run_as(self.user, command, _environment())
        finally:
            password.unlink()
        if done.returncode != 0:
            raise PostgresError(f"initdb failed in {self.place}: {done.stderr.strip()}")
        unfinished.rename(self.data)

    def _hand_over(self, path: Path) -> None:
        if self.user is not None:
            os.chown(path, account(self.user).pw_uid, account(self.user).pw_gid)

    @cached_property
    def _passwords(self) -> dict[str, str]:
        """The generated passwords of the roles, kept in a file that only we can read."""
        path = self.folder / "passwords.json"
        if not path.exists():
            passwords = {role: secrets.token_urlsafe(24) for role in ROLES}
            unfinished = path.with_suffix(".partial")
            unfinished.unlink(missing_ok=True)
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps(passwords))
            unfinished.rename(path)
        return json.loads(path.read_text())

    def _end_leftovers(self, patience: float = 20.0) -> None:
        """End servers that outlived their supervisor, and remove the pid file that they left.

        A server that is stopping gets its time; after ``patience`` seconds it is killed (it
        recovers from its log). With none left, a pid file can only mislead: its id may meanwhile
        belong to another process.
        """
        deadline = time.monotonic() + patience
        while leftovers := self._servers():
            for process in leftovers:
                late = time.monotonic() > deadline
                try:
                    process.send_signal(signal.SIGKILL if late else signal.SIGINT)
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(leftovers, timeout=1.0)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _servers(self) -> list[psutil.Process]:
        """Find the server processes of this data folder: each has it as its working folder."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter(["name", "cwd"]):
            here = process.info["cwd"] == str(self.data)
            if here and process.info["name"] == "postgres" and is_alive(process.pid):
                found.append(process)
        return found

    # -- running ----------------------------------------------------------------------------

    def command(self) -> tuple[list[str], dict[str, str], str | None]:
        """Return the server's arguments, its environment and its user.

        Its death signal is SIGINT (``fast`` shutdown): ``spawn(..., death_signal=SIGINT)``.
        """
        argv = [str(self.installation.program("postgres")), "-D", str(self.data)]
        argv += ["-p", str(self.port)]
        for name, value in self.settings.items():
            argv += ["-c", f"{name}={value}"]
        return argv, _environment(), self.user

    def ready(self) -> bool:
        """Tell whether our server answers, which it does only to our password."""
        try:
            self._connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def create_databases(self) -> None:
        """Make the roles and databases that are missing, and set the passwords (idempotent)."""
        with closing(self._connect("postgres")) as opened:
            on = opened.cursor()
            for role in ("owner", "app", "prefect"):
                _ensure_role(on, ROLES[role], self._passwords[role])
            for database, role in DATABASES.items():
                _ensure_database(on, database, ROLES[role])
        for database in DATABASES:
            with closing(self._connect(database)) as opened:
                opened.cursor().execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")

    def dsn(
        self,
        database: Literal["catalog", "prefect"],
        role: Literal["admin", "owner", "app"] = "app",
    ) -> str:
        """Return the address of a database, password included: never log it.

        ``prefect`` has one role of its own, and the address is for asyncpg.
        """
        if database == "prefect":
            return self._address("postgresql+asyncpg", "prefect", "prefect")
        return self._address("postgresql+psycopg2", role, database)

    def start(self, log: Path | None = None, timeout: float = 60.0) -> None:
        """Prepare, start, wait and create the databases (the supervisor takes these steps itself).

        Raises
        ------
        PostgresError
            The server ended, or did not answer in time.
        """
        self.prepare()
        argv, env, user = self.command()
        log = log or self.folder / "postgres.log"
        self._process = spawn(argv, env=env, user=user, log=log, death_signal=signal.SIGINT)
        deadline = time.monotonic() + timeout
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PostgresError(f"PostgreSQL did not start on port {self.port}: see {log}")
            time.sleep(0.05)
        self.create_databases()

    def stop(self) -> None:
        """Stop what ``start`` has started, and wait for its end."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            self._process = None

    def _connect(self, database: str) -> connection:
        """Connect as the superuser; every statement is its own transaction."""
        address = self._address("postgresql", "admin", database)
        opened = psycopg2.connect(address, connect_timeout=2)
        opened.autocommit = True
        return opened

    def _address(self, scheme: str, role: str, database: str) -> str:
        return f"{scheme}://{ROLES[role]}:{self._passwords[role]}@127.0.0.1:{self.port}/{database}"


def _environment() -> dict[str, str]:
    """Return an environment without our own PG... variables and secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": "/"}


# -- roles and databases --------------------------------------------------------------------


def _ensure_role(on: cursor, name: str, password: str) -> None:
    on.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
    verb = "ALTER" if on.fetchone() else "CREATE"
    on.execute(
        sql.SQL(verb + " ROLE {} LOGIN NOSUPERUSER PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(password)
        )
    )


def _ensure_database(on: cursor, name: str, owner: str) -> None:
    on.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    if on.fetchone() is None:
        statement = sql.SQL("CREATE DATABASE {} OWNER {}")
        on.execute(statement.format(sql.Identifier(name), sql.Identifier(owner)))
        on.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
