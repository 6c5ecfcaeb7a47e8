import os
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from infra import postgres_installation
from infra.postgres import EmbeddedPostgres
from infra.postgres_installation import PostgresError, copy_installation, find_installation
from infra.processes import spawn

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root must leave its own folders")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of its own: pytest's folder is closed to others, as a home folder is."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server = EmbeddedPostgres(tmp_path / "state" / "postgres", port, {"fsync": "off"})
    yield server
    server.stop()
    if server.place != server.folder:
        shutil.rmtree(server.place, ignore_errors=True)


def ask(dsn: str, question: str) -> object:
    address = dsn.replace("+psycopg2", "").replace("+asyncpg", "")
    connection = psycopg2.connect(address)
    try:
        cursor = connection.cursor()
        cursor.execute(question)
        row = cursor.fetchone()
        return row[0] if row else None
    finally:
        connection.close()


def test_roles_and_databases(postgres: EmbeddedPostgres) -> None:
    owner, app = postgres.dsn("catalog", "owner"), postgres.dsn("catalog", "app")
    whose = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert ask(owner, whose) == "dayseye_owner"
    assert ask(postgres.dsn("prefect"), whose) == "prefect"
    assert ask(owner, "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'") == 1
    assert ask(postgres.dsn("prefect"), "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'") == 1
    assert ask(owner, "SELECT count(*) FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'") == 0
    for dsn in (app, app.replace("/catalog", "/prefect")):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            ask(dsn, "SELECT 1")


def test_any_language_is_lowered_and_searched(postgres: EmbeddedPostgres) -> None:
    dsn = postgres.dsn("catalog", "owner")
    assert ask(dsn, "SELECT lower('ÜÉ')") == "üé"
    assert ask(dsn, "SELECT cardinality(show_trgm('样品')) > 0") is True


def test_only_our_password_opens_it(postgres: EmbeddedPostgres) -> None:
    dsn = f"postgresql://postgres:wrong@127.0.0.1:{postgres.port}/catalog"
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(dsn, "SELECT 1")
    assert stat.S_IMODE((postgres.folder / "passwords.json").stat().st_mode) == 0o600


def test_it_listens_on_the_loopback_alone(postgres: EmbeddedPostgres) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == postgres.port
    }
    assert listening == {"127.0.0.1"}


@ROOT_ONLY
def test_under_a_closed_folder_data_and_programs_go_elsewhere(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root with the whole checkout, its .venv too, under a home folder closed to others."""
    found = find_installation()
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    closed = copy_installation(found, home)
    monkeypatch.setattr("infra.postgres.find_installation", lambda: closed)
    server.start()
    assert server.place.parent == Path("/var/tmp")  # noqa: S108 - checked to be ours
    assert server.installation.root.is_relative_to(server.place)
    assert (server.folder / "place.txt").read_text().strip() == str(server.place)
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert ask(server.dsn("catalog", "owner"), "SELECT 1") == 1
    assert stat.S_IMODE(home.stat().st_mode) == 0o700, "folders of others stay as they are"


@ROOT_ONLY
def test_a_place_that_somebody_else_made_is_refused(server: EmbeddedPostgres) -> None:
    server.place.mkdir()
    os.chown(server.place, 65534, 65534)
    with pytest.raises(PostgresError, match="somebody else made it"):
        server.prepare()


def test_start_after_kill_9_of_everything_finds_the_data_again(server: EmbeddedPostgres) -> None:
    server.start()
    dsn = server.dsn("catalog", "owner")
    connection = psycopg2.connect(dsn.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    connection.close()
    kill_postmaster(server)
    assert (server.data / "postmaster.pid").exists()
    server.start()
    assert ask(dsn, "SELECT answer FROM kept") == 42


def kill_postmaster(server: EmbeddedPostgres) -> None:
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    assert server._process is not None
    server._process.wait()


def test_a_pid_that_another_process_has_by_now_does_not_hinder(server: EmbeddedPostgres) -> None:
    server.start()
    kill_postmaster(server)
    other = spawn(["sleep", "60"], user=server.user)
    try:
        file = server.data / "postmaster.pid"
        lines = file.read_text().splitlines()
        file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        server.start()
        assert other.poll() is None, "a stranger's process is left alone"
    finally:
        other.kill()
        other.wait()


def test_a_server_that_outlived_its_supervisor_is_ended(server: EmbeddedPostgres) -> None:
    server.start()
    server.create_databases()
    survivor, server._process = server._process, None
    assert survivor is not None
    server.prepare()
    assert survivor.wait(timeout=10) == 0
    server.start()


def test_an_interrupted_initdb_is_begun_again(server: EmbeddedPostgres) -> None:
    if server.place != server.folder:
        server.place.mkdir(mode=0o755)
    unfinished = server.place / "data.partial"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server.start()
    assert not unfinished.exists()


def test_data_of_another_version_are_refused(server: EmbeddedPostgres) -> None:
    server.prepare()
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresError, match="belong to PostgreSQL 9"):
        server.prepare()


def test_no_postgresql_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_installation, "_in_wheel", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PostgresError, match="Install one of them"):
        find_installation()


def test_the_path_is_looked_at_where_the_wheel_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("postgres") is None:
        pytest.skip("no PostgreSQL on the PATH")
    monkeypatch.setattr(postgres_installation, "_in_wheel", lambda: None)
    assert find_installation().version >= 15
