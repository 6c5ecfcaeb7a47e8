import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from catalog.connection import connect
from catalog.errors import DatabaseTooNew
from catalog.migrate import migrate
from catalog.models import Base
from infra.postgres import EmbeddedPostgres


def test_models_and_migrations_agree(owner_engine: Engine) -> None:
    options = {"compare_type": True, "compare_server_default": True}
    with owner_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_checks_of_models_and_migrations_agree(owner_engine: Engine, empty_database: str) -> None:
    with connect(
        owner_engine.url.set(database=empty_database).render_as_string(hide_password=False)
    ).begin() as connection:
        connection.execute(text("CREATE EXTENSION pg_trgm"))
        Base.metadata.create_all(connection)
        from_models = checks(connection)
    with owner_engine.connect() as connection:
        assert checks(connection) == from_models


def checks(connection: object) -> dict[str, set[tuple[str, str]]]:
    inspector = inspect(connection)
    return {
        table: {(str(c["name"]), c["sqltext"]) for c in inspector.get_check_constraints(table)}
        for table in Base.metadata.tables
    }


def test_migrates_an_empty_database_and_then_changes_nothing(
    postgres: EmbeddedPostgres, empty_database: str
) -> None:
    dsn = postgres.dsn("catalog", "owner").replace("/catalog", f"/{empty_database}")
    migrate(dsn)
    with connect(dsn).begin() as connection:
        connection.execute(
            text("INSERT INTO storage (id, name, root) VALUES (gen_random_uuid(), 'a', '/a')")
        )
    migrate(dsn)
    with connect(dsn).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM storage")) == 1


def test_refuses_a_newer_database_with_a_sentence(owner_dsn: str, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match="'9999' by a later version of Dayseye"):
        migrate(owner_dsn)
