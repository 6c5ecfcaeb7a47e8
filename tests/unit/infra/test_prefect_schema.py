import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from catalog.connection import connect
from infra.postgres import EmbeddedPostgres
from infra.prefect_schema import PrefectTooNewError, known_revisions, refuse_newer
from tests.conftest import database_dsn


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, empty_database: str) -> str:
    return database_dsn(postgres.dsn("catalog", "owner"), empty_database)


def enter(dsn: str, revision: str) -> None:
    with connect(dsn).begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:r)"), {"r": revision})


def test_a_new_database_is_taken(dsn: str) -> None:
    refuse_newer(dsn)


def test_an_older_and_the_present_one_are_taken(dsn: str) -> None:
    scripts = known_revisions()
    newest, *_ = scripts.get_heads()
    enter(dsn, newest)
    refuse_newer(dsn)
    older = next(each for each in scripts.walk_revisions() if each.revision != newest)
    with connect(dsn).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"),
                           {"r": older.revision})  # fmt: skip
    refuse_newer(dsn)


def test_a_newer_one_is_refused_with_a_sentence(dsn: str) -> None:
    enter(dsn, "ffffffffffff")
    with pytest.raises(PrefectTooNewError, match="'ffffffffffff' by a later Prefect"):
        refuse_newer(dsn)


def test_the_server_ends_with_that_sentence(dsn: str, tmp_path: Path) -> None:
    enter(dsn, "ffffffffffff")
    address = dsn.replace("postgresql+psycopg2", "postgresql+asyncpg")
    environment = {"PREFECT_API_DATABASE_CONNECTION_URL": address, "PREFECT_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "infra.serve_prefect"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Prefect's database was migrated to")
