"""What tests of several packages share: a real PostgreSQL, and a fresh catalogue for each test."""

import itertools
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from catalog.connection import connect
from catalog.migrate import migrate
from infra.postgres import EmbeddedPostgres

TEMPLATE = "catalog_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Run one embedded PostgreSQL for all tests, in a folder that its user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="dayseye-test-"))
    folder.chmod(0o755)
    quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    server = EmbeddedPostgres(folder, free_port(), settings=quick)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.place, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def admin_engine(postgres: EmbeddedPostgres) -> Iterator[Engine]:
    """Connect as the superuser, outside of transactions."""
    engine = connect(postgres.dsn("catalog", "admin"), isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def catalog_template(postgres: EmbeddedPostgres, admin_engine: Engine) -> str:
    """Migrate one database that the others are copied from."""
    with admin_engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {TEMPLATE} OWNER dayseye_owner"))
    migrate(database_dsn(postgres.dsn("catalog", "owner"), TEMPLATE))
    return TEMPLATE


@pytest.fixture
def empty_database(admin_engine: Engine) -> Iterator[str]:
    """Make a database without any tables, and return its name."""
    yield from _database(admin_engine, "template1")


@pytest.fixture
def catalog_database(admin_engine: Engine, catalog_template: str) -> Iterator[str]:
    """Make a migrated, empty catalogue, and return its name."""
    yield from _database(admin_engine, catalog_template)


def _database(admin_engine: Engine, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    statement = f"CREATE DATABASE {name} TEMPLATE {template} OWNER dayseye_owner"
    with admin_engine.connect() as connection:
        connection.execute(text(statement))
        yield name
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def catalog_dsn(postgres: EmbeddedPostgres, catalog_database: str) -> str:
    """Return the address of a fresh catalogue as the application."""
    return database_dsn(postgres.dsn("catalog", "app"), catalog_database)


@pytest.fixture
def owner_dsn(postgres: EmbeddedPostgres, catalog_database: str) -> str:
    """Return the address of the same catalogue as its owner."""
    return database_dsn(postgres.dsn("catalog", "owner"), catalog_database)


@pytest.fixture
def catalog_engine(catalog_dsn: str) -> Iterator[Engine]:
    """Connect to a fresh catalogue as the application."""
    engine = connect(catalog_dsn)
    yield engine
    engine.dispose()


@pytest.fixture
def owner_engine(owner_dsn: str) -> Iterator[Engine]:
    """Connect to the same catalogue as its owner."""
    engine = connect(owner_dsn)
    yield engine
    engine.dispose()


def database_dsn(dsn: str, database: str) -> str:
    return make_url(dsn).set(database=database).render_as_string(hide_password=False)
